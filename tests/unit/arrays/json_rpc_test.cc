// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arrays/json_rpc.h"

#include <gmock/gmock.h>

#include "fake_plugin.h"

namespace quiesced {
namespace {

using testing::HasSubstr;
using std::chrono::milliseconds;

Monotonic::time_point in(milliseconds limit) { return Monotonic::now() + limit; }

/// What a call ends with when the other side sends `bytes` as soon as it has the request.
Result<RpcAnswer> call_answered_by(const std::string& bytes, bool then_close = false, milliseconds limit = milliseconds(2000)) {
    auto [ours, theirs] = socket_pair();
    JsonRpc rpc(std::move(ours));
    auto request = rpc.request("commit", Json::object());
    std::thread peer([&, fd = theirs.get()] {
        std::array<char, 4096> block{};
        if (::recv(fd, block.data(), block.size(), 0) <= 0) return;
        send_text(fd, bytes);
        if (then_close) ::shutdown(fd, SHUT_RDWR);
    });
    auto answer = rpc.call(request.value(), in(limit));
    ::shutdown(theirs.get(), SHUT_RDWR);
    peer.join();
    EXPECT_TRUE(answer || !rpc.usable());
    return answer;
}

TEST(JsonRpc, AnAnswerToItsIdIsTheResult) {
    const auto answer = call_answered_by(R"({"jsonrpc":"2.0","id":1,"result":{"a":[1,2]},"more":"ignored"})" "\n");
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_FALSE(answer->failure);
    EXPECT_EQ(answer->result["a"][1], 2);
}

TEST(JsonRpc, AFailureKeepsItsKindAndMessage) {
    const auto answer = call_answered_by(failure_line(1, "no-space", "pool\n\x1b[31m full"));
    ASSERT_TRUE(answer);
    ASSERT_TRUE(answer->failure);
    EXPECT_EQ(answer->failure->kind, "no-space");
    EXPECT_EQ(answer->failure->code, -32000);
    EXPECT_EQ(answer->failure->message, "pool  [31m full");
}

void expect_plugin_failed(const Result<RpcAnswer>& answer, const std::string& why) {
    ASSERT_FALSE(answer) << why;
    EXPECT_EQ(answer.error().kind, ErrorKind::plugin_failed);
    EXPECT_THAT(answer.error().message(), HasSubstr(why));
}

TEST(JsonRpc, AnAnswerToAnotherIdFails) {
    expect_plugin_failed(call_answered_by(result_line(7, Json::object())), "id 7 in place of 1");
    expect_plugin_failed(call_answered_by(result_line("1", Json::object())), "answered another request");
    expect_plugin_failed(call_answered_by(result_line(-1, Json::object())), "answered another request");
}

TEST(JsonRpc, TwoAnswersFail) {
    expect_plugin_failed(call_answered_by(result_line(1, {}) + result_line(1, {})), "two answers");
}

TEST(JsonRpc, ALateSecondAnswerFailsTheNextCall) {
    auto [ours, theirs] = socket_pair();
    JsonRpc rpc(std::move(ours));
    send_text(theirs.get(), result_line(1, Json::object()));
    auto early = rpc.call(rpc.request("describe", {}).value(), in(milliseconds(500)));
    expect_plugin_failed(early, "nobody had asked for");
}

TEST(JsonRpc, GarbageFails) {
    expect_plugin_failed(call_answered_by("hello\x07\n"), "garbage (no JSON): 'hello '");
    expect_plugin_failed(call_answered_by("[1]\n"), "no JSON object");
    expect_plugin_failed(call_answered_by("\n"), "garbage");
    expect_plugin_failed(call_answered_by("{\"id\":1,\"result\":{}}\n"), "jsonrpc");
    expect_plugin_failed(call_answered_by("{\"jsonrpc\":\"2.0\",\"result\":{}}\n"), "no id");
    expect_plugin_failed(call_answered_by("{\"jsonrpc\":\"2.0\",\"id\":1}\n"), "exactly one");
    expect_plugin_failed(call_answered_by("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{},\"error\":{}}\n"), "exactly one");
    expect_plugin_failed(call_answered_by("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":3}\n"), "no object");
    expect_plugin_failed(call_answered_by("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"\xff\"}\n"), "no JSON");
}

TEST(JsonRpc, HalfAMillionBracketsFailWithoutHarm) {
    expect_plugin_failed(call_answered_by(std::string(500000, '[') + "\n"), "nested too deeply");
    // Brackets in a text are none.
    const auto fine = call_answered_by(result_line(1, {{"text", std::string(100, '[') + "\"\\"}}));
    EXPECT_TRUE(fine);
}

TEST(JsonRpc, AnUnreadableRequestIsToldSo) {
    expect_plugin_failed(call_answered_by(failure_line(nullptr, "internal", "bad day")), "could not read the request: bad day");
}

TEST(JsonRpc, ALineOfMoreThanOneMiBFails) {
    expect_plugin_failed(call_answered_by(std::string(LineChannel::kLineLimit + 1, 'x') + "\n"), "more than 1048576 bytes");
}

TEST(JsonRpc, ALineOfExactlyOneMiBIsRead) {
    auto line = result_line(1, {{"a", ""}});
    const auto padding = LineChannel::kLineLimit - line.size();
    line = result_line(1, {{"a", std::string(padding, 'x')}});
    ASSERT_EQ(line.size(), LineChannel::kLineLimit);
    const auto answer = call_answered_by(line);
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_EQ(answer->result["a"].get<std::string>().size(), padding);
}

TEST(JsonRpc, AClosedPipeFails) {
    expect_plugin_failed(call_answered_by("", true), "it closed the connection");
    expect_plugin_failed(call_answered_by("{\"jsonrpc\"", true), "in the middle of a line");
}

TEST(JsonRpc, NoAnswerIsADeadlineAndTakesNoLonger) {
    const auto start = Monotonic::now();
    const auto answer = call_answered_by("{\"jsonrpc\":\"2.0\",", false, milliseconds(100));
    const auto took = Monotonic::now() - start;
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind, ErrorKind::deadline);
    EXPECT_GE(took, milliseconds(100));
    EXPECT_LT(took, milliseconds(1000));
}

TEST(JsonRpc, ASuccessAfterTheDeadlineIsADeadline) {
    auto [ours, theirs] = socket_pair();
    JsonRpc rpc(std::move(ours));
    const auto request = rpc.request("commit", {}).value();
    std::thread peer([fd = theirs.get()] {
        std::array<char, 4096> block{};
        if (::recv(fd, block.data(), block.size(), 0) <= 0) return;
        std::this_thread::sleep_for(milliseconds(150));
        send_text(fd, result_line(1, Json::object()));
    });
    const auto answer = rpc.call(request, in(milliseconds(50)));
    peer.join();
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind, ErrorKind::deadline);
    // The success that came meanwhile must not answer anything later.
    EXPECT_FALSE(rpc.usable());
    EXPECT_FALSE(rpc.call(rpc.request("finish", {}).value(), in(milliseconds(50))));
}

TEST(JsonRpc, APeerThatDoesNotReadIsADeadline) {
    auto [ours, theirs] = socket_pair();
    JsonRpc rpc(std::move(ours));
    const auto request = rpc.request("claim", {{"text", std::string(900000, 'x')}}).value();
    const auto answer = rpc.call(request, in(milliseconds(100)));
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().kind, ErrorKind::deadline);
}

TEST(JsonRpc, ATooLongRequestIsNotSent) {
    auto [ours, theirs] = socket_pair();
    JsonRpc rpc(std::move(ours));
    const auto request = rpc.request("claim", {{"text", std::string(LineChannel::kLineLimit, 'x')}});
    ASSERT_FALSE(request);
    EXPECT_EQ(request.error().kind, ErrorKind::limit);
    EXPECT_TRUE(rpc.usable());
}

TEST(JsonRpc, TextsOfDisksNeedNotBeUtf8) {
    auto [ours, theirs] = socket_pair();
    JsonRpc rpc(std::move(ours));
    EXPECT_TRUE(rpc.request("claim", {{"model", "DISK\xff"}}));
}

TEST(JsonRpc, PrintableCutsBetweenCharacters) {
    EXPECT_EQ(printable("abc\tdef", 5), "abc d...");
    EXPECT_EQ(printable("ab\xc3\xa4", 3), "ab...");
    EXPECT_EQ(printable("ab\xc3\xa4", 4), "ab\xc3\xa4");
}

TEST(LineChannel, LinesThatArriveInPiecesAndTogetherComeOneByOne) {
    auto [ours, theirs] = socket_pair();
    LineChannel channel(std::move(ours));
    std::thread peer([fd = theirs.get()] {
        send_text(fd, "fir");
        std::this_thread::sleep_for(milliseconds(20));
        send_text(fd, "st\nsecond\n\nthi");
        std::this_thread::sleep_for(milliseconds(20));
        send_text(fd, "rd\n");
    });
    for (const char* expected : {"first", "second", "", "third"}) {
        const auto line = channel.read_line(in(milliseconds(1000)));
        EXPECT_TRUE(line);
        EXPECT_EQ(line.value_or("nothing"), expected);
    }
    peer.join();
    EXPECT_FALSE(channel.has_input());
    EXPECT_FALSE(channel.is_closed());
    theirs.reset();
    EXPECT_TRUE(channel.is_closed());
}

} // namespace
} // namespace quiesced
