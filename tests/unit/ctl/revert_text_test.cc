// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/revert_text.h"

#include <gmock/gmock.h>

namespace quiesced {
namespace {

using testing::HasSubstr;
using testing::Not;

ManifestView sample() {
    ManifestView set;
    set.id = "6560aabb00112233";
    set.created = "2026-01-02T03:04:05Z";
    for (const auto* name : {"/srv/db", "/srv/log"}) {
        MemberView member;
        member.volume = name;
        member.snapshot = "vg/x";
        member.consistency = "filesystem";
        set.members.push_back(member);
    }
    return set;
}

TEST(RevertText, SaysWhatIsLostBeforeAnythingIsDone) {
    const auto all = render_revert_warning(sample(), {});
    EXPECT_THAT(all, HasSubstr("/srv/db from vg/x (filesystem)\n"));
    EXPECT_THAT(all, HasSubstr("/srv/log from vg/x"));
    EXPECT_THAT(all, HasSubstr("Everything written to them since then is lost"));
    EXPECT_THAT(all, Not(HasSubstr("another time")));
    EXPECT_THAT(render_revert_warning(sample(), {"/srv/db"}), HasSubstr("Not put back, and so of another time: /srv/log."));
}

TEST(RevertText, SaysOfEachVolumeWhatHasBecomeOfIt) {
    auto set = sample();
    set.members[0].revert = "done";
    set.members[1].revert = "pending";
    EXPECT_THAT(render_reverted(set), HasSubstr("/srv/db is put back.\n/srv/log is in use: it is put back when it is activated the next time."));
}

TEST(RevertText, WhatWasInterruptedGoesOnAloneUnlessOthersAreNamed) {
    auto set = sample();
    set.members.push_back(set.members[0]);
    set.members[2].volume = "/srv/other";
    set.members[0].revert = "done";
    set.members[1].revert = "interrupted";
    const auto text = render_revert_warning(set, {});
    EXPECT_THAT(text, HasSubstr("  /srv/log from vg/x"));
    EXPECT_THAT(text, Not(HasSubstr("/srv/db")));
    EXPECT_THAT(text, HasSubstr("Not put back, and so of another time: /srv/other."));
    EXPECT_THAT(render_revert_warning(set, {"/srv/other"}), HasSubstr("  /srv/other from vg/x"));
    EXPECT_THAT(render_reverted(set), HasSubstr("/srv/log is not put back. Unmount it, then: quiescectl revert 6560aabb00112233"));
}

TEST(RevertText, ProgressNamesOnlyWhatRuns) {
    auto set = sample();
    EXPECT_EQ(revert_progress(set, 0), "");
    set.members[1].revert = "running";
    EXPECT_EQ(revert_progress(set, 0), "0 %: /srv/log");
    set.members[1].revert_percent = 44.6;
    EXPECT_EQ(revert_progress(set, 0.446), "44 %: /srv/log 45 %");
}

} // namespace
} // namespace quiesced
