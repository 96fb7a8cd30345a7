// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/dm_session.h"

#include <gmock/gmock.h>

#include "dm_twin.h"
#include "snapshot/dm_names.h"
#include "snapshot/dm_reference.h"
#include "snapshot/dm_undo.h"

namespace quiesced {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr std::uint64_t kSectors = (1ULL << 30U) / kSectorSize;
const std::string kKey = "00112233445566778899aabbccddeeff";
const std::string kCrypt = "aes-xts-plain64 " + kKey + " 0 8:1 4096";
const SetId kSet = SetId::parse("0123456789abcdef").value();
const SetId kOther = SetId::parse("fedcba9876543210").value();

class DmSessionTest : public testing::Test {
protected:
    DmSessionTest()
        : linear_(devices_->add("data", "", {{0, kSectors / 2, "linear", "8:0 2048"}, {kSectors / 2, kSectors / 2, "linear", "8:16 2048"}})),
          crypt_(devices_->add("luks", "CRYPT-LUKS1-0123-luks", {{0, kSectors, "crypt", kCrypt}})) {}

    std::unique_ptr<DmSession> session(const SetId& set, const std::vector<DeviceNumber>& origins) {
        std::vector<DmMember> members;
        for (const auto origin : origins) members.push_back({.volume = "/mnt/" + origin.text(), .origin = origin, .file_system = "ext4"});
        return std::make_unique<DmSession>(set, members, StorePolicy{.base = StorePolicy::Base::bytes, .value = 100ULL << 20U}, "vg", tools_);
    }
    bool fire(const DmSession& session) {
        bool good = true;
        for (const auto& chain : session.chains()) good = devices_->run(chain.prime) && devices_->run(chain.fire) && good;
        return good;
    }
    /// A set that is complete.
    std::unique_ptr<DmSession> taken(const SetId& set, const std::vector<DeviceNumber>& origins) {
        auto made = session(set, origins);
        EXPECT_TRUE(made->arm());
        EXPECT_TRUE(fire(*made));
        EXPECT_TRUE(made->finish());
        return made;
    }
    Result<void> undo(const SetId& set) { return undo_dm_set(set, *devices_, LvmCommand(*lvm_)); }
    /// As if nothing had ever been.
    void expect_untouched() {
        EXPECT_THAT(devices_->names(), UnorderedElementsAre("data", "luks"));
        EXPECT_FALSE(devices_->any_loaded());
        EXPECT_EQ(devices_->shown(linear_), data_table_);
        EXPECT_EQ(devices_->shown(crypt_), crypt_table_);
        EXPECT_THAT(lvm_->names(), IsEmpty());
    }

    std::shared_ptr<TwinDmTables> tables_ = std::make_shared<TwinDmTables>();
    std::shared_ptr<TwinDmDevices> devices_ = std::make_shared<TwinDmDevices>(tables_);
    std::shared_ptr<TwinLvm> lvm_ = std::make_shared<TwinLvm>(tables_);
    DmTools tools_{.runner = lvm_, .devices = devices_};
    DeviceNumber linear_;
    DeviceNumber crypt_;
    const std::string data_table_ = devices_->shown(linear_);
    const std::string crypt_table_ = devices_->shown(crypt_);
};

TEST_F(DmSessionTest, UntilItIsFiredEachOriginGoesOnOverItsOwnTable) {
    auto session = this->session(kSet, {linear_, crypt_});
    const auto armed = session->arm();
    ASSERT_TRUE(armed) << armed.error().message();
    EXPECT_EQ(devices_->shown(linear_), data_table_);
    EXPECT_EQ(devices_->shown(crypt_), crypt_table_);
    EXPECT_EQ(devices_->inactive(linear_)->targets.front().type, "snapshot-origin");
    const auto snapshot = devices_->table(dm_uuid({.set = kSet, .index = 0, .part = DmPart::snapshot}));
    ASSERT_TRUE(snapshot);
    EXPECT_EQ(snapshot->targets.front().type, "error") << "a snapshot that is active already is not of the moment of the fire";
    EXPECT_EQ(devices_->inactive(snapshot->number)->targets.front().type, "snapshot");
    const auto chains = session->chains();
    ASSERT_THAT(chains, SizeIs(2));
    EXPECT_EQ(chains[0].fire[0].uuid, "");
    EXPECT_EQ(chains[0].fire[0].number, linear_) << "it has no UUID";
    EXPECT_EQ(chains[1].fire[0].uuid, "CRYPT-LUKS1-0123-luks");
}

TEST_F(DmSessionTest, TheFireSuspendsActivatesTheSnapshotAndResumes) {
    auto session = this->session(kSet, {linear_});
    ASSERT_TRUE(session->arm());
    devices_->changes.clear();
    ASSERT_TRUE(fire(*session));
    EXPECT_THAT(devices_->changes, ElementsAre("activate data-q0123456789abcdef", "activate data"));
    const auto real = devices_->table(dm_uuid({.set = kSet, .index = 0, .part = DmPart::real}));
    ASSERT_TRUE(real);
    EXPECT_EQ(devices_->shown(real->number), data_table_);
    EXPECT_EQ(devices_->shown(linear_), "0 2097152 snapshot-origin " + real->number.text());
    const auto records = session->finish();
    ASSERT_TRUE(records) << records.error().message();
    EXPECT_EQ(records->front().device, "/dev/mapper/data-q0123456789abcdef");
    EXPECT_EQ(records->front().provider, "dm");
    EXPECT_THAT(lvm_->find("q0123456789abcdef-0")->tags,
                ElementsAre("quiesced", "quiesced.set=0123456789abcdef", "quiesced.store", "quiesced.member=ext4:/mnt/" + linear_.text(), "quiesced.cut"));
}

TEST_F(DmSessionTest, NoKeyIsInWhatIsKeptOrHandedOn) {
    auto session = this->session(kSet, {crypt_});
    ASSERT_TRUE(session->arm());
    for (const auto& chain : session->chains())
        for (const auto* steps : {&chain.prime, &chain.fire, &chain.unprime})
            for (const auto& step : *steps) EXPECT_THAT(step.text + step.path + step.uuid, Not(HasSubstr(kKey)));
    ASSERT_TRUE(fire(*session));
    const auto records = session->finish();
    ASSERT_TRUE(records);
    EXPECT_THAT(records->front().reference, Not(HasSubstr(kKey)));
    for (const auto& call : lvm_->calls)
        for (const auto& word : call) EXPECT_THAT(word, Not(HasSubstr(kKey)));
    ASSERT_TRUE(undo(kSet));
    EXPECT_EQ(devices_->shown(crypt_), crypt_table_) << "the key is back in its place";
}

TEST_F(DmSessionTest, DisarmLeavesNothingFromAnyStep) {
    for (const bool fired : {false, true}) {
        auto session = this->session(kSet, {linear_, crypt_});
        ASSERT_TRUE(session->arm());
        if (fired) {
            EXPECT_TRUE(fire(*session));
        }
        const auto undone = session->disarm();
        ASSERT_TRUE(undone) << undone.error().message();
        expect_untouched();
        EXPECT_TRUE(session->disarm());
    }
}

TEST_F(DmSessionTest, AnArmThatFailsAnywhereLeavesNothing) {
    for (const auto* at : {"make data-q0123456789abcdef-real", "load snapshot-origin data", "load snapshot-origin luks", "make luks-q0123456789abcdef",
                           "load snapshot luks-q0123456789abcdef"}) {
        devices_->fail_on = at;
        auto session = this->session(kSet, {linear_, crypt_});
        const auto armed = session->arm();
        ASSERT_FALSE(armed) << at;
        EXPECT_THAT(armed.error().message(), HasSubstr(at));
        EXPECT_THAT(armed.error().undone, IsEmpty()) << at;
        devices_->fail_on.clear();
        expect_untouched();
    }
    lvm_->fail_on = "q0123456789abcdef-1";
    EXPECT_FALSE(session(kSet, {linear_, crypt_})->arm());
    lvm_->fail_on.clear();
    expect_untouched();
}

TEST_F(DmSessionTest, ALostSetIsUndoneByItsIdAloneFromEachStepOfTheFire) {
    for (std::size_t steps = 0; steps <= 3; ++steps) {
        auto session = this->session(kSet, {linear_, crypt_});
        ASSERT_TRUE(session->arm());
        for (const auto& chain : session->chains()) {
            EXPECT_TRUE(devices_->run({chain.fire.begin(), chain.fire.begin() + static_cast<std::ptrdiff_t>(steps)}));
            // Whoever stands in for a lost freezer resumes what it had suspended.
            if (steps > 0) {
                EXPECT_TRUE(devices_->run({chain.fire.back()}));
            }
        }
        const auto undone = undo(kSet);
        ASSERT_TRUE(undone) << undone.error().message();
        expect_untouched();
    }
}

TEST_F(DmSessionTest, AnUndoThatIsLostAnywhereIsFinishedByTheNextOne) {
    for (const auto* at : {"remove data-q0123456789abcdef", "load copy data", "activate data", "remove data-q0123456789abcdef-real", "activate luks"}) {
        const auto session = taken(kSet, {linear_, crypt_});
        devices_->fail_on = at;
        const auto undone = undo(kSet);
        ASSERT_FALSE(undone) << at;
        EXPECT_THAT(undone.error().message(), HasSubstr(at));
        EXPECT_THAT(lvm_->names(), Not(IsEmpty())) << "the store of a snapshot that may be there";
        devices_->fail_on.clear();
        ASSERT_TRUE(undo(kSet)) << at;
        expect_untouched();
    }
}

TEST_F(DmSessionTest, ASnapshotInUseStaysWithItsOriginAndStore) {
    const auto session = taken(kSet, {linear_});
    devices_->in_use = dm_uuid({.set = kSet, .index = 0, .part = DmPart::snapshot});
    const auto before = devices_->shown(linear_);
    const auto undone = undo(kSet);
    ASSERT_FALSE(undone);
    EXPECT_EQ(undone.error().kind, ErrorKind::busy);
    EXPECT_THAT(undone.error().message(), AllOf(HasSubstr("data-q0123456789abcdef"), HasSubstr("Unmount")));
    EXPECT_EQ(devices_->shown(linear_), before) << "what is written now would go past the snapshot";
    EXPECT_THAT(lvm_->names(), ElementsAre("q0123456789abcdef-0"));
}

TEST_F(DmSessionTest, SetsOverOneOriginShareItsRealDeviceUntilTheLastIsGone) {
    const auto first = taken(kSet, {linear_});
    const auto before = devices_->shown(linear_);
    const auto second = taken(kOther, {linear_});
    EXPECT_EQ(devices_->shown(linear_), before);
    EXPECT_THAT(second->chains().front().unprime, IsEmpty()) << "the origin's table is of the first set";
    ASSERT_TRUE(undo(kSet));
    EXPECT_EQ(devices_->shown(linear_), before) << "the other one's snapshot lives by it";
    EXPECT_TRUE(second->finish());
    ASSERT_TRUE(undo(kOther));
    expect_untouched();
}

TEST_F(DmSessionTest, GivingUpTheSecondSetLeavesTheFirst) {
    const auto first = taken(kSet, {linear_});
    auto second = session(kOther, {linear_});
    ASSERT_TRUE(second->arm());
    ASSERT_TRUE(second->disarm());
    EXPECT_TRUE(first->finish());
    EXPECT_THAT(lvm_->names(), ElementsAre("q0123456789abcdef-0"));
}

TEST_F(DmSessionTest, ATableThatSomebodyExchangedMeanwhileFailsTheSetAndStays) {
    auto session = this->session(kSet, {linear_});
    ASSERT_TRUE(session->arm());
    // As dmsetup reload and dmsetup resume: it takes the place of what was loaded.
    ASSERT_TRUE(devices_->load(linear_, {0, kSectors, "linear", "8:32 0"}, false));
    ASSERT_TRUE(devices_->activate(linear_));
    ASSERT_TRUE(fire(*session));
    const auto records = session->finish();
    ASSERT_FALSE(records);
    EXPECT_EQ(records.error().kind, ErrorKind::busy);
    EXPECT_THAT(records.error().message(), HasSubstr("another table"));
    ASSERT_TRUE(session->disarm());
    EXPECT_EQ(devices_->shown(linear_), "0 2097152 linear 8:32 0");
    EXPECT_THAT(devices_->names(), UnorderedElementsAre("data", "luks"));
}

TEST_F(DmSessionTest, AFullSnapshotFailsTheSet) {
    auto session = this->session(kSet, {linear_});
    ASSERT_TRUE(session->arm());
    ASSERT_TRUE(fire(*session));
    tables_->statuses[dm_uuid({.set = kSet, .index = 0, .part = DmPart::snapshot})] = "Overflow";
    const auto records = session->finish();
    ASSERT_FALSE(records);
    EXPECT_EQ(records.error().kind, ErrorKind::no_space);
}

TEST_F(DmSessionTest, ASnapshotThatWasNotActivatedFailsTheSet) {
    auto session = this->session(kSet, {linear_});
    ASSERT_TRUE(session->arm());
    EXPECT_FALSE(session->finish());
}

TEST_F(DmSessionTest, TheWholeSetsSpaceIsCheckedBeforeAnythingIsMade) {
    lvm_->free = Bytes{150ULL << 20U};
    auto session = this->session(kSet, {linear_, crypt_});
    const auto armed = session->arm();
    ASSERT_FALSE(armed);
    EXPECT_EQ(armed.error().kind, ErrorKind::no_space);
    EXPECT_THAT(armed.error().message(), AllOf(HasSubstr("volume group vg"), HasSubstr("data, luks"), HasSubstr("200 MiB")));
    EXPECT_EQ(lvm_->count("lvcreate"), 0U);
    EXPECT_THAT(devices_->changes, IsEmpty());
}

TEST_F(DmSessionTest, TheEstimateHasTheStoresAndTheirGroup) {
    const auto estimate = session(kSet, {linear_, crypt_})->estimate();
    ASSERT_TRUE(estimate) << estimate.error().message();
    ASSERT_THAT(estimate->space, SizeIs(1));
    EXPECT_EQ(estimate->space.front().needed, Bytes{200ULL << 20U});
    EXPECT_EQ(estimate->stores.at("/mnt/" + linear_.text()), Bytes{100ULL << 20U});
}

TEST_F(DmSessionTest, AGroupThatIsNotThereIsLvmsError) {
    DmSession session(kSet, {{.volume = "/a", .origin = linear_}}, {}, "nowhere", tools_);
    const auto armed = session.arm();
    ASSERT_FALSE(armed);
    EXPECT_THAT(armed.error().message(), HasSubstr("\"nowhere\" not found"));
}

TEST_F(DmSessionTest, AnOriginThatSomebodyIsAtWorkOnIsBusy) {
    ASSERT_TRUE(devices_->load(linear_, {0, 8, "linear", "8:32 0"}, false));
    EXPECT_EQ(session(kSet, {linear_})->arm().error().kind, ErrorKind::busy);
    ASSERT_TRUE(devices_->clear(linear_));
    tables_->devices.at("CRYPT-LUKS1-0123-luks").suspended = true;
    EXPECT_EQ(session(kSet, {crypt_})->arm().error().kind, ErrorKind::busy);
}

} // namespace
} // namespace quiesced
