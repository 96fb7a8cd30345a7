// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/line_channel.h"
#include "base/result.h"

namespace quiesced {

using Json = nlohmann::json;

/// A request, serialised: what is sent inside the window is made before it.
struct RpcRequest {
    std::string method;
    std::uint64_t id = 0;
    std::string line; ///< with its newline
};

/// What the other side said went wrong.
struct RpcFailure {
    std::int64_t code = 0;
    std::string kind;    ///< data.kind: "no-space"; "internal" where it says none
    std::string message; ///< one line for the admin, without control characters, at most 1000 bytes
};

/// One of the two: an answer can be no more than that.
struct RpcAnswer {
    Json result;
    std::optional<RpcFailure> failure;
};

/// One line for a message or the log from a text that somebody else wrote: control characters become spaces, broken
/// UTF-8 is left as it is, and what is longer than `limit` bytes is cut between characters.
std::string printable(std::string_view text, std::size_t limit = 1000);

/// Reads one answer. Errors: plugin_failed, with what is wrong with it ("it answered garbage ...").
Result<RpcAnswer> parse_answer(std::string_view line, std::uint64_t id);

/// JSON-RPC 2.0, one object a line, one call at a time, over a connected stream socket. One thread at a time.
class JsonRpc {
public:
    explicit JsonRpc(UniqueFd socket) : channel_(std::move(socket)) {}

    /// Makes a request ready to be sent. Errors: limit, when it is too long.
    Result<RpcRequest> request(std::string method, const Json& params);

    /// Sends it and waits for its answer. Errors: deadline (nothing, or too late, even if it says success);
    /// plugin_failed (closed, garbage, too long, another id, an answer that nobody asked for). After an error nobody
    /// knows what the next line would answer: the connection is closed and every later call fails.
    Result<RpcAnswer> call(const RpcRequest& request, Monotonic::time_point deadline);

    /// False after an error, and when the other side is gone.
    [[nodiscard]] bool usable() const { return channel_.is_open() && !channel_.is_closed(); }

private:
    Result<RpcAnswer> exchange(const RpcRequest& request, Monotonic::time_point deadline);

    LineChannel channel_;
    std::uint64_t last_id_ = 0;
};

} // namespace quiesced
