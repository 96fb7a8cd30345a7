// SPDX-License-Identifier: LGPL-2.1-or-later
// quiescectl mount, umount: by this process itself, in the mount namespace that it was started in.
#include <iostream>

#include "ctl/commands.h"
#include "mount/mount_plan.h"
#include "mount/mount_set.h"
#include "view/json_read.h"
#include "view/manifest_view.h"
#include "view/text.h"

namespace quiesced {
namespace {

std::string sentence(const UnmountableMember& member) { return printable(member.volume) + " is not mounted: " + printable(member.reason) + ".\n"; }

ExitCode print_mounts(const std::vector<MountedSnapshot>& mounts, const std::vector<UnmountableMember>& left_out, bool as_json) {
    if (!as_json) {
        for (const auto& mount : mounts) std::cout << printable(mount.volume) << " is at " << printable(mount.path) << "\n";
        for (const auto& member : left_out) std::cout << sentence(member);
        return ExitCode::ok;
    }
    auto list = Json::array();
    for (const auto& mount : mounts) list.push_back({{"volume", mount.volume}, {"path", mount.path}, {"device", mount.device}});
    print_json(list);
    return ExitCode::ok;
}

std::vector<std::string> devices_of(const ManifestView& set) {
    std::vector<std::string> devices;
    for (const auto& member : set.members)
        if (!member.device.empty()) devices.push_back(member.device);
    return devices;
}

/// The paths that were unmounted.
Answer<std::vector<std::string>> unmount_one(const Context& context, const std::string& name) {
    const auto refused = [](const Error& error) { return tl::unexpected<ClientError>(ClientError{ExitCode::refused, "", error.message()}); };
    const auto manifest = context.client.describe(name);
    if (!manifest) return tl::unexpected<ClientError>(manifest.error());
    const auto set = view_manifest(*manifest);
    if (!set) return refused(set.error());
    const auto id = SetId::parse(set->id);
    if (!id) return refused(id.error());
    auto paths = unmount_set(*id, devices_of(*set));
    if (!paths) return refused(paths.error());
    return std::move(*paths);
}

} // namespace

ExitCode mount_snapshots(const Context& context) {
    const auto& request = context.request;
    const auto manifest = context.client.map(request.set);
    if (!manifest) return complain(manifest.error());
    const auto set = view_manifest(*manifest);
    if (!set) return complain(set.error());
    const auto id = SetId::parse(set->id);
    if (!id) return complain(id.error());
    const auto plan = plan_mounts(*set);
    if (!plan) return complain(plan.error());
    if (plan->mounts.empty() || (!plan->left_out.empty() && !request.skip_missing)) {
        std::string text;
        for (const auto& member : plan->left_out) text += sentence(member);
        return complain({ExitCode::refused, "", text + (plan->mounts.empty() ? "Nothing of the set can be mounted here." : "Mount the others with --skip-missing.")});
    }
    const auto mounts = mount_set(*id, *plan, request.folder);
    if (!mounts) return complain(mounts.error());
    return print_mounts(*mounts, plan->left_out, request.json);
}

ExitCode unmount_snapshots(const Context& context) {
    auto worst = ExitCode::ok;
    auto list = Json::array();
    for (const auto& set : context.request.sets) {
        Json entry{{"set", set}};
        if (const auto paths = unmount_one(context, set); !paths) {
            worst = complain(paths.error());
            entry.update(json_of(paths.error()));
        } else {
            if (!context.request.json) std::cout << "Set " << set << (paths->empty() ? " was not mounted.\n" : " is unmounted.\n");
            entry["paths"] = *paths;
        }
        list.push_back(std::move(entry));
    }
    if (context.request.json) print_json(list);
    return worst;
}

} // namespace quiesced
