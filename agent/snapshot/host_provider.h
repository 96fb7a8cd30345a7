// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "snapshot/provider.h"

namespace quiesced {

inline constexpr const char* kHostProviderName = "host";

/// Volumes whose snapshots the hypervisor takes while this guest holds them frozen. It makes nothing and removes nothing: what
/// was taken is reported to the set (SnapshotSet::report_host_snapshot()), and the host's to delete.
class HostProvider : public Provider {
public:
    [[nodiscard]] std::string name() const override { return kHostProviderName; }
    /// Whether the host will take one is known to the requestor alone.
    [[nodiscard]] bool only_on_request() const override { return true; }
    /// Takes what lies on virtual disks alone: a LUN that is passed through is in no snapshot of the hypervisor.
    std::vector<Claim> claim(const std::vector<const Volume*>& volumes, const Inventory& inventory) override;
    Result<std::unique_ptr<ProviderSession>> begin(const SetId& set, const std::vector<const Volume*>& volumes,
                                                   const Inventory& inventory, const SnapshotWishes& wishes) override;
    Result<void> remove(const SetId& set, const std::vector<SnapshotRecord>& records) override;
    Result<void> abandon(const SetId& set) override;
};

} // namespace quiesced
