// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plugins/targetd/targetd_plugin.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <thread>
#include <utility>

#include "base/file.h"
#include "base/ids.h"
#include "config.h"

namespace quiesced {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kLongestName = 127; ///< of a logical volume (NAME_LEN of lvm2)
constexpr int kMostLun = 255;             ///< of an iSCSI mapping in targetd
constexpr milliseconds kQueryLimit{10000};
constexpr milliseconds kWorkLimit{60000};
constexpr milliseconds kSettle{100};      ///< between two looks at an array that may still work on a lost call

/// A little less than the daemon's budget, so that the answer still counts.
milliseconds limit_of(const std::string& method) {
    if (method == "claim") return milliseconds(14000);
    if (method == "commit") return milliseconds(4500);
    if (method == "abort") return milliseconds(50000);
    return milliseconds(110000);
}

std::string text_of(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

} // namespace

std::string copy_name(const std::string& origin, const std::string& set) {
    const std::string end = "-q" + set;
    return origin.substr(0, kLongestName - end.size()) + end;
}

std::optional<std::string> set_of_copy(const std::string& name) {
    constexpr std::size_t end = 18; // "-q" and 16 digits
    if (name.size() <= end || name.compare(name.size() - end, 2, "-q") != 0) return std::nullopt;
    auto set = name.substr(name.size() - 16);
    const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
    return std::all_of(set.begin(), set.end(), is_digit) ? std::optional(std::move(set)) : std::nullopt;
}

struct TargetdPlugin::Array {
    explicit Array(const TargetdArray& config) : api(config) {}
    TargetdApi api;
};

struct TargetdPlugin::Lun {
    std::string wwid;
    std::string target; ///< its IQN, as the guest sees it; may be empty
    Array* array = nullptr;
    ArrayVolume volume;
};

struct TargetdPlugin::Set {
    std::optional<std::vector<Lun>> luns; ///< after prepare
    bool committed = false;
};

TargetdPlugin::TargetdPlugin(TargetdConfig config, std::string runtime_directory, Initiator initiator)
    : config_(std::move(config)), runtime_directory_(std::move(runtime_directory)), initiator_(std::move(initiator)) {
    for (const auto& array : config_.arrays) arrays_.push_back(std::make_unique<Array>(array));
}

TargetdPlugin::~TargetdPlugin() = default;

std::string TargetdPlugin::note_path(const std::string& set) const { return runtime_directory_ + "/" + set + ".cut"; }

Answer TargetdPlugin::describe(const Json& params) {
    static_cast<void>(params);
    // No "group-snapshot": targetd copies one volume after another. Nothing is written between them all the same.
    return Json{{"name", "targetd"}, {"version", QUIESCED_VERSION}, {"vendor", "Linux LIO"}, {"protocols", {1}},
                {"capabilities", {"map", "writable-clone", "list"}}};
}

/// The disks that are volumes of our arrays. `all`: each of them must be.
Outcome<std::vector<TargetdPlugin::Lun>> TargetdPlugin::find_luns(const Json& disks, bool all) {
    std::map<std::string, std::pair<Array*, ArrayVolume>> by_wwid;
    std::map<std::string, std::pair<Array*, ArrayVolume>> by_serial;
    std::optional<Failure> problem;
    for (const auto& array : arrays_) {
        std::vector<std::string> names;
        auto pools = array->api.pools(kQueryLimit);
        if (pools)
            for (const auto& pool : *pools) names.push_back(pool.name);
        auto volumes = pools ? array->api.volumes(names, kQueryLimit) : tl::unexpected<Failure>(pools.error());
        if (!volumes) {
            problem = volumes.error(); // another array may be the one
            log_line(LogLevel::warning, volumes.error().message);
            continue;
        }
        for (const auto& volume : *volumes) {
            by_wwid.emplace(lio_wwid(volume.uuid), std::pair(array.get(), volume));
            by_serial.emplace(volume.uuid, std::pair(array.get(), volume));
        }
    }
    std::vector<Lun> luns;
    std::set<std::string> seen;
    for (const auto& disk : disks) {
        const auto wwid = disk.at("wwid").get<std::string>();
        if (!seen.insert(wwid).second) continue;
        const std::pair<Array*, ArrayVolume>* match = nullptr;
        const auto serial = text_of(disk, "serial");
        if (const auto found = by_wwid.find(wwid); found != by_wwid.end()) match = &found->second;
        else if (const auto other = by_serial.find(serial); !serial.empty() && other != by_serial.end()) match = &other->second;
        if (match != nullptr) {
            luns.push_back({wwid, text_of(disk, "target_iqn"), match->first, match->second});
        } else if (all || problem) {
            if (problem) return tl::unexpected<Failure>(*problem);
            return refuse(FailureKind::not_found, "LUN " + wwid + " is no volume of the arrays in targetd.conf");
        }
    }
    return luns;
}

Answer TargetdPlugin::claim(const Json& params) {
    const auto& disks = params.at("disks");
    if (!disks.is_array()) throw Json::type_error::create(302, "disks is no list", &disks);
    Json candidates = Json::array();
    for (const auto& disk : disks) // only LIO's; nobody is asked for others
        if (disk.at("wwid").get<std::string>().starts_with("naa.6001405")) candidates.push_back(disk);
    Json claimed = Json::array();
    if (candidates.empty()) return Json{{"claimed", claimed}};
    const auto luns = find_luns(candidates, false);
    if (!luns) return tl::unexpected<Failure>(luns.error());
    for (const auto& lun : *luns)
        claimed.push_back({{"wwid", lun.wwid}, {"array_volume", lun.array->api.array().name + ":" + lun.volume.pool + "/" + lun.volume.name}});
    return Json{{"claimed", claimed}};
}

Outcome<void> TargetdPlugin::check_space(const std::vector<Lun>& luns) {
    for (const auto& array : arrays_) {
        std::set<std::string> used;
        for (const auto& lun : luns)
            if (lun.array == array.get()) used.insert(lun.volume.pool);
        if (used.empty()) continue;
        const auto pools = array->api.pools(kQueryLimit);
        if (!pools) return tl::unexpected<Failure>(pools.error());
        const auto least = static_cast<std::uint64_t>(array->api.array().least_free_percent);
        for (const auto& pool : *pools)
            if (used.contains(pool.name) && pool.free < pool.size / 100 * least)
                return refuse(FailureKind::no_space, "array " + array->api.array().name + ": pool " + pool.name + " has " + Bytes{pool.free}.text() +
                                                         " free of " + Bytes{pool.size}.text() + ", less than " + std::to_string(least) +
                                                         " %: delete old snapshots, or grow it");
    }
    return {};
}

/// For one method: an instance that only waits for the next request must not keep an abort over another connection waiting.
Outcome<SetLock> TargetdPlugin::lock(const std::string& method, const std::string& set) const {
    auto lock = SetLock::take(runtime_directory_, set, Monotonic::now() + limit_of(method));
    if (!lock) return refuse(lock.error().kind == ErrorKind::busy ? FailureKind::busy : FailureKind::internal, lock.error().message());
    return std::move(*lock);
}

Answer TargetdPlugin::prepare(const std::string& set, const Json& params) {
    const auto locked = lock("prepare", set);
    if (!locked) return tl::unexpected<Failure>(locked.error());
    auto& state = sets_[set];
    if (state.luns) return Json::object();
    auto luns = find_luns(params.at("disks"), true);
    if (!luns) return tl::unexpected<Failure>(luns.error());
    if (auto space = check_space(*luns); !space) return tl::unexpected<Failure>(space.error());
    std::set<std::string> names;
    for (const auto& lun : *luns)
        if (!names.insert(lun.array->api.array().name + lun.volume.pool + copy_name(lun.volume.name, set)).second)
            return refuse(FailureKind::unsupported, "the names of two volumes differ only behind their first " + std::to_string(kLongestName - 18) + " characters: " + lun.volume.name);
    for (const auto& array : arrays_) {
        std::size_t count = 0;
        std::set<std::string> pools;
        for (const auto& lun : *luns)
            if (lun.array == array.get()) {
                ++count;
                pools.insert(lun.volume.pool);
            }
        if (count == 0) continue;
        const auto volumes = array->api.volumes({pools.begin(), pools.end()}, kQueryLimit);
        if (!volumes) return tl::unexpected<Failure>(volumes.error());
        for (const auto& volume : *volumes)
            if (set_of_copy(volume.name) == set)
                return refuse(FailureKind::busy, "array " + array->api.array().name + ": " + volume.pool + "/" + volume.name + " exists already; abort set " + set + " first");
        // One connection for each volume is open when the window comes, as far as the server keeps them.
        if (auto connected = array->api.connect(count, kQueryLimit); !connected) return tl::unexpected<Failure>(connected.error());
    }
    // For an abort over another connection: it takes the note away, so that no commit comes after it; and where this
    // instance was killed, it knows by it that the array may still be at work.
    if (auto noted = open_at(AT_FDCWD, note_path(set), O_WRONLY | O_CREAT, 0600); !noted) return refuse(FailureKind::internal, noted.error().message());
    state.luns = std::move(*luns);
    return Json::object();
}

Outcome<void> TargetdPlugin::cut(Array& array, const std::string& set, const std::vector<Lun>& luns, milliseconds limit) {
    std::vector<TargetdApi::Copy> copies;
    for (const auto& lun : luns)
        if (lun.array == &array) copies.push_back({lun.volume.pool, lun.volume.name, copy_name(lun.volume.name, set)});
    return copies.empty() ? Outcome<void>() : array.api.copy(copies, limit);
}

Answer TargetdPlugin::commit(const std::string& set, const Json& params) {
    const auto locked = lock("commit", set);
    if (!locked) return tl::unexpected<Failure>(locked.error());
    auto& state = sets_[set];
    if (state.committed) return Json::object();
    if (!state.luns) return refuse(FailureKind::internal, "set " + set + " was not prepared on this connection");
    if (::access(note_path(set).c_str(), F_OK) != 0) return refuse(FailureKind::not_found, "set " + set + " was aborted over another connection");
    if (params.at("disks").size() != state.luns->size()) return refuse(FailureKind::internal, "set " + set + " was prepared for other LUNs");
    // Several arrays side by side; mostly there is one, and no thread is needed.
    std::vector<std::thread> others;
    std::vector<Outcome<void>> outcomes(arrays_.size());
    for (std::size_t i = 1; i < arrays_.size(); ++i)
        others.emplace_back([&, i] { outcomes[i] = cut(*arrays_[i], set, *state.luns, limit_of("commit")); });
    outcomes.front() = cut(*arrays_.front(), set, *state.luns, limit_of("commit"));
    for (auto& thread : others) thread.join();
    for (const auto& outcome : outcomes)
        if (!outcome) return tl::unexpected<Failure>(outcome.error());
    state.committed = true;
    return Json::object();
}

/// Exports the copy to this guest and lets it find it.
Outcome<Json> TargetdPlugin::map(Array& array, const Lun& lun, const ArrayVolume& copy) {
    if (config_.initiator.empty())
        return refuse(FailureKind::unsupported, "this guest's iSCSI name is not known: set initiator in targetd.conf");
    const auto exports = array.api.exports(kQueryLimit);
    if (!exports) return tl::unexpected<Failure>(exports.error());
    std::set<int> used;
    int number = -1;
    for (const auto& entry : *exports) {
        if (entry.initiator != config_.initiator) continue;
        used.insert(entry.lun);
        if (entry.pool == copy.pool && entry.volume == copy.name) number = entry.lun;
    }
    if (number < 0) {
        number = 1; // LUN 0 is better left to the array's own
        while (used.contains(number)) ++number;
        if (number > kMostLun) return refuse(FailureKind::no_space, "array " + array.api.array().name + ": no LUN number is free for " + config_.initiator + ": delete old sets");
        if (auto made = array.api.create_export({config_.initiator, copy.pool, copy.name, number}, kWorkLimit); !made)
            return tl::unexpected<Failure>(made.error());
    }
    const auto wwid = lio_wwid(copy.uuid);
    const auto paths = initiator_.scan(lun.target, number);
    if (!paths) return refuse(FailureKind::unreachable, paths.error().message());
    if (!initiator_.appears(wwid, *paths, milliseconds(20000)))
        return refuse(FailureKind::timeout, "LUN " + std::to_string(number) + " (" + wwid + ") of array " + array.api.array().name + " does not appear in this guest");
    return Json{{"wwid", wwid}, {"reference", {{"array", array.api.array().name}, {"pool", copy.pool}, {"volume", copy.name}, {"lun", number}}}};
}

Answer TargetdPlugin::finish(const std::string& set, const Json& params) {
    const auto locked = lock("finish", set);
    if (!locked) return tl::unexpected<Failure>(locked.error());
    auto& state = sets_[set];
    if (!state.luns) { // over a new connection
        auto luns = find_luns(params.at("disks"), true);
        if (!luns) return tl::unexpected<Failure>(luns.error());
        state.luns = std::move(*luns);
    }
    const bool wants_map = params.value("map", false);
    Json snapshots = Json::array();
    for (const auto& lun : *state.luns) {
        const auto volumes = lun.array->api.volumes({lun.volume.pool}, kQueryLimit);
        if (!volumes) return tl::unexpected<Failure>(volumes.error());
        const auto name = copy_name(lun.volume.name, set);
        const auto copy = std::find_if(volumes->begin(), volumes->end(), [&](const ArrayVolume& volume) { return volume.name == name; });
        if (copy == volumes->end())
            return refuse(FailureKind::not_found, "array " + lun.array->api.array().name + " holds no snapshot of " + lun.volume.pool + "/" + lun.volume.name + " of set " + set);
        Json entry{{"origin", lun.wwid}, {"snapshot", lun.array->api.array().name + ":" + copy->pool + "/" + copy->name}};
        if (wants_map) {
            auto mapped = map(*lun.array, lun, *copy);
            if (!mapped) return tl::unexpected<Failure>(mapped.error());
            entry.update(*mapped);
        }
        snapshots.push_back(std::move(entry));
    }
    ::unlink(note_path(set).c_str());
    return Json{{"snapshots", snapshots}};
}

/// One look at an array, and everything of the set that was there is gone.
Outcome<void> TargetdPlugin::remove_from(Array& array, const std::string& set, bool& found) {
    const auto pools = array.api.pools(kQueryLimit);
    if (!pools) return tl::unexpected<Failure>(pools.error());
    std::vector<std::string> names;
    for (const auto& pool : *pools) names.push_back(pool.name);
    const auto volumes = array.api.volumes(names, kQueryLimit);
    if (!volumes) return tl::unexpected<Failure>(volumes.error());
    std::vector<ArrayVolume> copies;
    for (const auto& volume : *volumes)
        if (set_of_copy(volume.name) == set) copies.push_back(volume);
    found = !copies.empty();
    if (!found) return {};
    const auto exports = array.api.exports(kQueryLimit);
    if (!exports) return tl::unexpected<Failure>(exports.error());
    for (const auto& copy : copies) // all of them, before any is touched
        if (auto unused = initiator_.check_unused(lio_wwid(copy.uuid)); !unused) return refuse(FailureKind::busy, unused.error().message());
    for (const auto& copy : copies) {
        if (auto removed = initiator_.remove(lio_wwid(copy.uuid)); !removed) return refuse(FailureKind::busy, removed.error().message());
        for (const auto& entry : *exports)
            if (entry.pool == copy.pool && entry.volume == copy.name)
                if (auto ended = array.api.destroy_export(entry, kWorkLimit); !ended) return ended;
        if (auto destroyed = array.api.destroy(copy.pool, copy.name, kWorkLimit); !destroyed) return destroyed;
    }
    return {};
}

Answer TargetdPlugin::remove(const std::string& set, const Json& params) {
    static_cast<void>(params);
    const bool own = sets_.contains(set) && sets_[set].luns;
    const auto locked = lock("abort", set);
    if (!locked) return tl::unexpected<Failure>(locked.error());
    // Another instance may have been killed in its commit; the array may find its calls only now.
    const bool lost = !own && ::access(note_path(set).c_str(), F_OK) == 0;
    for (const auto& array : arrays_) {
        bool found = false;
        int clean = 0;
        do {
            if (auto removed = remove_from(*array, set, found); !removed) return tl::unexpected<Failure>(removed.error());
            if (found) clean = 0;
            else ++clean;
            if (lost && clean < 3) std::this_thread::sleep_for(kSettle);
        } while (lost && clean < 3);
    }
    ::unlink(note_path(set).c_str());
    sets_.erase(set);
    return Json::object();
}

Answer TargetdPlugin::list(const Json& params) {
    static_cast<void>(params);
    Json snapshots = Json::array();
    for (const auto& array : arrays_) {
        const auto pools = array->api.pools(kQueryLimit);
        if (!pools) return tl::unexpected<Failure>(pools.error());
        std::vector<std::string> names;
        for (const auto& pool : *pools) names.push_back(pool.name);
        const auto volumes = array->api.volumes(names, kQueryLimit);
        if (!volumes) return tl::unexpected<Failure>(volumes.error());
        for (const auto& volume : *volumes)
            if (const auto set = set_of_copy(volume.name))
                snapshots.push_back({{"set", *set}, {"snapshot", array->api.array().name + ":" + volume.pool + "/" + volume.name}});
    }
    return Json{{"snapshots", snapshots}};
}

Handler TargetdPlugin::of_set(Answer (TargetdPlugin::*member)(const std::string&, const Json&)) {
    return [this, member](const Json& params) -> Answer {
        const auto set = SetId::parse(params.at("set").get<std::string>());
        if (!set) return refuse(FailureKind::internal, "that is no set's id: " + params.at("set").dump());
        return (this->*member)(set->text(), params);
    };
}

std::map<std::string, Handler> TargetdPlugin::handlers() {
    return {{"describe", [this](const Json& params) { return describe(params); }},
            {"claim", [this](const Json& params) { return claim(params); }},
            {"prepare", of_set(&TargetdPlugin::prepare)},
            {"commit", of_set(&TargetdPlugin::commit)},
            {"finish", of_set(&TargetdPlugin::finish)},
            {"abort", of_set(&TargetdPlugin::remove)},
            {"delete", of_set(&TargetdPlugin::remove)},
            {"list", [this](const Json& params) { return list(params); }}};
}

std::map<std::string, Handler> TargetdPlugin::refusing_handlers(const std::string& reason) {
    std::map<std::string, Handler> handlers;
    for (const char* method : {"claim", "prepare", "commit", "finish", "abort", "delete", "list", "describe"})
        handlers[method] = [reason](const Json&) -> Answer { return refuse(FailureKind::internal, reason); };
    return handlers;
}

} // namespace quiesced
