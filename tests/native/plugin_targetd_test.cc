// SPDX-License-Identifier: LGPL-2.1-or-later
// The real program quiesced-plugin-targetd against a management server that answers targetd's API on files: everything but
// iSCSI. The guest tests have LVM and LIO behind the same server.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include "base/child.h"
#include "base/file.h"
#include "plugins/check/instance.h"
#include "plugins/sdk/plugin.h"
#include "program.h"

namespace quiesced {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr const char* kSet = "0123456789abcdef";
constexpr const char* kUuid = "AbCdEf-0123-4567-89ab-cdef-0123-456789"; // as LVM makes them
constexpr const char* kWwid = "naa.6001405abcdef0123456789abcdef012";

void write(const std::string& path, const std::string& text, mode_t mode = 0600) {
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
}

void run(const std::vector<std::string>& argv) {
    const auto outcome = run_child(argv);
    ASSERT_TRUE(outcome) << outcome.error().message();
    ASSERT_EQ(outcome->exit_status, 0) << argv.front() << ": " << outcome->errors;
}

class TargetdPluginProgram : public testing::Test {
protected:
    static void SetUpTestSuite() {
        std::string pattern = testing::TempDir() + "quiesced-targetd-XXXXXX";
        ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=san",
             "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder_ + "/key.pem", "-out", folder_ + "/cert.pem"});
    }
    static void TearDownTestSuite() { std::filesystem::remove_all(folder_); }

    void SetUp() override {
        for (const char* name : {"array", "credentials", "run", "faults"}) std::filesystem::remove_all(folder_ + "/" + name);
        for (const char* name : {"/array/pool", "/credentials", "/run"}) std::filesystem::create_directories(folder_ + name);
        add_volume("lun0", kUuid);
        write(folder_ + "/password", "secret-of-the-array\n");
        write(folder_ + "/credentials/san", "secret-of-the-array\n");
        write(folder_ + "/faults", "{}");
    }
    void add_volume(const std::string& name, const std::string& uuid) {
        write(folder_ + "/array/pool/" + name, "content of " + name);
        write(folder_ + "/array/pool/" + name + ".uuid", uuid);
    }

    /// Starts the server; its port.
    void start_array(const std::vector<std::string>& more = {}) {
        std::vector<std::string> argv{"python3", QUIESCED_SOURCE_ROOT "/tests/array/targetd_server.py", "--files", folder_ + "/array",
                                      "--password-file", folder_ + "/password", "--faults", folder_ + "/faults",
                                      "--cert", folder_ + "/cert.pem", "--key", folder_ + "/key.pem"};
        argv.insert(argv.end(), more.begin(), more.end());
        array_.reset();
        std::filesystem::remove(folder_ + "/array.log");
        array_.emplace(argv, folder_ + "/array.log");
        const auto deadline = Monotonic::now() + std::chrono::seconds(20);
        std::string said;
        while (said.find('\n') == std::string::npos && Monotonic::now() < deadline) {
            std::this_thread::sleep_for(milliseconds(10));
            said = array_->output();
        }
        port_ = said.substr(said.rfind(':') + 1);
        while (!port_.empty() && port_.back() == '\n') port_.pop_back();
        ASSERT_FALSE(port_.empty()) << said;
    }
    void configure(const std::string& more = "", const std::string& ca = "ca_file") {
        write(folder_ + "/targetd.conf", "initiator = iqn.2026-11.org.quiesced:guest\n[san]\nurl = https://127.0.0.1:" + port_ + "/targetrpc\n" +
                                             (ca.empty() ? "" : ca + " = " + folder_ + "/cert.pem\n") + more);
    }
    [[nodiscard]] std::vector<std::string> plugin() const {
        return {QUIESCED_PLUGIN_TARGETD, "--config", folder_ + "/targetd.conf", "--runtime-directory", folder_ + "/run", "--sysfs", folder_ + "/sys"};
    }
    /// One question on a connection of its own; the answer's object.
    Json ask(const std::string& method, const Json& params, milliseconds limit = milliseconds(20000)) {
        if (!instance_) connect();
        EXPECT_TRUE(instance_->send(Json{{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", params}}.dump() + "\n", limit));
        const auto line = instance_->read_line(limit);
        EXPECT_TRUE(line) << line.error().message();
        return line ? Json::parse(*line) : Json::object();
    }
    void connect() {
        ::setenv("CREDENTIALS_DIRECTORY", (folder_ + "/credentials").c_str(), 1);
        const auto errors = open_at(AT_FDCWD, folder_ + "/plugin.log", O_WRONLY | O_CREAT | O_APPEND, 0600).value();
        auto instance = Instance::start(plugin(), errors.get());
        ASSERT_TRUE(instance) << instance.error().message();
        instance_.emplace(std::move(*instance));
    }
    static std::string kind(const Json& answer) { return answer.contains("error") ? answer["error"]["data"].value("kind", "") : "none"; }
    static std::string message(const Json& answer) { return answer.contains("error") ? answer["error"].value("message", "") : ""; }
    static Json disk(const std::string& wwid = kWwid) { return {{"wwid", wwid}, {"size_bytes", 4096}, {"vendor", "LIO-ORG"}}; }
    static Json work() { return {{"set", kSet}, {"disks", Json::array({disk()})}}; }
    [[nodiscard]] static std::vector<std::string> copies() {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(folder_ + "/array/pool"))
            if (const auto name = entry.path().filename().string(); name.find("-q") != std::string::npos) names.push_back(name);
        return names;
    }

    static std::string folder_;
    std::string port_;
    std::optional<Program> array_;
    std::optional<Instance> instance_;
};

std::string TargetdPluginProgram::folder_;

class TargetdPluginServers : public TargetdPluginProgram, public testing::WithParamInterface<std::vector<std::string>> {};

TEST_P(TargetdPluginServers, TheConformanceSuitePasses) {
    add_volume("lun1", "bbbbbb-0123-4567-89ab-cdef-0123-456789");
    start_array(GetParam());
    configure();
    std::vector<std::string> argv{QUIESCED_PLUGIN_CHECK, "--schema", QUIESCED_SOURCE_ROOT "/plugins/protocol.schema.json", "--stderr", folder_ + "/plugin.log",
                                  "--limit", "10", "--wwid", kWwid, "--wwid", "naa.6001405bbbbbb0123456789abcdef012", "--"};
    for (const auto& word : plugin()) argv.push_back(word);
    ChildOptions options;
    options.environment = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "CREDENTIALS_DIRECTORY=" + folder_ + "/credentials"};
    options.limit = std::chrono::seconds(120);
    const auto outcome = run_child(argv, options).value();
    EXPECT_EQ(outcome.exit_status, 0) << outcome.output << outcome.errors << array_->output();
    EXPECT_THAT(outcome.output, HasSubstr("30 passed, 0 failed, 0 skipped\n"));
    EXPECT_THAT(copies(), testing::IsEmpty());
    EXPECT_THAT(read_file(folder_ + "/plugin.log").value_or(""), testing::Not(HasSubstr("secret-of-the-array")));
}

INSTANTIATE_TEST_SUITE_P(Kinds, TargetdPluginServers,
                         testing::Values(std::vector<std::string>{}, std::vector<std::string>{"--http10", "--serial"}),
                         [](const auto& kind) { return kind.param.empty() ? "KeepsConnections" : "LikeTargetdsOwn"; });

TEST_F(TargetdPluginProgram, ClaimsByTheSerialNumberAndNamesTheVolume) {
    start_array();
    configure();
    const auto answer = ask("claim", {{"disks", Json::array({disk(), disk("naa.600140511111111111111111111111111"), disk("naa.5000c500a1b2c3d4")})}});
    EXPECT_EQ(answer["result"]["claimed"], Json::array({Json{{"wwid", kWwid}, {"array_volume", "san:pool/lun0"}}})) << answer;
}

TEST_F(TargetdPluginProgram, RefusesAWrongPassword) {
    start_array();
    configure();
    write(folder_ + "/credentials/san", "another\n");
    const auto answer = ask("claim", {{"disks", Json::array({disk()})}});
    EXPECT_EQ(kind(answer), "auth");
    EXPECT_THAT(message(answer), HasSubstr("it refuses user admin with the password of the credential san"));
    EXPECT_THAT(message(answer), testing::Not(HasSubstr("another")));
}

TEST_F(TargetdPluginProgram, RefusesACertificateThatNobodyVouchesFor) {
    start_array();
    configure("", "");
    const auto answer = ask("claim", {{"disks", Json::array({disk()})}});
    EXPECT_EQ(kind(answer), "auth");
    EXPECT_THAT(message(answer), HasSubstr("certificate is not trusted"));
    EXPECT_THAT(message(answer), HasSubstr("ca_file"));
}

TEST_F(TargetdPluginProgram, RefusesAnotherKeyThanThePinnedOne) {
    start_array();
    configure("pinned_key = sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    EXPECT_EQ(kind(ask("claim", {{"disks", Json::array({disk()})}})), "auth");
}

TEST_F(TargetdPluginProgram, SaysThatTheArrayIsUnreachable) {
    start_array();
    configure();
    array_.reset();
    const auto answer = ask("claim", {{"disks", Json::array({disk()})}});
    EXPECT_EQ(kind(answer), "unreachable");
    EXPECT_THAT(message(answer), HasSubstr("array san: cannot list its pools"));
}

TEST_F(TargetdPluginProgram, RefusesAFullPoolBeforeTheFreeze) {
    start_array();
    configure();
    write(folder_ + "/array/pool/free", "1048576");
    const auto answer = ask("prepare", work());
    EXPECT_EQ(kind(answer), "no-space");
    EXPECT_THAT(message(answer), HasSubstr("pool pool has 1.0 MiB free of 100 GiB"));
}

TEST_F(TargetdPluginProgram, RefusesASnapshotThatExistsAlready) {
    start_array();
    configure();
    add_volume(std::string("lun0-q") + kSet, "cccccc-0123-4567-89ab-cdef-0123-456789");
    const auto answer = ask("prepare", work());
    EXPECT_EQ(kind(answer), "busy");
    EXPECT_THAT(message(answer), HasSubstr("exists already; abort set"));
    EXPECT_TRUE(ask("abort", work()).contains("result"));
    EXPECT_THAT(copies(), testing::IsEmpty());
}

TEST_F(TargetdPluginProgram, RefusesALunThatIsNotThisArrays) {
    start_array();
    configure();
    const auto answer = ask("prepare", {{"set", kSet}, {"disks", Json::array({disk("naa.600140511111111111111111111111111")})}});
    EXPECT_EQ(kind(answer), "not-found");
    EXPECT_THAT(message(answer), HasSubstr("LUN naa.600140511111111111111111111111111 is no volume of the arrays"));
}

TEST_F(TargetdPluginProgram, APoolThatFillsUpInTheWindowIsNoSpace) {
    start_array();
    configure();
    EXPECT_TRUE(ask("prepare", work()).contains("result"));
    write(folder_ + "/faults", R"({"vol_copy": {"error": [-303, "Failed to copy volume: insufficient free space"]}})");
    EXPECT_EQ(kind(ask("commit", work())), "no-space");
    write(folder_ + "/faults", "{}");
    EXPECT_TRUE(ask("abort", work()).contains("result"));
}

TEST_F(TargetdPluginProgram, AnArrayThatIsTooSlowIsATimeoutAndLeavesNothing) {
    start_array();
    configure();
    EXPECT_TRUE(ask("prepare", work()).contains("result"));
    write(folder_ + "/faults", R"({"vol_copy": {"delay_ms": 5500}})");
    const auto answer = ask("commit", work());
    EXPECT_EQ(kind(answer), "timeout");
    EXPECT_THAT(message(answer), HasSubstr("no answer in time"));
    EXPECT_EQ(copies().size(), 2U) << "the array did it all the same";
    EXPECT_TRUE(ask("abort", work()).contains("result"));
    EXPECT_THAT(copies(), testing::IsEmpty());
}

TEST_F(TargetdPluginProgram, GarbageAndALostConnectionAreErrorsAndLeaveNothing) {
    start_array();
    configure();
    for (const char* fault : {R"({"vol_copy": {"garbage": true}})", R"({"vol_copy": {"drop": true}})"}) {
        EXPECT_TRUE(ask("prepare", work()).contains("result"));
        write(folder_ + "/faults", fault);
        EXPECT_TRUE(ask("commit", work()).contains("error")) << fault;
        write(folder_ + "/faults", "{}");
        EXPECT_TRUE(ask("abort", work()).contains("result"));
        EXPECT_THAT(copies(), testing::IsEmpty()) << fault;
    }
}

TEST_F(TargetdPluginProgram, EightVolumesAreCutSideBySideOnKeptConnections) {
    Json disks = Json::array();
    for (int i = 0; i < 8; ++i) {
        const auto digit = std::to_string(i);
        add_volume("many" + digit, "dddddd" + digit + "-123-4567-89ab-cdef-0123-456789");
        disks.push_back(disk("naa.6001405dddddd" + digit + "123456789abcdef012"));
    }
    start_array();
    configure();
    // Slow enough that one after another would be seen, whatever this machine does besides.
    write(folder_ + "/faults", R"({"vol_copy": {"before_ms": 400}})");
    const Json params{{"set", kSet}, {"disks", disks}};
    EXPECT_TRUE(ask("prepare", params).contains("result"));
    const auto start = Monotonic::now();
    EXPECT_TRUE(ask("commit", params).contains("result"));
    EXPECT_LT(Monotonic::now() - start, milliseconds(8 * 400)) << "one after another";
    EXPECT_EQ(copies().size(), 16U);
    EXPECT_TRUE(ask("abort", params).contains("result"));
    EXPECT_THAT(copies(), testing::IsEmpty());
}

TEST_F(TargetdPluginProgram, ABadConfigurationIsTheAnswerToEveryRequest) {
    port_ = "1";
    configure("password = hunter2\n");
    const auto answer = ask("describe", {{"protocols", {1}}});
    EXPECT_THAT(message(answer), HasSubstr("line 5: a password does not belong into this file"));
    EXPECT_THAT(message(answer), testing::Not(HasSubstr("hunter2")));
}

} // namespace
} // namespace quiesced
