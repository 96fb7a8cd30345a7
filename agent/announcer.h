// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "log.h"
#include "metrics.h"
#include "sequence/executor.h"
#include "sequence/set_manager.h"

namespace quiesced {

/// Tells the log, the service manager and the metrics what the sets do, and hands it on to the bus.
class Announcer final : public SetEvents {
public:
    /// All of them outlive it.
    Announcer(SetEvents& next, Log& log, Metrics& metrics) : next_(next), log_(log), metrics_(metrics) {}

    void set_added(const std::shared_ptr<SnapshotSet>& set) override;
    void set_abandoned(const SetId& set, const std::string& error) override;
    void set_removed(const SetId& set) override;
    void set_not_rebuilt(const SetId& set, const std::string& reason) override;
    void progress(const SetId& set, const SetProgress& progress) override { next_.progress(set, progress); }
    void set_noted(const SetId& set, const std::string& sentence) override;
    void space_seen(const std::map<SetId, std::vector<Fill>>& fills) override { metrics_.space_seen(fills); }
    void space_low(const SetId& set, const SpaceLevel& level) override;
    void space_extended(const SetId& set, const Fill& fill, const Extension& extension) override;
    void space_not_extended(const SetId& set, const Fill& fill, const std::string& reason) override;
    void revert_cut_off(const SetId& set, const RevertNews& news) override;
    void set_reverted(const SetId& set, const Manifest& manifest) override;
    void snapshot_lost(const SetId& set, const Fill& fill) override;
    void state_changed(const SetId& set, State state, const std::string& consistency, const std::string& error) override;

private:
    SetEvents& next_;
    Log& log_;
    Metrics& metrics_;
    Executor notify_;
};

} // namespace quiesced
