// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plugins/sdk/plugin.h"

#include <gmock/gmock.h>

#include "fake_plugin.h"

namespace quiesced {
namespace {

using testing::HasSubstr;

std::map<std::string, Handler> sample() {
    return {{"echo", [](const Json& params) -> Answer { return params; }},
            {"fail", [](const Json&) -> Answer { return refuse(FailureKind::no_space, "pool full"); }},
            {"need", [](const Json& params) -> Answer { return Json{{"set", params.at("set").get<std::string>()}}; }}};
}

Json answer(const std::string& line) { return Json::parse(answer_line(sample(), line)); }

TEST(PluginSdk, AnswersWithResultsAndFailures) {
    EXPECT_EQ(answer(R"({"jsonrpc":"2.0","id":3,"method":"echo","params":{"a":1}})"), (Json{{"jsonrpc", "2.0"}, {"id", 3}, {"result", {{"a", 1}}}}));
    const auto failed = answer(R"({"jsonrpc":"2.0","id":4,"method":"fail"})");
    EXPECT_EQ(failed["error"]["data"]["kind"], "no-space");
    EXPECT_EQ(failed["error"]["message"], "pool full");
    EXPECT_EQ(failed["id"], 4);
}

TEST(PluginSdk, AnswersBadRequestsWithTheirCodes) {
    EXPECT_EQ(answer("garbage")["error"]["code"], -32700);
    EXPECT_EQ(answer("garbage")["id"], nullptr);
    EXPECT_EQ(answer("[]")["error"]["code"], -32600);
    EXPECT_EQ(answer(R"({"id":1,"method":3})")["error"]["code"], -32600);
    EXPECT_EQ(answer(R"({"id":1,"method":"no"})")["error"]["code"], -32601);
    EXPECT_EQ(answer(R"({"id":1,"method":"no"})")["error"]["data"]["kind"], "unsupported");
    EXPECT_EQ(answer(R"({"id":1,"method":"echo","params":[]})")["error"]["code"], -32602);
    EXPECT_EQ(answer(R"({"id":1,"method":"need","params":{"set":3}})")["error"]["code"], -32602);
    EXPECT_EQ(answer(R"({"id":1,"method":"need","params":{}})")["error"]["code"], -32602);
    EXPECT_EQ(answer_line(sample(), R"({"method":"echo"})"), "");
}

TEST(PluginSdk, ServesUntilTheEndAndStopsAtALineThatIsTooLong) {
    for (const bool too_long : {false, true}) {
        auto [ours, theirs] = socket_pair();
        int status = -1;
        std::thread plugin([&, fd = theirs.get()] { status = serve(sample(), fd, fd); ::shutdown(fd, SHUT_RDWR); });
        LineChannel channel(std::move(ours));
        const auto soon = Monotonic::now() + std::chrono::seconds(5);
        for (int id = 1; id <= 3; ++id) {
            ASSERT_TRUE(channel.write_line(Json{{"id", id}, {"method", "echo"}}.dump() + "\n", soon));
            EXPECT_EQ(Json::parse(*channel.read_line(soon))["id"], id);
        }
        if (too_long) {
            const std::string half(kMessageLimit / 2 + 1, 'x');
            EXPECT_TRUE(channel.write_line(half, soon));
            EXPECT_TRUE(channel.write_line(half, soon));
            const auto line = channel.read_line(soon);
            EXPECT_THAT(std::string(line.value_or("nothing")), HasSubstr("longer than 1 MiB"));
        }
        channel.close();
        plugin.join();
        EXPECT_EQ(status, too_long ? 1 : 0);
    }
}

} // namespace
} // namespace quiesced
