// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "plugins/targetd/targetd_config.h"

namespace quiesced {

/// A request's end. `problem` is for the admin and holds no secret.
struct HttpReply {
    enum class Kind { answered, unreachable, untrusted, timed_out, broken };
    Kind kind = Kind::broken;
    long status = 0;     ///< of HTTP, when answered
    std::string body;    ///< likewise
    std::string problem; ///< otherwise
    std::chrono::microseconds took{};
    std::chrono::microseconds connecting{}; ///< of it, for a new connection with TLS; 0 on one that was kept
};

/// Connections to one server, kept open between calls where the server permits it (HTTP/1.1). Requests to it run side by
/// side, one on each connection. The server's address is looked up once: a later call needs no resolver. Not thread-safe.
class HttpPool {
public:
    explicit HttpPool(const TargetdArray& array);
    ~HttpPool();
    HttpPool(const HttpPool&) = delete;
    HttpPool& operator=(const HttpPool&) = delete;

    /// POSTs each body, all at once, and waits for all of them; at most `limit` for each. Replies in the bodies' order.
    std::vector<HttpReply> post(const std::vector<std::string>& bodies, std::chrono::milliseconds limit);

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace quiesced
