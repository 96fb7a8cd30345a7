// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arrays/plugin_provider.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "arrays/lun_disks.h"
#include "arrays/plugin_connection.h"
#include "arrays/plugin_session.h"
#include "base/unique_fd.h"

namespace quiesced {
namespace {

/// Reads the result of `claim`: the array's volume name (or nothing) by WWID.
Result<std::map<std::string, std::string>> parse_claims(const Json& result) {
    const auto bad = [](const char* what) { return fail(ErrorKind::plugin_failed, std::string("its result is not usable: ") + what); };
    if (!result.is_object()) return bad("no object");
    const auto list = result.find("claimed");
    if (list == result.end() || !list->is_array()) return bad("it has no list \"claimed\"");
    std::map<std::string, std::string> claims;
    for (const auto& entry : *list) {
        const auto wwid = entry.is_object() ? entry.find("wwid") : entry.end();
        if (!entry.is_object() || wwid == entry.end() || !wwid->is_string()) return bad("a claimed disk has no \"wwid\"");
        const auto name = entry.find("array_volume");
        claims[wwid->get<std::string>()] = name != entry.end() && name->is_string() ? name->get<std::string>() : "";
    }
    return claims;
}

/// Reads the result of `list`; what is no snapshot of a set is left out.
std::vector<HeldSnapshot> parse_held(const Json& result) {
    std::vector<HeldSnapshot> held;
    const auto text = [](const Json& entry, const char* key) {
        const auto found = entry.find(key);
        return found != entry.end() && found->is_string() ? printable(found->get_ref<const std::string&>(), 300) : std::string();
    };
    const auto list = result.is_object() ? result.find("snapshots") : result.end();
    if (!result.is_object() || list == result.end() || !list->is_array()) return held;
    for (const auto& entry : *list)
        if (entry.is_object() && SetId::parse(text(entry, "set"))) held.push_back({text(entry, "set"), text(entry, "snapshot"), text(entry, "origin")});
    return held;
}

/// Whether a file system is mounted from it, or something holds it: O_EXCL on a block device asks for the same claim
/// as mount, device-mapper and LVM take.
bool in_use(const std::string& device) {
    struct stat status {};
    if (::stat(device.c_str(), &status) != 0 || !S_ISBLK(status.st_mode)) return false;
    const UniqueFd fd(::open(device.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK));
    return !fd && errno == EBUSY;
}

/// " (vda: virtual)": what keeps a volume from lying on LUNs alone.
std::string disks_that_are_none(const Volume& volume, const Inventory& inventory) {
    std::string text;
    for (const auto leaf : volume.leaves) {
        const auto found = inventory.disks().find(leaf);
        const bool known = found != inventory.disks().end();
        if (known && found->second.placement == Placement::lun && !found->second.wwid.empty()) continue;
        text += (text.empty() ? " (" : ", ") + (known ? found->second.name : leaf.text());
        if (known) text += found->second.placement == Placement::lun ? ": no WWID" : ": " + std::string(placement_name(found->second.placement));
    }
    return text.empty() ? text : text + ")";
}

/// The error, and which LUNs it is about.
Error about(Error error, const std::vector<Disk>& luns) {
    std::string names;
    for (const auto& disk : luns) names += (names.empty() ? "" : ", ") + disk.name + " (" + disk.wwid + ")";
    error.context += (luns.size() == 1 ? "; asked for the LUN " : "; asked for the LUNs ") + names;
    return error;
}

Claim answer_for(const std::string& plugin, const std::vector<Disk>& luns, const std::map<std::string, std::string>& claims) {
    std::string known;
    for (const auto& disk : luns) {
        const auto claim = claims.find(disk.wwid);
        if (claim == claims.end())
            return {.taken = false, .reason = "the plugin does not know the LUN " + disk.name + " (" + disk.wwid + ")", .error = {}};
        known += (known.empty() ? "" : ", ") + disk.name + " (" + disk.wwid + ")" +
                 (claim->second.empty() ? "" : " as its volume " + printable(claim->second, 200));
    }
    return {.taken = true, .reason = "the plugin " + plugin + " knows " + (luns.size() == 1 ? "the LUN " : "the LUNs ") + known, .error = {}};
}

} // namespace

PluginProvider::PluginProvider(std::string name, PluginSettings settings)
    : name_(std::move(name)), settings_(std::move(settings)) {}

Result<std::map<std::string, std::string>> PluginProvider::ask_claims(PluginConnection& connection, const Json& disks, bool all) const {
    const auto result = connection.call("claim", Json{{"disks", disks}}, settings_.budgets.claim);
    if (!result) return tl::unexpected<Error>(result.error());
    auto claims = parse_claims(*result);
    if (!claims) {
        claims.error().context = "plugin " + name_ + ": claim: " + claims.error().context;
    } else if (settings_.records) {
        std::vector<std::string> asked;
        for (const auto& disk : disks) asked.push_back(disk.at("wwid").get<std::string>());
        settings_.records->note_claims(name_, asked, *claims, all);
    }
    return claims;
}

/// A connection that has said what it is.
Result<PluginConnection> PluginProvider::greet(PluginDescription* description) const {
    auto connection = PluginConnection::connect(name_, settings_.directory, Monotonic::now() + settings_.budgets.describe, settings_.records);
    if (!connection) return connection;
    auto said = connection->describe(settings_.budgets.describe);
    if (!said) return tl::unexpected<Error>(said.error());
    if (description != nullptr) *description = std::move(*said);
    return connection;
}

std::vector<Claim> PluginProvider::claim(const std::vector<const Volume*>& volumes, const Inventory& inventory) {
    std::vector<Claim> answers(volumes.size());
    std::vector<std::optional<std::vector<Disk>>> luns;
    std::set<std::string> seen;
    Json disks = Json::array();
    for (const auto* volume : volumes) {
        luns.push_back(lun_disks(*volume, inventory));
        for (const auto& disk : luns.back().value_or(std::vector<Disk>()))
            if (seen.insert(disk.wwid).second) disks.push_back(disk_to_json(disk));
    }
    Result<std::map<std::string, std::string>> claims;
    if (!disks.empty()) {
        auto connection = greet();
        claims = connection ? ask_claims(*connection, disks, false) : tl::unexpected<Error>(connection.error());
    }
    for (std::size_t i = 0; i < volumes.size(); ++i) {
        auto& answer = answers[i];
        if (!luns[i])
            answer.reason = "it does not lie on LUNs with a WWID alone" + disks_that_are_none(*volumes[i], inventory);
        else if (!claims)
            answer.error = about(claims.error(), *luns[i]);
        else
            answer = answer_for(name_, *luns[i], *claims);
    }
    if (!claims) return answers;
    const std::lock_guard lock(mutex_);
    for (const auto& [wwid, array_volume] : *claims)
        if (seen.contains(wwid)) array_volumes_[wwid] = array_volume;
    return answers;
}

void PluginProvider::look(const Inventory& inventory) {
    Json disks = Json::array();
    std::set<std::string> seen;
    for (const auto& [number, disk] : inventory.disks())
        if (disk.placement == Placement::lun && !disk.wwid.empty() && seen.insert(disk.wwid).second) disks.push_back(disk_to_json(disk));
    PluginDescription description;
    auto connection = greet(&description);
    if (!connection) return;
    static_cast<void>(ask_claims(*connection, disks, true));
    if (!settings_.records || !connection->usable()) return;
    const auto& can = description.capabilities;
    if (std::find(can.begin(), can.end(), "list") == can.end()) return settings_.records->note_snapshots(name_, {});
    if (const auto held = connection->call("list", Json::object(), settings_.budgets.claim)) settings_.records->note_snapshots(name_, parse_held(*held));
}

Result<std::vector<FoundSnapshot>> PluginProvider::find_all() {
    PluginDescription description;
    auto connection = greet(&description);
    if (!connection) return pass(connection);
    const auto& can = description.capabilities;
    if (std::find(can.begin(), can.end(), "list") == can.end()) return std::vector<FoundSnapshot>{};
    const auto answer = connection->call("list", Json::object(), settings_.budgets.claim);
    if (!answer) return tl::unexpected<Error>(answer.error());
    std::vector<FoundSnapshot> found;
    for (const auto& held : parse_held(*answer)) {
        if (held.snapshot.empty() || held.origin.empty()) continue;
        const Json reference{{"snapshots", Json::array({Json{{"origin", held.origin}, {"snapshot", held.snapshot}}})}};
        found.push_back({.set = SetId::parse(held.set).value(),
                         .record = {.volume = {}, .provider = name_, .snapshot = held.snapshot, .device = {}, .reference = reference.dump(-1, ' ', false, Json::error_handler_t::replace)},
                         .file_system = {},
                         .origin = held.origin,
                         .cut = true}); // an array has nothing before the cut
    }
    return found;
}

Result<std::unique_ptr<ProviderSession>> PluginProvider::begin(const SetId& set, const std::vector<const Volume*>& volumes,
                                                               const Inventory& inventory, const SnapshotWishes& /*wishes*/) {
    std::vector<PluginMember> members;
    std::set<std::string> seen;
    Json disks = Json::array();
    const std::lock_guard lock(mutex_);
    for (const auto* volume : volumes) {
        const auto luns = lun_disks(*volume, inventory);
        if (!luns)
            return fail(ErrorKind::no_provider, "plugin " + name_ + " cannot take " + volume->name +
                                                    ": not every disk below it is a LUN with a WWID");
        PluginMember member{.volume = volume->name, .origins = {}, .part = mountable_part(*volume, inventory)};
        for (const auto& disk : *luns) {
            member.origins.push_back(disk.wwid);
            if (!seen.insert(disk.wwid).second) continue;
            auto object = disk_to_json(disk);
            const auto array_volume = array_volumes_.find(disk.wwid);
            if (array_volume != array_volumes_.end() && !array_volume->second.empty())
                object["array_volume"] = array_volume->second;
            disks.push_back(std::move(object));
        }
        members.push_back(std::move(member));
    }
    return std::make_unique<PluginSession>(name_, settings_, set, std::move(disks), std::move(members));
}

Result<void> PluginProvider::remove(const SetId& set, const std::vector<SnapshotRecord>& records) {
    Json snapshots = Json::array();
    std::set<std::string> seen;
    for (const auto& record : records) {
        if (!record.device.empty() && in_use(record.device))
            return fail(ErrorKind::busy, "the snapshot of " + record.volume + " on " + record.device + " is in use",
                        "Unmount it (and deactivate what lies on it), then delete the set again.");
        // The record was on disk meanwhile. One that cannot be read takes nothing away: `delete` goes by the set.
        const Json reference = Json::parse(record.reference, nullptr, false);
        const auto list = reference.is_object() ? reference.find("snapshots") : reference.end();
        if (!reference.is_object() || list == reference.end() || !list->is_array()) continue;
        for (const auto& snapshot : *list)
            if (seen.insert(snapshot.dump()).second) snapshots.push_back(snapshot);
    }
    return ask("delete", Json{{"set", set.text()}, {"snapshots", snapshots}}, settings_.budgets.remove);
}

Result<void> PluginProvider::abandon(const SetId& set) {
    return ask("abort", Json{{"set", set.text()}, {"disks", Json::array()}}, settings_.budgets.abort);
}

/// One request on a connection of its own, whose answer does not matter as long as it is none of an error.
Result<void> PluginProvider::ask(const char* method, const Json& params, std::chrono::milliseconds budget) const {
    auto connection = greet();
    if (!connection) return pass(connection);
    const auto result = connection->call(method, params, budget);
    if (!result) return tl::unexpected<Error>(result.error());
    return {};
}

} // namespace quiesced
