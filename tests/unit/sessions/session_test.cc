// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sessions/sdk/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace quiesced {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class NotingSession : public Session {
public:
    Result<SessionRecords> prepare(const SessionRequest& request) override { return note("prepare", request); }
    Result<SessionRecords> freeze(const SessionRequest& request) override { return note("freeze", request); }
    Result<SessionRecords> thaw(const SessionRequest& request) override {
        static_cast<void>(note("thaw", request));
        return fail(ErrorKind::lost, "the connection is gone", "Look.");
    }
    std::vector<std::string> calls;
    SessionRequest last;

private:
    Result<SessionRecords> note(const char* what, const SessionRequest& request) {
        calls.emplace_back(what);
        last = request;
        return SessionRecords{{"did", what}};
    }
};

nlohmann::json answer(Session& session, const std::string& line) { return nlohmann::json::parse(answer_session(session, line), nullptr, false); }

TEST(SessionSdk, AnswersEachCommandWithWhatItBrought) {
    NotingSession session;
    EXPECT_EQ(answer(session, R"({"command":"prepare"})"), nlohmann::json::parse(R"({"ok":true,"records":{"did":"prepare"}})"));
    EXPECT_EQ(answer(session, R"({"command":"freeze","set":"s","volumes":["/a"],"aborted":true,"limit_ms":1500,"new":1})")["ok"], true);
    EXPECT_EQ(session.last.set, "s");
    EXPECT_THAT(session.last.volumes, ElementsAre("/a"));
    EXPECT_TRUE(session.last.aborted);
    EXPECT_EQ(session.last.limit, std::chrono::milliseconds(1500));
    const auto thawed = answer(session, R"({"command":"thaw"})");
    EXPECT_EQ(thawed["ok"], false);
    EXPECT_THAT(thawed["error"].get<std::string>(), HasSubstr("the connection is gone"));
    EXPECT_THAT(session.calls, ElementsAre("prepare", "freeze", "thaw"));
}

TEST(SessionSdk, AnUnknownCommandIsRefusedAndGarbageIsTheEnd) {
    NotingSession session;
    EXPECT_THAT(answer(session, R"({"command":"explode"})")["error"].get<std::string>(), HasSubstr("there is no command 'explode'"));
    for (const char* line : {"", "nonsense", "[]", "\"freeze\""}) EXPECT_EQ(answer_session(session, line), "") << line;
    EXPECT_TRUE(session.calls.empty());
}

TEST(SessionSdk, WhatIsOfTheWrongTypeCountsAsMissing) {
    NotingSession session;
    EXPECT_EQ(answer(session, R"({"command":"freeze","set":1,"volumes":"x","aborted":"y","limit_ms":-5})")["ok"], true);
    EXPECT_EQ(session.last.limit, std::chrono::milliseconds(60000));
    EXPECT_EQ(session.last.set, "");
}

TEST(SessionSdk, ACredentialThatIsNotThereIsNamed) {
    EXPECT_EQ(read_credential("").value(), "");
    EXPECT_THAT(read_credential("db").error().message(), HasSubstr("LoadCredential=db:"));
    EXPECT_FALSE(read_credential("../passwd"));
}

TEST(SessionSdk, AUserThatIsNotThereIsRefused) {
    EXPECT_TRUE(become_user(""));
    EXPECT_THAT(become_user("no-such-user-here").error().message(), HasSubstr("there is no user no-such-user-here"));
}

} // namespace
} // namespace quiesced
