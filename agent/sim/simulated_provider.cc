// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sim/simulated_provider.h"

#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace quiesced {
namespace {

/// As LVM's of a thick volume. The devices are named by their origin, so that many sets need no more of them than volumes.
DmChain chain_of(const std::string& volume) {
    const auto step = [](DmStep::Op op, std::string uuid) {
        DmStep made;
        made.op = op;
        made.uuid = std::move(uuid);
        return made;
    };
    const std::string origin = "SIM-origin-" + volume;
    const std::string snapshot = "SIM-snapshot-" + volume;
    auto load = step(DmStep::Op::load, snapshot);
    load.target = "snapshot";
    load.sectors = 8;
    load.text = "simulated";
    DmChain chain;
    chain.name = volume;
    chain.prime = {load};
    chain.fire = {step(DmStep::Op::suspend, origin), step(DmStep::Op::resume, snapshot), step(DmStep::Op::resume, origin)};
    chain.unprime = {step(DmStep::Op::resume, snapshot)};
    return chain;
}

using Faults = std::shared_ptr<ProviderFaults>;

Result<void> answer(const Faults& faults, const std::string& provider, ProviderCall call) {
    if (auto error = faults->meet(provider, call)) return tl::unexpected<Error>(std::move(*error));
    return {};
}

class Session final : public ProviderSession {
public:
    Session(std::string provider, bool by_chains, const SetId& set, const std::vector<const Volume*>& volumes, Faults faults)
        : provider_(std::move(provider)), by_chains_(by_chains), set_(set.text()), faults_(std::move(faults)) {
        for (const auto* volume : volumes) volumes_.push_back(volume->name);
    }
    Result<Estimate> estimate() override {
        if (auto good = meet(ProviderCall::estimate); !good) return pass(good);
        return Estimate{};
    }
    Result<void> arm() override { return meet(ProviderCall::arm); }
    [[nodiscard]] std::vector<DmChain> chains() const override {
        std::vector<DmChain> chains;
        if (by_chains_)
            for (const auto& volume : volumes_) chains.push_back(chain_of(volume));
        return chains;
    }
    [[nodiscard]] bool chains_only() const override { return by_chains_; }
    Result<void> commit(Monotonic::time_point /*deadline*/) override { return meet(ProviderCall::commit); }
    Result<std::vector<SnapshotRecord>> finish() override {
        if (auto good = meet(ProviderCall::finish); !good) return pass(good);
        std::vector<SnapshotRecord> records;
        for (const auto& volume : volumes_)
            records.push_back({.volume = volume, .provider = provider_, .snapshot = "simulated:" + volume + "-q" + set_, .device = {}, .reference = "{}"});
        return records;
    }
    Result<void> disarm() override { return meet(ProviderCall::disarm); }

private:
    Result<void> meet(ProviderCall call) { return answer(faults_, provider_, call); }

    std::string provider_;
    bool by_chains_;
    std::string set_;
    Faults faults_;
    std::vector<std::string> volumes_;
};

class SimulatedProvider final : public Provider {
public:
    SimulatedProvider(std::string name, Placement takes, bool by_chains, Faults faults)
        : name_(std::move(name)), takes_(takes), by_chains_(by_chains), faults_(std::move(faults)) {}
    [[nodiscard]] std::string name() const override { return name_; }
    std::vector<Claim> claim(const std::vector<const Volume*>& volumes, const Inventory& /*inventory*/) override {
        const auto asked = meet(ProviderCall::claim);
        std::vector<Claim> claims;
        for (const auto* volume : volumes) {
            const std::string where = volume->name + " lies on " + std::string(placement_name(volume->placement));
            claims.push_back({.taken = volume->placement == takes_, .reason = where + " in this simulation", .error = {}});
            if (!asked && claims.back().taken) claims.back() = {.taken = false, .reason = {}, .error = asked.error()};
        }
        return claims;
    }
    Result<std::unique_ptr<ProviderSession>> begin(const SetId& set, const std::vector<const Volume*>& volumes, const Inventory& /*inventory*/,
                                                   const SnapshotWishes& /*wishes*/) override {
        if (auto good = meet(ProviderCall::begin); !good) return pass(good);
        return std::make_unique<Session>(name_, by_chains_, set, volumes, faults_);
    }
    Result<std::vector<SnapshotRecord>> map(const SetId& /*set*/, std::vector<SnapshotRecord> records) override {
        if (auto good = meet(ProviderCall::map); !good) return pass(good);
        return records;
    }
    Result<Extension> extend(const SnapshotRecord& record, const Fill& fill, unsigned percent) override {
        if (auto good = meet(ProviderCall::extend); !good) return pass(good);
        return Provider::extend(record, fill, percent);
    }
    Result<void> check_revert(const SetId& set, const std::vector<SnapshotRecord>& records) override {
        if (auto good = meet(ProviderCall::check_revert); !good) return good;
        return by_chains_ ? Result<void>() : Provider::check_revert(set, records);
    }
    Result<void> revert(const SetId& set, const std::vector<SnapshotRecord>& records) override {
        if (auto good = meet(ProviderCall::revert); !good) return good;
        if (auto good = check_revert(set, records); !good) return good;
        const auto most = faults_->revert_only().value_or(records.size());
        const std::lock_guard lock(mutex_);
        for (std::size_t i = 0; i < records.size() && i < most; ++i) looks_left_.emplace(records[i].snapshot, kLooks);
        if (most < records.size()) return fail(ErrorKind::lvm_failed, "the simulated revert ended half-way");
        return {};
    }
    Result<std::vector<Merge>> merges(const SetId& /*set*/, const std::vector<SnapshotRecord>& records) override {
        if (auto good = meet(ProviderCall::merges); !good) return pass(good);
        std::vector<Merge> merges;
        const std::lock_guard lock(mutex_);
        for (const auto& record : records) {
            auto& merge = merges.emplace_back();
            const auto begun = looks_left_.find(record.snapshot);
            if (begun == looks_left_.end()) merge.in_use = faults_->in_use(record.volume);
            else if (begun->second == 0) merge.progress = Merge::Progress::done;
            // As a disk would take its time.
            else merge = {.progress = Merge::Progress::running, .percent = 100.0 * (kLooks - begun->second--) / kLooks};
        }
        return merges;
    }
    Result<std::vector<FoundSnapshot>> find_all() override {
        if (auto good = meet(ProviderCall::list); !good) return pass(good);
        return std::vector<FoundSnapshot>{};
    }
    Result<void> remove(const SetId& /*set*/, const std::vector<SnapshotRecord>& /*records*/) override { return meet(ProviderCall::remove); }
    Result<void> abandon(const SetId& /*set*/) override { return meet(ProviderCall::abandon); }

private:
    Result<void> meet(ProviderCall call) { return answer(faults_, name_, call); }

    std::string name_;
    Placement takes_;
    bool by_chains_;
    Faults faults_;
    static constexpr int kLooks = 4; ///< at a merge until it is over
    std::mutex mutex_;
    std::map<std::string, int> looks_left_; ///< by snapshot, of those whose merge has begun
};

} // namespace

std::shared_ptr<Provider> make_simulated_lvm(std::shared_ptr<ProviderFaults> faults) {
    return std::make_shared<SimulatedProvider>("simulated-lvm", Placement::virtual_disk, true, std::move(faults));
}
std::shared_ptr<Provider> make_simulated_array(std::shared_ptr<ProviderFaults> faults) {
    return std::make_shared<SimulatedProvider>("simulated-array", Placement::lun, false, std::move(faults));
}

} // namespace quiesced
