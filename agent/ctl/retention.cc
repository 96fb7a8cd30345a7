// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/retention.h"

#include <algorithm>
#include <charconv>
#include <map>

namespace quiesced {
namespace {

std::optional<std::time_t> made(const ManifestView& set) {
    std::tm parts{};
    const char* end = ::strptime(set.created.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
    if (end == nullptr || *end != '\0') return std::nullopt;
    return ::timegm(&parts);
}

std::vector<std::string> volumes(const ManifestView& set) {
    std::vector<std::string> names;
    for (const auto& member : set.members) names.push_back(member.volume);
    std::sort(names.begin(), names.end());
    return names;
}

} // namespace

std::vector<ExpiredSet> expired(const std::vector<ManifestView>& sets, const Retention& rules, std::time_t now) {
    std::vector<const ManifestView*> newest_first;
    for (const auto& set : sets)
        if (set.state == "complete" && !revert_interrupted(set)) newest_first.push_back(&set);
    // An id begins with its time.
    std::sort(newest_first.begin(), newest_first.end(), [](const auto* a, const auto* b) { return a->id > b->id; });
    std::map<std::vector<std::string>, std::size_t> newer;
    std::vector<ExpiredSet> gone;
    for (const auto* set : newest_first) {
        const auto rank = newer[volumes(*set)]++;
        const auto time = made(*set);
        if (rules.keep && rank >= *rules.keep)
            gone.push_back({set->id, std::to_string(rank) + (rank == 1 ? " newer one" : " newer ones") + " of the same volumes"});
        else if (rules.max_age && time && now - *time > rules.max_age->count())
            gone.push_back({set->id, "made " + set->created});
    }
    std::reverse(gone.begin(), gone.end());
    return gone;
}

std::optional<std::chrono::seconds> parse_age(const std::string& text) {
    static const std::map<std::string, std::int64_t> units{{"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}};
    constexpr std::int64_t longest = 100 * 366; // of days: no sum overflows
    std::int64_t count = 0;
    const auto* const last = text.data() + text.size();
    const auto [end, problem] = std::from_chars(text.data(), last, count);
    const auto unit = units.find(std::string(end, last));
    if (problem != std::errc() || unit == units.end() || count <= 0 || count > longest * 86400 / unit->second) return std::nullopt;
    return std::chrono::seconds(count * unit->second);
}

} // namespace quiesced
