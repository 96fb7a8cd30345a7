// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/set_text.h"

#include <gtest/gtest.h>

namespace quiesced {
namespace {

ManifestView sample() {
    ManifestView set;
    set.id = "6560aabb00112233";
    set.state = "complete";
    set.consistency = "filesystem";
    set.created = "2026-01-02T03:04:05Z";
    set.window_ms = 5.3;
    MemberView local;
    local.volume = "/srv/db";
    local.placement = "virtual";
    local.provider = "lvm";
    local.snapshot = "vg/db-q6560";
    local.device = "/dev/vg/db-q6560";
    local.freeze_ms = 1.5;
    local.hold_ms = 3.25;
    MemberView remote = local;
    remote.volume = "/srv/lun";
    remote.placement = "lun";
    remote.provider = "exec";
    remote.snapshot = "";
    remote.device = "";
    remote.hold_ms.reset();
    set.members = {local, remote};
    return set;
}

TEST(SetText, ShowsTheSetItsMembersAndTheirDevices) {
    EXPECT_EQ(render_set(sample()), "Set 6560aabb00112233: complete, consistency filesystem, window 5.30 ms\n"
                                    "Made 2026-01-02T03:04:05Z\n"
                                    "\n"
                                    "VOLUME    PLACEMENT  PROVIDER  SNAPSHOT      FREEZE     HOLD\n"
                                    "/srv/db   virtual    lvm       vg/db-q6560  1.50 ms  3.25 ms\n"
                                    "/srv/lun  lun        exec      -            1.50 ms        -\n"
                                    "  /srv/db is on /dev/vg/db-q6560\n");
}

TEST(SetText, AFailureAndWhatIsStillFrozenAreSaid) {
    auto set = sample();
    set.state = "failed";
    set.error = "no room in vg";
    set.stuck = {"/srv/db"};
    set.members[1].error = "late";
    set.notes = {"the journal stayed"};
    const auto text = render_set(set);
    EXPECT_NE(text.find("Note: the journal stayed\n"), std::string::npos);
    EXPECT_NE(text.find("Failed: no room in vg\n"), std::string::npos);
    EXPECT_NE(text.find("STILL FROZEN: /srv/db"), std::string::npos);
    EXPECT_NE(text.find("  /srv/lun: late\n"), std::string::npos);
}

TEST(SetText, AListHasOneLineForEachSet) {
    auto open = sample();
    open.id = "6560aabb00112244";
    open.state = "new";
    open.consistency = "";
    EXPECT_EQ(render_sets({sample(), open}), "SET               STATE     CONSISTENCY  MADE                  VOLUMES\n"
                                             "6560aabb00112233  complete  filesystem   2026-01-02T03:04:05Z  /srv/db\n"
                                             "                                                               /srv/lun\n"
                                             "6560aabb00112244  new       -            2026-01-02T03:04:05Z  /srv/db\n"
                                             "                                                               /srv/lun\n");
    EXPECT_EQ(render_sets({}), "There is no snapshot set.\n");
}

TEST(SetText, ARevertThatWasInterruptedIsSaidOfTheSetAndOfTheVolume) {
    auto set = sample();
    set.consistency = "reverted";
    set.members[0].revert = "done";
    EXPECT_EQ(render_sets({set}).find("revert interrupted"), std::string::npos);
    set.members[1].revert = "interrupted";
    EXPECT_NE(render_sets({set}).find("complete  revert interrupted  2026"), std::string::npos) << render_sets({set});
    EXPECT_NE(render_set(set).find("  /srv/lun was to be put back with the others, and is not: unmount it, then quiescectl revert 6560aabb00112233\n"), std::string::npos);
}

TEST(SetText, TheTimesOfEachFileSystemStandInATable) {
    auto set = sample();
    set.members[0].file_system = "xfs";
    set.members[0].flush_ms = 20;
    set.members[0].thaw_ms = 0.5;
    EXPECT_EQ(render_member_times(set), "VOLUME    FSTYPE    FLUSH   FREEZE     HOLD    THAW\n"
                                        "/srv/db   xfs     20.0 ms  1.50 ms  3.25 ms  500 us\n"
                                        "/srv/lun  -             -  1.50 ms        -       -\n");
    set.members[1].error = "late";
    EXPECT_NE(render_member_times(set).find("ERROR\n"), std::string::npos);
    EXPECT_NE(render_member_times(set).find("late\n"), std::string::npos);
}

} // namespace
} // namespace quiesced
