// SPDX-License-Identifier: LGPL-2.1-or-later
#include "journal_entry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "messages.h"

namespace quiesced {
namespace {

using testing::ElementsAre;

std::vector<std::string> entry_of(const LogFields& fields, Message message) {
    LogRing ring(1);
    ring.push(0, "text", {}, static_cast<std::uint16_t>(message), pack_fields(fields));
    std::vector<std::string> entry;
    ring.drain([&](const LogRing::Line& line) { entry = journal_entry(line, 4, "shown"); });
    return entry;
}

TEST(JournalEntry, HasTheIdAndEachFieldThatIsKnown) {
    const auto entry = entry_of({.set = "6560000000000001", .volume = "/srv/a b=c", .state = "frozen"}, Message::set_state);
    EXPECT_THAT(entry, ElementsAre("MESSAGE=shown", "PRIORITY=4", "SYSLOG_IDENTIFIER=quiesced", "MESSAGE_ID=" + std::string(message_id(Message::set_state)),
                                   "QUIESCED_SET=6560000000000001", "QUIESCED_VOLUME=/srv/a b=c", "QUIESCED_STATE=frozen"));
}

TEST(JournalEntry, ALineWithoutAnIdHasNone) {
    EXPECT_THAT(entry_of({}, Message::none), ElementsAre("MESSAGE=shown", "PRIORITY=4", "SYSLOG_IDENTIFIER=quiesced"));
}

TEST(JournalEntry, APathWithALineBreakIsNoOtherField) {
    const auto entry = entry_of({.set = {}, .volume = "/srv/a\nMESSAGE=forged", .state = "failed"}, Message::none);
    EXPECT_THAT(entry, ElementsAre("MESSAGE=shown", "PRIORITY=4", "SYSLOG_IDENTIFIER=quiesced", "QUIESCED_STATE=failed"));
}

TEST(Messages, EachHasAnIdOfItsOwn) {
    for (std::size_t i = 1; i < kMessageIds.size(); ++i) {
        EXPECT_EQ(kMessageIds.at(i).size(), 32U);
        for (std::size_t j = 1; j < i; ++j) EXPECT_NE(kMessageIds.at(i), kMessageIds.at(j));
    }
    EXPECT_EQ(static_cast<std::size_t>(Message::not_reloaded) + 1, kMessageIds.size()) << "the last one";
}

} // namespace
} // namespace quiesced
