// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "base/file.h"
#include "freeze/freezer_client.h"
#include "bench/window.d/contestant.h"

namespace quiesced::bench {
namespace {

constexpr std::chrono::seconds kFlushBound{30};
constexpr std::chrono::seconds kHold{60};

double between_ms(std::int64_t start, std::int64_t end) { return to_ms(std::chrono::nanoseconds(end - start)); }

/// VmHWM: the most that was ever resident.
std::uint64_t peak_rss_of(int pid) {
    const auto status = read_file("/proc/" + std::to_string(pid) + "/status").value_or("");
    const auto at = status.find("VmHWM:");
    return at == std::string::npos ? 0 : std::strtoull(status.c_str() + at + 6, nullptr, 10);
}

std::string describe(const Record& record) {
    std::int64_t flush = 0, frozen = 0, thaw = INT64_MAX, hold = 0;
    for (const auto& slot : record.members()) {
        flush = std::max(flush, slot.flush_ns.load());
        frozen = std::max(frozen, slot.freeze_ended.load());
        thaw = std::min(thaw, slot.thaw_started.load());
        hold = std::max(hold, slot.thaw_ended.load() - slot.freeze_started.load());
    }
    const auto& header = record.header();
    std::array<char, 160> text{};
    std::snprintf(text.data(), text.size(), "last flush %.1f, freeze %.2f, all frozen %.2f, thaw %.2f, longest of one %.2f ms",
                  to_ms(std::chrono::nanoseconds(flush)), between_ms(header.window_started, frozen), between_ms(frozen, thaw),
                  between_ms(thaw, header.window_ended), to_ms(std::chrono::nanoseconds(hold)));
    return text.data();
}

} // namespace

struct QuiescedContestant::Window {
    std::unique_ptr<FreezerClient> client;
};

QuiescedContestant::QuiescedContestant(std::string freezer, std::string folder, bool expedite)
    : freezer_(std::move(freezer)), folder_(std::move(folder)), expedite_(expedite) {}
QuiescedContestant::~QuiescedContestant() = default;

Result<void> QuiescedContestant::prepare(const Volumes& volumes) {
    FreezePlan plan;
    plan.set = "67f0a1b200c0ffee";
    plan.expedite_rcu = expedite_;
    for (const auto* volume : volumes) {
        auto member = volume->member();
        if (!member) return pass(member);
        plan.members.push_back(std::move(*member));
    }
    auto client = FreezerClient::start(std::move(plan), std::make_unique<ProcessLauncher>(freezer_), WindowKernel::linux(),
                                       {.record_directory = folder_}, [](const WindowLoss&) {});
    if (!client) return pass(client);
    window_ = std::make_unique<Window>(Window{std::move(*client)});
    return {};
}

Result<void> QuiescedContestant::flush_and_freeze() {
    if (auto flushed = window_->client->flush(kFlushBound); !flushed) return flushed;
    return window_->client->freeze(kHold);
}

Result<void> QuiescedContestant::pass_window() {
    if (auto frozen = flush_and_freeze(); !frozen) return frozen;
    return window_->client->thaw();
}

Result<void> QuiescedContestant::finish() {
    const auto& record = window_->client->record();
    peak_rss_kib_ = peak_rss_of(record.header().freezer_pid.load());
    phases_ = describe(record);
    window_started_ = record.header().window_started;
    window_length_ = std::chrono::nanoseconds(record.header().window_ended.load() - window_started_);
    window_.reset();
    return {};
}

} // namespace quiesced::bench
