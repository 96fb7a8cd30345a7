// SPDX-License-Identifier: LGPL-2.1-or-later
// Writers that are at work when their set is given up: cancel() ends them, each kind in its way, and nobody waits for their limits.
#include <gmock/gmock.h>

#include <functional>
#include <thread>

#include "writers/unit_writer.h"
#include "writers_fixture.h"

namespace quiesced {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr milliseconds kLong{60000};   ///< each writer's limit
constexpr milliseconds kPrompt{15000}; ///< generous: a loaded machine's kill, and the 2 s that a session has to let go

bool comes(const std::function<bool()>& question) {
    for (const auto start = Monotonic::now(); Monotonic::now() - start < kLong;) {
        if (question()) return true;
        std::this_thread::sleep_for(milliseconds(5)); // house-allow(sleep): polls a file that a script makes
    }
    return false;
}

class CalledOff : public WritersFixture {
protected:
    /// The error of a freeze (with its prepare) that is cancelled when `begun`; it must come promptly.
    Error cancel_when(Writers& writers, const std::function<bool()>& begun) {
        std::jthread canceller([&] {
            EXPECT_TRUE(comes(begun));
            cancelled_ = Monotonic::now();
            writers.cancel();
        });
        const auto frozen = freeze(writers);
        const auto end = Monotonic::now();
        canceller.join();
        EXPECT_LT(end - cancelled_, kPrompt) << "it was waited for";
        EXPECT_FALSE(frozen);
        return frozen ? Error{} : frozen.error();
    }
    [[nodiscard]] bool is(const std::string& name) const { return std::filesystem::exists(root_ + "/" + name); }
    [[nodiscard]] bool lives(const std::string& file) const {
        // A moment, for what was killed with the group.
        return !comes_to_an_end(std::stoi(content(file)));
    }

private:
    static bool comes_to_an_end(pid_t process) {
        return comes([&] {
            const auto status = read_file("/proc/" + std::to_string(process) + "/stat");
            return !status || status->find(") Z ") != std::string::npos;
        });
    }
    Monotonic::time_point cancelled_{};
};

TEST_F(CalledOff, ScriptsAreKilledWithTheirGroupsAndThawed) {
    declare_logging("before", "order = 1\nlimit = 60s\n");
    declare_logging("hangs", "order = 2\nlimit = 60s\n", "test $1 = thaw && exit 0\ntrap '' TERM\nsleep 1000 & echo $! > $here/grandchild\ntouch $here/hanging\nwait");
    declare_logging("beside", "order = 2\nlimit = 60s\n", "test $1 = thaw || { touch $here/hanging2; sleep 1000; }");
    declare_logging("after", "order = 3\nlimit = 60s\n");
    const auto writers = make();
    const auto error = cancel_when(*writers, [&] { return is("hanging") && is("hanging2"); });
    EXPECT_EQ(error.kind, ErrorKind::wrong_state);
    EXPECT_THAT(error.undone, IsEmpty());
    EXPECT_FALSE(lives("grandchild"));
    EXPECT_THAT(sorted_log(), ElementsAre("before freeze", "before thaw", "beside freeze", "beside thaw", "hangs freeze", "hangs thaw"));
    EXPECT_FALSE(has_record());
    const auto report = writers->report();
    ASSERT_EQ(report.size(), 4U);
    EXPECT_THAT(report[1].error, HasSubstr("was ended in the middle: the set is given up"));
    for (const auto& each : report) EXPECT_FALSE(each.quiesced && each.name != "before") << each.name;
}

TEST_F(CalledOff, OneThatMayFailIsNotGoneOnWithout) {
    declare_logging("hangs", "limit = 60s\non_failure = continue\n", "test $1 = thaw || { touch $here/hanging; sleep 1000; }");
    const auto writers = make();
    EXPECT_EQ(cancel_when(*writers, [&] { return is("hanging"); }).kind, ErrorKind::wrong_state);
    EXPECT_THAT(writers->notes(), IsEmpty());
    EXPECT_EQ(log(), "hangs freeze\nhangs thaw\n");
}

TEST_F(CalledOff, AThawIsNot) {
    declare_logging("slow", "", "test $1 = freeze || sleep 0.3\necho \"$1 done\" >> $here/log");
    const auto writers = make();
    ASSERT_TRUE(freeze(*writers));
    writers->cancel();
    EXPECT_THAT(writers->thaw(context_), IsEmpty());
    EXPECT_EQ(log(), "slow freeze\nfreeze done\nslow thaw\nthaw done\n");
}

TEST_F(CalledOff, ASessionSeesTheEndOfItsInputAndIsKilledIfItDoesNotEnd) {
    for (const char* step : {"prepare", "freeze"}) {
        for (const char* how : {"cat > /dev/null; touch $here/let-go", "trap '' TERM; sleep 1000"}) {
            std::filesystem::remove(root_ + "/let-go");
            std::filesystem::remove(root_ + "/hanging");
            const auto program = script(root_ + "/db", std::string("echo $$ > $here/pid\nwhile IFS= read -r line; do\n    case $line in\n    *'\"") + step +
                                                           "\"'*) touch $here/hanging; " + how + "; exit 0;;\n    *) echo '{\"ok\":true}';;\n    esac\ndone");
            declare("db", "type = session\nlimit = 60s\ncommand = " + program + "\n");
            const auto writers = make();
            const auto error = cancel_when(*writers, [&] { return is("hanging"); });
            EXPECT_EQ(error.kind, ErrorKind::wrong_state) << step << ", " << how;
            EXPECT_FALSE(lives("pid")) << step << ", " << how;
            EXPECT_EQ(is("let-go"), std::string(how).starts_with("cat")) << step << ", " << how;
        }
    }
}

TEST_F(CalledOff, AUnitThatIsBeingFrozenIsThawed) {
    units_->active["app.service"] = "active";
    units_->hang = "freeze app.service";
    declare("app", "type = unit\nunit = app.service\nlimit = 60s\n");
    const auto writers = make();
    EXPECT_EQ(cancel_when(*writers, [&] { return units_->called("freeze app.service"); }).kind, ErrorKind::wrong_state);
    EXPECT_THAT(units_->calls, ElementsAre("freeze app.service", "thaw app.service"));
}

TEST_F(CalledOff, AUnitWhoseFreezeGoesOnIsThawedWhenItHasEnded) {
    units_->active["app.service"] = "active";
    units_->freezer["app.service"] = "freezing";
    units_->refuse = "thaw app.service"; // "still in progress"
    units_->refusals = 2;
    UnitWriter writer("app", "app.service", WriterConfig::Method::freeze, *units_, true);
    const auto thawed = writer.thaw(context_, Monotonic::now() + kLong);
    EXPECT_TRUE(thawed) << thawed.error().message();
    EXPECT_THAT(units_->calls, ElementsAre("thaw app.service", "thaw app.service", "thaw app.service"));
}

TEST_F(CalledOff, AUnitThatIsBeingStoppedIsStartedAndNotWaitedForLong) {
    units_->active["app.service"] = "active";
    units_->hang = "stop app.service";
    declare("app", "type = unit\nunit = app.service\nmethod = stop\nlimit = 60s\n");
    {
        const auto writers = make();
        EXPECT_EQ(cancel_when(*writers, [&] { return units_->called("stop app.service"); }).kind, ErrorKind::wrong_state);
        EXPECT_THAT(units_->calls, ElementsAre("stop app.service", "start app.service"));
    }
    // Its stop goes on, so that the start cannot end either.
    UnitWriter writer("app", "app.service", WriterConfig::Method::stop, *units_);
    units_->calls.clear();
    Interrupt interrupt;
    interrupt.raise();
    EXPECT_FALSE(writer.freeze(context_, {Monotonic::now() + kLong, &interrupt}));
    units_->hang = "start app.service";
    const auto start = Monotonic::now();
    const auto thawed = writer.thaw(context_, Monotonic::now() + kLong);
    EXPECT_TRUE(thawed) << thawed.error().message();
    EXPECT_LT(Monotonic::now() - start, kPrompt);
    EXPECT_THAT(units_->calls, ElementsAre("stop app.service", "start app.service"));
}

TEST_F(CalledOff, BeforeItBeganNothingRuns) {
    declare_logging("one", "");
    const auto writers = make();
    ASSERT_TRUE(writers->prepare(context_, inventory()));
    writers->cancel();
    EXPECT_EQ(writers->freeze(context_).error().kind, ErrorKind::wrong_state);
    EXPECT_EQ(log(), "");
}

} // namespace
} // namespace quiesced
