// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plugins/check/subject.h"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace quiesced {
namespace {

using std::chrono::milliseconds;

Instance start(const Settings& settings) {
    auto instance = Instance::start(settings.argv, settings.errors);
    if (!instance) throw Broken{instance.error().message()};
    return std::move(*instance);
}

} // namespace

milliseconds budget_of(const std::string& method) {
    static const std::map<std::string, milliseconds> budgets{{"describe", milliseconds(5000)}, {"claim", milliseconds(15000)},
                                                             {"commit", milliseconds(5000)},  {"abort", milliseconds(60000)}};
    const auto found = budgets.find(method);
    return found == budgets.end() ? milliseconds(120000) : found->second;
}

Conversation::Conversation(const Settings& settings, MessageSchema& schema)
    : settings_(settings), schema_(schema), instance_(start(settings)) {}

void Conversation::say(std::string_view bytes) {
    if (auto sent = instance_.send(bytes, milliseconds(10000)); !sent) throw Broken{sent.error().message()};
}

void Conversation::post(const std::string& method, const Json& params) {
    method_ = method;
    const Json request{{"jsonrpc", "2.0"}, {"id", ++id_}, {"method", method}, {"params", params}};
    asked_ = Monotonic::now();
    say(request.dump() + "\n");
}

Json Conversation::any_line(milliseconds limit) {
    const auto line = instance_.read_line(limit);
    if (!line) throw Broken{line.error().message()};
    auto message = Json::parse(*line, nullptr, false);
    if (message.is_discarded()) throw Broken{"it wrote a line that is no JSON: " + line->substr(0, 100)};
    return message;
}

Outcome Conversation::answer() {
    const auto limit = std::min(budget_of(method_), settings_.longest_budget);
    Json message;
    try {
        message = any_line(limit);
    } catch (Broken& broken) {
        throw Broken{method_ + ": " + broken.what + " (budget " + std::to_string(limit.count()) + " ms)"};
    }
    Outcome outcome;
    outcome.took = Monotonic::now() - asked_;
    if (!message.is_object() || !message.contains("id") || message["id"] != Json(id_))
        throw Broken{method_ + ": the answer does not have the request's id"};
    if (const auto complaint = schema_.complaint(method_ + ".answer", message); !complaint.empty())
        throw Broken{method_ + ": the answer does not fit the schema: " + complaint};
    if (const auto field = field_with_control_characters(message); !field.empty())
        throw Broken{method_ + ": control characters in " + field};
    outcome.good = message.contains("result");
    if (outcome.good) {
        outcome.result = message["result"];
        return outcome;
    }
    const auto& error = message["error"];
    outcome.code = error["code"].get<int>();
    outcome.message = error["message"].get<std::string>();
    if (const auto data = error.find("data"); data != error.end() && data->is_object()) outcome.kind = data->value("kind", "");
    return outcome;
}

Outcome Conversation::call(const std::string& method, const Json& params) {
    post(method, params);
    return answer();
}

Json Conversation::must(const std::string& method, const Json& params) {
    auto outcome = call(method, params);
    if (!outcome.good) throw Broken{method + " failed: " + outcome.message};
    return std::move(outcome.result);
}

void Conversation::must_be_silent(milliseconds time) {
    if (instance_.says_something(time)) throw Broken{"it says something although nothing was asked"};
}

Conversation Subject::greet(Json* description) {
    auto conversation = connect();
    auto said = conversation.must("describe", {{"protocols", {1}}});
    if (description != nullptr) *description = std::move(said);
    return conversation;
}

std::string Subject::new_set() {
    std::uint64_t number = 0;
    if (::getrandom(&number, sizeof number, 0) != sizeof number) throw Broken{"no random number from the kernel"};
    constexpr std::string_view digits = "0123456789abcdef";
    std::string id;
    for (int i = 0; i < 16; ++i, number >>= 4U) id += digits[number & 15U];
    return id;
}

Json Subject::work(const std::string& set) const { return {{"set", set}, {"disks", settings_.disks}}; }

bool Subject::can(const std::string& capability) {
    if (!description_) {
        Json description;
        greet(&description);
        description_ = std::make_unique<Json>(std::move(description));
    }
    const auto list = description_->value("capabilities", Json::array());
    return std::find(list.begin(), list.end(), Json(capability)) != list.end();
}

std::vector<std::string> Subject::listed(const std::string& set) {
    auto conversation = greet();
    const auto result = conversation.must("list", Json::object());
    std::vector<std::string> names;
    for (const auto& entry : result["snapshots"])
        if (entry["set"] == set) names.push_back(entry["snapshot"].get<std::string>());
    std::sort(names.begin(), names.end());
    return names;
}

void Subject::must_be_clean(const std::string& set, const std::string& when) {
    if (!can("list")) return;
    if (const auto left = listed(set); !left.empty())
        throw Broken{when + ", the array still holds " + std::to_string(left.size()) + " snapshot(s) of the set: " + left.front()};
}

} // namespace quiesced
