// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plugins/targetd/targetd_api.h"

#include <algorithm>
#include <utility>

namespace quiesced {
namespace {

// targetd's error codes (its utils.py).
constexpr int kNameConflict = -50;
constexpr int kNotFoundVolume = -103;
constexpr int kNotFoundExport = -151;
constexpr int kNotFoundGroup = -152;
constexpr int kNoSupport = -153;

/// One line without control characters, and not too long for the journal.
std::string one_line(std::string text) {
    for (auto& c : text)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    constexpr std::size_t most = 300;
    if (text.size() > most) text = text.substr(0, most) + "...";
    return text;
}

FailureKind kind_of(int code, const std::string& message) {
    switch (code) {
    case kNameConflict:
        return FailureKind::busy;
    case kNotFoundVolume:
    case kNotFoundExport:
    case kNotFoundGroup:
        return FailureKind::not_found;
    case kNoSupport:
        return FailureKind::unsupported;
    default:
        break;
    }
    // What LVM says when a pool is full comes as text only.
    for (const char* sign : {"insufficient free space", "nsufficient suitable", "reached threshold", "free space", "No space left"})
        if (message.find(sign) != std::string::npos) return FailureKind::no_space;
    return FailureKind::internal;
}

std::uint64_t number_at(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number() ? found->get<std::uint64_t>() : 0;
}

std::string text_at(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

} // namespace

TargetdApi::TargetdApi(const TargetdArray& array) : array_(array), http_(array) {}

Outcome<Json> TargetdApi::read_reply(const Call& call, const HttpReply& reply) {
    const auto prefix = "array " + array_.name + ": cannot " + call.what + ": ";
    switch (reply.kind) {
    case HttpReply::Kind::answered:
        break;
    case HttpReply::Kind::unreachable:
        return refuse(FailureKind::unreachable, one_line(prefix + reply.problem + "; is targetd running at " + array_.url + "?"));
    case HttpReply::Kind::untrusted:
        return refuse(FailureKind::auth, one_line(prefix + "its certificate is not trusted (" + reply.problem + "); set ca_file or pinned_key of [" + array_.name + "]"));
    case HttpReply::Kind::timed_out:
        return refuse(FailureKind::timeout, one_line(prefix + "no answer in time (" + reply.problem + ")"));
    case HttpReply::Kind::broken:
        return refuse(FailureKind::unreachable, one_line(prefix + reply.problem));
    }
    if (reply.status == 401 || reply.status == 503)
        return refuse(FailureKind::auth, prefix + "it refuses user " + array_.user + " with the password of the credential " + array_.credential);
    if (reply.status != 200)
        return refuse(FailureKind::internal, prefix + "HTTP status " + std::to_string(reply.status) + "; the url should end with /targetrpc");
    const auto answer = Json::parse(reply.body, nullptr, false);
    if (!answer.is_object() || (!answer.contains("result") && !answer.contains("error")))
        return refuse(FailureKind::internal, prefix + "the answer is no JSON-RPC");
    const auto error = answer.find("error");
    if (error == answer.end() || error->is_null()) return answer.value("result", Json());
    const int code = error->is_object() ? error->value("code", 0) : 0;
    const auto message = error->is_object() ? text_at(*error, "message") : "";
    return refuse(kind_of(code, message), one_line(prefix + message + " (" + std::to_string(code) + ")"));
}

std::vector<Outcome<Json>> TargetdApi::call(const std::vector<Call>& calls, std::chrono::milliseconds limit) {
    std::vector<std::string> bodies;
    for (const auto& call : calls) {
        Json request{{"jsonrpc", "2.0"}, {"id", ++id_}, {"method", call.method}};
        if (!call.params.empty()) request["params"] = call.params; // targetd takes an empty object for none, and null not
        bodies.push_back(request.dump());
    }
    const auto replies = http_.post(bodies, limit);
    std::vector<Outcome<Json>> outcomes;
    times_.clear();
    for (std::size_t i = 0; i < calls.size(); ++i) {
        outcomes.push_back(read_reply(calls[i], replies[i]));
        times_.push_back({replies[i].took, replies[i].connecting});
    }
    return outcomes;
}

Outcome<Json> TargetdApi::call_one(Call call, std::chrono::milliseconds limit) { return std::move(this->call({std::move(call)}, limit).front()); }

Outcome<std::vector<ArrayPool>> TargetdApi::pools(std::chrono::milliseconds limit) {
    const auto result = call_one({"pool_list", Json::object(), "list its pools"}, limit);
    if (!result) return tl::unexpected<Failure>(result.error());
    std::vector<ArrayPool> pools;
    for (const auto& entry : *result) {
        if (!entry.is_object() || text_at(entry, "type") != "block") continue;
        const auto name = text_at(entry, "name");
        if (!array_.pools.empty() && std::find(array_.pools.begin(), array_.pools.end(), name) == array_.pools.end()) continue;
        pools.push_back({name, number_at(entry, "size"), number_at(entry, "free_size")});
    }
    return pools;
}

Outcome<std::vector<ArrayVolume>> TargetdApi::volumes(const std::vector<std::string>& pools, std::chrono::milliseconds limit) {
    std::vector<Call> calls;
    for (const auto& pool : pools) calls.push_back({"vol_list", {{"pool", pool}}, "list the volumes of pool " + pool});
    const auto results = call(calls, limit);
    std::vector<ArrayVolume> volumes;
    for (std::size_t i = 0; i < results.size(); ++i) {
        if (!results[i]) return tl::unexpected<Failure>(results[i].error());
        for (const auto& entry : *results[i])
            if (entry.is_object()) volumes.push_back({pools[i], text_at(entry, "name"), text_at(entry, "uuid"), number_at(entry, "size")});
    }
    return volumes;
}

Outcome<std::vector<ArrayExport>> TargetdApi::exports(std::chrono::milliseconds limit) {
    const auto result = call_one({"export_list", Json::object(), "list its exports"}, limit);
    if (!result) return tl::unexpected<Failure>(result.error());
    std::vector<ArrayExport> exports;
    for (const auto& entry : *result)
        if (entry.is_object())
            exports.push_back({text_at(entry, "initiator_wwn"), text_at(entry, "pool"), text_at(entry, "vol_name"), static_cast<int>(number_at(entry, "lun"))});
    return exports;
}

Outcome<void> TargetdApi::copy(const std::vector<Copy>& copies, std::chrono::milliseconds limit) {
    std::vector<Call> calls;
    for (const auto& copy : copies)
        calls.push_back({"vol_copy", {{"pool", copy.pool}, {"vol_orig", copy.origin}, {"vol_new", copy.name}},
                         "snapshot volume " + copy.origin + " of pool " + copy.pool});
    for (auto& result : call(calls, limit))
        if (!result) return tl::unexpected<Failure>(std::move(result.error()));
    return {};
}

Outcome<void> TargetdApi::destroy(const std::string& pool, const std::string& volume, std::chrono::milliseconds limit) {
    const auto result = call_one({"vol_destroy", {{"pool", pool}, {"name", volume}}, "remove volume " + volume + " of pool " + pool}, limit);
    if (!result && result.error().kind != FailureKind::not_found) return tl::unexpected<Failure>(result.error());
    return {};
}

Outcome<void> TargetdApi::create_export(const ArrayExport& entry, std::chrono::milliseconds limit) {
    const auto result = call_one({"export_create", {{"pool", entry.pool}, {"vol", entry.volume}, {"initiator_wwn", entry.initiator}, {"lun", entry.lun}},
                                  "export volume " + entry.volume + " to " + entry.initiator}, limit);
    if (!result) return tl::unexpected<Failure>(result.error());
    return {};
}

Outcome<void> TargetdApi::destroy_export(const ArrayExport& entry, std::chrono::milliseconds limit) {
    const auto result = call_one({"export_destroy", {{"pool", entry.pool}, {"vol", entry.volume}, {"initiator_wwn", entry.initiator}},
                                  "end the export of volume " + entry.volume + " to " + entry.initiator}, limit);
    if (!result && result.error().kind != FailureKind::not_found) return tl::unexpected<Failure>(result.error());
    return {};
}

Outcome<void> TargetdApi::connect(std::size_t count, std::chrono::milliseconds limit) {
    const std::size_t wanted = std::min<std::size_t>(count, array_.connections);
    for (auto& result : call(std::vector<Call>(wanted, {"pool_list", Json::object(), "list its pools"}), limit))
        if (!result) return tl::unexpected<Failure>(std::move(result.error()));
    return {};
}

} // namespace quiesced
