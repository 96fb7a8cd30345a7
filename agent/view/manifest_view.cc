// SPDX-License-Identifier: LGPL-2.1-or-later
#include "view/manifest_view.h"

#include <algorithm>

#include "view/json_read.h"

namespace quiesced {
namespace {

std::vector<MountView> mounts_of(const Json& member) {
    const auto paths = texts_of(member, "mount_points");
    const auto roots = texts_of(member, "mount_roots");
    std::vector<MountView> mounts;
    for (std::size_t i = 0; i < paths.size(); ++i) mounts.push_back({.path = paths[i], .root = i < roots.size() ? roots[i] : "/"});
    return mounts;
}

} // namespace

bool revert_interrupted(const ManifestView& set) {
    return std::any_of(set.members.begin(), set.members.end(), [](const MemberView& member) { return member.revert == "interrupted"; });
}

Result<ManifestView> view_manifest(const std::string& json) {
    const auto object = Json::parse(json, nullptr, false);
    if (!object.is_object()) return fail(ErrorKind::io, "the daemon's description of the set is no JSON object");
    ManifestView view{.id = text_of(object, "id"),
                      .state = text_of(object, "state"),
                      .consistency = text_of(object, "consistency"),
                      .created = text_of(object, "created"),
                      .error = text_of(object, "error"),
                      .stuck = texts_of(object, "stuck"),
                      .notes = texts_of(object, "notes"),
                      .window_ms = number_of(object, "window_ms"),
                      .members = {},
                      .timeline = {}};
    for_each_object(object, "members", [&](const Json& member) {
        view.members.push_back({.volume = text_of(member, "volume"),
                                .file_system = text_of(member, "file_system"),
                                .placement = text_of(member, "placement"),
                                .provider = text_of(member, "provider"),
                                .snapshot = text_of(member, "snapshot"),
                                .device = text_of(member, "device"),
                                .consistency = text_of(member, "consistency"),
                                .error = text_of(member, "error"),
                                .revert = text_of(member, "revert"),
                                .revert_percent = number_of(member, "revert_percent"),
                                .mounts = mounts_of(member),
                                .flush_ms = number_of(member, "flush_ms"),
                                .freeze_ms = number_of(member, "freeze_ms"),
                                .hold_ms = number_of(member, "hold_ms"),
                                .thaw_ms = number_of(member, "thaw_ms"),
                                .frozen_at_ms = number_of(member, "frozen_at_ms")});
    });
    for_each_object(object, "timeline", [&](const Json& span) {
        const auto start = number_of(span, "start_ms");
        const auto length = number_of(span, "length_ms");
        if (start && length) view.timeline.push_back({text_of(span, "what"), *start, *length});
    });
    return view;
}

} // namespace quiesced
