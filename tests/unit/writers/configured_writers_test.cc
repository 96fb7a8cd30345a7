// SPDX-License-Identifier: LGPL-2.1-or-later
#include "writers/configured_writers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "hooks_fixture.h"
#include "volumes/inventory.h"

namespace quiesced {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

/// True when the process is gone or a zombie within 2 s: a killed process needs a moment.
bool dies(const std::string& process) {
    for (const auto start = Monotonic::now(); Monotonic::now() - start < milliseconds(2000);) {
        const auto status = read_file("/proc/" + process + "/stat");
        if (!status || status->find(") Z ") != std::string::npos) return true;
        std::this_thread::sleep_for(milliseconds(5));
    }
    return false;
}

class HookWriters : public HooksFixture {
protected:
    [[nodiscard]] std::unique_ptr<Writers> make(milliseconds limit = milliseconds(20000)) const {
        return make_configured_writers({.hooks_directory = hooks_, .writers_directory = root_ + "/writers.d", .record_directory = {}, .limit = limit, .units = {}});
    }
    static Result<std::size_t> freeze(Writers& writers, const WriterContext& context) {
        if (auto prepared = writers.prepare(context, Inventory{}); !prepared) return pass(prepared);
        return writers.freeze(context);
    }
    /// The error of a freeze that has to fail.
    static Error failure(Writers& writers, const WriterContext& context) {
        auto frozen = freeze(writers, context);
        EXPECT_FALSE(frozen) << "froze " << *frozen;
        return frozen ? Error{} : frozen.error();
    }

    const WriterContext context_{.set = "set-1", .volumes = {"/srv/a", "/srv/b c"}};
};

TEST_F(HookWriters, FreezeGoesUpTheNamesAndThawDown) {
    logging("20-b");
    logging("10-a");
    logging("30-c");
    const auto writers = make();
    const auto frozen = freeze(*writers, context_);
    ASSERT_TRUE(frozen) << frozen.error().message();
    EXPECT_EQ(*frozen, 3U);
    EXPECT_EQ(log(), "10-a freeze\n20-b freeze\n30-c freeze\n");
    EXPECT_THAT(writers->thaw(context_), IsEmpty());
    EXPECT_EQ(log(), "10-a freeze\n20-b freeze\n30-c freeze\n30-c thaw\n20-b thaw\n10-a thaw\n");
}

TEST_F(HookWriters, ThawRunsOnceHoweverOftenItIsAskedFor) {
    logging("10-a");
    auto writers = make();
    EXPECT_THAT(writers->thaw(context_), IsEmpty());
    EXPECT_EQ(log(), "");
    ASSERT_TRUE(freeze(*writers, context_));
    EXPECT_THAT(writers->thaw(context_), IsEmpty());
    EXPECT_THAT(writers->thaw(context_), IsEmpty());
    writers.reset();
    EXPECT_EQ(log(), "10-a freeze\n10-a thaw\n");
}

TEST_F(HookWriters, ASecondFreezeIsRefusedAndLosesNothing) {
    logging("10-a");
    const auto writers = make();
    ASSERT_TRUE(freeze(*writers, context_));
    EXPECT_EQ(failure(*writers, context_).kind, ErrorKind::wrong_state);
    EXPECT_THAT(writers->thaw(context_), IsEmpty());
    EXPECT_EQ(log(), "10-a freeze\n10-a thaw\n");
}

TEST_F(HookWriters, TheEndOfTheObjectThawsAsAborted) {
    script("10-a", "echo \"$1 $QUIESCED_ABORTED\" >> $here/log");
    {
        const auto writers = make();
        ASSERT_TRUE(freeze(*writers, context_));
    }
    EXPECT_EQ(log(), "freeze 0\nthaw 1\n");
}

TEST_F(HookWriters, NoDirectoryMeansNoWriters) {
    std::filesystem::remove(hooks_);
    const auto writers = make();
    const auto frozen = freeze(*writers, context_);
    ASSERT_TRUE(frozen) << frozen.error().message();
    EXPECT_EQ(*frozen, 0U);
    EXPECT_THAT(writers->thaw(context_), IsEmpty());
}

TEST_F(HookWriters, AFailedFreezeStopsThereAndThawsTheFailedOneToo) {
    logging("10-a");
    logging("20-b", "echo first >&2; echo 'cannot lock tables' >&2; test $1 = thaw || exit 3");
    logging("30-c");
    const auto writers = make();
    const auto error = failure(*writers, context_);
    EXPECT_EQ(error.kind, kWriterFailed);
    EXPECT_THAT(error.message(), HasSubstr(hooks_ + "/20-b failed to freeze with exit status 3: cannot lock tables"));
    EXPECT_THAT(error.undone, IsEmpty());
    EXPECT_EQ(log(), "10-a freeze\n20-b freeze\n20-b thaw\n10-a thaw\n");
    EXPECT_THAT(writers->thaw(context_), IsEmpty());
    EXPECT_EQ(log(), "10-a freeze\n20-b freeze\n20-b thaw\n10-a thaw\n") << "undone twice";
}

TEST_F(HookWriters, AFailedThawIsReportedAndTheOthersStillRun) {
    logging("10-a");
    logging("20-b", "test $1 = freeze || { echo 'no such table' >&2; exit 1; }");
    logging("30-c");
    const auto writers = make();
    ASSERT_TRUE(freeze(*writers, context_));
    EXPECT_THAT(writers->thaw(context_),
                ElementsAre(HasSubstr(hooks_ + "/20-b failed to thaw with exit status 1: no such table")));
    EXPECT_THAT(log(), HasSubstr("30-c thaw\n20-b thaw\n10-a thaw\n"));
}

TEST_F(HookWriters, ThawsThatFailAfterAFailedFreezeAreInItsError) {
    logging("10-a", "test $1 = freeze || exit 4");
    logging("20-b", "exit 5");
    const auto writers = make();
    const auto error = failure(*writers, context_);
    EXPECT_THAT(error.context, HasSubstr("20-b failed to freeze with exit status 5"));
    EXPECT_THAT(error.undone, ElementsAre(HasSubstr("20-b failed to thaw with exit status 5"),
                                          HasSubstr("10-a failed to thaw with exit status 4")));
}

TEST_F(HookWriters, AHangIsKilledWithItsGrandchildrenAndThawed) {
    logging("10-a");
    logging("20-hangs", "trap '' TERM\n"
                        "test $1 = thaw && exit 0\n"
                        "sleep 1000 & echo $! > $here/grandchild\n"
                        "echo waiting for the lock >&2\n"
                        "wait");
    const auto writers = make(milliseconds(700));
    const auto start = Monotonic::now();
    const auto error = failure(*writers, context_);
    EXPECT_LT(Monotonic::now() - start, milliseconds(5000));
    EXPECT_EQ(error.kind, ErrorKind::deadline);
    EXPECT_THAT(error.message(),
                AllOf(HasSubstr(hooks_ + "/20-hangs did not end its freeze within 700 ms and was killed"),
                      HasSubstr("waiting for the lock")));
    auto grandchild = content("grandchild");
    ASSERT_THAT(grandchild, Not(IsEmpty()));
    grandchild.pop_back();
    EXPECT_TRUE(dies(grandchild)) << "process " << grandchild << " lives";
    EXPECT_EQ(log(), "10-a freeze\n20-hangs freeze\n20-hangs thaw\n10-a thaw\n");
}

TEST_F(HookWriters, AHangingThawIsKilledAndTheOthersStillRun) {
    logging("10-a");
    logging("20-hangs", "test $1 = freeze || sleep 1000");
    const auto writers = make(milliseconds(700));
    ASSERT_TRUE(freeze(*writers, context_));
    EXPECT_THAT(writers->thaw(context_), ElementsAre(HasSubstr("20-hangs did not end its thaw within 700 ms")));
    EXPECT_THAT(log(), HasSubstr("10-a thaw\n"));
}

TEST_F(HookWriters, AGrandchildThatHoldsThePipesDoesNotProlongTheFreeze) {
    logging("10-a", "test $1 = thaw || sleep 1000 &");
    const auto writers = make(milliseconds(60000));
    const auto start = Monotonic::now();
    ASSERT_TRUE(freeze(*writers, context_));
    EXPECT_LT(Monotonic::now() - start, milliseconds(10000));
}

TEST_F(HookWriters, TheSetIsToldInTheEnvironment) {
    script("10-a", "{ echo \"$#\"; env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= | sort; } > $here/env");
    const auto writers = make();
    ASSERT_TRUE(freeze(*writers, context_));
    EXPECT_EQ(content("env"), "1\n"
                              "/srv/b c\n"
                              "LC_ALL=C\n"
                              "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
                              "QUIESCED_ABORTED=0\n"
                              "QUIESCED_SET=set-1\n"
                              "QUIESCED_VOLUMES=/srv/a\n");
}

TEST_F(HookWriters, TheSetIsToldAsJsonOnStandardInput) {
    script("10-a", "cat > $here/$1.json");
    const auto writers = make();
    ASSERT_TRUE(freeze(*writers, {.set = "set-2", .volumes = {"/a \"quoted\"\nname", "/b"}}));
    const nlohmann::json expected{{"version", 1},
                                  {"command", "freeze"},
                                  {"set", "set-2"},
                                  {"volumes", {"/a \"quoted\"\nname", "/b"}},
                                  {"aborted", false}};
    auto told = nlohmann::json::parse(content("freeze.json"), nullptr, false);
    EXPECT_GT(told.value("limit_ms", 0), 1000);
    EXPECT_LE(told.value("limit_ms", 0), 20000);
    told.erase("limit_ms");
    EXPECT_EQ(told, expected);
    EXPECT_THAT(writers->thaw({.set = "set-2", .volumes = {}, .aborted = true}), IsEmpty());
    const auto thawed = nlohmann::json::parse(content("thaw.json"), nullptr, false);
    EXPECT_EQ(thawed.value("command", ""), "thaw");
    EXPECT_TRUE(thawed.value("aborted", false));
}

TEST_F(HookWriters, ManyVolumesAreOnStandardInputOnly) {
    script("10-reads", "cat > $here/$1.json; echo ${QUIESCED_VOLUMES-unset} > $here/volumes");
    script("20-does-not-read", "");
    const WriterContext many{.set = "set-3", .volumes = std::vector<std::string>(5000, "/" + std::string(100, 'v'))};
    const auto writers = make();
    const auto frozen = freeze(*writers, many);
    ASSERT_TRUE(frozen) << frozen.error().message();
    EXPECT_EQ(nlohmann::json::parse(content("freeze.json"), nullptr, false)["volumes"].size(), 5000U);
    EXPECT_EQ(content("volumes"), "unset\n");
}

TEST_F(HookWriters, AVolumeThatIsNoUtf8IsToldAllTheSame) {
    script("10-a", "cat > $here/$1.json; echo \"$QUIESCED_VOLUMES\" > $here/volumes");
    const auto writers = make();
    ASSERT_TRUE(freeze(*writers, {.set = "set-4", .volumes = {"/caf\xe9"}}));
    EXPECT_EQ(content("volumes"), "/caf\xe9\n");
    EXPECT_EQ(nlohmann::json::parse(content("freeze.json"), nullptr, false)["volumes"][0], "/caf\xef\xbf\xbd");
}

TEST_F(HookWriters, TenMebibytesOfOutputNeitherHangNorFill) {
    logging("10-talks", "head -c 10485760 /dev/zero; head -c 10485760 /dev/zero >&2; test $1 = thaw");
    const auto writers = make();
    const auto error = failure(*writers, context_);
    EXPECT_THAT(error.message(), HasSubstr("exit status 1: it wrote more than 64 KiB to standard error"));
    EXPECT_LT(error.message().size(), 1000U);
    EXPECT_THAT(error.undone, IsEmpty());
    EXPECT_EQ(log(), "10-talks freeze\n10-talks thaw\n");
}

TEST_F(HookWriters, ControlCharactersOfAScriptDoNotReachTheLog) {
    logging("10-a", "printf 'bad \\033[2Jthing\\r\\n\\n' >&2; exit 1");
    const auto writers = make();
    EXPECT_THAT(failure(*writers, context_).context, HasSubstr("exit status 1: bad ?[2Jthing"));
}

TEST_F(HookWriters, OneWritableFileKeepsAllFromRunning) {
    logging("10-a");
    ::chmod(logging("20-b").c_str(), 0777);
    const auto writers = make();
    const auto error = failure(*writers, context_);
    EXPECT_EQ(error.kind, ErrorKind::access_denied);
    EXPECT_THAT(error.message(), HasSubstr(hooks_ + "/20-b is writable by others"));
    EXPECT_EQ(log(), "");
}

TEST_F(HookWriters, AFileThatBecameWritableIsNotRunForItsThaw) {
    logging("10-a");
    logging("20-b", "chmod 0777 $0");
    const auto writers = make();
    ASSERT_TRUE(freeze(*writers, context_));
    EXPECT_THAT(writers->thaw(context_), ElementsAre(AllOf(HasSubstr("20-b cannot be run to thaw"),
                                                           HasSubstr("writable by others"), HasSubstr("by hand"))));
    EXPECT_EQ(log(), "10-a freeze\n20-b freeze\n10-a thaw\n");
}

TEST_F(HookWriters, AScriptThatVanishesBeforeItsThawIsReported) {
    logging("10-a");
    logging("20-b", "rm $0");
    const auto writers = make();
    ASSERT_TRUE(freeze(*writers, context_));
    EXPECT_THAT(writers->thaw(context_), ElementsAre(HasSubstr("20-b cannot be run to thaw")));
    EXPECT_THAT(log(), HasSubstr("10-a thaw\n"));
}

TEST_F(HookWriters, AScriptWithoutItsInterpreterFailsTheFreezeAndHasNoThaw) {
    logging("10-a");
    const auto path = script("20-b", "");
    ASSERT_TRUE(write_file(path, "#!/nonexistent/interpreter\n"));
    const auto writers = make();
    const auto error = failure(*writers, context_);
    EXPECT_THAT(error.context, StartsWith("the writer script " + path + " cannot be run to freeze"));
    EXPECT_THAT(error.undone, IsEmpty());
    EXPECT_EQ(log(), "10-a freeze\n10-a thaw\n");
}

TEST_F(HookWriters, WhatIsNotExecutableIsNotedAndNotRun) {
    logging("10-a");
    ::chmod(logging("20-off").c_str(), 0644);
    const auto writers = make();
    const auto frozen = freeze(*writers, context_);
    ASSERT_TRUE(frozen) << frozen.error().message();
    EXPECT_EQ(*frozen, 1U);
    EXPECT_THAT(writers->notes(), ElementsAre(hooks_ + "/20-off is not executable: ignored"));
    EXPECT_EQ(log(), "10-a freeze\n");
}

TEST_F(HookWriters, CancelStartsNoMoreWritersAndThawsTheBegun) {
    logging("10-a", "while test $1 = freeze -a ! -e $here/go; do sleep 0.01; done");
    logging("20-b");
    const auto writers = make();
    std::thread canceller([&] {
        while (log().empty()) std::this_thread::sleep_for(milliseconds(5));
        writers->cancel();
        std::ofstream(root_ + "/go") << "go";
    });
    const auto error = failure(*writers, context_);
    canceller.join();
    EXPECT_EQ(error.kind, ErrorKind::wrong_state);
    EXPECT_EQ(log(), "10-a freeze\n10-a thaw\n");
    EXPECT_EQ(failure(*writers, context_).kind, ErrorKind::wrong_state);
    EXPECT_EQ(log(), "10-a freeze\n10-a thaw\n");
}

} // namespace
} // namespace quiesced
