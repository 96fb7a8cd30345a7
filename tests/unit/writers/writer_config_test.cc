// SPDX-License-Identifier: LGPL-2.1-or-later
#include "writers/writer_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace quiesced {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(WriterConfigText, AllKeysAreRead) {
    const auto config = parse_writer_config("db", "# a comment\n[writer]\ntype = session\ncommand = /usr/bin/db-session --as 'the user'\n"
                                                  "volumes = /var/lib/db '/srv/with blank'\norder = 7\nlimit = 1.5s\non_failure = continue\n");
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_EQ(config->name, "db");
    EXPECT_EQ(config->type, WriterConfig::Type::session);
    EXPECT_THAT(config->command, ElementsAre("/usr/bin/db-session", "--as", "the user"));
    EXPECT_THAT(config->volumes, ElementsAre("/var/lib/db", "/srv/with blank"));
    EXPECT_EQ(config->order, 7);
    EXPECT_EQ(config->limit, milliseconds(1500));
    EXPECT_TRUE(config->may_fail);
}

TEST(WriterConfigText, WhatIsNotSaidHasItsDefault) {
    const auto config = parse_writer_config("app", "[writer]\ntype = unit\nunit = app@1.service\n");
    ASSERT_TRUE(config) << config.error().message();
    EXPECT_EQ(config->unit, "app@1.service");
    EXPECT_EQ(config->method, WriterConfig::Method::freeze);
    EXPECT_TRUE(config->volumes.empty());
    EXPECT_EQ(config->order, 50);
    EXPECT_EQ(config->limit, milliseconds(60000));
    EXPECT_FALSE(config->may_fail);
}

TEST(WriterConfigText, EveryMistakeIsNamed) {
    const std::string script = "[writer]\ntype = script\ncommand = /bin/true\n";
    const std::vector<std::pair<std::string, std::string>> mistakes{
        {"", "type is missing"},
        {"type = script\n", "keys stand below [writer]"},
        {"[other]\ntype = script\n", "there is no section [other]"},
        {"[writer]\ntype = hook\n", "type is script or session or unit, not 'hook'"},
        {"[writer]\ntype = script\n", "command is missing"},
        {"[writer]\ntype = unit\n", "unit is missing"},
        {"[writer]\ntype = script\ncommand = true\n", "full path"},
        {script + "order = 1000\n", "order is a number from 0 to 999, not '1000'"},
        {script + "order = 5x\n", "not '5x'"},
        {script + "limit = 0\n", "limit is a time"},
        {script + "limit = 2h\n", "limit is a time"},
        {script + "on_failure = ignore\n", "on_failure is abort or continue"},
        {script + "volumes = srv\n", "volumes"},
        {script + "volumes = /srv data\n", "absolute paths on them, not 'data'"},
        {script + "unit = a.service\n", "only a writer of the type unit has a unit"},
        {script + "method = stop\n", "only a writer of the type unit has a method"},
        {script + "order = 1\norder = 2\n", "order is given twice"},
        {script + "password = x\n", "a password does not belong into this file"},
        {script + "colour = red\n", "there is no key 'colour'"},
        {script + "nonsense\n", "line 4 is no 'key = value'"},
        {"[writer]\ntype = unit\nunit = app\n", "unit is the full name"},
        {"[writer]\ntype = unit\nunit = dbus.service\n", "the thaw needs it"},
        {"[writer]\ntype = unit\nunit = systemd-journald.service\n", "the thaw needs it"},
        {"[writer]\ntype = unit\nunit = quiesced.service\n", "the thaw needs it"},
        {script + "volumes = /" + std::string(300, 'x') + "\n", "is longer than 198 characters"},
    };
    for (const auto& [text, says] : mistakes) {
        const auto config = parse_writer_config("x", text);
        ASSERT_FALSE(config) << text;
        EXPECT_EQ(config.error().kind, ErrorKind::invalid_argument) << text;
        EXPECT_THAT(config.error().message(), HasSubstr(says)) << text;
    }
}

} // namespace
} // namespace quiesced
