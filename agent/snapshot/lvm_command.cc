// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/lvm_command.h"

#include <charconv>
#include <sstream>
#include <utility>

#include "base/join.h"

namespace quiesced {
namespace {

using std::chrono_literals::operator""s;

// LVM waits for a lock that another LVM command holds: the limits leave room for an ordinary one.
constexpr std::chrono::milliseconds kQueryLimit = 60s;
// Killing an lvcreate can leave a group half changed, so that this is the last resort against one that hangs.
constexpr std::chrono::milliseconds kChangeLimit = 180s;

/// An admin's lvm.conf must not change what we parse: no command log in the JSON, commas between tags.
constexpr const char* kConfig = "log{prefix=\"\" command_names=0 verbose=0 silent=0 report_command_log=0} "
                                "report{compact_output=0 binary_values_as_numeric=0 list_item_separator=\",\"}";

/// LVM's words on one line, without its warnings: "WARNING: You have not turned on protection ..." explains no failure.
std::string complaint(const ChildOutcome& outcome) {
    std::istringstream lines(outcome.errors);
    std::string text;
    for (std::string line; std::getline(lines, line);) {
        const auto begin = line.find_first_not_of(" \t");
        if (begin == std::string::npos || line.compare(begin, 8, "WARNING:") == 0) continue;
        line.erase(0, begin);
        while (!line.empty() && (line.back() == '.' || line.back() == ' ')) line.pop_back();
        text += (text.empty() ? "" : "; ") + line;
    }
    constexpr std::size_t enough = 1000;
    if (text.size() > enough) text.resize(enough);
    return text.empty() ? "exit status " + std::to_string(outcome.exit_status) : text;
}

bool says(const std::string& text, const char* words) { return text.find(words) != std::string::npos; }

tl::unexpected<Error> failure(const ChildOutcome& outcome, const std::string& doing, std::chrono::milliseconds limit) {
    if (outcome.timed_out)
        return fail(
            ErrorKind::deadline,
            doing + " did not end within " + std::to_string(limit.count() / 1000) + " s and was killed" +
                (outcome.stuck ? ", but is blocked in the kernel" : ""),
            "Another LVM command may hold the volume group's lock, or a device below it may hang; `lvs` shows it.");
    const auto words = complaint(outcome);
    const auto context = doing + " failed: " + words;
    if (says(words, "nsufficient free space") || says(words, "nsufficient suitable"))
        return fail(ErrorKind::no_space, context,
                    "Extend the volume group with vgextend, or remove what it no longer needs.");
    // LVM wants a quarter of small pool metadata to stay free; the kernel's own limit comes later (2.03.16).
    if (says(words, "reached threshold"))
        return fail(ErrorKind::no_space, context, "Extend the pool with lvextend (--poolmetadatasize for its metadata), or remove old snapshots.");
    // Of a removal LVM keeps a note all the same (2.03.16), and carries it out when the pool can be written to again.
    if (says(words, "read only metadata"))
        return fail(ErrorKind::lvm_failed, context, "The pool's metadata are full or damaged: lvextend --poolmetadatasize, or else lvconvert --repair; then try again.");
    if (says(words, "in use") || says(words, "is used by another device"))
        return fail(ErrorKind::busy, context, "Unmount it, or end what has it open, and try again.");
    return fail(ErrorKind::lvm_failed, context, {});
}

std::vector<std::string> with_names(std::vector<std::string> arguments, const std::vector<std::string>& names) {
    arguments.insert(arguments.end(), names.begin(), names.end());
    return arguments;
}

/// --ignoremonitoring rather than `--monitor n`, which ends the watch over the pool and over the origin's other
/// snapshots, too (LVM 2.03.16). dmeventd must not watch ours until it is final: it would act on the `error` table.
std::vector<std::string> snapshot_arguments(const std::string& name, const SetId& set, const std::vector<std::string>& tags) {
    std::vector<std::string> arguments{"lvcreate", "--yes", "--snapshot", "--ignoremonitoring", "--addtag", kLvmTag, "--addtag", lvm_set_tag(set)};
    for (const auto& tag : tags) arguments.insert(arguments.end(), {"--addtag", tag});
    arguments.insert(arguments.end(), {"--name", name});
    return arguments;
}

} // namespace

Result<ChildOutcome> SystemLvmRunner::run(const std::vector<std::string>& arguments, std::chrono::milliseconds limit) {
    std::vector<std::string> argv{program_};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    // Right behind the subcommand: a name may follow "--".
    argv.insert(argv.begin() + (arguments.empty() ? 1 : 2), {"--config", kConfig});
    ChildOptions options;
    options.limit = limit;
    options.output_limit = 64U << 20U; // thousands of LVs
    options.environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
                           "LVM_SUPPRESS_FD_WARNINGS=1"};
    return run_child(argv, options);
}

Result<std::vector<LogicalVolume>> LvmCommand::list_matching(const std::vector<std::string>& what) const {
    const auto doing = "listing the logical volumes of " + joined(what);
    const auto outcome = runner_.run(
        with_names({"lvs", "--reportformat", "json", "--units", "b", "--nosuffix", "--options", kLvmReportFields},
                   what),
        kQueryLimit);
    if (!outcome) return tl::unexpected<Error>(outcome.error());
    if (outcome->timed_out || outcome->exit_status != 0) return failure(*outcome, doing, kQueryLimit);
    if (outcome->truncated) return fail(ErrorKind::limit, doing + " gave too much output");
    return parse_lvm_report(outcome->output);
}

Result<std::vector<LogicalVolume>> LvmCommand::list(const std::vector<std::string>& groups) const {
    return list_matching(groups);
}

Result<std::vector<LogicalVolume>> LvmCommand::list_all(const std::vector<std::string>& groups) const {
    return list_matching(with_names({"--all"}, groups));
}

Result<std::vector<LogicalVolume>> LvmCommand::list_tagged(const std::string& tag) const {
    return list_matching({"@" + tag});
}

Result<LvmGroup> LvmCommand::group(const std::string& name) const {
    const auto doing = "looking at the volume group " + name;
    const auto outcome = runner_.run({"vgs", "--reportformat", "json", "--units", "b", "--nosuffix", "--options", kLvmGroupFields, name}, kQueryLimit);
    if (!outcome) return tl::unexpected<Error>(outcome.error());
    if (outcome->timed_out || outcome->exit_status != 0) return failure(*outcome, doing, kQueryLimit);
    return parse_lvm_group(outcome->output);
}

Result<void> LvmCommand::change(const std::vector<std::string>& arguments, const std::string& doing) const {
    const auto outcome = runner_.run(arguments, kChangeLimit);
    if (!outcome) return tl::unexpected<Error>(outcome.error());
    if (outcome->timed_out || outcome->exit_status != 0) return failure(*outcome, doing, kChangeLimit);
    return {};
}

Result<void> LvmCommand::create_thick_snapshot(const LogicalVolume& origin, const std::string& name, Bytes store, Bytes chunk,
                                               const SetId& set, const std::vector<std::string>& tags) const {
    return change(
        with_names(snapshot_arguments(name, set, tags), {"--size", std::to_string(store.count) + "b", "--chunksize", std::to_string(chunk.count) + "b", origin.full_name()}),
        "making the snapshot " + name + " of " + origin.full_name());
}

Result<void> LvmCommand::create_store(const std::string& group, const std::string& name, Bytes size, const SetId& set,
                                      const std::vector<std::string>& tags) const {
    // --zero: dm-snapshot takes a store for a new one when its head is zero, and what lies there otherwise for exceptions.
    std::vector<std::string> arguments{"lvcreate", "--yes", "--zero", "y", "--wipesignatures", "y", "--addtag", kLvmTag, "--addtag", lvm_set_tag(set)};
    for (const auto& tag : tags) arguments.insert(arguments.end(), {"--addtag", tag});
    return change(with_names(std::move(arguments), {"--name", name, "--size", std::to_string(size.count) + "b", group}),
                  "making the copy-on-write store " + group + "/" + name);
}

Result<void> LvmCommand::create_thin_snapshot(const LogicalVolume& origin, const std::string& name,
                                              const SetId& set, const std::vector<std::string>& tags) const {
    return change(with_names(snapshot_arguments(name, set, tags), {"--setactivationskip", "y", origin.full_name()}),
                  "making the thin snapshot " + name + " of " + origin.full_name());
}

Result<void> LvmCommand::add_tag(const std::vector<std::string>& names, const std::string& tag) const {
    if (names.empty()) return {};
    return change(with_names({"lvchange", "--addtag", tag}, names), "tagging " + joined(names));
}

Result<void> LvmCommand::merge(const std::vector<std::string>& snapshots) const {
    if (snapshots.empty()) return {};
    return change(with_names({"lvconvert", "--yes", "--merge", "--background"}, snapshots), "merging " + joined(snapshots));
}

Result<void> LvmCommand::remove(const std::vector<std::string>& names) const {
    if (names.empty()) return {};
    return change(with_names({"lvremove", "--yes"}, names), "removing " + joined(names));
}

Result<void> LvmCommand::refresh(const std::string& name) const { return change({"lvchange", "--refresh", name}, "refreshing " + name); }

Result<void> LvmCommand::activate(const std::vector<std::string>& names) const {
    if (names.empty()) return {};
    // It asks before it activates the origin of a thick snapshot, too.
    return change(with_names({"lvchange", "--yes", "--activate", "y", "--ignoreactivationskip", "--ignoremonitoring"}, names),
                  "activating " + joined(names));
}

Result<void> LvmCommand::monitor(const std::vector<std::string>& names) const {
    if (names.empty()) return {};
    return change(with_names({"lvchange", "--monitor", "y"}, names), "switching on the monitoring of " + joined(names));
}

Result<void> LvmCommand::extend(const std::string& name, Bytes size) const {
    return change({"lvextend", "--size", std::to_string(size.count) + "b", name}, "extending " + name + " to " + size.text());
}

Result<void> LvmCommand::extend_pool_metadata(const std::string& pool, Bytes size) const {
    return change({"lvextend", "--poolmetadatasize", std::to_string(size.count) + "b", pool}, "extending the metadata of " + pool + " to " + size.text());
}

Result<std::string> LvmCommand::field(const std::string& name, const std::string& what) const {
    const auto outcome = runner_.run({"lvs", "--noheadings", "--units", "b", "--nosuffix", "--options", what, name}, kQueryLimit);
    if (!outcome) return tl::unexpected<Error>(outcome.error());
    if (outcome->timed_out || outcome->exit_status != 0) return failure(*outcome, "asking for " + what + " of " + name, kQueryLimit);
    std::istringstream words(outcome->output);
    std::string text;
    std::getline(words >> std::ws, text);
    text.erase(text.find_last_not_of(" \t") + 1);
    return text;
}

Result<Bytes> LvmCommand::pool_metadata_size(const std::string& pool) const {
    const auto text = field(pool, "lv_metadata_size");
    if (!text) return tl::unexpected<Error>(text.error());
    Bytes size;
    const auto [end, problem] = std::from_chars(text->data(), text->data() + text->size(), size.count);
    if (problem != std::errc() || end != text->data() + text->size() || size.count == 0)
        return fail(ErrorKind::lvm_failed, "lvs does not say how large the metadata of " + pool + " are, but '" + *text + "'");
    return size;
}

bool LvmCommand::extends_itself(const LogicalVolume& volume) const {
    const std::string key = volume.kind() == LogicalVolume::Kind::pool ? "activation/thin_pool_autoextend_threshold" : "activation/snapshot_autoextend_threshold";
    const auto outcome = runner_.run({"lvmconfig", "--typeconfig", "full", key}, kQueryLimit);
    if (!outcome || outcome->timed_out || outcome->exit_status != 0) return false;
    const auto equals = outcome->output.find('=');
    if (equals == std::string::npos) return false;
    unsigned threshold = 100;
    std::istringstream(outcome->output.substr(equals + 1)) >> threshold;
    if (threshold >= 100) return false;
    const auto monitored = field(volume.full_name(), "seg_monitor");
    return monitored && *monitored == "monitored";
}

} // namespace quiesced
