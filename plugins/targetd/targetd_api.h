// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "plugins/sdk/plugin.h"
#include "plugins/targetd/http_pool.h"
#include "plugins/targetd/targetd_config.h"

namespace quiesced {

/// A result, or why not, for the admin.
template <typename T>
using Outcome = tl::expected<T, Failure>;

struct ArrayPool {
    std::string name;
    std::uint64_t size = 0; ///< bytes, likewise free
    std::uint64_t free = 0;
};

struct ArrayVolume {
    std::string pool;
    std::string name;
    std::string uuid; ///< LVM's; LIO makes the LUN's serial number of it
    std::uint64_t size = 0;
};

struct ArrayExport {
    std::string initiator;
    std::string pool;
    std::string volume;
    int lun = 0;
};

/// How long a call took, and how long a new connection.
struct CallTime {
    std::chrono::microseconds took{};
    std::chrono::microseconds connecting{};
};

/// targetd's API, version 0.7 (its API.md): JSON-RPC 2.0 over HTTP with basic authentication, path /targetrpc, port 18700.
/// Its own server answers with HTTP/1.0: one connection for each call, work done one after another behind a lock.
class TargetdApi {
public:
    explicit TargetdApi(const TargetdArray& array);

    Outcome<std::vector<ArrayPool>> pools(std::chrono::milliseconds limit);
    /// Of all given pools, asked at once.
    Outcome<std::vector<ArrayVolume>> volumes(const std::vector<std::string>& pools, std::chrono::milliseconds limit);
    Outcome<std::vector<ArrayExport>> exports(std::chrono::milliseconds limit);

    struct Copy {
        std::string pool;
        std::string origin;
        std::string name; ///< of the copy
    };
    /// vol_copy of all of them at once; on error some may have been made.
    Outcome<void> copy(const std::vector<Copy>& copies, std::chrono::milliseconds limit);
    Outcome<void> destroy(const std::string& pool, const std::string& volume, std::chrono::milliseconds limit);
    Outcome<void> create_export(const ArrayExport& entry, std::chrono::milliseconds limit);
    Outcome<void> destroy_export(const ArrayExport& entry, std::chrono::milliseconds limit);

    /// Opens connections for that many calls at once, as far as the server keeps them, by asking for its pools on each.
    Outcome<void> connect(std::size_t count, std::chrono::milliseconds limit);

    [[nodiscard]] const TargetdArray& array() const { return array_; }
    /// Of the last calls, in their order.
    [[nodiscard]] const std::vector<CallTime>& times() const { return times_; }

private:
    struct Call {
        std::string method;
        Json params;
        std::string what; ///< for messages: "copy volume lun0 of pool vg/pool"
    };
    std::vector<Outcome<Json>> call(const std::vector<Call>& calls, std::chrono::milliseconds limit);
    Outcome<Json> call_one(Call call, std::chrono::milliseconds limit);
    Outcome<Json> read_reply(const Call& call, const HttpReply& reply);

    TargetdArray array_;
    HttpPool http_;
    int id_ = 0;
    std::vector<CallTime> times_;
};

} // namespace quiesced
