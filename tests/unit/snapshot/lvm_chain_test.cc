// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/lvm_chain.h"

#include <gmock/gmock.h>

#include "lvm_twin.h"

namespace quiesced {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// A step as one line, so that a chain reads as a list.
std::string line(const DmStep& step) {
    switch (step.op) {
    case DmStep::Op::suspend:
        return "suspend " + step.uuid;
    case DmStep::Op::resume:
        return "resume " + step.uuid;
    case DmStep::Op::load:
        return "load " + step.uuid + (step.read_only ? " read-only" : "") + " 0 " + std::to_string(step.sectors) + " " +
               step.target + " " + step.text;
    case DmStep::Op::message:
        return "message " + step.uuid + " " + step.text;
    case DmStep::Op::zero:
        return "zero " + step.path;
    case DmStep::Op::clear:
        return "clear " + step.uuid;
    }
    return "?";
}

std::vector<std::string> lines(const std::vector<DmStep>& steps) {
    std::vector<std::string> result;
    for (const auto& step : steps) result.push_back(line(step));
    return result;
}

class LvmChain : public testing::Test {
protected:
    LogicalVolume snapshot_of(const std::string& origin) {
        EXPECT_TRUE(lvm_.run({"lvcreate", "--name", "snap", "--size", "67108864b", "vg/" + origin}, {})->exit_status ==
                    0);
        return *lvm_.find("snap");
    }

    std::shared_ptr<TwinDmTables> tables_ = std::make_shared<TwinDmTables>();
    TwinLvm lvm_{tables_};
};

TEST_F(LvmChain, AThickSnapshotIsEmptiedAndActivatedWithinTheOriginsSuspend) {
    const auto origin = lvm_.add_thick("home", Bytes{200U << 20U}); // 253:0
    const auto snapshot = snapshot_of("home");                      // -real 253:1, -cow 253:2, snapshot 253:3
    const auto chain = lvm_chain(*tables_, origin, snapshot);
    ASSERT_TRUE(chain) << chain.error().message();
    const auto o = origin.dm_uuid();
    const auto s = snapshot.dm_uuid();
    EXPECT_EQ(chain->name, "vg/home");
    EXPECT_EQ(chain->group, "");
    EXPECT_THAT(lines(chain->prime), ElementsAre("load " + s + " 0 409600 error ", "resume " + s, "zero /dev/dm-2",
                                                 "load " + s + " 0 409600 snapshot 253:1 253:2 P 8"));
    EXPECT_THAT(lines(chain->fire), ElementsAre("suspend " + o, "resume " + s, "resume " + o));
    EXPECT_THAT(lines(chain->unprime), ElementsAre("load " + s + " 0 409600 error ",
                                                   "load " + s + " 0 409600 snapshot 253:1 253:2 P 8", "resume " + s));
}

TEST_F(LvmChain, AThinSnapshotIsDeletedAndCreatedAnewByMessagesToThePool) {
    const auto pool = lvm_.add_pool("pool");
    const auto origin = lvm_.add_thin("home", "pool"); // 1
    const auto snapshot = snapshot_of("home");         // 2
    const auto chain = lvm_chain(*tables_, origin, snapshot);
    ASSERT_TRUE(chain) << chain.error().message();
    const auto p = pool.dm_uuid() + "-tpool";
    EXPECT_EQ(chain->group, p);
    EXPECT_THAT(lines(chain->prime), ElementsAre("message " + p + " delete 2"));
    EXPECT_THAT(lines(chain->fire), ElementsAre("suspend " + origin.dm_uuid(), "message " + p + " create_snap 2 1",
                                                "resume " + origin.dm_uuid()));
    EXPECT_THAT(chain->unprime, IsEmpty());
}

TEST_F(LvmChain, AThinOriginWithAnExternalOriginIsTaken) {
    lvm_.add_pool("pool");
    const auto origin = lvm_.add_thin("home", "pool");
    const auto snapshot = snapshot_of("home");
    tables_->devices.at(origin.dm_uuid()).targets.front().text += " 253:77";
    EXPECT_TRUE(lvm_chain(*tables_, origin, snapshot));
}

TEST_F(LvmChain, AReadOnlySnapshotStaysReadOnly) {
    const auto origin = lvm_.add_thick("home", Bytes{200U << 20U});
    const auto snapshot = snapshot_of("home");
    tables_->devices.at(snapshot.dm_uuid()).read_only = true;
    const auto chain = lvm_chain(*tables_, origin, snapshot);
    ASSERT_TRUE(chain);
    EXPECT_TRUE(chain->prime.back().read_only);
    EXPECT_TRUE(chain->unprime[1].read_only);
}

TEST_F(LvmChain, AStoreThatIsNotTheSnapshotsOwnIsNeverZeroed) {
    const auto origin = lvm_.add_thick("home", Bytes{200U << 20U});
    const auto snapshot = snapshot_of("home");
    tables_->devices.at(snapshot.dm_uuid()).targets.front().text = "253:1 253:0 P 8"; // the origin itself
    const auto chain = lvm_chain(*tables_, origin, snapshot);
    ASSERT_FALSE(chain);
    EXPECT_THAT(chain.error().message(), HasSubstr("not its own"));
}

TEST_F(LvmChain, ASuspendedOriginIsBusy) {
    const auto origin = lvm_.add_thick("home", Bytes{200U << 20U});
    const auto snapshot = snapshot_of("home");
    tables_->devices.at(origin.dm_uuid()).suspended = true;
    EXPECT_EQ(lvm_chain(*tables_, origin, snapshot).error().kind, ErrorKind::busy);
}

TEST_F(LvmChain, TablesThatLvmDoesNotMakeAreRefused) {
    const auto origin = lvm_.add_thick("home", Bytes{200U << 20U});
    const auto snapshot = snapshot_of("home");
    const auto good = tables_->devices;
    const auto refused = [&] {
        const auto chain = lvm_chain(*tables_, origin, snapshot);
        tables_->devices = good;
        return !chain && chain.error().kind == ErrorKind::lvm_failed;
    };
    tables_->devices.at(snapshot.dm_uuid()).targets.front().type = "error";
    EXPECT_TRUE(refused());
    tables_->devices.at(snapshot.dm_uuid()).inactive_table = true;
    EXPECT_TRUE(refused());
    tables_->devices.at(snapshot.dm_uuid()).targets.front().text = "nonsense";
    EXPECT_TRUE(refused());
    tables_->devices.at(origin.dm_uuid()).targets.front().type = "linear";
    EXPECT_TRUE(refused());
    tables_->devices.at(origin.dm_uuid()).targets.clear();
    EXPECT_TRUE(refused());
    tables_->devices.erase(snapshot.dm_uuid());
    EXPECT_EQ(lvm_chain(*tables_, origin, snapshot).error().kind, ErrorKind::kernel);
}

TEST_F(LvmChain, AThinIdThatIsNotLvmsIsRefused) {
    lvm_.add_pool("pool");
    const auto origin = lvm_.add_thin("home", "pool");
    auto snapshot = snapshot_of("home");
    tables_->devices.at(origin.dm_uuid()).targets.front().text = "253:0 9";
    EXPECT_FALSE(lvm_chain(*tables_, origin, snapshot));
    tables_->devices.at(origin.dm_uuid()).targets.front().text = "253:0 1";
    EXPECT_TRUE(lvm_chain(*tables_, origin, snapshot));
    snapshot.thin_id = 1; // would delete the origin
    EXPECT_FALSE(lvm_chain(*tables_, origin, snapshot));
}

TEST(ThickSnapshotStatus, SaysWhatIsWrong) {
    DmDevice device;
    device.targets = {{0, 100, "snapshot", "16/131072 16"}};
    const auto problem = [&device](const char* text) {
        device.targets.front().text = text;
        return thick_snapshot_problem(device);
    };
    EXPECT_EQ(problem("16/131072 16"), "");
    EXPECT_EQ(problem("131072/131072 520"), "");
    EXPECT_THAT(problem("Invalid"), HasSubstr("full"));
    EXPECT_THAT(problem("Overflow"), HasSubstr("full"));
    EXPECT_THAT(problem("Merge failed"), HasSubstr("Merge failed"));
    EXPECT_THAT(problem("Unknown"), HasSubstr("Unknown"));
    device.inactive_table = true;
    EXPECT_THAT(problem("16/131072 16"), HasSubstr("not activated"));
    device.targets.front().type = "error";
    EXPECT_THAT(problem(""), HasSubstr("not made"));
    device.targets.clear();
    EXPECT_THAT(thick_snapshot_problem(device), HasSubstr("no table"));
}

} // namespace
} // namespace quiesced
