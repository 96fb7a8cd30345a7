// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bus/bus_context.h"
#include "bus/dict.h"
#include "bus/open_calls.h"
#include "org.quiesced1.SnapshotSet.adaptor.h"

namespace quiesced {

/// org.quiesced1.SnapshotSet on /org/quiesced1/set/ID. Created and destroyed on the events thread, or while no loop
/// runs; a destructor waits for a handler that is running.
class SnapshotSetObject final : public sdbus::AdaptorInterfaces<org::quiesced1::SnapshotSet_adaptor> {
public:
    SnapshotSetObject(BusContext& context, std::shared_ptr<SnapshotSet> set);
    ~SnapshotSetObject();
    SnapshotSetObject(const SnapshotSetObject&) = delete;
    SnapshotSetObject& operator=(const SnapshotSetObject&) = delete;

    /// The signals of one change; `error` is empty unless the set failed. On the events thread.
    void emit_state(quiesced::State state, const std::string& error, const std::vector<std::string>& stuck);

    void emit_space_low(const SpaceLevel& level);
    void emit_extended(const Fill& fill, const Extension& extension);
    void emit_consistency();
    void emit_lost(const Fill& fill);
    void emit_progress(const SetProgress& progress);
    OpenCalls& calls() { return calls_; }

private:
    void Prepare(sdbus::Result<>&& result, Dict options) override { run(Step::prepare, std::move(result), options); }
    void Freeze(sdbus::Result<>&& result, Dict options) override { run(Step::freeze, std::move(result), options); }
    void Snapshot(sdbus::Result<>&& result, Dict options) override { run(Step::snapshot, std::move(result), options); }
    void Thaw(sdbus::Result<>&& result, Dict options) override { run(Step::thaw, std::move(result), options); }
    void Finish(sdbus::Result<>&& result, Dict options) override { run(Step::finish, std::move(result), options); }
    void Abort(sdbus::Result<>&& result, Dict options) override { run(Step::abort, std::move(result), options); }
    void Take(sdbus::Result<std::string>&& result, Dict options) override { run_for_manifest(Step::take, std::move(result), options); }
    void Map(sdbus::Result<std::string>&& result, Dict options) override { run_for_manifest(Step::map, std::move(result), options); }
    void KeepAlive(sdbus::Result<std::uint32_t>&& result, Dict options) override;
    void ReportHostSnapshot(sdbus::Result<>&& result, std::string member, std::string reference, Dict options) override;
    void Hold(sdbus::Result<sdbus::UnixFd>&& result, Dict options) override;
    void Delete(sdbus::Result<>&& result, Dict options) override;
    void Revert(sdbus::Result<std::string>&& result, std::vector<std::string> members, Dict options) override;
    void StartRevert(sdbus::Result<sdbus::ObjectPath>&& result, std::vector<std::string> members, Dict options) override;
    void Describe(sdbus::Result<std::string>&& result, Dict options) override;
    std::string Id() override { return set_->id().text(); }
    std::string State() override { return std::string(state_name(set_->state())); }
    std::string Consistency() override { return set_->consistency(); }
    std::vector<std::string> Volumes() override;

    [[nodiscard]] uid_t owner() const { return set_->owner().user; }
    void run(Step step, sdbus::Result<>&& result, const Dict& options);
    void run_for_manifest(Step step, sdbus::Result<std::string>&& result, const Dict& options);

    BusContext& context_;
    std::shared_ptr<SnapshotSet> set_;
    OpenCalls calls_;
};

} // namespace quiesced
