// SPDX-License-Identifier: LGPL-2.1-or-later
// The real program quiesced-plugin-exec, behind a socket that starts one instance for each connection as systemd does.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "arrays/plugin_connection.h"
#include "arrays/plugin_provider.h"
#include "base/child.h"
#include "base/file.h"
#include "unit/arrays/fake_plugin.h"

namespace quiesced {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr const char* kWwid = "naa.6001405aaaaaaaaaaaaaaaaaaaaaaaaa";
constexpr const char* kSet = "0123456789abcdef";

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

std::string content(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

bool wait_until(const std::function<bool()>& condition, milliseconds limit = milliseconds(5000)) {
    const auto deadline = Monotonic::now() + limit;
    while (!condition()) {
        if (Monotonic::now() > deadline) return false;
        std::this_thread::sleep_for(milliseconds(5));
    }
    return true;
}

class ExecPluginProgram : public testing::Test {
protected:
    void SetUp() override {
        script("prepare", "cat > \"$DIR/prepare.json\"\n");
        // A built-in only: no process is started in the window.
        script("commit", "echo $$ > \"$DIR/commit.pid\"\nread -r request\nprintf '%s' \"$request\" > \"$DIR/commit.json\"\n"
                         "env > \"$DIR/commit.env\"\nprintf '{}\\n'\n");
        script("finish", "printf '{\"snapshots\":[{\"origin\":\"" + std::string(kWwid) + "\",\"snapshot\":\"vg/snap-%s\"}]}' \"$QUIESCED_SET\"\n");
        script("abort", "printf '%s\\n' \"$QUIESCED_METHOD $QUIESCED_SET\" >> \"$DIR/removed\"\n");
        settings_.directory = directory_.path();
        settings_.device_wait = milliseconds(0);
        settings_.budgets = {milliseconds(5000), milliseconds(5000), milliseconds(5000), milliseconds(5000), milliseconds(5000), milliseconds(5000), milliseconds(5000)};
    }
    void TearDown() override {
        if (server_ > 0) {
            ::kill(-server_, SIGTERM);
            ::waitpid(server_, nullptr, 0);
        }
    }

    /// DIR stands for the test's folder.
    void script(const std::string& name, const std::string& body) {
        const auto path = directory_.path(name);
        std::ofstream(path) << "#!/bin/sh\nDIR='" << directory_.path() << "'\n" << body;
        ASSERT_EQ(::chmod(path.c_str(), 0755), 0);
    }
    void configure(const std::string& more = "") {
        std::ofstream file(directory_.path("exec.conf"));
        file << "wwid = naa.6001405*\n" << more << "\n";
        for (const char* method : {"prepare", "commit", "finish", "abort"})
            if (more.find(std::string(method) + " =") == std::string::npos) file << method << " = " << directory_.path(method) << "\n";
        file.close();
        ASSERT_EQ(::chmod(directory_.path("exec.conf").c_str(), 0644), 0);
    }
    void start() {
        const auto socket = directory_.path("exec.sock");
        const std::string config = directory_.path("exec.conf");
        const std::string locks = directory_.path("locks");
        std::vector<const char*> argv{"systemd-socket-activate", "--accept", "--inetd", "-l", socket.c_str(), QUIESCED_PLUGIN_EXEC,
                                      "--config", config.c_str(), "--runtime-directory", locks.c_str(), nullptr};
        posix_spawnattr_t attributes;
        ::posix_spawnattr_init(&attributes);
        ::posix_spawnattr_setpgroup(&attributes, 0);
        ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        const auto log = directory_.path("log");
        ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
        const int error = ::posix_spawnp(&server_, argv[0], &actions, &attributes, const_cast<char**>(argv.data()), environ);
        ::posix_spawn_file_actions_destroy(&actions);
        ::posix_spawnattr_destroy(&attributes);
        ASSERT_EQ(error, 0) << "systemd-socket-activate is missing";
        // The socket's file is there with bind(); connections are refused until listen().
        ASSERT_TRUE(wait_until([&] { return is_listening(socket); }));
    }
    static bool is_listening(const std::string& socket) {
        const auto table = read_file("/proc/net/unix");
        if (!table) return false;
        std::istringstream lines(*table);
        for (std::string line; std::getline(lines, line);) // its flags: __SO_ACCEPTCON
            if (line.ends_with(" " + socket) && line.find(" 00010000 ") != std::string::npos) return true;
        return false;
    }
    PluginConnection connect() {
        auto connection = PluginConnection::connect("exec", settings_.directory, Monotonic::now() + milliseconds(5000));
        EXPECT_TRUE(connection) << connection.error().message();
        return std::move(*connection);
    }
    static Json params() { return {{"set", kSet}, {"disks", {{{"wwid", kWwid}}}}}; }
    Result<Json> ask(PluginConnection& connection, const std::string& method, const Json& arguments = params()) {
        return connection.call(method, arguments, milliseconds(10000));
    }
    std::string failure(PluginConnection& connection, const std::string& method) {
        const auto result = ask(connection, method);
        return result ? "no failure" : result.error().message();
    }
    bool commit_runs() const {
        const auto pid = content(directory_.path("commit.pid"));
        return !pid.empty() && ::kill(std::stoi(pid), 0) == 0;
    }
    bool wait_armed() const { return wait_until([&] { return commit_runs(); }); }

    TemporaryDirectory directory_;
    PluginSettings settings_;
    pid_t server_ = -1;
};

TEST_F(ExecPluginProgram, PassesTheConformanceSuiteWithAnAdminsCommands) {
    const auto folder = directory_.path("box");
    for (const char* name : {"/luns", "/snapshots"}) std::filesystem::create_directories(folder + name);
    std::vector<std::string> argv{QUIESCED_PLUGIN_CHECK, "--schema", QUIESCED_SOURCE_ROOT "/plugins/protocol.schema.json", "--stderr", directory_.path("log"), "--limit", "20"};
    for (const char* wwid : {"naa.60014050000000000000000000000001", "naa.60014050000000000000000000000002"}) {
        std::ofstream(folder + "/luns/" + wwid) << "content";
        argv.insert(argv.end(), {"--wwid", wwid});
    }
    std::ofstream config(directory_.path("exec.conf"));
    config << "commit_ready = yes\n";
    for (const char* method : {"claim", "prepare", "commit", "finish", "abort", "delete", "list"})
        config << method << " = /usr/bin/python3 " QUIESCED_SOURCE_ROOT "/tests/array/file_command.py " << folder << " " << method << "\n";
    config.close();
    ASSERT_EQ(::chmod(directory_.path("exec.conf").c_str(), 0644), 0);
    argv.insert(argv.end(), {"--", QUIESCED_PLUGIN_EXEC, "--config", directory_.path("exec.conf"), "--runtime-directory", directory_.path("locks")});
    ChildOptions options;
    options.limit = std::chrono::seconds(120);
    const auto outcome = run_child(argv, options).value();
    EXPECT_EQ(outcome.exit_status, 0) << outcome.output << outcome.errors << content(directory_.path("log"));
    EXPECT_THAT(outcome.output, HasSubstr("30 passed, 0 failed, 0 skipped\n"));
    EXPECT_TRUE(std::filesystem::is_empty(folder + "/snapshots"));
}

TEST_F(ExecPluginProgram, TakesASetThroughTheProvider) {
    configure();
    start();
    Disk disk;
    disk.number = {8, 0};
    disk.placement = Placement::lun;
    disk.wwid = kWwid;
    const Inventory inventory({}, {}, {{disk.number, disk}});
    Volume volume;
    volume.name = "/lun";
    volume.leaves = {disk.number};
    PluginProvider provider("exec", settings_);
    ASSERT_TRUE(provider.claim({&volume}, inventory).at(0).taken);
    const auto session = provider.begin(SetId::parse(kSet).value(), {&volume}, inventory);
    const auto armed = (*session)->arm();
    ASSERT_TRUE(armed) << armed.error().message();
    EXPECT_EQ(Json::parse(content(directory_.path("prepare.json"))), (Json{{"set", kSet}, {"disks", {{{"wwid", kWwid}, {"size_bytes", 0}}}}}));
    ASSERT_TRUE(wait_armed()); // it was started in prepare, and waits
    EXPECT_FALSE(exists(directory_.path("commit.json")));
    const auto committed = (*session)->commit(Monotonic::now() + milliseconds(5000));
    ASSERT_TRUE(committed) << committed.error().message();
    EXPECT_EQ(Json::parse(content(directory_.path("commit.json")))["set"], kSet);
    const auto environment = content(directory_.path("commit.env"));
    EXPECT_THAT(environment, HasSubstr("QUIESCED_METHOD=commit\n"));
    EXPECT_THAT(environment, HasSubstr(std::string("QUIESCED_SET=") + kSet + "\n"));
    EXPECT_EQ(environment.find("LISTEN_FDS"), std::string::npos);
    const auto records = (*session)->finish();
    ASSERT_TRUE(records) << records.error().message();
    EXPECT_EQ((*records)[0].snapshot, std::string("vg/snap-") + kSet);
    ASSERT_TRUE(provider.remove(SetId::parse(kSet).value(), *records));
    ASSERT_TRUE((*session)->disarm());
    ASSERT_TRUE((*session)->disarm());
    EXPECT_EQ(content(directory_.path("removed")), std::string("delete ") + kSet + "\nabort " + kSet + "\n");
    EXPECT_TRUE(std::filesystem::is_empty(directory_.path("locks")));
}

TEST_F(ExecPluginProgram, AnAbortKillsTheWaitingCommit) {
    configure();
    start();
    auto connection = connect();
    ASSERT_TRUE(ask(connection, "prepare"));
    ASSERT_TRUE(wait_armed());
    ASSERT_TRUE(ask(connection, "abort"));
    EXPECT_FALSE(commit_runs());
    ASSERT_TRUE(ask(connection, "abort"));
    EXPECT_FALSE(exists(directory_.path("commit.json")));
    EXPECT_THAT(failure(connection, "commit"), HasSubstr("was not prepared"));
}

TEST_F(ExecPluginProgram, ALostConnectionKillsTheWaitingCommitAndAnAbortFollows) {
    configure();
    start();
    {
        auto connection = connect();
        ASSERT_TRUE(ask(connection, "prepare"));
        ASSERT_TRUE(wait_armed());
    }
    auto connection = connect();
    ASSERT_TRUE(ask(connection, "abort")); // gets the set's lock only after the other instance has gone
    EXPECT_FALSE(commit_runs());
}

TEST_F(ExecPluginProgram, AHangingCommitIsKilledAtItsLimit) {
    configure("commit_limit = 200ms");
    script("commit", "echo $$ > \"$DIR/commit.pid\"\nread -r request\nsleep 100\n");
    start();
    auto connection = connect();
    ASSERT_TRUE(ask(connection, "prepare"));
    const auto begin = Monotonic::now();
    EXPECT_THAT(failure(connection, "commit"), HasSubstr("took longer than its limit and was killed (timeout)"));
    EXPECT_LT(Monotonic::now() - begin, milliseconds(3000));
    EXPECT_FALSE(commit_runs());
    EXPECT_THAT(failure(connection, "commit"), HasSubstr("took longer")); // a repeat does not run it again
    EXPECT_THAT(failure(connection, "finish"), HasSubstr("took longer"));
    EXPECT_TRUE(ask(connection, "abort"));
}

TEST_F(ExecPluginProgram, ACommitThatNobodyWaitsForIsKilled) {
    configure("commit_limit = 100s");
    script("commit", "echo $$ > \"$DIR/commit.pid\"\nread -r request\nsleep 100\n");
    start();
    auto connection = connect();
    ASSERT_TRUE(ask(connection, "prepare"));
    EXPECT_EQ(connection.call("commit", params(), milliseconds(200)).error().kind, ErrorKind::deadline);
    EXPECT_TRUE(wait_until([&] { return !commit_runs(); }));
    auto other = connect();
    EXPECT_TRUE(ask(other, "abort"));
}

TEST_F(ExecPluginProgram, ACommitThatDoesNotWaitForItsRequestFailsTheSet) {
    configure();
    for (const char* body : {"echo $$ > \"$DIR/commit.pid\"\n", "printf '{}\\n'\n: > \"$DIR/spoke\"\nread -r request\n", "sleep 0.3\nprintf '{}\\n'\n"}) {
        script("commit", body);
        if (server_ < 0) start();
        auto connection = connect();
        ASSERT_TRUE(ask(connection, "prepare"));
        // One that speaks only after its request was sent cannot be told from one that has waited for it.
        const bool speaks = std::string(body).find("spoke") != std::string::npos;
        ASSERT_TRUE(wait_until([&] { return !speaks || exists(directory_.path("spoke")); }));
        EXPECT_THAT(failure(connection, "commit"), HasSubstr("must wait for its request")) << body;
        EXPECT_TRUE(ask(connection, "abort"));
    }
}

TEST_F(ExecPluginProgram, AFailingCommitSaysWhy) {
    configure();
    script("commit", "read -r request\necho first >&2\necho 'pool is full' >&2\nexit 3\n");
    start();
    auto connection = connect();
    ASSERT_TRUE(ask(connection, "prepare"));
    EXPECT_THAT(failure(connection, "commit"), HasSubstr("ended with status 3 in commit: pool is full"));
    EXPECT_TRUE(ask(connection, "abort"));
    // One that fails after its answer fails finish.
    script("commit", "read -r request\necho '{}'\necho 'too bad' >&2\nexit 4\n");
    ASSERT_TRUE(ask(connection, "prepare"));
    ASSERT_TRUE(ask(connection, "commit"));
    EXPECT_THAT(failure(connection, "finish"), HasSubstr("status 4 after its answer in commit: too bad"));
}

TEST_F(ExecPluginProgram, CommandsSayTheKindOfTheirFailure) {
    configure();
    script("prepare", "echo '{\"kind\":\"no-space\",\"message\":\"pool data is full\"}'\nexit 1\n");
    start();
    auto connection = connect();
    const auto result = ask(connection, "prepare");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::no_space);
    EXPECT_THAT(result.error().message(), HasSubstr("pool data is full"));
    script("prepare", "echo nonsense\n");
    EXPECT_THAT(failure(connection, "prepare"), HasSubstr("something other than a JSON object"));
}

TEST_F(ExecPluginProgram, ReadyAndWithoutPreloadWorkToo) {
    configure("commit_ready = yes");
    script("commit", "sleep 0.1\ntouch \"$DIR/loaded\"\necho ready\nread -r request\n");
    start();
    auto connection = connect();
    ASSERT_TRUE(ask(connection, "prepare"));
    EXPECT_TRUE(exists(directory_.path("loaded")));
    EXPECT_TRUE(ask(connection, "commit")); // ends with 0 and no answer: an empty one
    configure("preload = no\ncommit = " + directory_.path("plain"));
    script("plain", "touch \"$DIR/plain-ran\"\n");
    auto other = connect();
    ASSERT_TRUE(ask(connection, "abort"));
    ASSERT_TRUE(ask(other, "prepare"));
    EXPECT_FALSE(exists(directory_.path("plain-ran")));
    EXPECT_TRUE(ask(other, "commit"));
    EXPECT_TRUE(exists(directory_.path("plain-ran")));
}

TEST_F(ExecPluginProgram, ABadConfigurationIsTheAnswerToEveryMethod) {
    configure("nonsense = 1");
    start();
    auto connection = connect();
    for (const char* method : {"describe", "claim", "prepare", "abort"})
        EXPECT_THAT(failure(connection, method), HasSubstr(directory_.path("exec.conf") + ": line 2: there is no key 'nonsense'"));
    configure();
    ASSERT_EQ(::chmod(directory_.path("exec.conf").c_str(), 0666), 0);
    auto other = connect();
    EXPECT_THAT(failure(other, "describe"), HasSubstr("can be written by others than root"));
    const auto checked = run_child({QUIESCED_PLUGIN_EXEC, "--check", "--config", directory_.path("exec.conf")});
    EXPECT_EQ(checked->exit_status, 1);
    EXPECT_THAT(checked->errors, HasSubstr("chmod go-w"));
}

TEST_F(ExecPluginProgram, TwoThousandMessagesOnOneConnectionAreAllAnswered) {
    configure();
    start();
    auto connection = connect();
    for (int i = 0; i < 2000; ++i) {
        const auto answer = ask(connection, "claim", {{"disks", {{{"wwid", kWwid}, {"vendor", "LIO-ORG"}, {"size_bytes", i}}}}});
        ASSERT_TRUE(answer) << "message " << i << ": " << answer.error().message();
        ASSERT_THAT(answer->dump(), HasSubstr(kWwid));
    }
}

} // namespace
} // namespace quiesced
