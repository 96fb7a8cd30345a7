// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/lvm_session.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "lvm_twin.h"

namespace quiesced {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr Bytes kSize{500ULL << 20U};
const std::string kSuffix = "-q0123456789abcdef";

class LvmSessionTest : public testing::Test {
protected:
    LvmSessionTest() {
        lvm_->add_thick("a", kSize);
        lvm_->add_thick("b", kSize);
        lvm_->add_pool("pool");
        lvm_->add_thin("c", "pool");
    }

    LvmSession session(const std::vector<std::string>& names) {
        std::vector<LvmMember> members;
        for (const auto& name : names)
            members.push_back({.volume = "/mnt/" + name, .dm_uuid = lvm_->find(name)->dm_uuid(), .group = "vg"});
        return {SetId::parse("0123456789abcdef").value(), members, StorePolicy{.base = StorePolicy::Base::bytes, .value = 100ULL << 20U}, lvm_, tables_};
    }

    std::shared_ptr<TwinDmTables> tables_ = std::make_shared<TwinDmTables>();
    std::shared_ptr<TwinLvm> lvm_ = std::make_shared<TwinLvm>(tables_);
};

TEST_F(LvmSessionTest, OneLvcreateForEachMemberAndTwoLvsForAll) {
    auto session = this->session({"a", "b", "c"});
    const auto armed = session.arm();
    ASSERT_TRUE(armed) << armed.error().message();
    EXPECT_EQ(lvm_->count("lvcreate"), 3U);
    EXPECT_EQ(lvm_->count("lvs"), 2U);
    EXPECT_THAT(lvm_->calls, SizeIs(5));
    EXPECT_THAT(lvm_->names(), ElementsAre("a", "b", "pool", "c", "a" + kSuffix, "b" + kSuffix, "c" + kSuffix));
    const auto chains = session.chains();
    ASSERT_THAT(chains, SizeIs(3));
    EXPECT_EQ(chains[0].name, "vg/a");
    EXPECT_EQ(chains[2].group, lvm_->find("pool")->dm_uuid() + "-tpool");
}

TEST_F(LvmSessionTest, WhatIsFreeIsSharedByTheSizesOfTheOrigins) {
    lvm_->add_thick("small", Bytes{250ULL << 20U});
    lvm_->free = Bytes{600ULL << 20U};
    const auto member = [this](const std::string& name) {
        return LvmMember{.volume = "/mnt/" + name, .dm_uuid = lvm_->find(name)->dm_uuid(), .group = "vg"};
    };
    LvmSession session(SetId::parse("0123456789abcdef").value(), {member("a"), member("small"), member("c")},
                       {.base = StorePolicy::Base::free, .value = 50}, lvm_, tables_);
    const auto estimate = session.estimate();
    ASSERT_TRUE(estimate) << estimate.error().message();
    EXPECT_EQ(estimate->stores, (std::map<std::string, Bytes>{{"/mnt/a", Bytes{200ULL << 20U}}, {"/mnt/small", Bytes{100ULL << 20U}}}));
}

TEST_F(LvmSessionTest, AnLvIsTaggedWithTheMembersThatItServes) {
    LvmSession session(SetId::parse("0123456789abcdef").value(),
                       {{.volume = "/mnt/a", .dm_uuid = lvm_->find("a")->dm_uuid(), .group = "vg", .file_system = "ext4"},
                        {.volume = "/mnt/more", .dm_uuid = lvm_->find("a")->dm_uuid(), .group = "vg", .file_system = "xfs"}},
                       {.base = StorePolicy::Base::bytes, .value = 100ULL << 20U}, lvm_, tables_);
    ASSERT_TRUE(session.arm());
    EXPECT_EQ(lvm_->count("lvcreate"), 1U);
    EXPECT_THAT(lvm_->find("a" + kSuffix)->tags,
                ElementsAre("quiesced", "quiesced.set=0123456789abcdef", "quiesced.member=ext4:/mnt/a", "quiesced.member=xfs:/mnt/more"));
}

TEST_F(LvmSessionTest, TheSpaceOfAllIsCheckedBeforeAnythingIsMade) {
    lvm_->free = Bytes{150ULL << 20U}; // room for one store of 100 MiB
    auto session = this->session({"a", "b"});
    const auto armed = session.arm();
    ASSERT_FALSE(armed);
    EXPECT_EQ(armed.error().kind, ErrorKind::no_space);
    EXPECT_EQ(lvm_->count("lvcreate"), 0U);
    EXPECT_EQ(lvm_->count("lvremove"), 0U);
}

TEST_F(LvmSessionTest, AFullPoolIsFoundBeforeAnythingIsMade) {
    lvm_->find("pool")->data_percent = 99;
    auto session = this->session({"a", "c"});
    EXPECT_EQ(session.arm().error().kind, ErrorKind::no_space);
    EXPECT_EQ(lvm_->count("lvcreate"), 0U);
}

TEST_F(LvmSessionTest, AFailingLvcreateTakesTheEarlierOnesBack) {
    lvm_->fail_on = "b" + kSuffix;
    auto session = this->session({"a", "b", "c"});
    const auto armed = session.arm();
    ASSERT_FALSE(armed);
    EXPECT_EQ(armed.error().kind, ErrorKind::lvm_failed);
    EXPECT_THAT(armed.error().message(), HasSubstr("It does not want to"));
    EXPECT_THAT(armed.error().undone, IsEmpty());
    EXPECT_THAT(lvm_->names(), ElementsAre("a", "b", "pool", "c"));
    EXPECT_THAT(session.chains(), IsEmpty());
}

TEST_F(LvmSessionTest, WhatAFailingLvcreateLeftHalfMadeIsRemovedToo) {
    lvm_->fail_on = "b" + kSuffix;
    lvm_->half_make = true;
    // The removal names the same volume, and must not fail for it.
    class Once : public LvmRunner {
    public:
        explicit Once(TwinLvm& lvm) : lvm_(lvm) {}
        Result<ChildOutcome> run(const std::vector<std::string>& arguments, std::chrono::milliseconds limit) override {
            if (arguments.front() == "lvremove") lvm_.fail_on.clear();
            return lvm_.run(arguments, limit);
        }

    private:
        TwinLvm& lvm_;
    };
    LvmSession session(SetId::parse("0123456789abcdef").value(),
                       {{.volume = "/mnt/a", .dm_uuid = lvm_->find("a")->dm_uuid(), .group = "vg"},
                        {.volume = "/mnt/b", .dm_uuid = lvm_->find("b")->dm_uuid(), .group = "vg"}},
                       StorePolicy{.base = StorePolicy::Base::bytes, .value = 100ULL << 20U}, std::make_shared<Once>(*lvm_), tables_);
    EXPECT_FALSE(session.arm());
    EXPECT_THAT(lvm_->names(), ElementsAre("a", "b", "pool", "c"));
}

TEST_F(LvmSessionTest, AnUndoThatFailsIsReportedWithTheCause) {
    auto session = this->session({"a", "b"});
    tables_->devices.at(lvm_->find("b")->dm_uuid()).suspended = true; // lvm_chain refuses it
    lvm_->fail_on = "lvremove";
    const auto armed = session.arm();
    ASSERT_FALSE(armed);
    EXPECT_EQ(armed.error().kind, ErrorKind::busy);
    ASSERT_THAT(armed.error().undone, SizeIs(1));
    EXPECT_THAT(armed.error().undone.front(), HasSubstr("left: vg/a" + kSuffix + ", vg/b" + kSuffix));
    lvm_->fail_on.clear();
    EXPECT_TRUE(session.disarm());
    EXPECT_THAT(lvm_->names(), ElementsAre("a", "b", "pool", "c"));
}

TEST_F(LvmSessionTest, AForeignVolumeOfTheSameNameIsNeitherTakenNorRemoved) {
    lvm_->add_thick("b" + kSuffix, kSize);
    auto session = this->session({"a", "b"});
    const auto armed = session.arm();
    ASSERT_FALSE(armed);
    EXPECT_EQ(armed.error().kind, ErrorKind::busy);
    EXPECT_EQ(lvm_->count("lvcreate"), 0U);
    EXPECT_TRUE(session.disarm());
    EXPECT_NE(lvm_->find("b" + kSuffix), nullptr);
}

TEST_F(LvmSessionTest, AVolumeThatLostOurTagIsNotRemoved) {
    auto session = this->session({"a"});
    ASSERT_TRUE(session.arm());
    lvm_->find("a" + kSuffix)->tags.clear();
    EXPECT_TRUE(session.disarm());
    EXPECT_NE(lvm_->find("a" + kSuffix), nullptr);
}

TEST_F(LvmSessionTest, TwoMembersOnOneVolumeAreCutOnce) {
    auto session = this->session({"a", "b", "a"});
    ASSERT_TRUE(session.arm());
    EXPECT_EQ(lvm_->count("lvcreate"), 2U);
    EXPECT_THAT(session.chains(), SizeIs(2));
    const auto records = session.finish();
    ASSERT_TRUE(records) << records.error().message();
    ASSERT_THAT(*records, SizeIs(3));
    EXPECT_EQ(records->at(0).snapshot, records->at(2).snapshot);
    EXPECT_EQ(records->at(1).volume, "/mnt/b");
}

TEST_F(LvmSessionTest, FinishActivatesThinOnesAndMonitorsThickOnes) {
    auto session = this->session({"c", "a"});
    ASSERT_TRUE(session.arm());
    lvm_->calls.clear();
    const auto records = session.finish();
    ASSERT_TRUE(records) << records.error().message();
    EXPECT_THAT(lvm_->calls, ElementsAre(ElementsAre("lvchange", "--yes", "--activate", "y", "--ignoreactivationskip",
                                                     "--ignoremonitoring", "vg/c" + kSuffix),
                                         ElementsAre("lvchange", "--addtag", "quiesced.cut", "vg/a" + kSuffix, "vg/c" + kSuffix),
                                         ElementsAre("lvchange", "--monitor", "y", "vg/a" + kSuffix)));
    const auto& thin = records->at(0);
    EXPECT_EQ(thin.volume, "/mnt/c");
    EXPECT_EQ(thin.provider, "lvm");
    EXPECT_EQ(thin.snapshot, "vg/c" + kSuffix);
    EXPECT_EQ(thin.device, "/dev/vg/c" + kSuffix);
    const auto reference = nlohmann::json::parse(records->at(1).reference);
    EXPECT_EQ(reference.at("vg"), "vg");
    EXPECT_EQ(reference.at("lv"), "a" + kSuffix);
    EXPECT_EQ(reference.at("kind"), "thick");
    EXPECT_EQ(reference.at("lv_uuid"), lvm_->find("a" + kSuffix)->uuid);
    EXPECT_EQ(reference.at("monitored"), true);
}

TEST_F(LvmSessionTest, AGuestWithoutDmeventdStillGetsItsSnapshotAndTheRecordSaysSo) {
    auto session = this->session({"a"});
    ASSERT_TRUE(session.arm());
    lvm_->fail_on = "--monitor";
    const auto records = session.finish();
    ASSERT_TRUE(records) << records.error().message();
    EXPECT_EQ(nlohmann::json::parse(records->front().reference).at("monitored"), false);
}

TEST_F(LvmSessionTest, AFullStoreFailsFinish) {
    auto session = this->session({"a"});
    ASSERT_TRUE(session.arm());
    tables_->statuses[lvm_->find("a" + kSuffix)->dm_uuid()] = "Invalid";
    const auto records = session.finish();
    ASSERT_FALSE(records);
    EXPECT_EQ(records.error().kind, ErrorKind::no_space);
    EXPECT_THAT(records.error().message(), HasSubstr("vg/a" + kSuffix));
    EXPECT_TRUE(session.disarm());
}

TEST_F(LvmSessionTest, AThinSnapshotThatCannotBeActivatedFailsFinish) {
    auto session = this->session({"c"});
    ASSERT_TRUE(session.arm());
    lvm_->fail_on = "--activate";
    EXPECT_FALSE(session.finish());
}

TEST_F(LvmSessionTest, CommitRunsNoCommand) {
    auto session = this->session({"a", "c"});
    ASSERT_TRUE(session.arm());
    lvm_->calls.clear();
    EXPECT_TRUE(session.commit(Monotonic::now() + std::chrono::seconds(1)));
    EXPECT_THAT(session.chains(), SizeIs(2));
    EXPECT_THAT(lvm_->calls, IsEmpty());
}

TEST_F(LvmSessionTest, DisarmMayBeRepeatedAndRunsNoCommandWhenNothingIsThere) {
    auto session = this->session({"a", "c"});
    EXPECT_TRUE(session.disarm());
    EXPECT_THAT(lvm_->calls, IsEmpty());
    ASSERT_TRUE(session.arm());
    EXPECT_EQ(session.arm().error().kind, ErrorKind::wrong_state);
    EXPECT_TRUE(session.disarm());
    EXPECT_THAT(lvm_->names(), ElementsAre("a", "b", "pool", "c"));
    lvm_->calls.clear();
    EXPECT_TRUE(session.disarm());
    EXPECT_THAT(lvm_->calls, IsEmpty());
    EXPECT_TRUE(session.arm());
}

TEST_F(LvmSessionTest, DisarmAfterAnAdminRemovedOneRemovesTheOther) {
    auto session = this->session({"a", "b"});
    ASSERT_TRUE(session.arm());
    ASSERT_TRUE(lvm_->run({"lvremove", "--yes", "vg/a" + kSuffix}, {}));
    EXPECT_TRUE(session.disarm());
    EXPECT_THAT(lvm_->names(), ElementsAre("a", "b", "pool", "c"));
}

TEST_F(LvmSessionTest, AVolumeThatIsGoneOrMergingIsRefused) {
    auto session = this->session({"a", "b"});
    lvm_->find("b")->attributes = "Owi-aos---";
    EXPECT_EQ(session.arm().error().kind, ErrorKind::busy);
    ASSERT_TRUE(lvm_->run({"lvremove", "--yes", "vg/b"}, {}));
    EXPECT_EQ(session.arm().error().kind, ErrorKind::no_such_volume);
    EXPECT_EQ(lvm_->count("lvcreate"), 0U);
}

} // namespace
} // namespace quiesced
