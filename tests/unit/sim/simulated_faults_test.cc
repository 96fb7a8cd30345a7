// SPDX-License-Identifier: LGPL-2.1-or-later
// A fault at every call of a provider: the set fails with that error, everything is thawed first and undone afterwards.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <future>
#include <thread>

#include "no_events.h"
#include "sim/simulated_guest.h"

namespace quiesced {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class Faulty : public testing::Test {
protected:
    Faulty() : folder_(std::filesystem::temp_directory_path() / ("quiesced-faults-" + std::to_string(::getpid()))), store_((folder_ / "sets").string()) {
        std::filesystem::create_directories(folder_);
        options_.environment.store = &store_;
        options_.environment.record_directory = folder_.string();
        guest_->replace(options_);
        manager_ = std::make_unique<SetManager>(options_, guest_->providers(), events_);
    }
    ~Faulty() override {
        manager_.reset();
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    static Result<void> run(SnapshotSet& set, Step step) {
        std::promise<Result<void>> done;
        set.post(step, [&done](Result<void> result) { done.set_value(std::move(result)); });
        return done.get_future().get();
    }
    Result<void> revert(const std::shared_ptr<SnapshotSet>& set, const std::vector<std::string>& members) {
        std::promise<Result<void>> done;
        manager_->revert(set, members, [&done](Result<void> result) { done.set_value(std::move(result)); });
        return done.get_future().get();
    }
    void break_at(ProviderCall call, const std::string& provider = kLvm) {
        guest_->faults().fail_at(provider, call, Error{.kind = ErrorKind::lvm_failed, .error_number = 0, .context = "injected", .advice = {}, .undone = {}});
    }
    void mend(ProviderCall call, const std::string& provider = kLvm) { guest_->faults().fail_at(provider, call, std::nullopt); }
    std::size_t calls(const std::string& line) {
        const auto log = guest_->faults().log();
        return static_cast<std::size_t>(std::count(log.begin(), log.end(), line));
    }
    std::shared_ptr<SnapshotSet> make() { return manager_->create({"/srv/data", "/srv/lun"}, {}).value(); }
    /// Takes a set that must fail; nothing is left but what could not be undone.
    std::shared_ptr<SnapshotSet> fails() {
        auto set = make();
        const auto taken = run(*set, Step::take);
        EXPECT_FALSE(taken);
        EXPECT_THAT(taken ? std::string() : taken.error().message(), HasSubstr("injected"));
        EXPECT_EQ(set->state(), State::failed);
        EXPECT_THAT(guest_->world().held(), IsEmpty());
        return set;
    }

    static constexpr const char* kLvm = "simulated-lvm";
    static constexpr const char* kArray = "simulated-array";
    std::filesystem::path folder_;
    ManifestStore store_;
    NoEvents events_;
    std::unique_ptr<SimulatedGuest> guest_ = std::move(SimulatedGuest::make().value());
    SetManagerOptions options_;
    std::unique_ptr<SetManager> manager_;
};

TEST_F(Faulty, AtClaimNoSetIsMade) {
    for (const auto* provider : {kLvm, kArray}) {
        break_at(ProviderCall::claim, provider);
        const auto set = manager_->create({"/srv/data", "/srv/lun"}, {});
        ASSERT_FALSE(set) << provider;
        EXPECT_THAT(set.error().message(), HasSubstr("injected"));
        mend(ProviderCall::claim, provider);
    }
    EXPECT_THAT(manager_->sets(), IsEmpty());
    EXPECT_THAT(guest_->faults().log(), Not(Contains("simulated-lvm begin")));
}

TEST_F(Faulty, AtBeginOrArmNothingIsFrozenAndTheOtherProvidersShareIsGivenUp) {
    for (const auto call : {ProviderCall::begin, ProviderCall::arm})
        for (const auto* provider : {kLvm, kArray}) {
            SCOPED_TRACE(std::string(provider) + " " + std::string(kProviderCallNames[static_cast<std::size_t>(call)]));
            break_at(call, provider);
            const auto given_up = calls("simulated-lvm disarm") + calls("simulated-array disarm");
            const auto set = fails();
            const auto expected = call == ProviderCall::arm ? 2U : provider == std::string(kLvm) ? 0U : 1U;
            EXPECT_EQ(calls("simulated-lvm disarm") + calls("simulated-array disarm") - given_up, expected);
            EXPECT_FALSE(store_.load(set->id())) << "nothing is left of it";
            EXPECT_EQ(guest_->world().position("freeze /srv/data"), guest_->world().log().size());
            mend(call, provider);
        }
}

TEST_F(Faulty, AtPrimeOrFireAllIsThawedAndGivenUp) {
    for (const auto call : {SimCall::load, SimCall::resume}) {
        guest_->world().point(call, "SIM-snapshot-/srv/data").fail(EIO, 1);
        const auto set = make();
        EXPECT_FALSE(run(*set, Step::take));
        EXPECT_EQ(set->state(), State::failed);
        EXPECT_FALSE(guest_->world().frozen("/srv/data") || guest_->world().frozen("/srv/lun"));
    }
    EXPECT_EQ(calls("simulated-lvm disarm"), 2U);
    EXPECT_EQ(calls("simulated-array disarm"), 2U);
}

TEST_F(Faulty, AtCommitAllIsThawedBeforeAnythingIsGivenUp) {
    break_at(ProviderCall::commit, kArray);
    const auto set = fails();
    EXPECT_EQ(calls("simulated-lvm finish"), 0U);
    EXPECT_EQ(calls("simulated-lvm disarm"), 1U);
    EXPECT_EQ(calls("simulated-array disarm"), 1U);
    EXPECT_FALSE(store_.load(set->id()));
}

TEST_F(Faulty, AtFinishBothSharesAreGivenUp) {
    for (const auto* provider : {kLvm, kArray}) {
        break_at(ProviderCall::finish, provider);
        const auto set = fails();
        EXPECT_FALSE(store_.load(set->id()));
        mend(ProviderCall::finish, provider);
    }
    EXPECT_EQ(calls("simulated-lvm disarm"), 2U);
    EXPECT_EQ(calls("simulated-array disarm"), 2U);
}

TEST_F(Faulty, AnUndoThatFailsIsToldKeepsTheManifestAndIsTriedAgain) {
    manager_.reset();
    options_.undo_again = std::chrono::milliseconds(10);
    manager_ = std::make_unique<SetManager>(options_, guest_->providers(), events_);
    break_at(ProviderCall::disarm, kArray);
    break_at(ProviderCall::abandon, kArray);
    guest_->faults().fail_at(kArray, ProviderCall::commit, Error{.kind = ErrorKind::plugin_failed, .error_number = 0, .context = "injected", .advice = {}, .undone = {}});
    const auto set = fails();
    EXPECT_THAT(set->describe().error, HasSubstr("giving up the snapshots of simulated-array"));
    EXPECT_EQ(calls("simulated-lvm disarm"), 1U) << "the other one is undone all the same";
    EXPECT_TRUE(store_.load(set->id()));
    mend(ProviderCall::abandon, kArray);
    for (int i = 0; i < 2000 && store_.load(set->id()); ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(5)); // house-allow(sleep): polls a file
    EXPECT_FALSE(store_.load(set->id()));
}

TEST_F(Faulty, AtMapOrRemoveTheCompleteSetStaysAsItIs) {
    const auto set = make();
    ASSERT_TRUE(run(*set, Step::take));
    for (const auto& [call, step] : {std::pair{ProviderCall::map, Step::map}, {ProviderCall::remove, Step::remove}}) {
        break_at(call);
        const auto failed = run(*set, step);
        ASSERT_FALSE(failed);
        EXPECT_THAT(failed.error().message(), HasSubstr("injected"));
        EXPECT_EQ(set->state(), State::complete);
        EXPECT_TRUE(store_.load(set->id()));
        mend(call);
        EXPECT_TRUE(run(*set, step));
    }
}

TEST_F(Faulty, AtAnyCallOfARevertTheSnapshotIsKept) {
    const auto set = make();
    ASSERT_TRUE(run(*set, Step::take));
    for (const auto call : {ProviderCall::check_revert, ProviderCall::revert}) {
        break_at(call);
        const auto failed = revert(set, {"/srv/data"});
        ASSERT_FALSE(failed);
        EXPECT_THAT(failed.error().message(), HasSubstr("injected"));
        EXPECT_EQ(store_.load(set->id())->members[0].revert, "");
        mend(call);
    }
    break_at(ProviderCall::merges);
    EXPECT_FALSE(revert(set, {"/srv/data"})) << "how far it is cannot be found out";
    EXPECT_EQ(store_.load(set->id())->members[0].revert, "pending");
    EXPECT_FALSE(run(*set, Step::remove)) << "so it is not deleted either";
    mend(ProviderCall::merges);
    EXPECT_TRUE(revert(set, {"/srv/data"}));
    EXPECT_EQ(store_.load(set->id())->members[0].revert, "done");
    EXPECT_EQ(revert(set, {}).error().kind, ErrorKind::unsupported) << "the array's";
}

TEST_F(Faulty, AtEstimateThePlanSaysSo) {
    break_at(ProviderCall::estimate);
    const auto plan = manager_->plan({"/srv/data"}, {.sample = std::chrono::milliseconds(0)});
    ASSERT_TRUE(plan) << plan.error().message();
    EXPECT_FALSE(plan->feasible);
}

TEST_F(Faulty, AtListTheOthersAreFoundAllTheSame) {
    break_at(ProviderCall::list, kArray);
    ASSERT_TRUE(manager_->load());
    for (int i = 0; i < 2000 && calls("simulated-lvm list") == 0; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(5)); // house-allow(sleep): polls a thread's work
    EXPECT_EQ(calls("simulated-lvm list"), 1U);
}

} // namespace
} // namespace quiesced
