// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sys/wait.h>

#include <algorithm>

#include "plugins/check/checks.h"

namespace quiesced {
namespace {

using std::chrono::milliseconds;
using Needs = Check::Needs;

constexpr milliseconds kEndLimit{5000}; ///< for an instance to end after its connection was closed
constexpr const char* kForeign = "naa.6000000000000000000000000000f00d"; ///< on no array

void must_have_code(const Json& message, int code) {
    const auto error = message.is_object() ? message.find("error") : message.end();
    if (!message.is_object() || error == message.end() || !error->is_object() || error->value("code", 0) != code)
        throw Broken{"the answer is not the error " + std::to_string(code) + ": " + message.dump().substr(0, 200)};
}

/// A plugin may answer an unreadable line, or give the connection up; it must do one of them.
void error_or_end(Conversation& conversation, int code) {
    const auto line = conversation.instance().read_line(milliseconds(5000));
    if (!line && line.error().kind == ErrorKind::lost) return;
    if (!line) throw Broken{line.error().message()};
    must_have_code(Json::parse(*line, nullptr, false), code);
}

void must_end_well(Instance& instance, const std::string& when) {
    const auto status = instance.ended(kEndLimit);
    if (!status) throw Broken{"it still runs 5 s after " + when};
    if (WIFSIGNALED(*status)) throw Broken{"it died of signal " + std::to_string(WTERMSIG(*status)) + " after " + when};
}

void describe_twice(Subject& subject) {
    Json first;
    auto conversation = subject.greet(&first);
    if (conversation.must("describe", {{"protocols", {1}}}) != first) throw Broken{"the second description is another one"};
}

void answers_text_ids(Subject& subject) {
    auto conversation = subject.connect();
    conversation.say("{\"jsonrpc\":\"2.0\",\"id\":\"seven\",\"method\":\"describe\",\"params\":{\"protocols\":[1]}}\n");
    if (conversation.any_line(milliseconds(5000)).value("id", Json()) != Json("seven")) throw Broken{"the id \"seven\" did not come back"};
}

void ignores_unknown_fields(Subject& subject) {
    auto conversation = subject.connect();
    conversation.say("{\"later\":{\"a\":[1]},\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"describe\",\"params\":{\"protocols\":[1,99],\"x\":true}}\n");
    if (!conversation.any_line(milliseconds(5000)).contains("result")) throw Broken{"describe with an unknown field failed"};
}

void answers_once(Subject& subject) {
    auto conversation = subject.greet();
    conversation.must_be_silent(milliseconds(200));
}

void two_lines_in_one_write(Subject& subject) {
    auto conversation = subject.connect();
    const std::string line = R"({"jsonrpc":"2.0","id":1,"method":"describe","params":{"protocols":[1]}})";
    conversation.say(line + "\n" + line.substr(0, 20));
    conversation.any_line(milliseconds(5000));
    conversation.say(line.substr(20) + "\n");
    if (!conversation.any_line(milliseconds(5000)).contains("result")) throw Broken{"a request that came in two pieces was not understood"};
}

void no_answer_to_a_notification(Subject& subject) {
    auto conversation = subject.greet();
    conversation.say("{\"jsonrpc\":\"2.0\",\"method\":\"describe\",\"params\":{\"protocols\":[1]}}\n");
    conversation.must_be_silent(milliseconds(300));
    conversation.must("describe", {{"protocols", {1}}});
}

void refuses_unknown_methods(Subject& subject) {
    auto conversation = subject.greet();
    conversation.say("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"format\",\"params\":{}}\n");
    must_have_code(conversation.any_line(milliseconds(5000)), -32601);
    conversation.must("describe", {{"protocols", {1}}});
}

void refuses_wrong_params(Subject& subject) {
    auto conversation = subject.greet();
    conversation.say("{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"claim\",\"params\":{\"disks\":\"all\"}}\n");
    must_have_code(conversation.any_line(milliseconds(15000)), -32602);
}

void refuses_wrong_sets(Subject& subject) {
    for (const char* set : {"", "0123456789ABCDEF", "../../../../etc/x", "0123456789abcdef0"}) {
        auto conversation = subject.greet();
        conversation.say(Json{{"jsonrpc", "2.0"}, {"id", 5}, {"method", "prepare"}, {"params", {{"set", set}, {"disks", Json::array()}}}}.dump() + "\n");
        if (!conversation.any_line(milliseconds(15000)).contains("error")) throw Broken{"prepare of the set \"" + std::string(set) + "\" succeeded"};
    }
}

void refuses_garbage(Subject& subject) {
    auto conversation = subject.greet();
    conversation.say("hello\n");
    error_or_end(conversation, -32700);
    auto other = subject.greet();
    other.say("[1,2,3]\n");
    error_or_end(other, -32600);
    auto bytes = subject.greet();
    bytes.say(std::string("\0\xff\xfe{\n", 5));
    error_or_end(bytes, -32700);
}

void survives_depth(Subject& subject) {
    auto conversation = subject.greet();
    conversation.say("{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"claim\",\"params\":" + std::string(200000, '[') + std::string(200000, ']') + "}\n");
    static_cast<void>(conversation.instance().read_line(milliseconds(10000)));
    conversation.instance().close();
    must_end_well(conversation.instance(), "a line that is nested 200 000 deep");
}

void survives_long_lines(Subject& subject) {
    constexpr std::size_t chunk = 1U << 20U;
    auto conversation = subject.greet();
    const auto before = conversation.instance().peak_memory();
    const std::string filler(chunk, 'x');
    // 100 MiB; a plugin gives the connection up after the first, which is what it is meant to do.
    for (int i = 0; i < 100; ++i)
        if (!conversation.instance().send(filler, milliseconds(5000))) break;
    if (const auto peak = conversation.instance().peak_memory(); peak > before + 32 * chunk)
        throw Broken{"it took " + std::to_string((peak - before) >> 20U) + " MiB for a line without an end"};
    conversation.instance().close();
    must_end_well(conversation.instance(), "a line of 100 MiB");
}

void ends_with_its_input(Subject& subject) {
    auto conversation = subject.greet();
    conversation.instance().close();
    must_end_well(conversation.instance(), "the end of its input");
    auto half = subject.connect();
    half.say("{\"jsonrpc\":\"2.0\",");
    half.instance().close();
    must_end_well(half.instance(), "half a line");
    auto gone = subject.connect();
    gone.post("describe", {{"protocols", {1}}});
    gone.instance().close();
    must_end_well(gone.instance(), "a request whose answer nobody reads");
}

void serves_at_the_same_time(Subject& subject) {
    auto first = subject.greet();
    auto second = subject.greet();
    second.must("describe", {{"protocols", {1}}});
    first.must("describe", {{"protocols", {1}}});
}

void claims_no_foreign_disk(Subject& subject) {
    auto conversation = subject.greet();
    const Json foreign{{"wwid", kForeign}, {"size_bytes", 1048576}, {"vendor", "NOBODY"}};
    auto outcome = conversation.call("claim", {{"disks", Json::array({foreign})}});
    // An array that cannot be asked may say so; it must not say "mine".
    if (outcome.good && !outcome.result["claimed"].empty()) throw Broken{"it claims a disk that is on no array"};
}

void claims_nothing_of_nothing(Subject& subject) {
    auto conversation = subject.greet();
    const auto outcome = conversation.call("claim", {{"disks", Json::array()}});
    if (outcome.good && !outcome.result["claimed"].empty()) throw Broken{"it claims a disk although none was offered"};
}

void aborts_unknown_sets(Subject& subject) {
    auto conversation = subject.greet();
    const auto set = subject.new_set();
    for (int i = 0; i < 2; ++i) {
        const auto outcome = conversation.call("abort", {{"set", set}});
        if (!outcome.good && outcome.kind != "not-found" && outcome.kind != "unreachable" && outcome.kind != "auth")
            throw Broken{"abort of a set that it does not know: " + outcome.message};
    }
}

} // namespace

std::vector<Check> protocol_checks() {
    return {
        {"describe is answered, twice the same", Needs::nothing, describe_twice},
        {"an id that is a text comes back as it was", Needs::nothing, answers_text_ids},
        {"unknown fields and newer protocol versions are ignored", Needs::nothing, ignores_unknown_fields},
        {"each request gets one answer and nothing else is written", Needs::nothing, answers_once},
        {"requests may come in pieces and together", Needs::nothing, two_lines_in_one_write},
        {"a notification gets no answer", Needs::nothing, no_answer_to_a_notification},
        {"an unknown method is the error -32601, and the connection goes on", Needs::nothing, refuses_unknown_methods},
        {"params of the wrong type are the error -32602", Needs::nothing, refuses_wrong_params},
        {"what is no set's id is refused", Needs::nothing, refuses_wrong_sets},
        {"a line that is no request is an error or the end", Needs::nothing, refuses_garbage},
        {"deep nesting does no harm", Needs::nothing, survives_depth},
        {"100 MiB without a newline do no harm", Needs::nothing, survives_long_lines},
        {"it ends when its connection is closed, at any place", Needs::nothing, ends_with_its_input},
        {"two instances serve at the same time", Needs::nothing, serves_at_the_same_time},
        {"a disk of nobody is not claimed", Needs::nothing, claims_no_foreign_disk},
        {"an empty claim claims nothing", Needs::nothing, claims_nothing_of_nothing},
        {"abort of an unknown set succeeds or is not-found, twice", Needs::nothing, aborts_unknown_sets},
    };
}

} // namespace quiesced
