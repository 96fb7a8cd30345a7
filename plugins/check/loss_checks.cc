// SPDX-License-Identifier: LGPL-2.1-or-later
#include <array>
#include <string>

#include "plugins/check/checks.h"

namespace quiesced {
namespace {

using std::chrono::milliseconds;
using Needs = Check::Needs;

constexpr auto kSteps = std::to_array<const char*>({"prepare", "commit", "finish"});

void abort_twice(Subject& subject, const std::string& set, const std::string& when) {
    auto conversation = subject.greet();
    for (int i = 0; i < 2; ++i) {
        const auto outcome = conversation.call("abort", subject.work(set));
        if (!outcome.good && outcome.kind != "not-found") throw Broken{"abort " + when + " failed: " + outcome.message};
    }
    subject.must_be_clean(set, "after abort " + when);
}

/// All steps up to and with `last` are answered.
Conversation go_to(Subject& subject, const std::string& set, const std::string& last) {
    auto conversation = subject.greet();
    for (const std::string step : kSteps) {
        conversation.must(step, subject.work(set));
        if (step == last) break;
    }
    return conversation;
}

/// Only the step itself is sent and not waited for.
Conversation go_into(Subject& subject, const std::string& set, const std::string& step) {
    auto conversation = subject.greet();
    for (const std::string before : kSteps) {
        if (before == step) break;
        conversation.must(before, subject.work(set));
    }
    conversation.post(step, subject.work(set));
    return conversation;
}

void aborts_on_the_same_connection(Subject& subject) {
    for (const std::string step : kSteps) {
        const auto set = subject.new_set();
        auto conversation = go_to(subject, set, step);
        conversation.must("abort", subject.work(set));
        subject.must_be_clean(set, "after abort behind " + step);
        abort_twice(subject, set, "behind " + step);
    }
}

void aborts_beside_an_instance(Subject& subject) {
    for (const std::string step : kSteps) {
        const auto set = subject.new_set();
        const auto held = go_to(subject, set, step); // stays connected
        abort_twice(subject, set, "over another connection behind " + step);
    }
}

void aborts_what_is_under_way(Subject& subject) {
    for (const std::string step : kSteps) {
        const auto set = subject.new_set();
        auto working = go_into(subject, set, step);
        working.instance().close(); // as the daemon does when a budget is over
        abort_twice(subject, set, "while " + step + " was under way");
        static_cast<void>(working.instance().ended(milliseconds(10000)));
        subject.must_be_clean(set, "10 s after abort while " + step + " was under way");
    }
}

void survives_kills(Subject& subject) {
    for (const std::string step : kSteps) {
        const auto answered = subject.new_set();
        auto conversation = go_to(subject, answered, step);
        conversation.instance().kill();
        abort_twice(subject, answered, "of a set whose plugin was killed behind " + step);

        for (const auto delay : {milliseconds(0), milliseconds(3), milliseconds(30)}) {
            const auto set = subject.new_set();
            auto working = go_into(subject, set, step);
            static_cast<void>(working.instance().ended(delay));
            working.instance().kill();
            abort_twice(subject, set, "of a set whose plugin was killed " + std::to_string(delay.count()) + " ms into " + step);
        }
    }
}

void prepares_again_after_an_abort(Subject& subject) {
    const auto set = subject.new_set();
    {
        auto conversation = go_to(subject, set, "commit");
        conversation.must("abort", subject.work(set));
    }
    // Refusing it is fine; an old cut must not come back as the new one.
    auto conversation = subject.greet();
    if (conversation.call("finish", subject.work(set)).good) throw Broken{"finish of an aborted set succeeded"};
    abort_twice(subject, set, "again");
}

} // namespace

std::vector<Check> loss_checks() {
    return {
        {"abort removes everything, from any state and twice", Needs::disks, aborts_on_the_same_connection},
        {"abort works beside an older instance of the same set", Needs::disks, aborts_beside_an_instance},
        {"abort wins over a step that is under way on a closed connection", Needs::list, aborts_what_is_under_way},
        {"an instance killed at any step leaves nothing that abort does not remove", Needs::list, survives_kills},
        {"an aborted set cannot be finished", Needs::disks, prepares_again_after_an_abort},
    };
}

} // namespace quiesced
