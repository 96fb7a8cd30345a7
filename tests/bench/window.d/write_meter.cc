// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bench/window.d/write_meter.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <utility>

#include "base/file.h"

namespace quiesced::bench {
namespace {

constexpr std::size_t kBlock = 4096;
constexpr off_t kFileSize = 1024 * kBlock; ///< a page is written again after 1024 periods only, when it is long on the disk
constexpr std::chrono::milliseconds kLookAgain{1};
constexpr std::chrono::nanoseconds kSlack{300'000};
constexpr std::chrono::seconds kPatience{10};

void sleep_until(Monotonic::time_point when) noexcept {
    const auto ns = when.time_since_epoch().count();
    const timespec time{.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
    ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr);
}

} // namespace

Result<std::unique_ptr<WriteMeters>> WriteMeters::start(const std::vector<std::string>& folders, std::chrono::milliseconds period) {
    std::unique_ptr<WriteMeters> meters(new WriteMeters(period)); // house-allow(new): private constructor, owned at once
    for (const auto& folder : folders) {
        auto meter = std::make_unique<Meter>();
        meter->folder = folder;
        auto file = open_at(AT_FDCWD, folder + "/application", O_WRONLY | O_CREAT, 0600);
        if (!file) return pass(file);
        meter->file = std::move(*file);
        meters->meters_.push_back(std::move(meter));
    }
    for (const auto& meter : meters->meters_)
        meter->thread = std::thread([all = meters.get(), one = meter.get()] { all->write(*one); });
    if (auto written = meters->wait_for_writes(1); !written) return pass(written);
    return meters;
}

WriteMeters::~WriteMeters() { static_cast<void>(stop()); }

void WriteMeters::write(Meter& meter) const noexcept {
    // Wake-ups of many writers may coincide: hundreds of thousands of timer interrupts in a second would be the bench's own load.
    ::prctl(PR_SET_TIMERSLACK, kSlack.count());
    const std::array<char, kBlock> block{'q'};
    auto due = Monotonic::now();
    std::uint64_t forgotten = 0;
    for (off_t at = 0; !stop_.load(); at = (at + static_cast<off_t>(kBlock)) % kFileSize) {
        const auto started = Monotonic::now();
        const auto count = ::pwrite(meter.file.get(), block.data(), block.size(), at);
        const int error = errno;
        const auto ended = Monotonic::now();
        if (count != static_cast<ssize_t>(block.size())) {
            meter.error_number = count < 0 ? error : EIO;
            return;
        }
        if (const auto now = forgotten_.load(); now != forgotten) {
            forgotten = now;
            meter.longest = {};
        }
        if (ended - started > meter.longest.length()) meter.longest = {.started = started, .ended = ended};
        meter.writes.fetch_add(1);
        // One write that took long is not made up for by many short ones.
        due = std::max<Monotonic::time_point>(due + period_, ended);
        sleep_until(due);
    }
}

Result<void> WriteMeters::wait_for_writes(std::uint64_t count) const {
    const auto until = Monotonic::now() + kPatience;
    std::vector<std::uint64_t> before;
    for (const auto& meter : meters_) before.push_back(meter->writes.load());
    for (std::size_t i = 0; i < meters_.size();) {
        const auto& meter = *meters_[i];
        if (meter.writes.load() >= before[i] + count) {
            ++i;
            continue;
        }
        if (const int error = meter.error_number.load(); error != 0) return fail_errno("cannot write below " + meter.folder, error);
        if (Monotonic::now() > until) return fail(ErrorKind::deadline, "writes below " + meter.folder + " do not return");
        sleep_until(Monotonic::now() + kLookAgain);
    }
    return {};
}

Result<std::vector<Stall>> WriteMeters::stop() {
    stop_ = true;
    for (const auto& meter : meters_)
        if (meter->thread.joinable()) meter->thread.join();
    std::vector<Stall> longest;
    for (const auto& meter : meters_) {
        if (const int error = meter->error_number.load(); error != 0) return fail_errno("cannot write below " + meter->folder, error);
        longest.push_back(meter->longest);
    }
    return longest;
}

} // namespace quiesced::bench
