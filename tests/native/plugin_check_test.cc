// SPDX-License-Identifier: LGPL-2.1-or-later
// The conformance suite against the plugin of README.md, on a real file system that can clone files; and against the same
// plugin with one defect each, which it must find.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/child.h"
#include "base/file.h"
#include "leak_check.h"
#include "loop_volume.h"
#include "native_main.h"

namespace quiesced {
namespace {

using testing::HasSubstr;

std::string g_folder;

std::string readme_plugin() {
    const auto readme = read_file(QUIESCED_SOURCE_ROOT "/README.md").value();
    const auto start = readme.find("```python\n") + 10;
    return readme.substr(start, readme.find("```", start) - start);
}

std::string with(std::string text, const std::string& old, const std::string& replacement) {
    const auto at = text.find(old);
    EXPECT_NE(at, std::string::npos) << "the plugin of README.md has no longer: " << old;
    return at == std::string::npos ? text : text.replace(at, old.size(), replacement);
}

class PluginCheck : public testing::Test {
protected:
    static void SetUpTestSuite() {
        static int number = 0; // the suite of defects has a volume of its own
        auto volume = LoopVolume::create(g_folder, "luns" + std::to_string(++number), "xfs");
        ASSERT_TRUE(volume) << volume.error().message();
        volume_ = std::move(*volume);
        for (const char* folder : {"/luns", "/snapshots"}) ASSERT_TRUE(make_directories(volume_->mount_point() + folder));
        for (const auto* wwid : {"naa.60014050000000000000000000000001", "naa.60014050000000000000000000000002"})
            std::ofstream(volume_->mount_point() + "/luns/" + wwid) << std::string(1U << 20U, 'x');
    }
    static void TearDownTestSuite() { volume_.reset(); }

    /// Runs the suite; output and exit status.
    static ChildOutcome check(const std::string& plugin, const std::string& only = "", bool disks = true) {
        const auto path = g_folder + "/plugin.py";
        std::ofstream(path) << plugin;
        std::vector<std::string> argv{QUIESCED_PLUGIN_CHECK, "--schema", QUIESCED_SOURCE_ROOT "/plugins/protocol.schema.json",
                                      "--stderr", "/dev/null", "--limit", "5", "--only", only};
        if (disks)
            argv.insert(argv.end(), {"--wwid", "naa.60014050000000000000000000000001", "--wwid", "naa.60014050000000000000000000000002"});
        argv.insert(argv.end(), {"--", "python3", path});
        ChildOptions options;
        options.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "LUNS=" + volume_->mount_point() + "/luns",
                               "SNAPSHOTS=" + volume_->mount_point() + "/snapshots"};
        options.limit = std::chrono::seconds(120);
        return run_child(argv, options).value();
    }

    static std::unique_ptr<LoopVolume> volume_;
};

std::unique_ptr<LoopVolume> PluginCheck::volume_;

TEST_F(PluginCheck, PassesTheWholePluginOfTheReadme) {
    const auto outcome = check(readme_plugin());
    EXPECT_EQ(outcome.exit_status, 0) << outcome.output << outcome.errors;
    EXPECT_THAT(outcome.output, HasSubstr("30 passed, 0 failed, 0 skipped\n"));
    for (const auto& entry : std::filesystem::directory_iterator(volume_->mount_point() + "/snapshots"))
        ADD_FAILURE() << "left behind: " << entry.path();
}

TEST_F(PluginCheck, ThePluginOfTheReadmeHasFortyLines) {
    auto plugin = readme_plugin();
    plugin.erase(0, plugin.find('\n') + 1); // #!
    EXPECT_LE(std::count(plugin.begin(), plugin.end(), '\n'), 40);
}

TEST_F(PluginCheck, SkipsWhatNeedsDisksAndSaysSo) {
    const auto outcome = check(readme_plugin(), "", false);
    EXPECT_EQ(outcome.exit_status, 0) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("skip - a set goes from prepare to delete (no disks were given)"));
    EXPECT_THAT(outcome.output, HasSubstr("17 passed, 0 failed, 13 skipped\n"));
}

TEST_F(PluginCheck, AProgramThatIsNoPluginFailsAtOnce) {
    ChildOptions options;
    const auto outcome = run_child({QUIESCED_PLUGIN_CHECK, "--schema", QUIESCED_SOURCE_ROOT "/plugins/protocol.schema.json", "--", "true"}, options).value();
    EXPECT_EQ(outcome.exit_status, 1);
    EXPECT_THAT(outcome.output, HasSubstr("not ok - describe is answered"));
    EXPECT_THAT(outcome.output, HasSubstr("0 passed, 1 failed, 29 skipped\n"));
    EXPECT_EQ(run_child({QUIESCED_PLUGIN_CHECK, "--schema", "/nonexistent", "--", "true"}, options).value().exit_status, 2);
}

struct Defect {
    const char* name;
    const char* old;
    const char* replacement;
    const char* sentence; ///< of the check that must fail
};

class PluginCheckFinds : public PluginCheck, public testing::WithParamInterface<Defect> {};

TEST_P(PluginCheckFinds, ADefectInThePlugin) {
    const auto& defect = GetParam();
    const auto outcome = check(with(readme_plugin(), defect.old, defect.replacement), defect.sentence);
    EXPECT_EQ(outcome.exit_status, 1) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr(std::string("not ok - ") + defect.sentence));
    for (const auto& entry : std::filesystem::directory_iterator(volume_->mount_point() + "/snapshots"))
        std::filesystem::remove(entry.path());
}

INSTANTIATE_TEST_SUITE_P(
    Defects, PluginCheckFinds,
    testing::Values(
        Defect{"Version", "\"protocols\": [1]", "\"protocols\": [2]", "describe is answered, twice the same"},
        Defect{"Capability", "[\"list\"]", "[\"lists\"]", "describe is answered, twice the same"},
        Defect{"Ids", "\"id\": request[\"id\"]", "\"id\": 1", "an id that is a text comes back as it was"},
        Defect{"TwoAnswers", "flush=True)", "flush=True), print('{}', flush=True)", "each request gets one answer and nothing else is written"},
        Defect{"Notifications", "if \"id\" in request: print(json.dumps({\"jsonrpc\": \"2.0\", \"id\": request[\"id\"]",
               "print(json.dumps({\"jsonrpc\": \"2.0\", \"id\": request.get(\"id\", 0)", "a notification gets no answer"},
        Defect{"Methods", "\"code\": -32601", "\"code\": -32000", "an unknown method is the error -32601, and the connection goes on"},
        Defect{"Params", "\"code\": -32602", "\"code\": -1", "params of the wrong type are the error -32602"},
        Defect{"Sets", "\"[0-9a-f]{16}\"", "\".*\"", "what is no set's id is refused"},
        Defect{"Endless", "readline(1 << 20)", "readline()", "100 MiB without a newline do no harm"},
        Defect{"Stays", "**answer(request)}), flush=True)", "**answer(request)}), flush=True)\nimport time; time.sleep(60)", "it ends when its connection is closed, at any place"},
        Defect{"ClaimsAll", " if os.path.isfile(f\"{LUNS}/{w}\")", "", "a disk of nobody is not claimed"},
        Defect{"ClaimsNone", "for w in wwids(p) if os.path.isfile(f\"{LUNS}/{w}\")", "for w in []", "claim names exactly the disks that are its own"},
        Defect{"NoCommit", "        os.rename(path(p, \"half\"), path(p, w))", "        pass", "a set goes from prepare to delete"},
        Defect{"Order", "    os.stat(path(p, \"prepared\"))\n", "", "commit without prepare, and finish without commit, fail and leave nothing"},
        Defect{"AllSets", "name.startswith(p[\"set\"] + \".\")", "True", "two sets over the same disks do not touch each other"},
        Defect{"NoDelete", "delete=abort", "delete=describe", "delete goes by the set when it gets no list"},
        Defect{"NoAbort", "abort=abort, delete=abort", "abort=describe, delete=abort", "abort removes everything, from any state and twice"},
        Defect{"Race", "    os.stat(path(p, \"prepared\"))\n", "    fcntl.flock(LOCK, fcntl.LOCK_UN); import time; time.sleep(0.3)\n",
               "abort wins over a step that is under way on a closed connection"}),
    [](const auto& defect) { return std::string(defect.param.name); });

} // namespace
} // namespace quiesced

int main(int argc, char** argv) {
    std::string folder = "/tmp/quiesced-plugin-check-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) return EXIT_FAILURE;
    quiesced::g_folder = folder;
    quiesced::LeakCheck check;
    check.processes = false; // starts no freezer; another test's may run
    check.records = folder;
    return quiesced::run_native_tests(argc, argv, std::move(check), folder);
}
