// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arrays/plugin_session.h"

#include <unistd.h>

#include <algorithm>
#include <thread>

namespace quiesced {
namespace {

/// Waits until each of these exists, or the deadline; udev makes the links some time after the kernel found the LUN.
void wait_for_devices(const std::vector<std::string>& paths, Monotonic::time_point deadline) {
    const auto exists = [](const std::string& path) { return ::access(path.c_str(), F_OK) == 0; };
    while (!std::all_of(paths.begin(), paths.end(), exists) && Monotonic::now() < deadline)
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
}

/// One record of a member, from the snapshots of its LUNs.
SnapshotRecord make_record(const std::string& plugin, const PluginMember& member, const std::vector<LunSnapshot>& snapshots) {
    SnapshotRecord record{.volume = member.volume, .provider = plugin, .snapshot = {}, .device = {}, .reference = {}};
    Json list = Json::array();
    for (const auto& snapshot : snapshots) {
        record.snapshot += (record.snapshot.empty() ? "" : ", ") + snapshot.snapshot;
        list.push_back(snapshot_to_json(snapshot));
    }
    record.reference = Json{{"snapshots", list}}.dump(-1, ' ', false, Json::error_handler_t::replace);
    return record;
}

} // namespace

PluginSession::PluginSession(std::string plugin, PluginSettings settings, const SetId& set, Json disks,
                             std::vector<PluginMember> members)
    : plugin_(std::move(plugin)), settings_(std::move(settings)), set_(set.text()), disks_(std::move(disks)),
      members_(std::move(members)) {}

Json PluginSession::params() const { return Json{{"set", set_}, {"disks", disks_}}; }

Error PluginSession::about_luns(Error error) const {
    constexpr std::size_t most = 8;
    std::string names;
    for (std::size_t i = 0; i < disks_.size() && i < most; ++i) names += (i == 0 ? "" : ", ") + disks_[i].at("wwid").get<std::string>();
    if (disks_.size() > most) names += " and " + std::to_string(disks_.size() - most) + " more";
    error.context += (disks_.size() == 1 ? "; for LUN " : "; for LUNs ") + names;
    return error;
}

Result<void> PluginSession::connect() {
    connection_.reset();
    auto connection = PluginConnection::connect(plugin_, settings_.directory, Monotonic::now() + settings_.budgets.describe, settings_.records);
    if (!connection) return pass(connection);
    const auto description = connection->describe(settings_.budgets.describe);
    if (!description) return tl::unexpected<Error>(description.error());
    connection_ = std::move(*connection);
    return {};
}

Result<Estimate> PluginSession::estimate() {
    SpaceNeed need;
    need.kind = "array";
    need.name = plugin_;
    for (const auto& member : members_) need.volumes.push_back(member.volume);
    need.text = "the plugin " + plugin_ + " checks the room on its array when the set is prepared";
    return Estimate{.space = {std::move(need)}, .stores = {}};
}

Result<void> PluginSession::arm() {
    if (auto connected = connect(); !connected) return connected;
    auto request = connection_->request("commit", params());
    if (!request) return pass(request);
    asked_ = true;
    const auto prepared = connection_->call("prepare", params(), settings_.budgets.prepare);
    if (!prepared) {
        auto error = about_luns(prepared.error());
        if (auto aborted = disarm(); !aborted) error.undone.push_back(aborted.error().message());
        return tl::unexpected<Error>(std::move(error));
    }
    commit_request_ = std::move(*request);
    return {};
}

Result<void> PluginSession::commit(Monotonic::time_point deadline) {
    if (!connection_ || !commit_request_)
        return fail(ErrorKind::wrong_state, "plugin " + plugin_ + ": commit: it was not asked to prepare");
    const auto result = connection_->call(*commit_request_, std::min(deadline, Monotonic::now() + settings_.budgets.commit));
    if (!result) return tl::unexpected<Error>(about_luns(result.error()));
    return {};
}

Result<Json> PluginSession::call_again(const std::string& method, const Json& params, std::chrono::milliseconds budget) {
    if (connection_ && connection_->usable()) {
        auto result = connection_->call(method, params, budget);
        // The plugin's own answer stands, and so does its silence; only a broken connection is worth another try.
        if (result || connection_->usable() || result.error().kind == ErrorKind::deadline) return result;
    }
    if (auto connected = connect(); !connected) {
        connected.error().context += " (for " + method + " of set " + set_ + ")";
        return pass(connected);
    }
    return connection_->call(method, params, budget);
}

Result<std::vector<SnapshotRecord>> PluginSession::finish() {
    auto with_map = params();
    with_map["map"] = true;
    const auto result = call_again("finish", with_map, settings_.budgets.finish);
    if (!result) return tl::unexpected<Error>(about_luns(result.error()));

    std::vector<SnapshotRecord> records;
    std::vector<std::string> devices;
    for (const auto& member : members_) {
        auto snapshots = parse_snapshots(*result, member.origins);
        if (!snapshots) {
            snapshots.error().context = "plugin " + plugin_ + ": finish: " + snapshots.error().context;
            return pass(snapshots);
        }
        auto record = make_record(plugin_, member, *snapshots);
        if (member.part && snapshots->size() == 1)
            record.device = snapshot_device(snapshots->front(), *member.part, settings_.by_id);
        if (!record.device.empty()) devices.push_back(record.device);
        records.push_back(std::move(record));
    }
    connection_.reset(); // the plugin's work is done; should an undo still come, it has its own connection
    wait_for_devices(devices, Monotonic::now() + settings_.device_wait);
    for (auto& record : records)
        if (!record.device.empty() && ::access(record.device.c_str(), F_OK) != 0) record.device.clear();
    return records;
}

Result<void> PluginSession::disarm() {
    commit_request_.reset();
    if (!asked_) {
        connection_.reset();
        return {};
    }
    const auto result = call_again("abort", params(), settings_.budgets.abort);
    if (!result) {
        auto error = result.error();
        error.context += "; snapshots of set " + set_ + " may be left on the array";
        // The next try starts anew, with a plugin that is.
        connection_.reset();
        return tl::unexpected<Error>(std::move(error));
    }
    asked_ = false;
    connection_.reset();
    return {};
}

} // namespace quiesced
