// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "snapshot/provider.h"
#include "volumes/inventory.h"

namespace quiesced {

/// A guest in memory: volumes with one device each.
class TestGuest {
public:
    void lv(const std::string& mount, std::uint32_t minor) {
        BlockNode node = block(minor, "dm-" + std::to_string(minor), BlockNode::Kind::device_mapper);
        node.dm_name = "vg-" + std::to_string(minor);
        add(node, mount, Placement::virtual_disk);
    }
    void lun(const std::string& mount, std::uint32_t minor) {
        const auto node = block(minor, "sd" + std::to_string(minor), BlockNode::Kind::disk);
        Disk disk;
        disk.number = node.number;
        disk.name = node.name;
        disk.placement = Placement::lun;
        disk.wwid = "naa.6001405" + std::to_string(minor);
        disks_[node.number] = disk;
        add(node, mount, Placement::lun);
    }
    /// On a file of the volume with number `backing`.
    void loop(const std::string& mount, std::uint32_t minor, std::uint32_t backing) {
        BlockNode node = block(minor, "loop" + std::to_string(minor), BlockNode::Kind::loop);
        node.backing = LoopBacking{.path = "/somewhere/file", .file_system = number(backing)};
        add(node, mount, Placement::virtual_disk);
    }
    void tmpfs(const std::string& mount) {
        Volume volume;
        volume.name = mount;
        volume.superblock = {0, 77};
        volume.file_system = "tmpfs";
        volume.device_path = "tmpfs";
        volume.mounts = {{.path = mount, .mount_id = 900, .root = "/", .read_only = false}};
        volumes_.push_back(volume);
    }
    /// Puts a device on another one.
    void stack(std::uint32_t upper, std::uint32_t lower) { nodes_.at(number(upper)).lower.push_back(number(lower)); }
    void change_disk(std::uint32_t minor, const std::function<void(Disk&)>& change) { change(disks_.at(number(minor))); }
    [[nodiscard]] Inventory inventory() const { return {volumes_, BlockGraph(nodes_), disks_}; }

private:
    static DeviceNumber number(std::uint32_t minor) { return {253, minor}; }
    static BlockNode block(std::uint32_t minor, const std::string& name, BlockNode::Kind kind) {
        BlockNode node;
        node.number = number(minor);
        node.name = name;
        node.kind = kind;
        node.size = {1U << 30U};
        return node;
    }
    void add(const BlockNode& node, const std::string& mount, Placement placement) {
        nodes_[node.number] = node;
        Volume volume;
        volume.device_path = node.path();
        volume.name = mount.empty() ? volume.device_path : mount;
        volume.superblock = node.number;
        volume.file_system = "ext4";
        volume.devices = {node.number};
        volume.leaves = {node.number};
        volume.placement = placement;
        volume.size = node.size;
        if (!mount.empty()) volume.mounts = {{.path = mount, .mount_id = 100 + node.number.minor, .root = "/", .read_only = false}};
        volumes_.push_back(volume);
    }

    std::vector<Volume> volumes_;
    std::map<DeviceNumber, BlockNode> nodes_;
    std::map<DeviceNumber, Disk> disks_;
};

/// What a fake provider was asked, and what it shall answer.
struct FakeCalls {
    std::mutex mutex;
    std::vector<std::string> log;
    void add(const std::string& what) {
        const std::lock_guard lock(mutex);
        log.push_back(what);
    }
    [[nodiscard]] std::vector<std::string> all() {
        const std::lock_guard lock(mutex);
        return log;
    }
    [[nodiscard]] std::size_t count(const std::string& what) {
        const std::lock_guard lock(mutex);
        return static_cast<std::size_t>(std::count(log.begin(), log.end(), what));
    }
};

class FakeProvider : public Provider {
public:
    FakeProvider(std::string name, Placement takes) : name_(std::move(name)), takes_(takes) {}

    bool claims = true;
    bool arms_need_thawed = false;
    bool makes_stores = false;
    std::optional<Error> claim_error, arm_error, commit_error, finish_error, disarm_error, map_error, remove_error;
    std::vector<DmChain> chains;
    std::optional<Error> estimate_error;
    Estimate estimate;
    std::shared_ptr<FakeCalls> calls = std::make_shared<FakeCalls>();
    std::function<void()> during_arm, during_commit, during_estimate;

    [[nodiscard]] std::string name() const override { return name_; }
    [[nodiscard]] bool arm_needs_thawed() const override { return arms_need_thawed; }
    std::vector<Claim> claim(const std::vector<const Volume*>& volumes, const Inventory& /*inventory*/) override {
        std::vector<Claim> answers(volumes.size());
        for (std::size_t i = 0; i < volumes.size(); ++i) {
            if (volumes[i]->placement != takes_) answers[i].reason = "it is of another kind";
            else if (claim_error) answers[i].error = claim_error;
            else answers[i] = {.taken = claims, .reason = claims ? "it is of its kind" : "it does not want it", .error = {}};
        }
        return answers;
    }
    Result<std::unique_ptr<ProviderSession>> begin(const SetId& /*set*/, const std::vector<const Volume*>& volumes,
                                                   const Inventory& /*inventory*/, const SnapshotWishes& /*wishes*/) override {
        std::vector<std::string> names;
        for (const auto* volume : volumes) names.push_back(volume->name);
        return std::make_unique<Session>(*this, std::move(names));
    }
    Result<std::vector<SnapshotRecord>> map(const SetId& /*set*/, std::vector<SnapshotRecord> records) override {
        calls->add("map " + std::to_string(records.size()));
        if (map_error) return tl::unexpected<Error>(*map_error);
        for (auto& record : records) record.device = "/dev/mapped/" + record.volume;
        return records;
    }
    std::optional<Error> extend_error, revert_check_error, revert_error;
    std::vector<Merge> merge_answers; ///< given one after the other, the last one for good; none: nothing is merged
    Result<Extension> extend(const SnapshotRecord& record, const Fill& /*fill*/, unsigned percent) override {
        calls->add("extend " + record.snapshot + " by " + std::to_string(percent));
        if (extend_error) return tl::unexpected<Error>(*extend_error);
        return Extension{.from = Bytes{100}, .to = Bytes{100 + percent}};
    }
    Result<void> check_revert(const SetId& /*set*/, const std::vector<SnapshotRecord>& records) override {
        calls->add("check revert " + std::to_string(records.size()));
        return answer(revert_check_error);
    }
    Result<void> revert(const SetId& /*set*/, const std::vector<SnapshotRecord>& records) override {
        calls->add("revert " + std::to_string(records.size()));
        return answer(revert_error);
    }
    Result<std::vector<Merge>> merges(const SetId& /*set*/, const std::vector<SnapshotRecord>& records) override {
        Merge now;
        if (!merge_answers.empty()) now = merge_answers.front();
        if (merge_answers.size() > 1) merge_answers.erase(merge_answers.begin());
        return std::vector<Merge>(records.size(), now);
    }
    std::vector<FoundSnapshot> found;
    Result<std::vector<FoundSnapshot>> find_all() override { return found; }
    Result<void> remove(const SetId& /*set*/, const std::vector<SnapshotRecord>& records) override {
        calls->add("remove " + std::to_string(records.size()));
        return answer(remove_error);
    }
    Result<void> abandon(const SetId& set) override {
        calls->add("abandon " + set.text());
        return answer(remove_error);
    }

private:
    static Result<void> answer(const std::optional<Error>& error) {
        if (error) return tl::unexpected<Error>(*error);
        return {};
    }
    class Session : public ProviderSession {
    public:
        Session(FakeProvider& provider, std::vector<std::string> volumes) : provider_(provider), volumes_(std::move(volumes)) {}
        Result<Estimate> estimate() override {
            if (provider_.during_estimate) provider_.during_estimate();
            if (provider_.estimate_error) return tl::unexpected<Error>(*provider_.estimate_error);
            return provider_.estimate;
        }
        Result<void> arm() override {
            provider_.calls->add("arm");
            if (provider_.during_arm) provider_.during_arm();
            return answer(provider_.arm_error);
        }
        [[nodiscard]] std::vector<DmChain> chains() const override { return provider_.chains; }
        [[nodiscard]] bool makes_stores() const override { return provider_.makes_stores; }
        [[nodiscard]] bool chains_only() const override { return !provider_.chains.empty(); }
        Result<void> commit(Monotonic::time_point /*deadline*/) override {
            provider_.calls->add("commit");
            if (provider_.during_commit) provider_.during_commit();
            return answer(provider_.commit_error);
        }
        Result<std::vector<SnapshotRecord>> finish() override {
            provider_.calls->add("finish");
            if (provider_.finish_error) return tl::unexpected<Error>(*provider_.finish_error);
            std::vector<SnapshotRecord> records;
            for (const auto& volume : volumes_)
                records.push_back({.volume = volume, .provider = provider_.name(), .snapshot = volume + "-snapshot", .device = "/dev/snapshot", .reference = "{}"});
            return records;
        }
        Result<void> disarm() override {
            provider_.calls->add("disarm");
            return answer(provider_.disarm_error);
        }

    private:
        FakeProvider& provider_;
        std::vector<std::string> volumes_;
    };

    std::string name_;
    Placement takes_;
};

} // namespace quiesced
