// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/write_rate.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "base/file.h"

namespace quiesced {
namespace {

std::string_view next_word(std::string_view& line) {
    const auto begin = line.find_first_not_of(' ');
    if (begin == std::string_view::npos) return {};
    line.remove_prefix(begin);
    const auto word = line.substr(0, line.find(' '));
    line.remove_prefix(word.size());
    return word;
}

template <typename Number>
std::optional<Number> number(std::string_view word) {
    Number value{};
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc{} || word.empty() || end != word.data() + word.size()) return std::nullopt;
    return value;
}

/// "253 3 dm-3 READS MERGED SECTORS MS WRITES MERGED SECTORS MS ...": the second of the sectors, always of 512 bytes.
std::optional<std::pair<DeviceNumber, std::uint64_t>> parse_line(std::string_view line) {
    constexpr std::size_t sectors_written = 9;
    std::array<std::string_view, sectors_written + 1> words;
    for (auto& word : words) word = next_word(line);
    const auto major = number<std::uint32_t>(words[0]);
    const auto minor = number<std::uint32_t>(words[1]);
    const auto sectors = number<std::uint64_t>(words[sectors_written]);
    if (!major || !minor || !sectors || *sectors > UINT64_MAX / kSectorSize) return std::nullopt;
    return std::pair(DeviceNumber{*major, *minor}, *sectors * kSectorSize);
}

} // namespace

WrittenBytes parse_diskstats(std::string_view text) {
    WrittenBytes written;
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(line.size() == text.size() ? line.size() : line.size() + 1);
        if (const auto parsed = parse_line(line)) written.insert(*parsed);
    }
    return written;
}

Result<WriteSample> sample_writes(const std::string& diskstats) {
    const auto text = read_file(diskstats);
    if (!text) return tl::unexpected<Error>(text.error());
    return WriteSample{.taken = Monotonic::now(), .written = parse_diskstats(*text)};
}

std::map<DeviceNumber, std::uint64_t> write_rates(const WriteSample& first, const WriteSample& second) {
    std::map<DeviceNumber, std::uint64_t> rates;
    const double seconds = std::chrono::duration<double>(second.taken - first.taken).count();
    if (seconds <= 0) return rates;
    for (const auto& [device, before] : first.written) {
        const auto after = second.written.find(device);
        // Smaller: another device has the number by now.
        if (after == second.written.end() || after->second < before) continue;
        constexpr double most = 1e18; // what is beyond cannot be a count of bytes
        rates[device] = static_cast<std::uint64_t>(std::min(static_cast<double>(after->second - before) / seconds, most));
    }
    return rates;
}

} // namespace quiesced
