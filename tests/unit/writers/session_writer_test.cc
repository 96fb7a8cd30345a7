// SPDX-License-Identifier: LGPL-2.1-or-later
#include "writers/session_writer.h"

#include <gmock/gmock.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "writers_fixture.h"

namespace quiesced {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Programs that speak the protocol in `sh`: a line comes in as $line, the command as $command.
class Session : public WritersFixture {
protected:
    /// `on_freeze` and `on_thaw` replace the answers.
    void declare_session(const std::string& name, const std::string& on_freeze = "ok", const std::string& on_thaw = "ok", const std::string& keys = "") const {
        const auto program = script(root_ + "/" + name, R"sh(ok() { echo '{"ok":true}'; }
echo "started $$" >> $here/log; echo $$ > $here/pid
while IFS= read -r line; do
    command=$(printf '%s' "$line" | sed -n 's/.*"command":"\([a-z]*\)".*/\1/p')
    echo "$command" >> $here/commands; printf '%s\n' "$line" > $here/$command.json
    case $command in
    prepare) ok;;
    freeze) )sh" + on_freeze + ";;\n    thaw) " + on_thaw + ";;\n    esac\ndone\necho end of input >> $here/commands");
        declare(name, "type = session\ncommand = " + program + "\n" + keys);
    }
    [[nodiscard]] std::string commands() const { return content("commands"); }
    [[nodiscard]] bool lives() const { return ::kill(static_cast<pid_t>(std::stoi(content("pid"))), 0) == 0; }
};

TEST_F(Session, OneProgramLivesFromPrepareToThaw) {
    declare_session("db");
    const auto writers = make();
    ASSERT_TRUE(writers->prepare(context_, inventory()));
    EXPECT_TRUE(lives());
    EXPECT_EQ(commands(), "prepare\n");
    ASSERT_TRUE(writers->freeze(context_));
    EXPECT_TRUE(lives());
    EXPECT_THAT(writers->thaw(context_), IsEmpty());
    EXPECT_FALSE(lives());
    EXPECT_EQ(commands(), "prepare\nfreeze\nthaw\nend of input\n");
    EXPECT_EQ(sorted_log().size(), 1U) << "it was started more than once";
}

TEST_F(Session, TheSetIsToldInEachMessage) {
    declare_session("db");
    const auto writers = make();
    ASSERT_TRUE(freeze(*writers));
    EXPECT_THAT(writers->thaw({.set = context_.set, .volumes = context_.volumes, .aborted = true}), IsEmpty());
    const auto frozen = nlohmann::json::parse(content("freeze.json"), nullptr, false);
    EXPECT_EQ(frozen.value("set", ""), context_.set);
    EXPECT_EQ(frozen["volumes"], nlohmann::json(context_.volumes));
    EXPECT_FALSE(frozen.value("aborted", true));
    EXPECT_TRUE(nlohmann::json::parse(content("thaw.json"), nullptr, false).value("aborted", false));
}

TEST_F(Session, ItsRecordsAreReported) {
    declare_session("db", R"(echo '{"ok":true,"records":{"lsn":"0/1"}}')", R"(printf '%s\n' '{"ok":true,"records":{"backup_label":"LABEL: x\n"}}')");
    const auto writers = make();
    ASSERT_TRUE(freeze(*writers));
    EXPECT_THAT(writers->thaw(context_), IsEmpty());
    const std::map<std::string, std::string> expected{{"lsn", "0/1"}, {"backup_label", "LABEL: x\n"}};
    EXPECT_EQ(writers->report().at(0).records, expected);
    EXPECT_TRUE(writers->report().at(0).quiesced);
}

TEST_F(Session, ARefusalFailsTheFreezeWithItsWordsAndEndsIt) {
    declare_session("db", R"(echo '{"ok":false,"error":"in recovery"}')");
    const auto writers = make();
    const auto frozen = freeze(*writers);
    ASSERT_FALSE(frozen);
    EXPECT_EQ(frozen.error().kind, kWriterFailed);
    EXPECT_THAT(frozen.error().message(), AllOf(HasSubstr("the writer session db"), HasSubstr("failed to freeze: in recovery")));
    EXPECT_EQ(commands(), "prepare\nfreeze\nend of input\n");
    EXPECT_FALSE(lives());
}

TEST_F(Session, GarbageIsNoAnswer) {
    declare_session("db", "echo frozen");
    const auto writers = make();
    const auto frozen = freeze(*writers);
    ASSERT_FALSE(frozen);
    EXPECT_THAT(frozen.error().message(), HasSubstr("is no JSON object: 'frozen'"));
    EXPECT_FALSE(lives());
}

TEST_F(Session, AHangIsKilledByTheLimit) {
    declare_session("db", "trap '' TERM; sleep 1000", "ok", "limit = 500ms\n");
    const auto writers = make();
    const auto start = Monotonic::now();
    const auto frozen = freeze(*writers);
    ASSERT_FALSE(frozen);
    EXPECT_EQ(frozen.error().kind, ErrorKind::deadline);
    EXPECT_THAT(frozen.error().message(), HasSubstr("did not answer in time and was killed with its process group"));
    EXPECT_LT(Monotonic::now() - start, milliseconds(15000));
    EXPECT_FALSE(lives());
}

TEST_F(Session, OneThatDiesWhileFrozenWasNotHeld) {
    declare_session("db", "ok; exit 3");
    const auto writers = make();
    ASSERT_TRUE(freeze(*writers));
    EXPECT_THAT(writers->thaw(context_), ElementsAre(AllOf(HasSubstr("failed to thaw"), HasSubstr("exit status 3"))));
    EXPECT_FALSE(writers->report().at(0).quiesced);
}

TEST_F(Session, OneThatWasOnlyPreparedSeesTheEndOfItsInput) {
    declare_session("db");
    const auto writers = make();
    ASSERT_TRUE(writers->prepare(context_, inventory()));
    EXPECT_THAT(writers->thaw(context_), IsEmpty());
    EXPECT_EQ(commands(), "prepare\nend of input\n");
    EXPECT_FALSE(lives());
}

TEST_F(Session, AFailedPrepareOfOneEndsTheOthers) {
    declare_session("db");
    declare("other", "type = session\ncommand = " + script(root_ + "/other", "read line; echo '{\"ok\":false,\"error\":\"no server\"}'") + "\n");
    const auto writers = make();
    const auto prepared = writers->prepare(context_, inventory());
    ASSERT_FALSE(prepared);
    EXPECT_THAT(prepared.error().message(), HasSubstr("no server"));
    EXPECT_FALSE(lives());
}

TEST_F(Session, AnEndlessLineIsCutOff) {
    declare_session("db", "head -c 10485760 /dev/zero");
    const auto writers = make();
    const auto frozen = freeze(*writers);
    ASSERT_FALSE(frozen);
    EXPECT_THAT(frozen.error().message(), HasSubstr("a line of more than"));
    EXPECT_FALSE(lives());
}

TEST(SessionAnswerText, OnlyObjectsWithOkAreAnswers) {
    EXPECT_TRUE(parse_session_answer(R"({"ok":true,"new key":[1]})").value().ok);
    EXPECT_EQ(parse_session_answer("{\"ok\":false,\"error\":\"a\\u0007b\"}").value().error, "a?b");
    for (const char* text : {"", "[]", "{}", R"({"ok":1})", R"({"ok":true,"records":[]})", R"({"ok":true,"records":{"a":1}})", "{\"ok\":true} x"})
        EXPECT_FALSE(parse_session_answer(text)) << text;
}

} // namespace
} // namespace quiesced
