// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plugins/exec/exec_plugin.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <sstream>

#include "base/child.h"
#include "base/file.h"
#include "base/ids.h"
#include "config.h"

namespace quiesced {
namespace {

std::string to_line(const Json& params) { return params.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"; }

/// All that a command gets: nothing of the plugin's own environment but the folder of the unit's credentials.
std::vector<std::string> environment(const std::string& method, const std::string& set) {
    std::vector<std::string> variables{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
                                       "HOME=/", "QUIESCED_METHOD=" + method};
    if (!set.empty()) variables.push_back("QUIESCED_SET=" + set);
    if (const char* credentials = std::getenv("CREDENTIALS_DIRECTORY"); credentials != nullptr) // NOLINT(concurrency-mt-unsafe)
        variables.push_back(std::string("CREDENTIALS_DIRECTORY=") + credentials);
    return variables;
}

void log_errors(const std::string& method, const std::string& errors) {
    std::istringstream lines(errors);
    for (std::string line; std::getline(lines, line);)
        if (!line.empty()) log_line(LogLevel::info, method + ": " + line);
}

Answer read_answer(const std::string& program, const std::string& output) {
    if (output.find_first_not_of(" \t\r\n") == std::string::npos) return Json::object();
    Json answer = Json::parse(output, nullptr, false);
    if (!answer.is_object()) return refuse(FailureKind::internal, program + " wrote something other than a JSON object: " + output.substr(0, 80));
    return answer;
}

/// A command that fails may say more on standard output: {"kind": "no-space", "message": "..."}.
Failure read_failure(const std::string& program, const ChildOutcome& outcome) {
    Failure failure{FailureKind::internal, program + " " + describe_end(outcome.exit_status) + ": " +
                                               last_line(outcome.errors, "it says nothing on standard error")};
    const Json said = Json::parse(outcome.output, nullptr, false);
    if (!said.is_object()) return failure;
    if (const auto kind = said.find("kind"); kind != said.end() && kind->is_string())
        failure.kind = failure_kind(kind->get_ref<const std::string&>());
    if (const auto message = said.find("message"); message != said.end() && message->is_string())
        failure.message = message->get<std::string>();
    return failure;
}

/// Throws unless they are as the protocol has them: a command shall not have to look.
void check_disks(const Json& params) {
    const auto disks = params.find("disks");
    if (disks == params.end()) return;
    if (!disks->is_array()) throw Json::type_error::create(302, "disks is no list", &*disks);
    for (const auto& disk : *disks) static_cast<void>(disk.at("wwid").get_ref<const std::string&>());
}

bool matches(const std::vector<std::string>& patterns, const Json& disk, const char* key) {
    if (patterns.empty()) return true;
    const auto text = disk.value(key, std::string());
    return !text.empty() && std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
        return ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
    });
}

} // namespace

ExecPlugin::ExecPlugin(ExecConfig config, std::string runtime_directory, int caller)
    : config_(std::move(config)), runtime_directory_(std::move(runtime_directory)), caller_(caller) {}

Monotonic::time_point ExecPlugin::deadline(const std::string& method) const {
    return Monotonic::now() + config_.command(method).limit;
}

Answer ExecPlugin::run(const std::string& method, const std::string& set, const Json& params) {
    const auto& command = config_.command(method);
    if (command.argv.empty()) return refuse(FailureKind::unsupported, "no command for " + method + " is configured");
    const auto& program = command.argv.front();
    const auto outcome = run_child(command.argv, {.input = to_line(params),
                                                  .environment = environment(method, set),
                                                  .limit = command.limit,
                                                  .output_limit = kMessageLimit});
    if (!outcome) return refuse(FailureKind::internal, outcome.error().message());
    if (method != "commit") log_errors(method, outcome->errors); // never inside the window
    if (outcome->timed_out)
        return refuse(FailureKind::timeout, program + " took longer than " + std::to_string(command.limit.count()) + " ms and was killed");
    if (outcome->exit_status != 0) return tl::unexpected<Failure>(read_failure(program, *outcome));
    if (outcome->truncated) return refuse(FailureKind::internal, program + " wrote more than 1 MiB");
    return read_answer(program, outcome->output);
}

Answer ExecPlugin::claim(const Json& params) {
    check_disks(params);
    if (!config_.command("claim").argv.empty()) return run("claim", "", params);
    Json claimed = Json::array();
    for (const auto& disk : params.at("disks"))
        if (!disk.value("wwid", std::string()).empty() && matches(config_.wwid, disk, "wwid") &&
            matches(config_.vendor, disk, "vendor"))
            claimed.push_back({{"wwid", disk.at("wwid")}});
    return Json{{"claimed", claimed}};
}

/// For one method: an instance that only waits for its next request must not keep an abort over another connection waiting.
tl::expected<SetLock, Failure> ExecPlugin::lock(const std::string& method, const std::string& set) const {
    auto lock = SetLock::take(runtime_directory_, set, deadline(method));
    if (!lock) return refuse(lock.error().kind == ErrorKind::busy ? FailureKind::busy : FailureKind::internal, lock.error().message());
    return std::move(*lock);
}

/// prepare leaves a note, and abort takes it away, whichever instance it comes to: no commit follows it. Under the set's lock.
bool ExecPlugin::aborted_elsewhere(const std::string& set) const { return ::access(note_path(set).c_str(), F_OK) != 0; }

Answer ExecPlugin::prepare(const std::string& set, const Json& params) {
    check_disks(params);
    const auto locked = lock("prepare", set);
    if (!locked) return tl::unexpected<Failure>(locked.error());
    auto& state = sets_[set];
    if (state.committed) return refuse(FailureKind::internal, "set " + set + " has its commit behind it; abort it first");
    Json result = Json::object();
    if (!config_.command("prepare").argv.empty()) {
        auto prepared = run("prepare", set, params);
        if (!prepared) return prepared;
        result = std::move(*prepared);
    }
    if (auto noted = open_at(AT_FDCWD, note_path(set), O_WRONLY | O_CREAT, 0600); !noted) return refuse(FailureKind::internal, noted.error().message());
    if (!config_.preload || state.armed) return result;
    auto armed = ArmedCommand::start(config_.command("commit").argv, environment("commit", set));
    if (!armed) return refuse(FailureKind::internal, armed.error().message());
    if (config_.commit_ready) {
        const auto ready = armed->wait_ready(deadline("prepare"));
        log_errors("commit", armed->take_errors());
        if (!ready) return tl::unexpected<Failure>(ready.error());
    }
    state.armed.emplace(std::move(*armed));
    return result;
}

Answer ExecPlugin::commit(const std::string& set, const Json& params) {
    const auto locked = lock("commit", set);
    if (!locked) return tl::unexpected<Failure>(locked.error());
    const auto found = sets_.find(set);
    if (found == sets_.end() || (config_.preload && !found->second.armed))
        return refuse(FailureKind::internal, "set " + set + " was not prepared over this connection");
    if (aborted_elsewhere(set)) return refuse(FailureKind::not_found, "set " + set + " was aborted over another connection");
    auto& state = found->second;
    if (state.committed) return *state.committed;
    if (!config_.preload) {
        state.committed = run("commit", set, params);
        return *state.committed;
    }
    auto output = state.armed->exchange(to_line(params), deadline("commit"), caller_);
    state.committed = output ? read_answer(config_.command("commit").argv.front(), *output)
                             : Answer(tl::unexpected<Failure>(output.error()));
    return *state.committed;
}

Answer ExecPlugin::finish(const std::string& set, const Json& params) {
    const auto locked = lock("finish", set);
    if (!locked) return tl::unexpected<Failure>(locked.error());
    auto& state = sets_[set];
    if (state.committed && !state.finished && aborted_elsewhere(set)) return refuse(FailureKind::not_found, "set " + set + " was aborted over another connection");
    if (state.committed && !*state.committed) return *state.committed;
    if (state.armed) {
        if (!state.committed) return refuse(FailureKind::internal, "set " + set + " has not been committed");
        const auto end = state.armed->wait_end(deadline("finish"));
        log_errors("commit", state.armed->take_errors());
        if (!end) return tl::unexpected<Failure>(end.error());
    }
    Answer answer = refuse(FailureKind::unsupported, "no command for finish is configured, and commit was not answered over this connection");
    if (!config_.command("finish").argv.empty()) answer = run("finish", set, params);
    else if (state.committed) answer = *state.committed;
    if (answer) {
        ::unlink(note_path(set).c_str());
        state.finished = true;
    }
    return answer;
}

Answer ExecPlugin::remove(const std::string& method, const std::string& set, const Json& params) {
    const auto locked = lock(method, set);
    if (!locked) return tl::unexpected<Failure>(locked.error());
    ::unlink(note_path(set).c_str());
    if (auto& armed = sets_[set].armed) log_errors("commit", armed->take_errors());
    sets_[set].armed.reset(); // kills it, before the command looks at what there is
    auto answer = run(method, set, params);
    sets_.erase(set);
    return answer;
}

Handler ExecPlugin::of_set(Answer (ExecPlugin::*method)(const std::string&, const Json&)) {
    return [this, method](const Json& params) -> Answer {
        const auto set = SetId::parse(params.at("set").get_ref<const std::string&>());
        if (!set) return refuse(FailureKind::internal, set.error().context);
        return (this->*method)(set->text(), params);
    };
}

std::map<std::string, Handler> ExecPlugin::handlers() {
    std::map<std::string, Handler> handlers;
    handlers["describe"] = [this](const Json&) -> Answer {
        Json capabilities = Json::array();
        for (const char* method : {"map", "list"})
            if (!config_.command(method).argv.empty()) capabilities.push_back(method);
        return Json{{"name", "exec"}, {"version", QUIESCED_VERSION}, {"vendor", "quiesced"},
                    {"protocols", Json::array({1})}, {"capabilities", capabilities}};
    };
    handlers["claim"] = [this](const Json& params) { return claim(params); };
    handlers["prepare"] = of_set(&ExecPlugin::prepare);
    handlers["commit"] = of_set(&ExecPlugin::commit);
    handlers["finish"] = of_set(&ExecPlugin::finish);
    for (const char* method : {"abort", "delete"})
        handlers[method] = [this, method](const Json& params) -> Answer {
            const auto set = SetId::parse(params.at("set").get_ref<const std::string&>());
            if (!set) return refuse(FailureKind::internal, set.error().context);
            return remove(method, set->text(), params);
        };
    for (const char* method : {"map", "unmap", "list"})
        handlers[method] = [this, method](const Json& params) { return run(method, params.value("set", std::string()), params); };
    return handlers;
}

std::map<std::string, Handler> ExecPlugin::refusing_handlers(const std::string& reason) {
    std::map<std::string, Handler> handlers;
    for (const char* method : {"describe", "claim", "prepare", "commit", "finish", "abort", "delete", "map", "unmap", "list"})
        handlers[method] = [reason](const Json&) -> Answer { return refuse(FailureKind::internal, reason); };
    return handlers;
}

} // namespace quiesced
