// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/set_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <future>

#include "sequence_fixture.h"

namespace quiesced {
namespace {

class Events : public SetEvents {
public:
    void set_added(const std::shared_ptr<SnapshotSet>& set) override { added.push_back(set->id().text()); }
    void set_removed(const SetId& /*set*/) override {}
    void state_changed(const SetId& /*set*/, State /*state*/, const std::string& /*consistency*/, const std::string& /*error*/) override {}
    void set_not_rebuilt(const SetId& set, const std::string& reason) override { not_rebuilt.push_back(set.text() + ": " + reason); }
    void set_abandoned(const SetId& /*set*/, const std::string& error) override { abandoned.set_value(error); }
    std::vector<std::string> added, not_rebuilt;
    std::promise<std::string> abandoned;
};

class Sets : public testing::Test {
protected:
    Sets() {
        directory_ = std::filesystem::temp_directory_path() / ("quiesced-sets-" + std::to_string(::getpid()));
        store_ = std::make_unique<ManifestStore>(directory_.string());
        options_.environment.store = store_.get();
    }
    ~Sets() override { std::filesystem::remove_all(directory_); }

    void on_disk(const std::string& id, const std::string& state) {
        Manifest manifest;
        manifest.id = id;
        manifest.state = state;
        ManifestMember member;
        member.volume = "/srv/data";
        member.provider = "lvm";
        manifest.members.push_back(member);
        ASSERT_TRUE(store_->save(manifest));
    }
    SetManager::Providers providers() {
        return [this] { return std::vector<std::shared_ptr<Provider>>{lvm_}; };
    }

    std::filesystem::path directory_;
    std::unique_ptr<ManifestStore> store_;
    SetManagerOptions options_;
    Events events_;
    std::shared_ptr<FakeProvider> lvm_ = std::make_shared<FakeProvider>("lvm", Placement::virtual_disk);
};

TEST_F(Sets, CompleteSetsComeBackFromDisk) {
    on_disk("6560000000000001", "complete");
    SetManager manager(options_, providers(), events_);
    ASSERT_TRUE(manager.load());
    ASSERT_EQ(manager.sets().size(), 1U);
    EXPECT_EQ(manager.sets().front()->state(), State::complete);
    EXPECT_THAT(events_.added, testing::ElementsAre("6560000000000001"));
}

TEST_F(Sets, ASetThatWasLostHalfWayIsUndoneAtTheNextStart) {
    on_disk("6560000000000002", "preparing");
    SetManager manager(options_, providers(), events_);
    ASSERT_TRUE(manager.load());
    EXPECT_EQ(events_.abandoned.get_future().get(), "");
    EXPECT_THAT(lvm_->calls->all(), testing::ElementsAre("abandon 6560000000000002"));
    EXPECT_TRUE(manager.sets().empty());
    EXPECT_FALSE(store_->load(*SetId::parse("6560000000000002")));
}

TEST_F(Sets, ALostSetThatCannotBeUndoneIsKeptForTheNextStart) {
    on_disk("6560000000000003", "preparing");
    lvm_->remove_error = Error{.kind = ErrorKind::lvm_failed, .error_number = 0, .context = "vg is locked", .advice = {}, .undone = {}};
    SetManager manager(options_, providers(), events_);
    ASSERT_TRUE(manager.load());
    EXPECT_EQ(events_.abandoned.get_future().get(), "vg is locked");
    EXPECT_TRUE(store_->load(*SetId::parse("6560000000000003")));
}

TEST_F(Sets, ASetWhoseManifestIsLostIsRebuiltFromItsSnapshots) {
    on_disk("6560000000000001", "complete");
    const auto found = [](const std::string& id, bool cut) {
        return FoundSnapshot{.set = SetId::parse(id).value(),
                             .record = {.volume = "/srv/data", .provider = "lvm", .snapshot = "vg/data-q", .device = "/dev/vg/data-q", .reference = "{}"},
                             .file_system = "ext4", .origin = "/dev/vg/data", .cut = cut};
    };
    lvm_->found = {found("6560000000000001", true), found("6560000000000002", true), found("6560000000000003", false)};
    {
        SetManager manager(options_, providers(), events_);
        ASSERT_TRUE(manager.load());
    } // waits for what goes on beside it
    EXPECT_THAT(events_.added, testing::ElementsAre("6560000000000001", "6560000000000002"));
    EXPECT_EQ(store_->load(*SetId::parse("6560000000000001"))->consistency, "") << "one that is there is left alone";
    const auto rebuilt = store_->load(*SetId::parse("6560000000000002"));
    ASSERT_TRUE(rebuilt) << rebuilt.error().message();
    EXPECT_EQ(rebuilt->consistency, "crash");
    EXPECT_EQ(rebuilt->members[0].device, "/dev/vg/data-q");
    ASSERT_EQ(events_.not_rebuilt.size(), 1U);
    EXPECT_THAT(events_.not_rebuilt[0], testing::HasSubstr("6560000000000003: it was lost half-way"));
    EXPECT_THAT(lvm_->calls->all(), testing::IsEmpty()) << "nothing is removed";
}

/// An array that does not answer the first times.
class AwayForAWhile : public FakeProvider {
public:
    AwayForAWhile() : FakeProvider("lvm", Placement::virtual_disk) {}
    Result<void> abandon(const SetId& set) override {
        calls->add("abandon " + set.text());
        if (++asked < 3) return fail(ErrorKind::plugin_failed, "the array does not answer");
        return {};
    }
    int asked = 0;
};

class EveryAttempt : public Events {
public:
    void set_abandoned(const SetId& /*set*/, const std::string& error) override {
        errors.push_back(error);
        if (error.empty()) done.set_value();
    }
    std::vector<std::string> errors;
    std::promise<void> done;
};

TEST_F(Sets, WhatCannotBeUndoneIsTriedAgainUntilItIs) {
    on_disk("6560000000000004", "failed");
    lvm_ = std::make_shared<AwayForAWhile>();
    options_.undo_again = std::chrono::milliseconds(1);
    EveryAttempt attempts;
    SetManager manager(options_, providers(), attempts);
    ASSERT_TRUE(manager.load());
    ASSERT_EQ(attempts.done.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
    EXPECT_THAT(attempts.errors, testing::ElementsAre("the array does not answer", "the array does not answer", ""));
    EXPECT_FALSE(store_->load(*SetId::parse("6560000000000004")));
}

TEST_F(Sets, ADeadlineOutOfRangeIsRefused) {
    SetManager manager(options_, providers(), events_);
    for (const auto deadline : {99, 600001}) {
        const auto made = manager.create({"/"}, {.deadline = std::chrono::milliseconds(deadline)});
        ASSERT_FALSE(made);
        EXPECT_EQ(made.error().kind, ErrorKind::invalid_argument);
    }
}

} // namespace
} // namespace quiesced
