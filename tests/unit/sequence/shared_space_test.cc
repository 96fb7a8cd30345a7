// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/shared_space.h"

#include "set_fixture.h"

namespace quiesced {
namespace {

SpaceNeed need(const std::string& volume, const std::string& group, std::uint64_t needed, std::uint64_t free) {
    SpaceNeed need;
    need.kind = "volume-group";
    need.name = group;
    need.volumes = {volume};
    need.needed = Bytes{needed << 20U};
    need.free = Bytes{free << 20U};
    return need;
}

TEST(SharedSpace, TheNeedsOfAllProvidersInOneGroupAreAddedUp) {
    EXPECT_FALSE(shared_shortage({need("/a", "vg", 60, 100), need("/b", "vg", 40, 100)}));
    EXPECT_FALSE(shared_shortage({need("/a", "vg", 60, 100), need("/b", "other", 60, 100)})) << "each has its own group";
    const auto shortage = shared_shortage({need("/a", "vg", 60, 100), need("/b", "vg", 60, 100)});
    ASSERT_TRUE(shortage);
    EXPECT_EQ(shortage->error.kind, ErrorKind::no_space);
    EXPECT_THAT(shortage->error.message(), HasSubstr("volume group vg has no room for the snapshots of /a, /b at once: their copy-on-write stores need 120"));
    EXPECT_TRUE(shared_shortage({need("/a", "vg", 60, 120), need("/b", "vg", 60, 110)})) << "the smaller one counts";
}

TEST(SharedSpace, WhatIsRefusedAloneOrHasNoSizeIsNotToldTwice) {
    auto alone = need("/a", "vg", 120, 100);
    alone.refusal = error(ErrorKind::no_space, "vg is full");
    EXPECT_FALSE(shared_shortage({alone, need("/b", "vg", 10, 100)}));
    auto pool = need("/a", "vg", 0, 0);
    pool.needed.reset();
    EXPECT_FALSE(shared_shortage({pool, pool}));
}

TEST_F(Set, TwoProvidersWhoseStoresDoNotFitIntoOneGroupTogetherArmNothing) {
    lvm_->makes_stores = plugin_->makes_stores = true; // as lvm and dm
    lvm_->estimate.space = {need("/srv/data", "vg", 60, 100)};
    plugin_->estimate.space = {need("/srv/log", "vg", 60, 100)};
    make();
    const auto prepared = run(Step::prepare);
    ASSERT_FALSE(prepared);
    EXPECT_EQ(prepared.error().kind, ErrorKind::no_space);
    EXPECT_EQ(lvm_->calls->count("arm") + plugin_->calls->count("arm"), 0U);
}

TEST_F(Set, AnArrayIsNotAskedForAnEstimateBeforeItIsArmed) {
    plugin_->during_estimate = [] { ADD_FAILURE() << "it costs a call of the plugin"; };
    make();
    EXPECT_TRUE(run(Step::prepare));
}

} // namespace
} // namespace quiesced
