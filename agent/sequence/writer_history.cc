// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/writer_history.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace quiesced {
namespace {

/// From the best; what is not among them is worse.
constexpr std::array<std::string_view, 3> kRanks{"application", "filesystem", "crash"};

std::string weakest(const Manifest& manifest, const std::vector<std::string>& volumes) {
    std::string worst;
    const auto rank = [](const std::string& word) { return std::find(kRanks.begin(), kRanks.end(), word) - kRanks.begin(); };
    for (const auto& member : manifest.members)
        if (std::find(volumes.begin(), volumes.end(), member.volume) != volumes.end() && (worst.empty() || rank(member.consistency) > rank(worst)))
            worst = member.consistency;
    return worst;
}

} // namespace

void WriterHistory::note(const Manifest& manifest) {
    if (manifest.writers.empty() || !SetId::parse(manifest.id)) return;
    const bool failed = manifest.state == "failed";
    const std::chrono::seconds made(std::stoll(manifest.id.substr(0, 8), nullptr, 16)); // an id begins with the time
    const std::lock_guard lock(mutex_);
    for (const auto& writer : manifest.writers) {
        auto& use = uses_[{writer.name, writer.kind}];
        if (use.set > manifest.id) continue; // ids sort by age
        use = {.set = manifest.id,
               .state = !writer.error.empty() ? "failed" : failed ? "aborted" : "quiesced",
               .consistency = failed ? std::string() : weakest(manifest, writer.volumes),
               .error = writer.error,
               .time = std::chrono::system_clock::time_point(made)};
    }
}

std::optional<WriterUse> WriterHistory::last(const std::string& name, const std::string& kind) const {
    const std::lock_guard lock(mutex_);
    const auto found = uses_.find({name, kind});
    if (found == uses_.end()) return std::nullopt;
    return found->second;
}

} // namespace quiesced
