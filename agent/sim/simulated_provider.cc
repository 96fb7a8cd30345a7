// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sim/simulated_provider.h"

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

class Session final : public ProviderSession {
public:
    Session(std::string provider, bool by_chains, const SetId& set, const std::vector<const Volume*>& volumes)
        : provider_(std::move(provider)), by_chains_(by_chains), set_(set.text()) {
        for (const auto* volume : volumes) volumes_.push_back(volume->name);
    }
    Result<void> arm() override { return {}; }
    [[nodiscard]] std::vector<DmChain> chains() const override {
        std::vector<DmChain> chains;
        if (by_chains_)
            for (const auto& volume : volumes_) chains.push_back(chain_of(volume));
        return chains;
    }
    [[nodiscard]] bool chains_only() const override { return by_chains_; }
    Result<std::vector<SnapshotRecord>> finish() override {
        std::vector<SnapshotRecord> records;
        for (const auto& volume : volumes_)
            records.push_back({.volume = volume, .provider = provider_, .snapshot = "simulated:" + volume + "-q" + set_, .device = {}, .reference = "{}"});
        return records;
    }
    Result<void> disarm() override { return {}; }

private:
    std::string provider_;
    bool by_chains_;
    std::string set_;
    std::vector<std::string> volumes_;
};

class SimulatedProvider final : public Provider {
public:
    SimulatedProvider(std::string name, Placement takes, bool by_chains) : name_(std::move(name)), takes_(takes), by_chains_(by_chains) {}
    [[nodiscard]] std::string name() const override { return name_; }
    std::vector<Claim> claim(const std::vector<const Volume*>& volumes, const Inventory& /*inventory*/) override {
        std::vector<Claim> claims;
        for (const auto* volume : volumes) {
            const std::string where = volume->name + " lies on " + std::string(placement_name(volume->placement));
            claims.push_back({.taken = volume->placement == takes_, .reason = where + " in this simulation", .error = {}});
        }
        return claims;
    }
    Result<std::unique_ptr<ProviderSession>> begin(const SetId& set, const std::vector<const Volume*>& volumes, const Inventory& /*inventory*/,
                                                   const SnapshotWishes& /*wishes*/) override {
        return std::make_unique<Session>(name_, by_chains_, set, volumes);
    }
    Result<void> check_revert(const SetId& set, const std::vector<SnapshotRecord>& records) override {
        return by_chains_ ? Result<void>() : Provider::check_revert(set, records);
    }
    Result<std::vector<Merge>> merges(const SetId& /*set*/, const std::vector<SnapshotRecord>& records) override {
        return std::vector<Merge>(records.size(), Merge{.progress = Merge::Progress::done, .percent = {}});
    }
    Result<void> remove(const SetId& /*set*/, const std::vector<SnapshotRecord>& /*records*/) override { return {}; }
    Result<void> abandon(const SetId& /*set*/) override { return {}; }

private:
    std::string name_;
    Placement takes_;
    bool by_chains_;
};

} // namespace

std::shared_ptr<Provider> make_simulated_lvm() { return std::make_shared<SimulatedProvider>("simulated-lvm", Placement::virtual_disk, true); }
std::shared_ptr<Provider> make_simulated_array() { return std::make_shared<SimulatedProvider>("simulated-array", Placement::lun, false); }

} // namespace quiesced
