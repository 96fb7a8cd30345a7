// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arrays/plugin_connection.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <thread>

#include "base/file.h"

namespace quiesced {
namespace {

constexpr std::string_view kSocketSuffix = ".sock";

/// The name is a part of a path, of unit names and of messages.
bool is_plugin_name(std::string_view name) {
    const auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
    return !name.empty() && name.size() <= 32 && name.front() != '-' &&
           std::all_of(name.begin(), name.end(), is_plain);
}

tl::unexpected<Error> missing(const std::string& name, const std::string& why) {
    return fail(ErrorKind::plugin_missing, "plugin " + name + " is not there: " + why,
                "Install it and run: systemctl enable --now quiesced-plugin-" + name + ".socket");
}

std::string journal_advice(const std::string& name) {
    return "See: journalctl -u 'quiesced-plugin-" + name + "@*'";
}

ErrorKind kind_of(const RpcFailure& failure) {
    if (failure.kind == "no-space") return ErrorKind::no_space;
    if (failure.kind == "busy") return ErrorKind::busy;
    return ErrorKind::plugin_failed;
}

std::string string_of(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? printable(found->get_ref<const std::string&>(), 100) : "";
}

} // namespace

Result<PluginDescription> parse_description(const Json& result) {
    if (!result.is_object()) return fail(ErrorKind::plugin_failed, "its description is no object");
    const auto protocols = result.find("protocols");
    if (protocols == result.end() || !protocols->is_array() ||
        std::find(protocols->begin(), protocols->end(), Json(PluginConnection::kProtocol)) == protocols->end())
        return fail(ErrorKind::plugin_failed,
                    "it does not speak version " + std::to_string(PluginConnection::kProtocol) + " of the plugin protocol",
                    "Install a version of the plugin that fits this version of quiesced.");
    PluginDescription description{.name = string_of(result, "name"),
                                  .version = string_of(result, "version"),
                                  .vendor = string_of(result, "vendor"),
                                  .capabilities = {}};
    if (description.name.empty()) return fail(ErrorKind::plugin_failed, "it does not say its name");
    if (const auto list = result.find("capabilities"); list != result.end() && list->is_array())
        for (const auto& entry : *list)
            if (entry.is_string()) description.capabilities.push_back(printable(entry.get_ref<const std::string&>(), 40));
    return description;
}

namespace {

Result<UniqueFd> connect_socket(const std::string& name, const std::string& directory, Monotonic::time_point deadline) {
    if (!is_plugin_name(name))
        return fail(ErrorKind::invalid_argument, "'" + printable(name, 40) + "' is no name of a plugin",
                    "A name has lower-case letters, digits and '-'.");
    const auto path = directory + "/" + name + std::string(kSocketSuffix);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return fail(ErrorKind::invalid_argument, "the path " + path + " is too long for a socket");
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);

    while (true) {
        UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        if (!socket) return fail_errno("cannot make a socket for plugin " + name);
        // The socket interface's own type for every kind of address.
        const auto* generic = reinterpret_cast<const sockaddr*>(&address); // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast)
        if (::connect(socket.get(), generic, sizeof address) == 0) return socket;
        const int error_number = errno;
        if (error_number == ENOENT) return missing(name, "there is no socket " + path);
        if (error_number == ECONNREFUSED) return missing(name, "nobody listens on " + path);
        // A unix socket that is not blocking answers EAGAIN while the listener's queue is full; there is no waiting
        // for that (connect(2) says so for AF_UNIX), only trying again.
        if (error_number != EAGAIN && error_number != EINTR)
            return fail_errno("cannot connect to plugin " + name + " on " + path, error_number, ErrorKind::plugin_failed);
        if (Monotonic::now() >= deadline)
            return fail(ErrorKind::deadline, "plugin " + name + " does not take connections on " + path, journal_advice(name));
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

} // namespace

Result<PluginConnection> PluginConnection::connect(const std::string& name, const std::string& directory,
                                                   Monotonic::time_point deadline, std::shared_ptr<PluginRecords> records) {
    auto socket = connect_socket(name, directory, deadline);
    if (!socket && records) records->note_connection(name, socket.error());
    if (!socket) return pass(socket);
    return PluginConnection(name, std::move(*socket), std::move(records));
}

Result<PluginDescription> PluginConnection::describe(std::chrono::milliseconds budget) {
    const auto result = call("describe", Json{{"protocols", Json::array({kProtocol})}}, budget);
    auto description = result ? parse_description(*result) : tl::unexpected<Error>(result.error());
    if (result && !description) description.error().context = "plugin " + name_ + ": describe: " + description.error().context;
    if (records_) records_->note_description(name_, description);
    return description;
}

Result<RpcRequest> PluginConnection::request(const std::string& method, const Json& params) {
    auto request = rpc_.request(method, params);
    if (!request) request.error().context = "plugin " + name_ + ": " + method + ": " + request.error().context;
    return request;
}

Result<Json> PluginConnection::call(const RpcRequest& request, Monotonic::time_point deadline) {
    const auto start = Monotonic::now();
    auto result = exchange(request, deadline);
    if (records_)
        records_->note_call(name_, request.method, std::chrono::duration_cast<std::chrono::microseconds>(Monotonic::now() - start),
                            result ? nullptr : &result.error());
    return result;
}

Result<Json> PluginConnection::exchange(const RpcRequest& request, Monotonic::time_point deadline) {
    auto answer = rpc_.call(request, deadline);
    if (!answer) {
        auto error = std::move(answer).error();
        error.context = "plugin " + name_ + ": " + request.method + ": " + error.context;
        if (error.advice.empty()) error.advice = journal_advice(name_);
        return tl::unexpected<Error>(std::move(error));
    }
    if (!answer->failure) return std::move(answer->result);
    const auto& failure = *answer->failure;
    if (failure.kind == "not-found" && (request.method == "abort" || request.method == "delete")) return Json::object();
    return fail(kind_of(failure), "plugin " + name_ + ": " + request.method + ": " + failure.message + " (" + failure.kind + ")");
}

Result<Json> PluginConnection::call(const std::string& method, const Json& params, std::chrono::milliseconds budget) {
    const auto deadline = Monotonic::now() + budget;
    const auto message = request(method, params);
    if (!message) return tl::unexpected<Error>(message.error());
    return call(*message, deadline);
}

Result<std::vector<std::string>> find_plugins(const std::string& directory) {
    const auto files = list_directory_at(AT_FDCWD, directory);
    if (!files && files.error().error_number == ENOENT) return std::vector<std::string>();
    if (!files) return tl::unexpected<Error>(files.error());
    std::vector<std::string> names;
    for (const std::string_view file : *files) {
        if (!file.ends_with(kSocketSuffix)) continue;
        const auto name = file.substr(0, file.size() - kSocketSuffix.size());
        if (is_plugin_name(name)) names.emplace_back(name);
    }
    return names;
}

std::vector<std::string> installed_plugins(const std::string& directory) {
    return find_plugins(directory).value_or(std::vector<std::string>());
}

} // namespace quiesced
