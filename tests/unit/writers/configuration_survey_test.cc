// SPDX-License-Identifier: LGPL-2.1-or-later
// What is configured, with what is wrong with it: nothing is refused as a whole.
#include <gmock/gmock.h>

#include "writers_fixture.h"

namespace quiesced {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SurveyTest : public WritersFixture {
protected:
    [[nodiscard]] static std::vector<std::string> names(const std::vector<ConfiguredWriter>& writers) {
        std::vector<std::string> names;
        for (const auto& writer : writers) names.push_back(writer.name);
        return names;
    }
};

TEST_F(SurveyTest, ScriptsComeFirstThenTheFilesByTheirOrder) {
    logging("20-b");
    logging("10-a");
    declare_logging("late", "order = 70\n");
    declare_logging("early", "order = 5\nlimit = 2s\non_failure = continue\nvolumes = /srv/x /srv/y\n");
    declare("unit", "type = unit\nunit = app.service\nmethod = stop\n");
    const auto all = make(std::chrono::seconds(7))->configured();
    EXPECT_THAT(names(all), ElementsAre("10-a", "20-b", "early", "unit", "late"));
    EXPECT_EQ(all[0].kind, "script");
    EXPECT_EQ(all[0].file, hooks_ + "/10-a");
    EXPECT_EQ(all[0].path, all[0].file);
    EXPECT_FALSE(all[0].order);
    EXPECT_EQ(all[0].limit, std::chrono::seconds(7));
    EXPECT_EQ(all[2].file, writers_ + "/early.conf");
    EXPECT_EQ(all[2].path, root_ + "/early");
    EXPECT_EQ(all[2].order, 5);
    EXPECT_EQ(all[2].limit, std::chrono::seconds(2));
    EXPECT_TRUE(all[2].may_fail);
    EXPECT_THAT(all[2].volumes, ElementsAre("/srv/x", "/srv/y"));
    EXPECT_EQ(all[3].path, "app.service");
    EXPECT_EQ(all[3].method, "stop");
    EXPECT_EQ(all[4].method, "");
    EXPECT_EQ(log(), "") << "nothing is run";
}

TEST_F(SurveyTest, WhatIsRefusedStandsBesideWhatIsGood) {
    script("10-good", "");
    script("20-open", "", 0777);
    script("30-off", "", 0644);
    declare_logging("good", "");
    declare("bad", "type = script\ncolour = red\n");
    const auto all = make()->configured();
    EXPECT_THAT(names(all), ElementsAre("10-good", "20-open", "30-off", "good", "bad"));
    EXPECT_FALSE(all[0].error);
    ASSERT_TRUE(all[1].error);
    EXPECT_EQ(all[1].error->kind, ErrorKind::access_denied);
    EXPECT_THAT(all[1].error->message(), HasSubstr("writable by others"));
    EXPECT_FALSE(all[2].error);
    EXPECT_THAT(all[2].ignored, HasSubstr("is not executable"));
    EXPECT_FALSE(all[3].error);
    ASSERT_TRUE(all[4].error);
    EXPECT_EQ(all[4].kind, "");
    EXPECT_THAT(all[4].error->message(), HasSubstr("bad.conf: line 3: there is no key 'colour'"));
}

TEST_F(SurveyTest, ADirectoryThatOthersMayChangeIsNamedItself) {
    script("10-good", "");
    declare_logging("db", "");
    ::chmod(hooks_.c_str(), 0777);
    const auto all = make()->configured();
    EXPECT_THAT(names(all), ElementsAre("", "db"));
    EXPECT_EQ(all[0].file, hooks_);
    EXPECT_THAT(all[0].error.value().message(), HasSubstr("writable by others"));
}

TEST_F(SurveyTest, NothingIsConfiguredWhereTheDirectoriesAreMissing) {
    std::filesystem::remove_all(hooks_);
    std::filesystem::remove_all(writers_);
    EXPECT_THAT(make()->configured(), IsEmpty());
}

TEST_F(SurveyTest, AFailedPrepareStillSaysWhichWriterItWas) {
    const auto program = script(root_ + "/refusing", "read line; echo '{\"ok\":false,\"error\":\"wrong password\"}'");
    declare("db", "type = session\ncommand = " + program + "\n");
    const auto writers = make();
    ASSERT_FALSE(writers->prepare(context_, inventory()));
    ASSERT_EQ(writers->report().size(), 1U);
    EXPECT_EQ(writers->report()[0].name, "db");
    EXPECT_THAT(writers->report()[0].error, HasSubstr("wrong password"));
}

} // namespace
} // namespace quiesced
