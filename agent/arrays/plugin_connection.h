// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "arrays/json_rpc.h"
#include "arrays/plugin_records.h"
#include "arrays/plugin_settings.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace quiesced {

/// Reads the result of `describe`. Errors: plugin_failed, also when it does not speak this protocol's version.
Result<PluginDescription> parse_description(const Json& result);

/// One connection to one plugin. One thread at a time. Errors of all calls name the plugin and the method and are
/// plugin_missing (nobody listens), no_space and busy (the plugin says so), deadline, or plugin_failed.
class PluginConnection {
public:
    static constexpr int kProtocol = 1;

    /// Connects to DIRECTORY/NAME.sock, at once or by the deadline, and asks nothing yet. What happens to it and to its calls
    /// is noted in `records`, if there are any. Errors also: invalid_argument for what cannot be a plugin's name.
    static Result<PluginConnection> connect(const std::string& name, const std::string& directory,
                                            Monotonic::time_point deadline, std::shared_ptr<PluginRecords> records = {});

    PluginConnection(std::string name, UniqueFd socket, std::shared_ptr<PluginRecords> records = {})
        : name_(std::move(name)), rpc_(std::move(socket)), records_(std::move(records)) {}

    Result<PluginDescription> describe(std::chrono::milliseconds budget);

    /// Makes a request ready, to be sent by call() later on this connection.
    Result<RpcRequest> request(const std::string& method, const Json& params);

    /// Sends it, waits for the answer, returns its result. `abort` and `delete` answered with the kind not-found
    /// are a success: what was to be removed is gone.
    Result<Json> call(const RpcRequest& request, Monotonic::time_point deadline);
    Result<Json> call(const std::string& method, const Json& params, std::chrono::milliseconds budget);

    /// False after an error of the connection itself, and when the plugin is gone. The plugin's own errors leave it.
    [[nodiscard]] bool usable() const { return rpc_.usable(); }

private:
    Result<Json> exchange(const RpcRequest& request, Monotonic::time_point deadline);

    std::string name_;
    JsonRpc rpc_;
    std::shared_ptr<PluginRecords> records_;
};

/// Names of the plugins whose sockets are in the directory, sorted. None where there is no such directory.
/// Errors: kernel.
Result<std::vector<std::string>> find_plugins(const std::string& directory = kPluginDirectory);

/// The same for who has nothing to do with an error: none.
std::vector<std::string> installed_plugins(const std::string& directory = kPluginDirectory);

} // namespace quiesced
