// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oracle/writer.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <span>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/scope_exit.h"
#include "base/unique_fd.h"
#include "oracle/record.h"

namespace quiesced::oracle {

namespace {

constexpr const char* kLoadName = "oracle.load";
constexpr std::size_t kLoadBlock = 64UL << 10U;
constexpr std::int64_t kBlocksPerMiB = (1L << 20U) / kLoadBlock;
constexpr off_t kLoadFileSize = 8L << 20U;
constexpr std::chrono::nanoseconds kLongestRest = std::chrono::seconds(1); ///< after a round that waited for a thaw

Result<void> write_at(int fd, std::span<const std::byte> bytes, off_t at, const std::string& path) {
    while (!bytes.empty()) {
        const ssize_t count = ::pwrite(fd, bytes.data(), bytes.size(), at);
        if (count < 0) {
            if (errno == EINTR) continue;
            return fail_errno("cannot write " + path);
        }
        bytes = bytes.subspan(static_cast<std::size_t>(count));
        at += count;
    }
    return {};
}

struct Target {
    std::string path;
    UniqueFd file;
};

/// A record file with `record` in it, all durable: a snapshot must show a record or no file, never a file without one.
Result<Target> open_target(const std::string& directory, const Record& record) {
    auto folder = open_at(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY);
    if (!folder) return pass(folder);
    const auto bytes = encode(record);
    const std::string_view content(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (auto made = replace_file_at(folder->get(), kRecordName, content, 0644); !made) return pass(made);
    Target target{directory + "/" + kRecordName, {}};
    auto file = open_at(folder->get(), kRecordName, O_WRONLY);
    if (!file) return pass(file);
    target.file = std::move(*file);
    return target;
}

/// Dirty data for the freeze to flush: rewrites one file from start to end at a steady rate, never waiting for the disk.
Result<void> write_load(const std::string& directory, unsigned rate, const std::atomic<bool>& stop) {
    const std::string path = directory + "/" + kLoadName;
    auto file = open_at(AT_FDCWD, path, O_WRONLY | O_CREAT, 0644);
    if (!file) return pass(file);
    const auto pause = std::chrono::nanoseconds(1'000'000'000 / (static_cast<std::int64_t>(rate) * kBlocksPerMiB));
    std::vector<std::byte> block(kLoadBlock);
    auto due = Monotonic::now();
    std::uint8_t value = 0;
    for (off_t at = 0; !stop.load(); at = (at + static_cast<off_t>(kLoadBlock)) % kLoadFileSize) {
        std::fill(block.begin(), block.end(), std::byte{++value});
        if (auto written = write_at(file->get(), block, at, path); !written) return written;
        // After a freeze it goes on at the steady rate and does not make up for the time lost.
        due = std::max<Monotonic::time_point>(due + pause, Monotonic::now());
        std::this_thread::sleep_for(due - Monotonic::now());
    }
    return {};
}

} // namespace

Result<WriterReport> write_records(const WriterOptions& options, const std::atomic<bool>& stop,
                                   const std::function<Result<void>()>& ready) {
    if (options.directories.size() < 2) {
        return fail(ErrorKind::invalid_argument, "there is nothing to compare", "Name two or more directories.");
    }
    std::uint64_t run = 0;
    if (::getrandom(&run, sizeof run, 0) != static_cast<ssize_t>(sizeof run)) return fail_errno("cannot draw a number");

    const auto volumes = static_cast<std::uint32_t>(options.directories.size());
    std::vector<Target> targets;
    for (std::uint32_t k = 0; k < volumes; ++k) {
        auto target = open_target(options.directories[k], Record{run, 0, k, volumes});
        if (!target) return pass(target);
        targets.push_back(std::move(*target));
    }

    std::atomic<bool> ended{false};
    std::mutex mutex;
    std::optional<Error> load_error; // guarded by mutex
    std::vector<std::jthread> threads;
    const ScopeExit end_load([&] { ended.store(true); }); // runs before the threads are joined
    if (options.load > 0) {
        for (const std::string& directory : options.directories) {
            threads.emplace_back([&, directory] {
                if (auto written = write_load(directory, options.load, ended); !written) {
                    const std::lock_guard lock(mutex);
                    load_error = written.error();
                    ended.store(true);
                }
            });
        }
    }

    WriterReport report;
    const auto begun = Monotonic::now();
    while (!stop.load() && !ended.load() && (!options.length || Monotonic::now() - begun < *options.length)) {
        const std::uint64_t sequence = report.sequence + 1;
        const auto round = Monotonic::now();
        for (std::uint32_t k = 0; k < volumes; ++k) {
            const auto bytes = encode(Record{run, sequence, k, volumes});
            const auto start = Monotonic::now();
            if (auto written = write_at(targets[k].file.get(), bytes, 0, targets[k].path); !written) {
                return pass(written);
            }
            if (::fdatasync(targets[k].file.get()) != 0) return fail_errno("cannot sync " + targets[k].path);
            report.longest_write = std::max<std::chrono::nanoseconds>(report.longest_write, Monotonic::now() - start);
        }
        report.sequence = sequence;
        if (sequence == 1) {
            if (auto told = ready(); !told) return pass(told);
        }
        const std::chrono::nanoseconds took = Monotonic::now() - round;
        report.busy += took;
        std::this_thread::sleep_for(std::min(took * options.rest, kLongestRest));
    }
    ended.store(true);
    threads.clear();
    if (load_error) return tl::unexpected<Error>(*load_error);
    return report;
}

} // namespace quiesced::oracle
