// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "plugins/check/instance.h"
#include "plugins/check/schema.h"
#include "plugins/sdk/plugin.h"

namespace quiesced {

/// A check that does not hold: the sentence says what the plugin did. Thrown by the helpers below, so that a check
/// reads like the conversation that it is; caught by run_checks().
struct Broken {
    std::string what;
};

/// How an answer came out.
struct Outcome {
    bool good = false;
    Json result;      ///< when good
    int code = 0;     ///< otherwise, with the two below
    std::string kind;
    std::string message;
    std::chrono::nanoseconds took{};
};

/// What is checked: a program, the disks it may take snapshots of, and how long it may take.
struct Settings {
    std::vector<std::string> argv;
    Json disks = Json::array();                       ///< of the protocol; empty: only what needs none is checked
    std::chrono::milliseconds longest_budget{120000}; ///< no method gets more
    int errors = 2;                                   ///< the plugin's standard error goes to this descriptor
};

/// One conversation with a new instance of the plugin. Every answer is held against the schema and the rules for
/// answers. All calls throw Broken.
class Conversation {
public:
    Conversation(const Settings& settings, MessageSchema& schema);

    /// Sends a request, waits for its answer within the method's budget.
    Outcome call(const std::string& method, const Json& params);
    /// The same, and it must be good.
    Json must(const std::string& method, const Json& params);
    /// Sends a request and does not wait.
    void post(const std::string& method, const Json& params);
    /// Waits for the answer to the last post().
    Outcome answer();
    /// Sends any bytes.
    void say(std::string_view bytes);
    /// The next line as JSON, whatever it is.
    Json any_line(std::chrono::milliseconds limit);
    /// The plugin must say nothing for that long.
    void must_be_silent(std::chrono::milliseconds time);

    Instance& instance() { return instance_; }

private:
    const Settings& settings_;
    MessageSchema& schema_;
    Instance instance_;
    int id_ = 0;
    std::string method_;
    Monotonic::time_point asked_;
};

/// The budget of a method as PROTOCOL.md gives it.
std::chrono::milliseconds budget_of(const std::string& method);

/// What all checks share.
class Subject {
public:
    Subject(Settings settings, MessageSchema& schema) : settings_(std::move(settings)), schema_(schema) {}

    [[nodiscard]] const Settings& settings() const { return settings_; }
    /// A new connection; describe was not called yet.
    Conversation connect() { return {settings_, schema_}; }
    /// A new connection on which describe was answered, and what it said.
    Conversation greet(Json* description = nullptr);
    /// A set's id that no check had before.
    std::string new_set();
    /// {"set": SET, "disks": all}
    [[nodiscard]] Json work(const std::string& set) const;
    /// The snapshots of a set that the array holds, by `list`.
    std::vector<std::string> listed(const std::string& set);
    /// Throws when `list` still knows something of the set.
    void must_be_clean(const std::string& set, const std::string& when);
    bool can(const std::string& capability);
    /// Notes how long a method took.
    void note(const std::string& method, std::chrono::nanoseconds took) { times_[method].push_back(took); }
    [[nodiscard]] const std::map<std::string, std::vector<std::chrono::nanoseconds>>& times() const { return times_; }

private:
    Settings settings_;
    MessageSchema& schema_;
    std::map<std::string, std::vector<std::chrono::nanoseconds>> times_;
    std::unique_ptr<Json> description_;
};

} // namespace quiesced
