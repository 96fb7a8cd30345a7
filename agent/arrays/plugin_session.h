// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "arrays/lun_disks.h"
#include "arrays/plugin_connection.h"
#include "arrays/plugin_settings.h"
#include "snapshot/provider.h"

namespace quiesced {

/// A member of a set as its plugin needs it.
struct PluginMember {
    std::string volume;               ///< Volume::name
    std::vector<std::string> origins; ///< WWIDs of its LUNs
    std::optional<LunPart> part;      ///< where it can be mounted on a snapshot; nothing behind LVM and the like
};

/// A plugin's part in one set, over one connection that arm() opens and that stays open over the window.
class PluginSession : public ProviderSession {
public:
    /// `disks`: the protocol's objects of all members' LUNs, each once.
    PluginSession(std::string plugin, PluginSettings settings, const SetId& set, Json disks, std::vector<PluginMember> members);

    /// Nobody knows an array's room before its plugin prepares; it is not asked.
    Result<Estimate> estimate() override;

    /// Connects, asks for the description, prepares, and makes the commit message ready. On error it has aborted.
    Result<void> arm() override;

    /// One message on the open connection, one answer; takes at most the commit budget.
    Result<void> commit(Monotonic::time_point deadline) override;

    /// Over a new connection if the plugin has gone since: its methods are known by the set's id, not by the
    /// connection. Waits for the devices to appear; one that does not is left out of its record.
    Result<std::vector<SnapshotRecord>> finish() override;

    /// `abort`, over a new connection where needed; nothing when the plugin was never asked to prepare, or has aborted.
    Result<void> disarm() override;

private:
    Result<void> connect();
    /// A call outside the window, with one more try when the connection is gone without an answer.
    Result<Json> call_again(const std::string& method, const Json& params, std::chrono::milliseconds budget);
    [[nodiscard]] Json params() const;
    /// The error, and which LUNs it is about.
    [[nodiscard]] Error about_luns(Error error) const;

    std::string plugin_;
    PluginSettings settings_;
    std::string set_;
    Json disks_;
    std::vector<PluginMember> members_;
    std::optional<PluginConnection> connection_;
    std::optional<RpcRequest> commit_request_;
    bool asked_ = false; ///< there may be something on the array
};

} // namespace quiesced
