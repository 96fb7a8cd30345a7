// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/manifest.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace quiesced {
namespace {

using testing::HasSubstr;

Manifest example() {
    ManifestMember member;
    member.volume = "/srv \"quoted\" \xc3\xa4";
    member.file_system = "ext4";
    member.uuid = "u";
    member.origin = "/dev/mapper/vg-a";
    member.placement = "virtual";
    member.evidence = {"transport=virtio"};
    member.mount_points = {"/srv", "/mnt/srv"};
    member.mount_roots = {"/", "/sub"};
    member.provider = "lvm";
    member.snapshot = "vg/a-q0123456789abcdef";
    member.device = "/dev/vg/a-q0123456789abcdef";
    member.reference = R"({"vg":"vg"})";
    member.consistency = "filesystem";
    member.error = "none";
    member.flush_ms = 1.5;
    member.freeze_ms = 2.25;
    member.hold_ms = 3;
    member.frozen_at_ms = 0.125; // thaw_ms stays absent
    Manifest manifest;
    manifest.id = "0123456789abcdef";
    manifest.state = "complete";
    manifest.consistency = "filesystem";
    manifest.created = "2025-01-02T03:04:05Z";
    manifest.host = "guest";
    manifest.kernel = "6.1.0";
    manifest.error = "an error";
    manifest.stuck = {"/var"};
    manifest.window_ms = 5.5;
    ManifestMember second;
    second.thaw_ms = 7;
    manifest.members = {member, second};
    manifest.writers = {{.name = "db", .kind = "session", .volumes = {"/srv"}, .quiesced = true, .error = "late", .freeze_ms = 1.5, .thaw_ms = {},
                         .records = {{"backup_label", "START WAL LOCATION: 0/2\n"}}}};
    manifest.timeline = {{"arm", -20.5, 10}, {"freeze", 0, 1.25}};
    return manifest;
}

void expect_refusal(const nlohmann::json& json, const std::string& words) {
    const auto manifest = manifest_from_json(json.dump());
    ASSERT_FALSE(manifest) << words;
    EXPECT_EQ(manifest.error().kind, ErrorKind::io);
    EXPECT_THAT(manifest.error().message(), HasSubstr(words));
}

TEST(Manifest, EveryFieldSurvivesTheRoundTrip) {
    const auto text = manifest_to_json(example());
    const auto read = manifest_from_json(text);
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_EQ(manifest_to_json(*read), text);
    EXPECT_EQ(read->id, "0123456789abcdef");
    EXPECT_EQ(read->state, "complete");
    EXPECT_EQ(read->stuck, example().stuck);
    EXPECT_EQ(read->window_ms, 5.5);
    ASSERT_EQ(read->members.size(), 2U);
    const auto& member = read->members.front();
    EXPECT_EQ(member.volume, "/srv \"quoted\" \xc3\xa4");
    EXPECT_EQ(member.mount_points, example().members.front().mount_points);
    EXPECT_EQ(member.mount_roots, example().members.front().mount_roots);
    EXPECT_EQ(member.reference, R"({"vg":"vg"})");
    EXPECT_EQ(member.error, "none");
    EXPECT_EQ(member.freeze_ms, 2.25);
    EXPECT_EQ(member.hold_ms, 3.0);
    EXPECT_FALSE(member.thaw_ms);
    EXPECT_EQ(read->members.back().thaw_ms, 7.0);
    EXPECT_FALSE(read->members.back().hold_ms);
    ASSERT_EQ(read->writers.size(), 1U);
    const auto& writer = read->writers.front();
    EXPECT_EQ(writer.name + writer.kind + writer.volumes.at(0) + writer.error, "dbsession/srvlate");
    EXPECT_TRUE(writer.quiesced);
    EXPECT_EQ(writer.freeze_ms, 1.5);
    EXPECT_FALSE(writer.thaw_ms.has_value());
    EXPECT_EQ(writer.records.at("backup_label"), "START WAL LOCATION: 0/2\n");
    ASSERT_EQ(read->timeline.size(), 2U);
    EXPECT_EQ(read->timeline.front().what, "arm");
    EXPECT_EQ(read->timeline.front().start_ms, -20.5);
    EXPECT_EQ(read->timeline.front().length_ms, 10.0);
}

TEST(Manifest, UnknownKeysAreIgnored) {
    auto json = nlohmann::json::parse(manifest_to_json(example()));
    json["colour"] = "blue";
    json["members"][0]["colour"] = {1, 2};
    EXPECT_TRUE(manifest_from_json(json.dump()));
}

TEST(Manifest, TimesMayBeAbsent) {
    auto json = nlohmann::json::parse(manifest_to_json(example()));
    json.erase("window_ms");
    json["members"][0].erase("freeze_ms");
    const auto manifest = manifest_from_json(json.dump());
    ASSERT_TRUE(manifest) << manifest.error().message();
    EXPECT_FALSE(manifest->window_ms);
    EXPECT_FALSE(manifest->members.front().freeze_ms);
}

TEST(Manifest, EveryMissingKeyIsNamed) {
    const auto good = nlohmann::json::parse(manifest_to_json(example()));
    for (const auto& [key, value] : good.items()) {
        if (key == "window_ms" || key == "notes" || key == "writers") continue; // may be missing: sets of older releases have none
        auto json = good;
        json.erase(key);
        expect_refusal(json, key + " is missing");
    }
    for (const auto& [key, value] : good["members"][0].items()) {
        if (key.ends_with("_ms") || key == "foreign" || key == "mount_roots" || key.starts_with("revert")) continue; // likewise
        auto json = good;
        json["members"][1].erase(key);
        expect_refusal(json, "members[1]." + key + " is missing");
    }
    auto json = good;
    json["writers"][0]["records"]["backup_label"] = 1;
    expect_refusal(json, "writers[0].records.backup_label is no text");
    json.erase("writers");
    EXPECT_TRUE(manifest_from_json(json.dump())) << "earlier releases wrote none";
    json["timeline"][0].erase("start_ms");
    expect_refusal(json, "timeline[0].start_ms is missing");
}

TEST(Manifest, AKeyOfTheWrongTypeIsNamed) {
    const auto good = nlohmann::json::parse(manifest_to_json(example()));
    auto json = good;
    json["host"] = 3;
    expect_refusal(json, "host is no text");
    json = good;
    json["members"] = "none";
    expect_refusal(json, "members is no list");
    json = good;
    json["members"][0] = 7;
    expect_refusal(json, "members[0] is no object");
    json = good;
    json["members"][0]["evidence"][0] = nullptr;
    expect_refusal(json, "members[0].evidence[0] is no text");
    json = good;
    json["members"][0]["hold_ms"] = "3";
    expect_refusal(json, "members[0].hold_ms is no number");
    json = good;
    json["version"] = "1";
    expect_refusal(json, "version is no whole number");
    json["version"] = 2;
    expect_refusal(json, "version 2");
}

TEST(Manifest, GarbageIsRefused) {
    for (const auto* text : {"", "{", "[]", "null", "\xff\xfe", "{\"id\":"})
        EXPECT_FALSE(manifest_from_json(text)) << text;
}

TEST(Manifest, BytesThatAreNoUtf8DoNotSpoilTheFile) {
    auto manifest = example();
    manifest.members.front().volume = "/a\xff";
    const auto read = manifest_from_json(manifest_to_json(manifest));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->members.front().volume, "/a\xef\xbf\xbd");
}

class ManifestStoreTest : public testing::Test {
protected:
    ManifestStoreTest() {
        std::string top = "/tmp/quiesced-manifest-XXXXXX";
        EXPECT_NE(::mkdtemp(top.data()), nullptr);
        top_ = top;
    }
    ~ManifestStoreTest() override { std::filesystem::remove_all(top_); }
    ManifestStoreTest(const ManifestStoreTest&) = delete;
    ManifestStoreTest& operator=(const ManifestStoreTest&) = delete;

    [[nodiscard]] std::string directory() const { return top_ + "/lib/sets"; }
    void save(const std::string& id) {
        auto manifest = example();
        manifest.id = id;
        const auto saved = store().save(manifest);
        ASSERT_TRUE(saved) << saved.error().message();
    }
    [[nodiscard]] ManifestStore store() const { return ManifestStore(directory()); }

private:
    std::string top_;
};

TEST_F(ManifestStoreTest, AStoreThatDoesNotExistListsNothing) {
    const auto ids = store().list();
    ASSERT_TRUE(ids) << ids.error().message();
    EXPECT_TRUE(ids->empty());
    EXPECT_TRUE(store().remove(SetId::parse("0123456789abcdef").value()));
}

TEST_F(ManifestStoreTest, WhatIsSavedIsLoadedAndRemoved) {
    save("0123456789abcdef");
    const auto id = SetId::parse("0123456789abcdef").value();
    const auto loaded = store().load(id);
    ASSERT_TRUE(loaded) << loaded.error().message();
    EXPECT_EQ(manifest_to_json(*loaded), manifest_to_json(example()));
    struct stat status {};
    ASSERT_EQ(::stat((directory() + "/0123456789abcdef.json").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    EXPECT_TRUE(store().remove(id));
    EXPECT_TRUE(store().remove(id)) << "twice is no error";
    EXPECT_EQ(store().load(id).error().kind, ErrorKind::no_such_set);
}

TEST_F(ManifestStoreTest, IdsComeOldestFirstWithoutOtherFiles) {
    for (const auto* id : {"6b00000000000001", "0b00000000000002", "6a000000ffffffff"}) save(id);
    for (const auto* name : {"notes.txt", ".6b00000000000001.json.deadbeef", "6B00000000000009.json", "6b.json"})
        std::ofstream(directory() + "/" + name) << "{}";
    const auto ids = store().list();
    ASSERT_TRUE(ids);
    std::vector<std::string> texts;
    for (const auto& id : *ids) texts.push_back(id.text());
    EXPECT_THAT(texts, testing::ElementsAre("0b00000000000002", "6a000000ffffffff", "6b00000000000001"));
}

TEST_F(ManifestStoreTest, AnIdThatIsAPathIsNotSaved) {
    auto manifest = example();
    manifest.id = "../../../../etc/passwd";
    EXPECT_FALSE(store().save(manifest));
    manifest.id = "";
    EXPECT_FALSE(store().save(manifest));
}

TEST_F(ManifestStoreTest, ADamagedOrForeignManifestIsRefusedByItsPath) {
    save("0123456789abcdef");
    const auto path = directory() + "/0123456789abcdef.json";
    std::filesystem::copy(path, directory() + "/0123456789abcde0.json");
    EXPECT_THAT(store().load(SetId::parse("0123456789abcde0").value()).error().message(), HasSubstr("another set"));
    std::filesystem::resize_file(path, 100);
    const auto loaded = store().load(SetId::parse("0123456789abcdef").value());
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().kind, ErrorKind::io);
    EXPECT_THAT(loaded.error().message(), HasSubstr(path));
}

} // namespace
} // namespace quiesced
