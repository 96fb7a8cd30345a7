// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "arrays/json_rpc.h"
#include "arrays/plugin_connection.h"
#include "arrays/plugin_settings.h"
#include "snapshot/provider.h"

namespace quiesced {

/// Snapshots on an array, taken by a plugin: a program of its own behind NAME.sock. Holds no connection: each call and
/// each session has its own. Thread-safe.
class PluginProvider : public Provider {
public:
    /// `name` is the plugin's: "exec". That nobody listens shows at the first use.
    explicit PluginProvider(std::string name, PluginSettings settings = {});

    [[nodiscard]] std::string name() const override { return name_; }

    /// A volume is claimed when every LUN below it is. Does not ask the plugin when no volume lies on LUNs alone; that it
    /// could not be asked is an error of those that do.
    std::vector<Claim> claim(const std::vector<const Volume*>& volumes, const Inventory& inventory) override;

    /// Asks what it is, which LUNs of the guest are its own, and what the array holds for it; what comes of it is in the settings' records.
    void look(const Inventory& inventory);

    /// Errors: no_provider for a volume that does not lie on LUNs alone. The plugin is not asked before arm().
    Result<std::unique_ptr<ProviderSession>> begin(const SetId& set, const std::vector<const Volume*>& volumes,
                                                   const Inventory& inventory, const SnapshotWishes& wishes = {}) override;

    /// What the array holds, by the plugin's `list`: nothing of a plugin without it. `origin` is the LUN's WWID, and the volume is not known.
    /// Errors: plugin_*.
    Result<std::vector<FoundSnapshot>> find_all() override;
    /// Errors also: busy, when a snapshot's device is in use; then nothing is removed.
    Result<void> remove(const SetId& set, const std::vector<SnapshotRecord>& records) override;
    /// Sends `abort` without disks: the plugin goes by the set.
    Result<void> abandon(const SetId& set) override;

private:
    Result<PluginConnection> greet(PluginDescription* description = nullptr) const;
    Result<std::map<std::string, std::string>> ask_claims(PluginConnection& connection, const Json& disks, bool all) const;
    Result<void> ask(const char* method, const Json& params, std::chrono::milliseconds budget) const;

    std::string name_;
    PluginSettings settings_;
    std::mutex mutex_;
    std::map<std::string, std::string> array_volumes_; ///< by WWID: what claim() learned; under mutex_
};

} // namespace quiesced
