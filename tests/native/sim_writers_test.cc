// SPDX-License-Identifier: LGPL-2.1-or-later
// The writers of the real daemon over a simulated guest: it runs what is configured in its own run directory.
#include <sys/stat.h>

#include <chrono>
#include <fstream>

#include <nlohmann/json.hpp>

#include "sim_fixture.h"

namespace quiesced {
namespace {

using Json = nlohmann::json;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;

const Dict kNone;

class SimWriters : public Simulated {
protected:
    SimWriters() {
        for (const auto* folder : {"/run/hooks.d", "/run/writers.d"}) {
            std::filesystem::create_directories(folder_ + folder);
            ::chmod((folder_ + folder).c_str(), 0755);
        }
    }
    std::string put(const std::string& name, const std::string& text, mode_t mode) {
        const auto path = folder_ + "/run/" + name;
        std::ofstream(path) << text;
        ::chmod(path.c_str(), mode);
        return path;
    }
    std::string script(const std::string& name, const std::string& text) { return put(name, "#!/bin/sh\n" + text + "\n", 0755); }
    std::vector<Dict> writers() { return ManagerClient(*requestor_).ListWriters(kNone); }
    Ran ctl(std::vector<std::string> words) {
        words.insert(words.begin(), {QUIESCECTL_BUILT, "--address", bus_->address()});
        return run_to_end(words);
    }
    static std::string text(const Dict& dict, const char* key) { return dict.at(key).get<std::string>(); }
};

TEST_F(SimWriters, ListsHooksAndFilesWithWhatBecameOfThemTheLastTime) {
    script("hooks.d/10-flush", "exit 0");
    put("writers.d/db.conf", "[writer]\ntype = script\ncommand = " + script("db", "exit 0") + "\nlimit = 5s\n", 0644);
    start();
    auto before = writers();
    ASSERT_EQ(before.size(), 2U);
    EXPECT_EQ(text(before[0], "name"), "10-flush");
    EXPECT_FALSE(before[0].contains("order"));
    EXPECT_FALSE(before[0].contains("last_set")) << "it was in none";
    EXPECT_EQ(text(before[1], "name"), "db");
    EXPECT_EQ(text(before[1], "kind"), "script");
    EXPECT_EQ(text(before[1], "file"), folder_ + "/run/writers.d/db.conf");
    EXPECT_EQ(before[1].at("order").get<std::uint32_t>(), 50U);
    EXPECT_EQ(before[1].at("limit_ms").get<std::uint32_t>(), 5000U);
    EXPECT_EQ(text(before[1], "on_failure"), "abort");

    const auto made = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    const auto path = ManagerClient(*requestor_).CreateSet({"/srv/data"}, kNone);
    const auto manifest = Json::parse(SetClient(*requestor_, path).Take(kNone));
    EXPECT_EQ(manifest.at("consistency"), "application");
    for (const auto& writer : writers()) {
        EXPECT_EQ(text(writer, "last_set"), manifest.at("id"));
        EXPECT_EQ(text(writer, "last_state"), "quiesced");
        EXPECT_EQ(text(writer, "last_consistency"), "application");
        EXPECT_NEAR(static_cast<double>(writer.at("last_time").get<std::uint64_t>()), static_cast<double>(made), 2e6);
    }
    const auto shown = ctl({"writers"});
    EXPECT_EQ(shown.status, 0) << shown.errors;
    EXPECT_THAT(shown.output, AllOf(ContainsRegex("10-flush +script"), HasSubstr("quiesced,"), HasSubstr("db.conf")));
    EXPECT_EQ(Json::parse(ctl({"writers", "--json"}).output).at(1).at("last_state"), "quiesced");

    // It is known from the set, also by the next life.
    requestor_.reset();
    daemon_->signal(SIGTERM);
    ASSERT_EQ(daemon_->wait(std::chrono::seconds(20)), 0);
    start();
    EXPECT_EQ(text(writers().at(0), "last_set"), manifest.at("id"));
}

TEST_F(SimWriters, AWriterThatFailedTheSetIsNamedAlsoWhenTheSetIsGone) {
    script("hooks.d/10-flush", "[ \"$1\" = thaw ] || { echo 'the disk is on fire' >&2; exit 3; }");
    start();
    const auto path = ManagerClient(*requestor_).CreateSet({"/srv/data"}, kNone);
    SetClient set(*requestor_, path);
    EXPECT_THAT(end_of([&] { set.Take(kNone); }), EndsWithError("WriterFailed", "the disk is on fire"));
    set.Delete(kNone);
    const auto writer = writers().at(0);
    EXPECT_EQ(text(writer, "last_state"), "failed");
    EXPECT_THAT(text(writer, "last_error"), HasSubstr("the disk is on fire"));
    EXPECT_EQ(text(writer, "last_consistency"), "");
}

TEST_F(SimWriters, AFileThatIsRefusedSaysWhyBesideTheOthers) {
    script("hooks.d/10-flush", "exit 0");
    put("hooks.d/20-open", "#!/bin/sh\n", 0777);
    put("writers.d/bad.conf", "[writer]\ntype = script\ncolour = red\n", 0644);
    start();
    const auto all = writers();
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(text(all[0], "error"), "");
    EXPECT_EQ(text(all[1], "error_name"), "org.quiesced1.Error.AccessDenied");
    EXPECT_EQ(text(all[2], "error_name"), "org.quiesced1.Error.InvalidArgument");
    EXPECT_THAT(text(all[2], "error"), HasSubstr("there is no key 'colour'"));
    EXPECT_THAT(ctl({"writers"}).output, AllOf(ContainsRegex("20-open +refused"), HasSubstr("\nbad: ")));
}

} // namespace
} // namespace quiesced
