// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sequence_fixture.h"
#include "snapshot/host_provider.h"

namespace quiesced {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Planner : public testing::Test {
protected:
    Result<SetPlan> plan(const std::vector<std::string>& names, const ProviderChoice& choice = {}) {
        return plan_set(names, std::make_shared<const Inventory>(guest_.inventory()), {plugin_, lvm_, host_}, choice);
    }
    TestGuest guest_;
    std::shared_ptr<FakeProvider> plugin_ = std::make_shared<FakeProvider>("exec", Placement::lun);
    std::shared_ptr<FakeProvider> lvm_ = std::make_shared<FakeProvider>("lvm", Placement::virtual_disk);
    std::shared_ptr<HostProvider> host_ = std::make_shared<HostProvider>();
};

TEST_F(Planner, EachVolumeGetsTheProviderThatClaimsIt) {
    guest_.lv("/srv/data", 1);
    guest_.lun("/srv/log", 2);
    const auto planned = plan({"/srv/log", "/srv/data"});
    ASSERT_TRUE(planned) << planned.error().message();
    ASSERT_EQ(planned->members.size(), 2U);
    EXPECT_EQ(planned->members[0].provider->name(), "exec");
    EXPECT_EQ(planned->members[1].provider->name(), "lvm");
    EXPECT_EQ(planned->members[0].volume.name, "/srv/log") << "the requestor's order is kept";
}

TEST_F(Planner, TheSameVolumeByTwoNamesIsADuplicate) {
    guest_.lv("/srv/data", 1);
    const auto planned = plan({"/srv/data", "/dev/mapper/vg-1"});
    ASSERT_FALSE(planned);
    EXPECT_EQ(planned.error().kind, ErrorKind::duplicate_volume);
    EXPECT_THAT(planned.error().message(), HasSubstr("/srv/data"));
}

TEST_F(Planner, AnEmptyListIsRefused) {
    const auto planned = plan({});
    ASSERT_FALSE(planned);
    EXPECT_EQ(planned.error().kind, ErrorKind::invalid_argument);
}

TEST_F(Planner, MoreThan256VolumesAreRefused) {
    guest_.lv("/srv/data", 1);
    const auto planned = plan(std::vector<std::string>(257, "/srv/data"));
    ASSERT_FALSE(planned);
    EXPECT_EQ(planned.error().kind, ErrorKind::invalid_argument);
}

TEST_F(Planner, TmpfsIsUnsupported) {
    guest_.tmpfs("/run/scratch");
    const auto planned = plan({"/run/scratch"});
    ASSERT_FALSE(planned);
    EXPECT_EQ(planned.error().kind, ErrorKind::unsupported);
}

TEST_F(Planner, ALoopVolumeIsRefusedWithTheNameOfTheVolumeThatHoldsItsFile) {
    guest_.lv("/srv/data", 1);
    guest_.loop("/srv/data/inner", 7, 1);
    const auto planned = plan({"/srv/data/inner"});
    ASSERT_FALSE(planned);
    EXPECT_EQ(planned.error().kind, ErrorKind::loop_backing);
    EXPECT_THAT(planned.error().message(), HasSubstr("Take /srv/data instead"));
}

TEST_F(Planner, ALoopVolumeThatLiesOnItselfIsRefusedAndNotWalkedForEver) {
    guest_.loop("/srv/self", 7, 7);
    const auto planned = plan({"/srv/self"});
    ASSERT_FALSE(planned);
    EXPECT_EQ(planned.error().kind, ErrorKind::loop_backing);
    EXPECT_THAT(planned.error().message(), HasSubstr("itself"));
}

TEST_F(Planner, FileSystemsInLoopFilesOnAMemberAreFrozenFirst) {
    guest_.lv("/srv/data", 1);
    guest_.lv("/srv/other", 2);
    guest_.loop("/srv/data/inner", 7, 1);
    guest_.loop("/srv/data/inner/inmost", 8, 7);
    const auto planned = plan({"/srv/data", "/srv/other"});
    ASSERT_TRUE(planned) << planned.error().message();
    ASSERT_EQ(planned->carried.size(), 2U);
    EXPECT_EQ(planned->carried[0].volume.name, "/srv/data/inner");
    EXPECT_EQ(planned->carried[1].level, 0) << "nothing lies on the inmost one: first";
    EXPECT_EQ(planned->carried[0].level, 1);
    EXPECT_EQ(planned->members[0].level, 2) << "it holds the files of the others: last";
    EXPECT_TRUE(planned->carried[0].carried);
    EXPECT_EQ(planned->carried[0].provider, nullptr);
}

TEST_F(Planner, ALunWithoutAnyPluginSaysWhichPluginToEnable) {
    guest_.lun("/srv/log", 2);
    const auto planned = plan_set({"/srv/log"}, std::make_shared<const Inventory>(guest_.inventory()), {lvm_});
    ASSERT_FALSE(planned);
    EXPECT_EQ(planned.error().kind, ErrorKind::plugin_missing);
    EXPECT_THAT(planned.error().message(), HasSubstr("systemctl enable --now quiesced-plugin-"));
    EXPECT_THAT(planned.error().message(), HasSubstr("naa.6001405"));
}

TEST_F(Planner, ALunThatNoPluginKnowsIsNamed) {
    guest_.lun("/srv/log", 2);
    plugin_->claims = false;
    const auto planned = plan({"/srv/log"});
    ASSERT_FALSE(planned);
    EXPECT_EQ(planned.error().kind, ErrorKind::no_provider);
    EXPECT_THAT(planned.error().message(), HasSubstr("exec"));
}

TEST_F(Planner, APlainPartitionHasNoProvider) {
    guest_.lv("/srv/data", 1);
    lvm_->claims = false;
    const auto planned = plan({"/srv/data"});
    ASSERT_FALSE(planned);
    EXPECT_EQ(planned.error().kind, ErrorKind::no_provider);
    EXPECT_THAT(planned.error().message(), HasSubstr("'host'")) << "what it takes is said";
}

TEST_F(Planner, WhyDeviceMapperDoesNotTakeItIsSaidWithTheWayOut) {
    guest_.lv("/srv/data", 1);
    lvm_->claims = false;
    const auto dm = std::make_shared<FakeProvider>("dm", Placement::virtual_disk);
    dm->claims = false;
    const auto planned = plan_set({"/srv/data"}, std::make_shared<const Inventory>(guest_.inventory()), {plugin_, lvm_, dm, host_});
    ASSERT_FALSE(planned);
    EXPECT_EQ(planned.error().kind, ErrorKind::no_provider);
    EXPECT_THAT(planned.error().message(), AllOf(HasSubstr("(/dev/mapper/vg-1): it does not want it"), HasSubstr("'host'")));
}

TEST_F(Planner, DeviceMapperTakesNothingThatMayBeAPlugins) {
    guest_.lun("/srv/log", 2);
    plugin_->claim_error = Error{.kind = ErrorKind::plugin_failed, .error_number = 0, .context = "array unreachable", .advice = {}, .undone = {}};
    const auto dm = std::make_shared<FakeProvider>("dm", Placement::lun);
    const auto planned = plan_set({"/srv/log"}, std::make_shared<const Inventory>(guest_.inventory()), {plugin_, lvm_, dm, host_});
    ASSERT_FALSE(planned);
    EXPECT_EQ(planned.error().kind, ErrorKind::plugin_failed);
}

TEST_F(Planner, DeviceMapperIsNoPluginThatCouldKnowALun) {
    guest_.lun("/srv/log", 2);
    const auto dm = std::make_shared<FakeProvider>("dm", Placement::virtual_disk);
    const auto planned = plan_set({"/srv/log"}, std::make_shared<const Inventory>(guest_.inventory()), {lvm_, dm, host_});
    ASSERT_FALSE(planned);
    EXPECT_EQ(planned.error().kind, ErrorKind::plugin_missing);
}

TEST_F(Planner, OnlyTheProviderThatTheRequestorChoseIsAsked) {
    guest_.lv("/srv/data", 1);
    guest_.lv("/srv/more", 3);
    const auto planned = plan({"/srv/data", "/srv/more"}, {{"/srv/data", "host"}});
    ASSERT_TRUE(planned) << planned.error().message();
    EXPECT_EQ(planned->members[0].provider->name(), "host");
    EXPECT_EQ(planned->members[1].provider->name(), "lvm") << "for which nobody was chosen";
    EXPECT_THAT(planned->members[0].refusals[1].reason, HasSubstr("host was chosen"));
}

TEST_F(Planner, AChosenProviderThatDoesNotWantTheVolumeIsAnErrorWithItsReason) {
    guest_.lun("/srv/log", 2);
    const auto planned = plan({"/srv/log"}, {{"/srv/log", "host"}});
    ASSERT_FALSE(planned) << "the plugin that would take it was not chosen";
    EXPECT_EQ(planned.error().kind, ErrorKind::no_provider);
    EXPECT_THAT(planned.error().message(), HasSubstr("sd2: lun"));
}

TEST_F(Planner, AChosenProviderThatIsNotThereIsNamed) {
    guest_.lv("/srv/data", 1);
    const auto planned = plan({"/srv/data"}, {{"/srv/data", "netapp"}});
    ASSERT_FALSE(planned);
    EXPECT_EQ(planned.error().kind, ErrorKind::plugin_missing);
    EXPECT_THAT(planned.error().message(), HasSubstr("quiesced-plugin-netapp.socket"));
}

TEST_F(Planner, AChoiceForAVolumeThatIsNotInTheSetIsRefused) {
    guest_.lv("/srv/data", 1);
    const auto planned = plan({"/srv/data"}, {{"/srv/date", "host"}});
    ASSERT_FALSE(planned);
    EXPECT_EQ(planned.error().kind, ErrorKind::invalid_argument);
    EXPECT_THAT(planned.error().message(), HasSubstr("/srv/date"));
}

TEST_F(Planner, AVolumeThatIsNotMountedIsRefused) {
    guest_.lv("", 1);
    const auto planned = plan({"/dev/mapper/vg-1"});
    ASSERT_FALSE(planned);
    EXPECT_EQ(planned.error().kind, ErrorKind::not_mounted);
}

TEST_F(Planner, APluginsErrorIsHandedOn) {
    guest_.lun("/srv/log", 2);
    plugin_->claim_error = Error{.kind = ErrorKind::plugin_failed, .error_number = 0, .context = "array unreachable", .advice = {}, .undone = {}};
    const auto planned = plan({"/srv/log"});
    ASSERT_FALSE(planned);
    EXPECT_EQ(planned.error().kind, ErrorKind::plugin_failed);
}

} // namespace
} // namespace quiesced
