// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/host_provider.h"

namespace quiesced {
namespace {

class HostSession : public ProviderSession {
public:
    explicit HostSession(const std::vector<const Volume*>& volumes) {
        for (const auto* volume : volumes) volumes_.push_back(volume->name);
    }
    Result<void> arm() override { return {}; }
    [[nodiscard]] bool chains_only() const override { return true; }
    Result<std::vector<SnapshotRecord>> finish() override {
        std::vector<SnapshotRecord> records;
        for (const auto& volume : volumes_)
            records.push_back({.volume = volume, .provider = kHostProviderName, .snapshot = {}, .device = {}, .reference = {}});
        return records;
    }
    Result<void> disarm() override { return {}; }

private:
    std::vector<std::string> volumes_;
};

/// The disks of a volume that are no virtual ones: " (sdb: lun)".
std::string other_disks(const Volume& volume, const Inventory& inventory) {
    std::string text;
    for (const auto leaf : volume.leaves) {
        const auto found = inventory.disks().find(leaf);
        if (found == inventory.disks().end() || found->second.placement == Placement::virtual_disk) continue;
        text += (text.empty() ? " (" : ", ") + found->second.name + ": " + std::string(placement_name(found->second.placement));
    }
    return text.empty() ? text : text + ")";
}

} // namespace

std::vector<Claim> HostProvider::claim(const std::vector<const Volume*>& volumes, const Inventory& inventory) {
    std::vector<Claim> claims;
    for (const auto* volume : volumes) {
        auto& claim = claims.emplace_back();
        claim.taken = volume->placement == Placement::virtual_disk;
        claim.reason = claim.taken ? "the requestor has the host take it, and it lies on virtual disks alone"
                                   : "it does not lie on virtual disks alone" + other_disks(*volume, inventory) +
                                         ", and what is passed through is in no snapshot of the host";
    }
    return claims;
}

Result<std::unique_ptr<ProviderSession>> HostProvider::begin(const SetId& /*set*/, const std::vector<const Volume*>& volumes,
                                                             const Inventory& /*inventory*/, const SnapshotWishes& /*wishes*/) {
    return std::make_unique<HostSession>(volumes);
}

Result<void> HostProvider::remove(const SetId& /*set*/, const std::vector<SnapshotRecord>& /*records*/) { return {}; }

Result<void> HostProvider::abandon(const SetId& /*set*/) { return {}; }

} // namespace quiesced
