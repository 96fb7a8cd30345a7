// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/writer_history.h"

#include <gtest/gtest.h>

namespace quiesced {
namespace {

Manifest set_with_writer(const std::string& id, const std::string& error = {}) {
    Manifest manifest;
    manifest.id = id;
    manifest.state = "complete";
    for (const auto& [volume, consistency] : {std::pair{"/a", "application"}, {"/b", "filesystem"}, {"/c", "crash"}}) {
        ManifestMember member;
        member.volume = volume;
        member.consistency = consistency;
        manifest.members.push_back(member);
    }
    manifest.writers.push_back({.name = "db", .kind = "session", .volumes = {"/a", "/b"}, .quiesced = error.empty(), .error = error, .freeze_ms = {}, .thaw_ms = {}, .records = {}});
    return manifest;
}

TEST(WriterHistory, TellsTheWeakestOfItsVolumesAndWhenTheSetWasMade) {
    WriterHistory history;
    history.note(set_with_writer("6560000000000001"));
    const auto last = history.last("db", "session");
    ASSERT_TRUE(last);
    EXPECT_EQ(last->set, "6560000000000001");
    EXPECT_EQ(last->state, "quiesced");
    EXPECT_EQ(last->consistency, "filesystem") << "/c is not its own";
    EXPECT_EQ(last->time.time_since_epoch(), std::chrono::seconds(0x65600000));
    EXPECT_FALSE(history.last("db", "script")) << "another writer of that name";
}

TEST(WriterHistory, AFailureIsToldWithItsReasonAndASetThatFailedElsewhereIsAborted) {
    WriterHistory history;
    history.note(set_with_writer("6560000000000001", "no answer"));
    EXPECT_EQ(history.last("db", "session")->state, "failed");
    EXPECT_EQ(history.last("db", "session")->error, "no answer");
    auto failed = set_with_writer("6560000000000002");
    failed.state = "failed";
    history.note(failed);
    EXPECT_EQ(history.last("db", "session")->state, "aborted");
    EXPECT_EQ(history.last("db", "session")->consistency, "");
}

TEST(WriterHistory, AnEarlierSetDoesNotTakeALaterOnesPlace) {
    WriterHistory history;
    history.note(set_with_writer("6560000000000005"));
    history.note(set_with_writer("6560000000000001", "no answer"));
    EXPECT_EQ(history.last("db", "session")->set, "6560000000000005");
}

} // namespace
} // namespace quiesced
