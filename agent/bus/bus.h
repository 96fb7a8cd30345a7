// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "bus/bus_context.h"
#include "bus/expiry.h"
#include "bus/jobs.h"
#include "bus/manager_object.h"
#include "bus/plugin_object.h"
#include "bus/snapshot_set_object.h"

namespace quiesced {

struct BusOptions {
    std::string bus = "system"; ///< or "session", or an address
    std::string version;
    std::chrono::milliseconds keep_failed{std::chrono::minutes(10)}; ///< how long a failed set can still be asked
    std::function<Result<void>()> reload = {}; ///< for Reload, on a thread that may wait; empty: it is not supported
};

/// The daemon's place on the bus: its connection, its objects, and the threads between them and the sets.
/// Order of life: connect, give it to the SetManager as its SetEvents, serve, stop, end of the SetManager, end of this.
class Bus final : public SetEvents {
public:
    /// Errors: lost (no bus there, or it refuses).
    static Result<std::unique_ptr<Bus>> connect(BusOptions options);
    ~Bus() override;
    Bus(const Bus&) = delete;
    Bus& operator=(const Bus&) = delete;

    /// Puts all sets on the bus, takes the name and answers from now on. `lost` is called once, from the bus's thread, with
    /// a sentence if the connection ends before stop(). Errors: lost, access_denied, busy (the name is taken).
    Result<void> serve(SetManager& manager, const Plugins& plugins, std::function<void(const std::string&)> lost);

    /// Sends what is still to be answered and leaves the bus. Not from one of its threads.
    void stop();

    void set_added(const std::shared_ptr<SnapshotSet>& set) override;
    void set_removed(const SetId& set) override;
    void space_low(const SetId& set, const SpaceLevel& level) override;
    void space_extended(const SetId& set, const Fill& fill, const Extension& extension) override;
    void space_not_extended(const SetId& set, const Fill& fill, const std::string& reason) override;
    void revert_cut_off(const SetId& set, const RevertNews& news) override;
    void set_reverted(const SetId& set, const Manifest& manifest) override;
    void snapshot_lost(const SetId& set, const Fill& fill) override;
    void progress(const SetId& set, const SetProgress& progress) override;
    void set_noted(const SetId& set, const std::string& sentence) override;
    void set_abandoned(const SetId& set, const std::string& error) override;
    void set_not_rebuilt(const SetId& set, const std::string& reason) override;
    void state_changed(const SetId& set, State state, const std::string& consistency, const std::string& error) override;

private:
    explicit Bus(BusOptions options);
    void forget_failed(const SetId& id);
    void publish(const std::shared_ptr<SnapshotSet>& set);
    void warn(const SetId& set, const std::string& volume, const char* kind, const std::string& message, const Dict& details = {}); ///< on the events thread
    void publish_plugins(const std::vector<std::string>& names);
    void run_loop(const std::function<void(const std::string&)>& lost);

    const BusOptions options_;
    std::unique_ptr<sdbus::IConnection> connection_;
    Executor events_, worker_, urgent_;
    PlanCalls plans_;
    Holds holds_;
    std::unique_ptr<Authority> authority_;
    std::unique_ptr<BusContext> context_;
    // Of the events thread, or of serve() and stop() while that one does not run:
    std::unique_ptr<ManagerObject> manager_object_;
    std::map<SetId, std::unique_ptr<SnapshotSetObject>> sets_;
    std::map<SetId, std::shared_ptr<Binding>> bindings_;
    std::map<std::string, std::unique_ptr<PluginObject>> plugin_objects_;
    std::unique_ptr<Jobs> jobs_;

    Expiry expiry_;
    std::atomic<bool> stopping_ = false;
    std::thread loop_;
};

} // namespace quiesced
