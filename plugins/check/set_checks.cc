// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <set>

#include "plugins/check/checks.h"

namespace quiesced {
namespace {

using Needs = Check::Needs;

std::set<std::string> wwids(const Json& list, const char* field) {
    std::set<std::string> found;
    for (const auto& entry : list) found.insert(entry[field].get<std::string>());
    return found;
}

Json must_timed(Subject& subject, Conversation& conversation, const std::string& method, const Json& params) {
    auto outcome = conversation.call(method, params);
    if (!outcome.good) throw Broken{method + " failed: " + outcome.message};
    subject.note(method, outcome.took);
    return std::move(outcome.result);
}

/// prepare and commit on a new connection.
Conversation cut(Subject& subject, const std::string& set) {
    auto conversation = subject.greet();
    must_timed(subject, conversation, "prepare", subject.work(set));
    must_timed(subject, conversation, "commit", subject.work(set));
    return conversation;
}

/// One entry for each disk, none for another.
Json finish(Subject& subject, Conversation& conversation, const std::string& set) {
    auto result = must_timed(subject, conversation, "finish", subject.work(set));
    const auto origins = wwids(result["snapshots"], "origin");
    if (origins != wwids(subject.settings().disks, "wwid") || result["snapshots"].size() != origins.size())
        throw Broken{"finish has not exactly one entry for each disk: " + result.dump().substr(0, 200)};
    for (const auto& entry : result["snapshots"])
        if (entry.contains("wwid") && entry["wwid"] == entry["origin"]) throw Broken{"a snapshot has its origin's WWID"};
    return result;
}

void remove(Conversation& conversation, const std::string& set, const Json& snapshots = Json::array()) {
    conversation.must("delete", {{"set", set}, {"snapshots", snapshots}});
}

void claims_its_disks(Subject& subject) {
    auto conversation = subject.greet();
    const auto result = must_timed(subject, conversation, "claim", {{"disks", subject.settings().disks}});
    if (wwids(result["claimed"], "wwid") != wwids(subject.settings().disks, "wwid"))
        throw Broken{"it does not claim exactly the disks that were given: " + result.dump().substr(0, 300)};
}

void goes_through(Subject& subject) {
    const auto set = subject.new_set();
    auto conversation = cut(subject, set);
    const auto result = finish(subject, conversation, set);
    if (subject.can("list") && subject.listed(set).size() != subject.settings().disks.size())
        throw Broken{"list does not have the set's snapshots"};
    must_timed(subject, conversation, "delete", {{"set", set}, {"snapshots", result["snapshots"]}});
    subject.must_be_clean(set, "after delete");
}

void repeats_do_nothing_twice(Subject& subject) {
    const auto set = subject.new_set();
    auto conversation = subject.greet();
    conversation.must("prepare", subject.work(set));
    conversation.must("prepare", subject.work(set));
    conversation.must("commit", subject.work(set));
    conversation.must("commit", subject.work(set));
    const auto first = finish(subject, conversation, set);
    const auto second = finish(subject, conversation, set);
    if (wwids(first["snapshots"], "snapshot") != wwids(second["snapshots"], "snapshot"))
        throw Broken{"the second finish names other snapshots than the first"};
    if (subject.can("list") && subject.listed(set).size() != subject.settings().disks.size())
        throw Broken{"after each method was called twice, list has not one snapshot for each disk"};
    remove(conversation, set, first["snapshots"]);
    remove(conversation, set, first["snapshots"]);
    subject.must_be_clean(set, "after delete was called twice");
}

void finishes_over_a_new_connection(Subject& subject) {
    const auto set = subject.new_set();
    {
        auto conversation = cut(subject, set);
        conversation.instance().close();
        static_cast<void>(conversation.instance().ended(std::chrono::milliseconds(10000)));
    }
    auto other = subject.greet();
    const auto result = finish(subject, other, set);
    remove(other, set, result["snapshots"]);
    subject.must_be_clean(set, "after delete over another connection");
}

void deletes_by_the_set_alone(Subject& subject) {
    const auto set = subject.new_set();
    auto conversation = cut(subject, set);
    finish(subject, conversation, set);
    auto other = subject.greet();
    remove(other, set);
    subject.must_be_clean(set, "after delete without a list");
}

void refuses_a_commit_out_of_order(Subject& subject) {
    const auto set = subject.new_set();
    auto conversation = subject.greet();
    const auto outcome = conversation.call("commit", subject.work(set));
    if (outcome.good) throw Broken{"commit without prepare succeeded"};
    const auto finished = subject.greet().call("finish", subject.work(set));
    if (finished.good) throw Broken{"finish without commit succeeded"};
    subject.greet().must("abort", subject.work(set));
    subject.must_be_clean(set, "after commit without prepare");
}

void keeps_sets_apart(Subject& subject) {
    const auto one = subject.new_set();
    const auto two = subject.new_set();
    auto first = cut(subject, one);
    auto second = cut(subject, two);
    const auto kept = finish(subject, second, two);
    const auto gone = finish(subject, first, one);
    first.must("abort", subject.work(one));
    subject.must_be_clean(one, "after abort of one of two sets");
    if (subject.can("list") && subject.listed(two).size() != subject.settings().disks.size())
        throw Broken{"abort of one set removed snapshots of another"};
    remove(second, two, kept["snapshots"]);
    subject.must_be_clean(two, "after delete");
}

void knows_a_set_only_with_its_disks(Subject& subject) {
    const auto set = subject.new_set();
    auto conversation = subject.greet();
    auto wrong = subject.work(set);
    wrong["disks"] = Json::array({Json{{"wwid", "naa.6000000000000000000000000000f00d"}, {"size_bytes", 1048576}}});
    if (conversation.call("prepare", wrong).good) throw Broken{"prepare of a disk that is on no array succeeded"};
    subject.greet().must("abort", wrong);
    subject.must_be_clean(set, "after prepare of a foreign disk");
}

} // namespace

std::vector<Check> set_checks() {
    return {
        {"claim names exactly the disks that are its own", Needs::disks, claims_its_disks},
        {"a set goes from prepare to delete", Needs::disks, goes_through},
        {"every method may be repeated and does nothing twice", Needs::disks, repeats_do_nothing_twice},
        {"finish and delete work over another connection than commit", Needs::disks, finishes_over_a_new_connection},
        {"delete goes by the set when it gets no list", Needs::disks, deletes_by_the_set_alone},
        {"commit without prepare, and finish without commit, fail and leave nothing", Needs::disks, refuses_a_commit_out_of_order},
        {"two sets over the same disks do not touch each other", Needs::disks, keeps_sets_apart},
        {"a disk that is not on the array is refused by prepare", Needs::disks, knows_a_set_only_with_its_disks},
    };
}

} // namespace quiesced
