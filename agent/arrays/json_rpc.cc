// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arrays/json_rpc.h"

#include <algorithm>

namespace quiesced {
namespace {

constexpr std::size_t kDepthLimit = 32;

tl::unexpected<Error> garbage(std::string_view why, std::string_view line) {
    return fail(ErrorKind::plugin_failed,
                "it answered garbage (" + std::string(why) + "): '" + printable(line, 80) + "'");
}

/// The library's own writer and copier go down one stack frame a level: half a million brackets must not get there.
bool too_deep(std::string_view text) {
    std::size_t depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            else if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > kDepthLimit) return true;
        } else if (c == ']' || c == '}') {
            depth -= depth > 0 ? 1 : 0;
        }
    }
    return false;
}

std::string text_or(const Json& object, const char* key, std::string otherwise) {
    if (!object.is_object()) return otherwise;
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : otherwise;
}

Result<RpcFailure> parse_failure(const Json& error, std::string_view line) {
    if (!error.is_object()) return garbage("its error is no object", line);
    RpcFailure failure;
    if (const auto code = error.find("code"); code != error.end() && code->is_number_integer())
        failure.code = code->get<std::int64_t>();
    failure.message = printable(text_or(error, "message", "(no message)"));
    const auto data = error.find("data");
    failure.kind = printable(data == error.end() ? "internal" : text_or(*data, "kind", "internal"), 40);
    return failure;
}

} // namespace

std::string printable(std::string_view text, std::size_t limit) {
    std::string result(text.substr(0, limit));
    if (text.size() > limit) {
        // Bytes 10xxxxxx go on with a character: do not cut in front of one.
        auto end = limit;
        while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
        result.resize(end);
        result += "...";
    }
    std::replace_if(
        result.begin(), result.end(),
        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
    return result;
}

Result<RpcAnswer> parse_answer(std::string_view line, std::uint64_t id) {
    if (too_deep(line)) return garbage("nested too deeply", line);
    Json answer = Json::parse(line, nullptr, false);
    if (answer.is_discarded()) return garbage("no JSON", line);
    if (!answer.is_object()) return garbage("no JSON object", line);
    if (text_or(answer, "jsonrpc", "") != "2.0") return garbage("no \"jsonrpc\":\"2.0\"", line);
    const auto result = answer.find("result");
    const auto error = answer.find("error");
    if ((result == answer.end()) == (error == answer.end()))
        return garbage("not exactly one of result and error", line);

    const auto answer_id = answer.find("id");
    if (answer_id == answer.end()) return garbage("no id", line);
    if (answer_id->is_null() && error != answer.end()) {
        // How JSON-RPC says that it could not even read the request.
        auto failure = parse_failure(*error, line);
        if (!failure) return pass(failure);
        return fail(ErrorKind::plugin_failed, "it could not read the request: " + failure->message);
    }
    if (!answer_id->is_number_unsigned() || answer_id->get<std::uint64_t>() != id)
        return fail(ErrorKind::plugin_failed, "it answered another request: id " +
                                                  printable(answer_id->dump(-1, ' ', true, Json::error_handler_t::replace), 40) +
                                                  " in place of " + std::to_string(id));
    if (result != answer.end()) return RpcAnswer{.result = std::move(*result), .failure = std::nullopt};
    auto failure = parse_failure(*error, line);
    if (!failure) return pass(failure);
    return RpcAnswer{.result = nullptr, .failure = std::move(*failure)};
}

Result<RpcRequest> JsonRpc::request(std::string method, const Json& params) {
    const Json message = {{"jsonrpc", "2.0"}, {"id", ++last_id_}, {"method", method}, {"params", params}};
    // replace: what a disk says about itself (model, serial) need not be UTF-8.
    RpcRequest request{.method = std::move(method),
                       .id = last_id_,
                       .line = message.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"};
    if (request.line.size() > LineChannel::kLineLimit)
        return fail(ErrorKind::limit, "the request has " + std::to_string(request.line.size()) +
                                          " bytes, more than a message may have",
                    "Take fewer volumes into one set.");
    return request;
}

Result<RpcAnswer> JsonRpc::exchange(const RpcRequest& request, Monotonic::time_point deadline) {
    if (channel_.has_input())
        return fail(ErrorKind::plugin_failed, "it sent a line that nobody had asked for: a second answer");
    if (auto sent = channel_.write_line(request.line, deadline); !sent) return pass(sent);
    const auto line = channel_.read_line(deadline);
    if (!line) return tl::unexpected<Error>(line.error());
    auto answer = parse_answer(*line, request.id);
    // The rest of the buffer and the socket: two answers in one go are seen at once, a later one by the next call.
    if (answer && channel_.has_input())
        return fail(ErrorKind::plugin_failed, "it sent two answers to one request");
    if (answer && Monotonic::now() > deadline)
        return fail(ErrorKind::deadline, "its answer came after the time limit and does not count");
    return answer;
}

Result<RpcAnswer> JsonRpc::call(const RpcRequest& request, Monotonic::time_point deadline) {
    auto answer = exchange(request, deadline);
    if (answer) return answer;
    channel_.close();
    auto& error = answer.error();
    if (error.kind != ErrorKind::deadline) error.kind = ErrorKind::plugin_failed;
    return answer;
}

} // namespace quiesced
