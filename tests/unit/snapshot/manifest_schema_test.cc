// SPDX-License-Identifier: LGPL-2.1-or-later
// The published schema describes what is written.
#include <gtest/gtest.h>

#include "base/file.h"
#include "plugins/check/schema.h"
#include "snapshot/manifest.h"

namespace quiesced {
namespace {

class ManifestSchema : public testing::Test {
protected:
    ManifestSchema() {
        manifest_.id = "6560000000000001";
        manifest_.state = "complete";
        manifest_.consistency = "filesystem";
        manifest_.created = "2025-01-02T03:04:05Z";
        manifest_.window_ms = 5.5;
        manifest_.notes = {"a note"};
        auto& member = manifest_.members.emplace_back();
        member.volume = "/srv";
        member.placement = "virtual";
        member.provider = "lvm";
        member.consistency = "filesystem";
        member.mount_points = {"/srv"};
        member.mount_roots = {"/"};
        member.freeze_ms = 1.25;
        auto& writer = manifest_.writers.emplace_back();
        writer.name = "postgresql";
        writer.kind = "session";
        writer.records = {{"backup_label", "START WAL LOCATION"}};
        manifest_.timeline = {{.what = "arm", .start_ms = -3, .length_ms = 2}};
    }
    /// What the schema has against it.
    std::string complaint(const Json& json) {
        auto schema = MessageSchema::read(QUIESCED_MANIFEST_SCHEMA);
        if (!schema) return schema.error().message();
        return schema->complaint("manifest", json);
    }
    Json written() { return Json::parse(manifest_to_json(manifest_)); }
    Manifest manifest_;
};

TEST_F(ManifestSchema, FitsWhatIsWritten) {
    EXPECT_EQ(complaint(written()), "");
    manifest_ = {};
    manifest_.id = "6560000000000001";
    manifest_.state = "new";
    EXPECT_EQ(complaint(written()), "") << "of a set that has just begun";
}

TEST_F(ManifestSchema, NamesEveryKeyThatIsWritten) {
    const auto schema = Json::parse(read_file(QUIESCED_MANIFEST_SCHEMA).value());
    const auto json = written();
    for (const auto& [key, value] : json.items()) EXPECT_TRUE(schema["definitions"]["manifest"]["properties"].contains(key)) << key;
    for (const auto& [key, value] : json["writers"][0].items()) EXPECT_TRUE(schema["definitions"]["writer"]["properties"].contains(key)) << key;
    for (const auto& [key, value] : json["members"][0].items()) EXPECT_TRUE(schema["definitions"]["member"]["properties"].contains(key)) << key;
}

TEST_F(ManifestSchema, RefusesWhatIsNone) {
    for (const auto* change : {R"({"id": "x"})", R"({"state": "done"})", R"({"window_ms": "long"})", R"({"members": [{}]})", R"({"version": 2})"}) {
        auto json = written();
        json.update(Json::parse(change));
        EXPECT_NE(complaint(json), "") << change;
    }
}

} // namespace
} // namespace quiesced
