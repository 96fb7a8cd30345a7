// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/lvm_provider.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "snapshot/lvm_reference.h"
#include "snapshot/lvm_session.h"

namespace quiesced {
namespace {

/// The member that a volume makes, when its one device is a logical volume.
std::optional<LvmMember> member_of(const Volume& volume, const Inventory& inventory) {
    if (volume.devices.size() != 1) return std::nullopt;
    const auto* node = inventory.graph().find(volume.devices.front());
    if (node == nullptr || !is_lvm_uuid(node->dm_uuid)) return std::nullopt;
    const auto group = lvm_group_of(node->dm_name);
    if (group.empty()) return std::nullopt;
    return LvmMember{.volume = volume.name, .dm_uuid = node->dm_uuid, .group = group};
}

} // namespace

std::string LvmProvider::name() const { return kLvmProviderName; }

Result<std::vector<std::size_t>> LvmProvider::claim(const std::vector<const Volume*>& volumes,
                                                    const Inventory& inventory) {
    std::map<std::size_t, LvmMember> candidates;
    std::set<std::string> groups;
    for (std::size_t index = 0; index < volumes.size(); ++index) {
        if (auto member = member_of(*volumes[index], inventory)) {
            groups.insert(member->group);
            candidates.emplace(index, std::move(*member));
        }
    }
    std::vector<std::size_t> claimed;
    if (candidates.empty()) return claimed;
    const auto known = LvmCommand(*runner_).list({groups.begin(), groups.end()});
    if (!known) return tl::unexpected<Error>(known.error());
    for (const auto& [index, member] : candidates) {
        const auto volume =
            std::find_if(known->begin(), known->end(),
                         [&uuid = member.dm_uuid](const LogicalVolume& lv) { return lv.dm_uuid() == uuid; });
        if (volume == known->end()) continue;
        if (volume->kind() == LogicalVolume::Kind::thick || volume->kind() == LogicalVolume::Kind::thin)
            claimed.push_back(index);
    }
    return claimed;
}

Result<std::unique_ptr<ProviderSession>> LvmProvider::begin(const SetId& set, const std::vector<const Volume*>& volumes,
                                                            const Inventory& inventory) {
    std::vector<LvmMember> members;
    for (const auto* volume : volumes) {
        auto member = member_of(*volume, inventory);
        if (!member)
            return fail(ErrorKind::no_provider,
                        volume->name + " lies on no logical volume, so that LVM takes no snapshot of it");
        members.push_back(std::move(*member));
    }
    return std::make_unique<LvmSession>(set, std::move(members), store_size_, runner_, tables_);
}

Result<void> LvmProvider::remove(const SetId& set, const std::vector<SnapshotRecord>& records) {
    std::set<std::string> uuids;
    for (const auto& record : records) {
        if (record.provider != kLvmProviderName) continue;
        const auto reference = lvm_reference_from_json(record.reference);
        if (!reference) return tl::unexpected<Error>(reference.error());
        uuids.insert(reference->uuid);
    }
    if (uuids.empty()) return {};
    const LvmCommand lvm(*runner_);
    const auto tagged = lvm.list_tagged(lvm_set_tag(set));
    if (!tagged) return tl::unexpected<Error>(tagged.error());
    std::vector<std::string> names;
    for (const auto& volume : *tagged)
        if (volume.has_tag(lvm_set_tag(set)) && uuids.count(volume.uuid) != 0) names.push_back(volume.full_name());
    return lvm.remove(names);
}

Result<void> LvmProvider::abandon(const SetId& set) {
    const LvmCommand lvm(*runner_);
    const auto tagged = lvm.list_tagged(lvm_set_tag(set));
    if (!tagged) return tl::unexpected<Error>(tagged.error());
    std::vector<std::string> names;
    for (const auto& volume : *tagged)
        if (volume.has_tag(lvm_set_tag(set))) names.push_back(volume.full_name());
    return lvm.remove(names);
}

} // namespace quiesced
