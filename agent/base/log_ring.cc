// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/log_ring.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

namespace quiesced {
namespace {

/// The longest prefix of at most `limit` bytes that ends between two UTF-8 characters.
std::string_view cut(std::string_view text, std::size_t limit) {
    if (text.size() <= limit) return text;
    const auto continues = [&](std::size_t at) { return (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U; };
    std::size_t end = limit;
    while (end > 0 && continues(end)) --end;
    // Bytes that are no UTF-8 at all are cut anywhere.
    return text.substr(0, end == 0 ? limit : end);
}

} // namespace

// The constructor's value initialisation writes every line, which touches every page.
LogRing::LogRing(std::size_t capacity) : lines_(std::max<std::size_t>(capacity, 1)) {
    static_assert(sizeof(Line) == 512);
    // Without CAP_IPC_LOCK or above RLIMIT_MEMLOCK this is refused: the ring then works, but may be swapped out.
    (void)::mlock(lines_.data(), lines_.size() * sizeof(Line));
}

void LogRing::push(int level, std::string_view text, std::chrono::system_clock::time_point time, std::uint16_t message, std::string_view fields) {
    if (fields.size() > kMostFields) fields = {};
    const std::lock_guard lock(mutex_);
    Line& line = lines_[(first_ + count_) % lines_.size()];
    if (count_ == lines_.size()) {
        first_ = (first_ + 1) % lines_.size();
        ++lost_;
    } else {
        ++count_;
    }
    const auto kept = cut(text, line.text.size() - fields.size());
    line.time = time;
    line.level = level;
    line.message = message;
    line.length = static_cast<std::uint16_t>(kept.size());
    line.fields_length = static_cast<std::uint16_t>(fields.size());
    std::copy(fields.begin(), fields.end(), std::copy(kept.begin(), kept.end(), line.text.begin()));
}

std::uint64_t LogRing::drain(const std::function<void(const Line&)>& sink) {
    std::vector<Line> kept;
    std::uint64_t lost = 0;
    {
        const std::lock_guard lock(mutex_);
        kept.reserve(count_);
        for (std::size_t i = 0; i < count_; ++i) kept.push_back(lines_[(first_ + i) % lines_.size()]);
        first_ = 0;
        count_ = 0;
        lost = std::exchange(lost_, 0);
    }
    for (const auto& line : kept) sink(line);
    return lost;
}

std::string original_time(std::chrono::system_clock::time_point time, std::chrono::system_clock::time_point now) {
    using std::chrono::milliseconds;
    if (now - time < milliseconds(100)) return {};
    const auto since = std::chrono::floor<milliseconds>(time.time_since_epoch());
    const auto seconds = static_cast<std::time_t>(std::chrono::floor<std::chrono::seconds>(since).count());
    std::tm parts{};
    ::localtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "[%F %T.", &parts);
    const auto fraction = std::to_string(1000 + since.count() % 1000);
    return text.data() + fraction.substr(1) + "] ";
}

} // namespace quiesced
