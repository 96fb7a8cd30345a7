// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arrays/plugin_records.h"

#include <utility>

namespace quiesced {

std::string_view plugin_state_name(PluginStatus::State state) {
    switch (state) {
    case PluginStatus::State::ready: return "ready";
    case PluginStatus::State::failed: return "failed";
    default: return "unknown";
    }
}

void PluginRecords::note_connection(const std::string& plugin, const Error& error) {
    const std::lock_guard lock(mutex_);
    auto& status = plugins_[plugin];
    status.state = PluginStatus::State::failed;
    status.error = error.message();
}

void PluginRecords::note_description(const std::string& plugin, const Result<PluginDescription>& description) {
    if (!description) return note_connection(plugin, description.error());
    const std::lock_guard lock(mutex_);
    auto& status = plugins_[plugin];
    status.state = PluginStatus::State::ready;
    status.error.clear();
    status.description = *description;
}

void PluginRecords::note_call(const std::string& plugin, const std::string& method, std::chrono::microseconds took, const Error* error) {
    const std::lock_guard lock(mutex_);
    plugins_[plugin].calls[method] = {.took = took, .error = error == nullptr ? std::string() : error->message()};
}

void PluginRecords::note_claims(const std::string& plugin, const std::vector<std::string>& asked, const std::map<std::string, std::string>& claimed,
                                bool all) {
    const std::lock_guard lock(mutex_);
    auto& luns = plugins_[plugin].luns;
    if (all) luns.clear();
    for (const auto& wwid : asked)
        if (const auto found = claimed.find(wwid); found != claimed.end()) luns[wwid] = found->second;
        else luns.erase(wwid);
}

void PluginRecords::note_snapshots(const std::string& plugin, std::vector<HeldSnapshot> snapshots) {
    const std::lock_guard lock(mutex_);
    plugins_[plugin].snapshots = std::move(snapshots);
}

PluginStatus PluginRecords::status(const std::string& plugin) const {
    const std::lock_guard lock(mutex_);
    const auto found = plugins_.find(plugin);
    return found == plugins_.end() ? PluginStatus{} : found->second;
}

} // namespace quiesced
