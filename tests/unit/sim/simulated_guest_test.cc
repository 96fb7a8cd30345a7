// SPDX-License-Identifier: LGPL-2.1-or-later
#include "no_events.h"
#include "sim/simulated_guest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <future>

namespace quiesced {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class Simulation : public testing::Test {
protected:
    Simulation() : folder_(std::filesystem::temp_directory_path() / ("quiesced-sim-" + std::to_string(::getpid()))), store_((folder_ / "sets").string()) {
        std::filesystem::create_directories(folder_);
        SetManagerOptions options;
        options.environment.store = &store_;
        options.environment.record_directory = folder_.string();
        guest_->replace(options);
        manager_ = std::make_unique<SetManager>(options, guest_->providers(), events_);
    }
    ~Simulation() override {
        manager_.reset();
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    static Result<void> run(SnapshotSet& set, Step step) {
        std::promise<Result<void>> done;
        set.post(step, [&done](Result<void> result) { done.set_value(std::move(result)); });
        return done.get_future().get();
    }

    std::filesystem::path folder_;
    ManifestStore store_;
    NoEvents events_;
    std::unique_ptr<SimulatedGuest> guest_ = std::move(SimulatedGuest::make().value());
    std::unique_ptr<SetManager> manager_;
};

TEST_F(Simulation, ASetOverBothKindsIsConsistentAndNothingStaysFrozen) {
    const auto set = manager_->create({"/srv/data", "/srv/lun", "/srv/log"}, {});
    ASSERT_TRUE(set) << set.error().message();
    const auto taken = run(**set, Step::take);
    ASSERT_TRUE(taken) << taken.error().message();
    const auto manifest = (*set)->describe();
    EXPECT_EQ(manifest.consistency, "filesystem");
    ASSERT_THAT(manifest.members, SizeIs(3));
    EXPECT_EQ(manifest.members[0].provider, "simulated-lvm");
    EXPECT_EQ(manifest.members[1].provider, "simulated-array");
    EXPECT_THAT(guest_->world().held(), IsEmpty());
    EXPECT_LT(guest_->world().position("freeze /srv/lun = 0"), guest_->world().position("suspend SIM-origin-/srv/data"));
    EXPECT_LT(guest_->world().position("resume SIM-origin-/srv/data = 0"), guest_->world().position("thaw /srv/lun"));
    EXPECT_TRUE(run(**set, Step::remove));
}

TEST_F(Simulation, WhatIsFrozenStepByStepIsHeldUntilTheThaw) {
    const auto set = manager_->create({"/srv/data", "/srv/lun"}, {});
    ASSERT_TRUE(set) << set.error().message();
    for (const auto step : {Step::prepare, Step::freeze}) ASSERT_TRUE(run(**set, step));
    EXPECT_THAT(guest_->world().held(), testing::UnorderedElementsAre("/srv/data", "/srv/lun"));
    EXPECT_THAT(manager_->create({"/srv/data"}, {}).error().message(), HasSubstr("is in the unfinished set"));
    for (const auto step : {Step::snapshot, Step::thaw, Step::finish}) ASSERT_TRUE(run(**set, step));
    EXPECT_THAT(guest_->world().held(), IsEmpty());
}

TEST_F(Simulation, TheSameVolumeCanBeTakenAgainAndAgain) {
    for (int i = 0; i < 20; ++i) {
        const auto set = manager_->create({"/srv/more"}, {});
        ASSERT_TRUE(set) << set.error().message();
        ASSERT_TRUE(run(**set, Step::take));
    }
    EXPECT_THAT(manager_->sets(), SizeIs(20));
}

TEST_F(Simulation, WhatNobodyTakesIsRefusedAsOnAMachine) {
    EXPECT_EQ(manager_->create({"/srv/mixed"}, {}).error().kind, ErrorKind::no_provider);
    EXPECT_EQ(manager_->create({"/dev/sim7"}, {}).error().kind, ErrorKind::not_mounted);
    EXPECT_EQ(manager_->create({"/nowhere"}, {}).error().kind, ErrorKind::no_such_volume);
}

TEST_F(Simulation, AHypervisorsWordOnADiskCountsHereToo) {
    DiskClaim claim;
    claim.serial = "SIM0";
    claim.type = Placement::lun;
    const auto report = manager_->match({claim}, {});
    ASSERT_TRUE(report) << report.error().message();
    const auto volume = report->inventory.resolve("/srv/data");
    ASSERT_TRUE(volume);
    EXPECT_EQ((*volume)->placement, Placement::lun);
}

} // namespace
} // namespace quiesced
