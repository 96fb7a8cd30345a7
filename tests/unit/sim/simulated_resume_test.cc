// SPDX-License-Identifier: LGPL-2.1-or-later
// A revert that is cut off: by a provider that fails half-way, and by the loss of the daemon, of which another one finds the manifest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>

#include "no_events.h"
#include "sim/simulated_guest.h"

namespace quiesced {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Kind = RevertNews::Kind;

class CutOffEvents final : public SetEvents {
public:
    void set_added(const std::shared_ptr<SnapshotSet>& /*set*/) override {}
    void set_removed(const SetId& /*set*/) override {}
    void state_changed(const SetId& /*set*/, State /*state*/, const std::string& /*consistency*/, const std::string& /*error*/) override {}
    void revert_cut_off(const SetId& /*set*/, const RevertNews& news) override {
        const std::lock_guard lock(mutex_);
        news_.push_back(news);
    }
    void set_reverted(const SetId& /*set*/, const Manifest& manifest) override {
        const std::lock_guard lock(mutex_);
        reverted_ = manifest;
    }
    std::vector<RevertNews> take() {
        const std::lock_guard lock(mutex_);
        return std::exchange(news_, {});
    }
    std::optional<Manifest> reverted() {
        const std::lock_guard lock(mutex_);
        return reverted_;
    }

private:
    std::mutex mutex_;
    std::vector<RevertNews> news_;
    std::optional<Manifest> reverted_;
};

/// A complete set over three volumes of one provider.
class CutOff : public testing::Test {
protected:
    CutOff() : folder_(std::filesystem::temp_directory_path() / ("quiesced-cut-off-" + std::to_string(::getpid()))), store_((folder_ / "sets").string()) {
        std::filesystem::create_directories(folder_);
        options_.environment.store = &store_;
        options_.environment.record_directory = folder_.string();
        guest_->replace(options_);
        start();
        auto set = manager_->create({"/srv/data", "/srv/log", "/srv/more"}, {}).value();
        id_ = set->id();
        EXPECT_TRUE(run(Step::take));
    }
    ~CutOff() override {
        manager_.reset();
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    void start() { manager_ = std::make_unique<SetManager>(options_, providers_, events_); }
    std::shared_ptr<SnapshotSet> set() { return manager_->find(*id_); }
    Result<void> run(Step step) {
        std::promise<Result<void>> done;
        set()->post(step, [&done](Result<void> result) { done.set_value(std::move(result)); });
        return done.get_future().get();
    }
    Result<void> revert(const std::vector<std::string>& members = {}) {
        std::promise<Result<void>> done;
        manager_->revert(set(), members, [&done](Result<void> result) { done.set_value(std::move(result)); });
        return done.get_future().get();
    }
    void break_at(ProviderCall call) {
        guest_->faults().fail_at("simulated-lvm", call, Error{.kind = ErrorKind::lvm_failed, .error_number = 0, .context = "injected", .advice = {}, .undone = {}});
    }
    void mend(ProviderCall call) { guest_->faults().fail_at("simulated-lvm", call, std::nullopt); }
    /// As when the machine is lost when the provider has begun with so many members: on disk all are still to be begun.
    void lose_daemon_at(std::size_t begun, const std::vector<std::string>& members = {}) {
        guest_->faults().revert_only(begun);
        break_at(ProviderCall::merges);
        EXPECT_FALSE(revert(members));
        manager_.reset();
        guest_->faults().revert_only(std::nullopt);
        mend(ProviderCall::merges);
        EXPECT_THAT(events_.take(), IsEmpty());
    }
    /// The next daemon; returns when it has looked after the set.
    void restart() {
        manager_.reset();
        start();
        ASSERT_TRUE(manager_->load());
        std::promise<void> looked;
        set()->refresh_merges([&looked](const Result<void>&) { looked.set_value(); }); // behind it, on the set's own thread
        looked.get_future().wait();
    }
    std::vector<std::string> words() {
        std::vector<std::string> all;
        const auto manifest = store_.load(*id_).value();
        for (const auto& member : manifest.members) all.push_back(member.revert);
        return all;
    }
    std::size_t calls(const std::string& line) {
        const auto log = guest_->faults().log();
        return static_cast<std::size_t>(std::count(log.begin(), log.end(), line));
    }

    std::filesystem::path folder_;
    ManifestStore store_;
    CutOffEvents events_;
    std::unique_ptr<SimulatedGuest> guest_ = std::move(SimulatedGuest::make().value());
    SetManager::Providers providers_ = guest_->providers(); ///< of all daemons: they know what is merged, as LVM's metadata do
    SetManagerOptions options_;
    std::unique_ptr<SetManager> manager_;
    std::optional<SetId> id_;
};

TEST_F(CutOff, BeforeAnyHasBegunNothingIsChangedAndThatIsTold) {
    lose_daemon_at(0);
    EXPECT_THAT(words(), ElementsAre("pending", "pending", "pending")) << "the case shows nothing";
    restart();
    EXPECT_THAT(words(), ElementsAre("", "", ""));
    const auto news = events_.take();
    ASSERT_EQ(news.size(), 1U);
    EXPECT_EQ(news[0].kind, Kind::not_begun);
    EXPECT_THAT(news[0].sentence, AllOf(HasSubstr("nothing is changed"), HasSubstr("quiescectl revert " + id_->text())));
    EXPECT_EQ(set()->consistency(), "filesystem");
    EXPECT_EQ(calls("simulated-lvm revert"), 1U) << "the first daemon's";
    restart();
    EXPECT_THAT(events_.take(), IsEmpty()) << "it is over";
}

TEST_F(CutOff, WhatIsInNoUseIsPutBackWithTheOthersByTheNextDaemon) {
    lose_daemon_at(1);
    restart();
    EXPECT_THAT(words(), ElementsAre("done", "done", "done"));
    const auto news = events_.take();
    ASSERT_EQ(news.size(), 1U);
    EXPECT_EQ(news[0].kind, Kind::goes_on);
    EXPECT_THAT(news[0].sentence, HasSubstr("/srv/log, /srv/more are in no use"));
    ASSERT_TRUE(events_.reverted());
    EXPECT_EQ(events_.reverted()->members[2].revert, "done") << "that they are back is told as of any revert";
}

TEST_F(CutOff, TheNextDaemonMayBeLostAsOftenAsItLikes) {
    lose_daemon_at(1);
    for (int i = 0; i < 2; ++i) {
        break_at(ProviderCall::merges);
        restart();
        mend(ProviderCall::merges);
        EXPECT_THAT(words(), ElementsAre("pending", "pending", "pending"));
        EXPECT_THAT(events_.take().at(0).sentence, HasSubstr("cannot be found out: injected"));
    }
    restart();
    EXPECT_THAT(words(), ElementsAre("done", "done", "done"));
}

TEST_F(CutOff, WhatIsInUseIsLeftToAnAdminAndPutBackWhenHeSaysSo) {
    lose_daemon_at(1);
    guest_->faults().use("/srv/log", true);
    restart();
    EXPECT_THAT(words(), ElementsAre("done", "interrupted", "done"));
    const auto news = events_.take();
    ASSERT_EQ(news.size(), 2U);
    EXPECT_EQ(news[0].kind, Kind::goes_on);
    EXPECT_THAT(news[0].sentence, HasSubstr("/srv/more is in no use"));
    EXPECT_EQ(news[1].kind, Kind::interrupted);
    EXPECT_THAT(news[1].sentence, AllOf(HasSubstr("/srv/log is not, since /srv/log is in use"), HasSubstr("do not fit together"), HasSubstr("Unmount /srv/log, then go on with: quiescectl revert")));
    // Out of use at the next start, it may have been written to all the same.
    guest_->faults().use("/srv/log", false);
    restart();
    EXPECT_THAT(words(), ElementsAre("done", "interrupted", "done"));
    EXPECT_EQ(events_.take().at(0).kind, Kind::interrupted) << "told at each start";
    EXPECT_TRUE(revert());
    EXPECT_THAT(words(), ElementsAre("done", "done", "done"));
}

TEST_F(CutOff, WhatIsInUseStaysInterruptedWhenTheNextDaemonIsLostInTheMidstOfIt) {
    lose_daemon_at(1);
    guest_->faults().use("/srv/log", true);
    guest_->faults().revert_only(0);
    restart();
    guest_->faults().use("/srv/log", false);
    guest_->faults().revert_only(std::nullopt);
    EXPECT_THAT(words(), ElementsAre("running", "interrupted", "interrupted"));
}

TEST_F(CutOff, WhatCannotBePutBackIsInterruptedForTheReasonThatIsTold) {
    lose_daemon_at(2);
    break_at(ProviderCall::check_revert);
    restart();
    EXPECT_THAT(words(), ElementsAre("running", "running", "interrupted"));
    const auto news = events_.take();
    EXPECT_EQ(news.back().kind, Kind::interrupted);
    EXPECT_THAT(news.back().sentence, AllOf(HasSubstr("/srv/more is not, since injected"), HasSubstr("quiescectl delete")));
    mend(ProviderCall::check_revert);
    EXPECT_TRUE(revert());
    EXPECT_THAT(words(), ElementsAre("done", "done", "done"));
}

TEST_F(CutOff, AMemberThatNobodyWantedBackIsNoPartOfIt) {
    lose_daemon_at(1, {"/srv/data", "/srv/more"});
    guest_->faults().use("/srv/more", true);
    restart();
    EXPECT_THAT(words(), ElementsAre("running", "", "interrupted"));
    guest_->faults().use("/srv/more", false);
    EXPECT_TRUE(revert()) << "goes on with that one alone";
    EXPECT_THAT(words(), ElementsAre("done", "", "done"));
}

TEST_F(CutOff, OfARevertThatFailsHalfWayTheErrorSaysWhatHasBegunAndWhatHasNot) {
    guest_->faults().revert_only(1);
    const auto failed = revert();
    ASSERT_FALSE(failed);
    EXPECT_THAT(failed.error().message(), AllOf(HasSubstr("ended half-way; but it has begun with others: /srv/data is being put back, /srv/log, /srv/more are not"),
                                                HasSubstr("quiescectl revert " + id_->text())));
    EXPECT_THAT(words(), ElementsAre("running", "interrupted", "interrupted"));
    EXPECT_EQ(events_.take().at(0).kind, Kind::interrupted);
    guest_->faults().revert_only(std::nullopt);
    EXPECT_TRUE(revert());
    EXPECT_THAT(words(), ElementsAre("done", "done", "done"));
}

TEST_F(CutOff, WhatWasInterruptedIsSoAgainWhenItCannotBeginEither) {
    guest_->faults().revert_only(1);
    EXPECT_FALSE(revert());
    guest_->faults().revert_only(0);
    EXPECT_FALSE(revert());
    EXPECT_THAT(words(), ElementsAre("running", "interrupted", "interrupted"));
}

TEST_F(CutOff, TheSnapshotsThatAreLeftCanBeMappedAndDeleted) {
    guest_->faults().revert_only(1);
    EXPECT_FALSE(revert());
    while (set()->merge_pending()) { // the first one is still merged
        std::promise<void> looked;
        set()->refresh_merges([&looked](const Result<void>&) { looked.set_value(); });
        looked.get_future().wait();
    }
    EXPECT_TRUE(run(Step::map));
    EXPECT_EQ(calls("simulated-lvm map"), 1U);
    EXPECT_TRUE(run(Step::remove));
    EXPECT_EQ(calls("simulated-lvm remove"), 1U);
    EXPECT_FALSE(store_.load(*id_));
}

} // namespace
} // namespace quiesced
