// SPDX-License-Identifier: LGPL-2.1-or-later
#include "view/manifest_view.h"

#include <gtest/gtest.h>

#include "snapshot/manifest.h"

namespace quiesced {
namespace {

TEST(ManifestView, ShowsWhatTheDaemonWrites) {
    Manifest manifest;
    manifest.id = "6560aabb00112233";
    manifest.state = "complete";
    manifest.consistency = "filesystem";
    manifest.created = "2026-01-02T03:04:05Z";
    manifest.stuck = {"/mnt/stuck"};
    manifest.notes = {"a note"};
    manifest.window_ms = 5.25;
    ManifestMember member;
    member.volume = "/mnt/a";
    member.placement = "lun";
    member.provider = "exec";
    member.snapshot = "array/a-q1";
    member.device = "/dev/disk/by-id/wwn-1";
    member.error = "late";
    member.file_system = "xfs";
    member.flush_ms = 0.5;
    member.freeze_ms = 1.5;
    member.hold_ms = 3;
    member.frozen_at_ms = 1.75;
    manifest.members.push_back(member);
    manifest.timeline.push_back({.what = "arm", .start_ms = -20, .length_ms = 12});

    const auto view = view_manifest(manifest_to_json(manifest));
    ASSERT_TRUE(view);
    EXPECT_EQ(view->id, "6560aabb00112233");
    EXPECT_EQ(view->state, "complete");
    EXPECT_EQ(view->consistency, "filesystem");
    EXPECT_EQ(view->created, "2026-01-02T03:04:05Z");
    EXPECT_EQ(view->stuck, std::vector<std::string>{"/mnt/stuck"});
    EXPECT_EQ(view->notes, std::vector<std::string>{"a note"});
    EXPECT_EQ(view->window_ms, 5.25);
    ASSERT_EQ(view->members.size(), 1U);
    const auto& shown = view->members.front();
    EXPECT_EQ(shown.volume, "/mnt/a");
    EXPECT_EQ(shown.placement, "lun");
    EXPECT_EQ(shown.provider, "exec");
    EXPECT_EQ(shown.snapshot, "array/a-q1");
    EXPECT_EQ(shown.device, "/dev/disk/by-id/wwn-1");
    EXPECT_EQ(shown.error, "late");
    EXPECT_EQ(shown.file_system, "xfs");
    EXPECT_EQ(shown.flush_ms, 0.5);
    EXPECT_EQ(shown.freeze_ms, 1.5);
    EXPECT_EQ(shown.hold_ms, 3.0);
    EXPECT_EQ(shown.thaw_ms, std::nullopt);
    EXPECT_EQ(shown.frozen_at_ms, 1.75);
    ASSERT_EQ(view->timeline.size(), 1U);
    EXPECT_EQ(view->timeline.front().what, "arm");
    EXPECT_EQ(view->timeline.front().start_ms, -20);
    EXPECT_EQ(view->timeline.front().length_ms, 12);
}

TEST(ManifestView, WhatItDoesNotUnderstandIsLeftOut) {
    const auto view = view_manifest(R"({"id": 5, "state": "new", "members": [7, {"volume": "/a"}], "timeline": [{"what": "arm"}], "stuck": {}})");
    ASSERT_TRUE(view);
    EXPECT_EQ(view->id, "");
    EXPECT_EQ(view->state, "new");
    ASSERT_EQ(view->members.size(), 1U);
    EXPECT_EQ(view->members.front().volume, "/a");
    EXPECT_TRUE(view->timeline.empty());
}

TEST(ManifestView, WhatIsNoObjectIsRefused) {
    for (const auto* text : {"", "{", "[]", "null", "\"x\""}) EXPECT_FALSE(view_manifest(text)) << text;
}

} // namespace
} // namespace quiesced
