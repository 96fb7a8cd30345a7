// SPDX-License-Identifier: LGPL-2.1-or-later
#include "lvm_twin.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include <nlohmann/json.hpp>

namespace quiesced {
namespace {

const std::string kGroupUuid = "GROUP0-0000-0000-0000-0000-0000-000000";

std::string value_of(const std::vector<std::string>& arguments, const std::string& option) {
    const auto found = std::find(arguments.begin(), arguments.end(), option);
    return found == arguments.end() ? std::string() : *(found + 1);
}

bool has(const std::vector<std::string>& arguments, const std::string& word) {
    return std::find(arguments.begin(), arguments.end(), word) != arguments.end();
}

std::string short_name(const std::string& full_name) { return full_name.substr(full_name.find('/') + 1); }

ChildOutcome failed(const std::string& words) {
    ChildOutcome outcome;
    outcome.exit_status = 5;
    outcome.errors = "  WARNING: Sum of all thin volume sizes exceeds the size of thin pools.\n" + words + "\n";
    return outcome;
}

} // namespace

Result<DmDevice> TwinDmTables::table(const std::string& uuid) const {
    const auto found = devices.find(uuid);
    if (found == devices.end()) return fail_errno("there is no device-mapper device " + uuid, ENXIO);
    return found->second;
}

Result<DmDevice> TwinDmTables::table(DeviceNumber number) const {
    for (const auto& [uuid, device] : devices)
        if (device.number == number) return device;
    return fail_errno("there is no device-mapper device " + number.text(), ENXIO);
}

Result<DmDevice> TwinDmTables::status(const std::string& uuid) const {
    auto device = table(uuid);
    if (!device || device->targets.empty()) return device;
    const auto found = statuses.find(uuid);
    device->targets.front().text = found == statuses.end() ? "16/131072 16" : found->second;
    return device;
}

LogicalVolume& TwinLvm::add(const std::string& name, const std::string& segment_type, const std::string& attributes,
                            Bytes size) {
    auto volume = std::make_unique<LogicalVolume>();
    std::array<char, 64> uuid{};
    std::snprintf(uuid.data(), uuid.size(), "LV%04u-0000-0000-0000-0000-0000-000000", next_uuid_++);
    volume->group = "vg";
    volume->group_uuid = kGroupUuid;
    volume->extent = Bytes{4ULL << 20U};
    volume->name = name;
    volume->uuid = uuid.data();
    volume->size = size;
    volume->segment_type = segment_type;
    volume->attributes = attributes;
    volumes_.push_back(std::move(volume));
    return *volumes_.back();
}

void TwinLvm::put_table(const std::string& uuid, const std::string& type, const std::string& text, Bytes size) {
    auto& device = tables_->devices[uuid];
    if (device.uuid.empty()) device.number = {253, next_minor_++};
    device.uuid = uuid;
    device.name = "name-of-" + uuid;
    device.targets = {{0, size.count / kSectorSize, type, text}};
}

LogicalVolume& TwinLvm::add_thick(const std::string& name, Bytes size) {
    auto& volume = add(name, "linear", "-wi-ao----", size);
    put_table(volume.dm_uuid(), "linear", "8:0 2048", size);
    return volume;
}

LogicalVolume& TwinLvm::add_pool(const std::string& name) {
    auto& volume = add(name, "thin-pool", "twi-aotz--", Bytes{1ULL << 30U});
    volume.data_percent = 10.0;
    volume.metadata_percent = 5.0;
    put_table(volume.dm_uuid() + "-tpool", "thin-pool", "253:100 253:101 128 0 0", volume.size);
    return volume;
}

LogicalVolume& TwinLvm::add_thin(const std::string& name, const std::string& pool) {
    auto& volume = add(name, "thin", "Vwi-aotz--", Bytes{1ULL << 30U});
    volume.pool = pool;
    volume.thin_id = next_thin_id_++;
    const auto pool_number = tables_->devices.at(find(pool)->dm_uuid() + "-tpool").number;
    put_table(volume.dm_uuid(), "thin", pool_number.text() + " " + std::to_string(*volume.thin_id), volume.size);
    return volume;
}

LogicalVolume* TwinLvm::find(const std::string& name) {
    for (const auto& volume : volumes_)
        if (volume->name == name) return volume.get();
    return nullptr;
}

std::vector<std::string> TwinLvm::names() const {
    std::vector<std::string> names;
    for (const auto& volume : volumes_) names.push_back(volume->name);
    return names;
}

std::size_t TwinLvm::count(const std::string& subcommand) const {
    return static_cast<std::size_t>(
        std::count_if(calls.begin(), calls.end(), [&](const auto& call) { return call.front() == subcommand; }));
}

Result<ChildOutcome> TwinLvm::run(const std::vector<std::string>& arguments, std::chrono::milliseconds) {
    calls.push_back(arguments);
    const auto& subcommand = arguments.front();
    if (!fail_on.empty() && (has(arguments, fail_on) || subcommand == fail_on)) {
        if (half_make) create(arguments);
        return failed(fail_words);
    }
    ChildOutcome outcome;
    if (subcommand == "lvs" && has(arguments, "seg_monitor")) outcome.output = monitored ? "  monitored \n" : "  not monitored\n";
    else if (subcommand == "lvs" && has(arguments, "lv_metadata_size")) outcome.output = "  " + std::to_string(metadata.count) + "\n";
    else if (subcommand == "lvs") outcome.output = report(arguments);
    if (subcommand == "lvmconfig") outcome.output = "autoextend_threshold=" + std::to_string(extends_itself) + "\n";
    if (subcommand == "lvconvert") return merge(arguments);
    if (subcommand == "lvextend") return extend(arguments);
    if (subcommand == "vgs" && arguments.back() != "vg") return failed("  Volume group \"" + arguments.back() + "\" not found");
    if (subcommand == "vgs")
        outcome.output = nlohmann::json{{"report", {{{"vg", {{{"vg_name", "vg"}, {"vg_free", std::to_string(free.count)}, {"vg_extent_size", "4194304"}}}}}}}}.dump();
    if (subcommand == "lvcreate" && arguments.back() == "vg") return create_plain(arguments);
    if (subcommand == "lvcreate") return create(arguments);
    if (subcommand == "lvremove") return remove(arguments);
    if (subcommand == "lvchange" && arguments[1] == "--addtag")
        for (auto name = arguments.begin() + 3; name != arguments.end(); ++name) find(short_name(*name))->tags.push_back(arguments[2]);
    return outcome;
}

ChildOutcome TwinLvm::create(const std::vector<std::string>& arguments) {
    auto* origin = find(short_name(arguments.back()));
    const auto name = value_of(arguments, "--name");
    if (origin == nullptr) return failed("  Failed to find logical volume \"" + arguments.back() + "\"");
    if (find(name) != nullptr) return failed("  Logical Volume \"" + name + "\" already exists in volume group \"vg\"");
    const bool thin = origin->segment_type == "thin";
    auto& snapshot = thin ? add(name, "thin", "Vwi---tz-k", origin->size)
                          : add(name, "linear", "swi-a-s---", Bytes{std::stoull(value_of(arguments, "--size"))});
    snapshot.origin = origin->name;
    for (auto word = arguments.begin(); word != arguments.end(); ++word)
        if (*word == "--addtag") snapshot.tags.push_back(*(word + 1));
    if (thin) {
        snapshot.pool = origin->pool;
        snapshot.thin_id = next_thin_id_++;
        return {};
    }
    const auto chunk = value_of(arguments, "--chunksize");
    snapshot.chunk = Bytes{chunk.empty() ? 4096 : std::stoull(chunk)}; // lvcreate's default
    const auto real = origin->dm_uuid() + "-real";
    const auto store = snapshot.dm_uuid() + "-cow";
    put_table(real, "linear", "8:0 2048", origin->size);
    put_table(store, "linear", "8:0 999", snapshot.size);
    const auto real_number = tables_->devices.at(real).number.text();
    put_table(origin->dm_uuid(), "snapshot-origin", real_number, origin->size);
    put_table(snapshot.dm_uuid(), "snapshot", real_number + " " + tables_->devices.at(store).number.text() + " P " + std::to_string(snapshot.chunk->count / kSectorSize),
              origin->size);
    free.count -= snapshot.size.count;
    return {};
}

ChildOutcome TwinLvm::create_plain(const std::vector<std::string>& arguments) {
    const auto name = value_of(arguments, "--name");
    const Bytes size{std::stoull(value_of(arguments, "--size"))};
    if (find(name) != nullptr) return failed("  Logical Volume \"" + name + "\" already exists in volume group \"vg\"");
    if (size > free) return failed("  Volume group \"vg\" has insufficient free space (1 extents): 2 required.");
    auto& volume = add_thick(name, size);
    for (auto word = arguments.begin(); word != arguments.end(); ++word)
        if (*word == "--addtag") volume.tags.push_back(*(word + 1));
    free.count -= size.count;
    return {};
}

ChildOutcome TwinLvm::extend(const std::vector<std::string>& arguments) {
    const bool data = arguments[1] == "--size";
    auto& size = data ? find(short_name(arguments.back()))->size : metadata;
    const auto to = std::stoull(arguments[2]);
    if (to - size.count > free.count) return failed("  Insufficient free space");
    free.count -= to - size.count;
    size.count = to;
    return {};
}

/// At once, or for an origin that is open: with the next activation, and hidden until then.
ChildOutcome TwinLvm::merge(const std::vector<std::string>& arguments) {
    for (auto word = arguments.begin() + 4; word != arguments.end(); ++word) {
        auto& snapshot = *find(short_name(*word));
        auto& origin = *find(snapshot.origin);
        if (origin.is_open()) {
            origin.attributes[0] = 'O';
            snapshot.attributes[0] = 'S';
            continue;
        }
        remove({"lvremove", "--yes", *word});
    }
    return {};
}

ChildOutcome TwinLvm::remove(const std::vector<std::string>& arguments) {
    for (auto word = arguments.begin() + 2; word != arguments.end(); ++word) {
        const auto name = short_name(*word);
        const auto* volume = find(name);
        if (volume == nullptr) return failed("  Failed to find logical volume \"" + *word + "\"");
        tables_->devices.erase(volume->dm_uuid());
        volumes_.erase(
            std::find_if(volumes_.begin(), volumes_.end(), [&](const auto& other) { return other->name == name; }));
    }
    return {};
}

std::string TwinLvm::report(const std::vector<std::string>& arguments) const {
    const auto& what = arguments.back();
    auto rows = nlohmann::json::array();
    const auto percent = [](const std::optional<double>& value) {
        return value ? std::to_string(*value) : std::string();
    };
    for (const auto& volume : volumes_) {
        if (what.front() == '@' && !volume->has_tag(what.substr(1))) continue;
        const bool hidden = volume->attributes[0] == 'S';
        if (hidden && !has(arguments, "--all")) continue;
        std::string tags;
        for (const auto& tag : volume->tags) tags += (tags.empty() ? "" : ",") + tag;
        rows.push_back({{"vg_name", volume->group},
                        {"vg_uuid", volume->group_uuid},
                        {"vg_free", std::to_string(free.count)},
                        {"vg_extent_size", std::to_string(volume->extent.count)},
                        {"lv_name", hidden ? "[" + volume->name + "]" : volume->name},
                        {"lv_uuid", volume->uuid},
                        {"lv_size", std::to_string(volume->size.count)},
                        {"segtype", volume->segment_type},
                        {"lv_attr", volume->attributes},
                        {"pool_lv", volume->pool},
                        {"origin", volume->origin},
                        {"thin_id", volume->thin_id ? std::to_string(*volume->thin_id) : ""},
                        {"data_percent", percent(volume->data_percent)},
                        {"metadata_percent", percent(volume->metadata_percent)},
                        {"lv_metadata_size", volume->metadata_size ? std::to_string(volume->metadata_size->count) : ""},
                        {"chunk_size", std::to_string(volume->chunk.value_or(Bytes{}).count)},
                        {"lv_check_needed", volume->needs_check ? "check needed" : "unknown"},
                        {"lv_tags", tags}});
    }
    return nlohmann::json{{"report", {{{"lv", rows}}}}}.dump();
}

} // namespace quiesced
