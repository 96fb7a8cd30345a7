// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <optional>

#include "volumes/file_system_type.h"
#include "volumes/inventory.h"
#include "volumes/local_path.h"

namespace quiesced {
namespace {

constexpr const char* kSeeVolumes = "See the volumes of this machine with: quiescectl volumes";

/// The volume on which a path lies, by the text of its visible mount points; nullptr if unknown.
struct Place {
    const Volume* volume = nullptr;
    const MountPoint* mount = nullptr;
};

bool lies_below(const std::string& path, const std::string& folder) {
    if (folder == "/") return true;
    return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

Place place_of(const std::vector<Volume>& volumes, const std::string& path) {
    Place deepest;
    for (const auto& volume : volumes)
        for (const auto* mounts : {&volume.mounts, &volume.overlays})
            for (const auto& mount : *mounts)
                if (!mount.hidden && !mount.process && lies_below(path, mount.path) &&
                    (deepest.mount == nullptr || mount.path.size() > deepest.mount->path.size()))
                    deepest = {&volume, &mount};
    return deepest;
}

/// Whether a path leads through another process's view: "/proc/1234/root/...", whose links are not what they say.
bool leads_through_process(const std::string& path) {
    if (!path.starts_with("/proc/")) return false;
    const auto process_end = path.find('/', 6);
    if (process_end == std::string::npos) return false;
    const auto process = path.substr(6, process_end - 6);
    const bool is_process = process == "self" || process == "thread-self" ||
                            process.find_first_not_of("0123456789") == std::string::npos;
    const auto part = path.substr(process_end + 1, path.find('/', process_end + 1) - process_end - 1);
    return is_process && (part == "root" || part == "cwd" || part == "fd" || part == "exe" || part == "task");
}

/// A path as another mount namespace knows it. With `whole`, only "/proc/PID/root/..." as a whole is such a path.
Place foreign_place_of(const std::vector<Volume>& volumes, const std::string& path, bool whole) {
    for (const auto& volume : volumes)
        for (const auto& mount : volume.mounts)
            if (mount.process && !mount.hidden && path == (whole ? mount.open_path() : mount.path)) return {&volume, &mount};
    return {};
}

/// An error for what is no mount point here but in another namespace; nothing where that is not so.
std::optional<Error> mounted_elsewhere(const std::vector<Volume>& volumes, const std::string& path, const std::string& name) {
    const auto place = foreign_place_of(volumes, path, false);
    if (place.volume == nullptr) return std::nullopt;
    const auto& process = *place.mount->process;
    return fail(ErrorKind::not_mounted,
                "'" + name + "' is mounted in the mount namespace of process " + std::to_string(process.pid) + " (" +
                    process.command + ") only, not here",
                "Name it " + place.volume->name + ".")
        .value();
}

/// The volume itself, or why it can never be a member.
Result<const Volume*> member(const Volume& volume, const std::string& name) {
    if (classify_file_system(volume.file_system).remote_answer)
        return fail(ErrorKind::unsupported,
                    "'" + name + "' is a " + volume.file_system +
                        " file system, for which a server or another process answers: it cannot be frozen here",
                    "Take its snapshot where its data are, and leave it out of the set.");
    if (volume.devices.empty())
        return fail(ErrorKind::unsupported,
                    "'" + name + "' is a " + volume.file_system + " file system without a disk of its own",
                    volume.file_system == "overlay" ? "Name the volume that its upper folder lies on."
                                                    : "Leave it out of the set: there is nothing to snapshot.");
    return &volume;
}

Result<const Volume*> by_tag(const std::vector<Volume>& volumes, const std::string& name, const std::string& value,
                             std::string Volume::*field) {
    std::vector<const Volume*> found;
    for (const auto& volume : volumes)
        if (!value.empty() && volume.*field == value) found.push_back(&volume);
    if (found.empty()) return fail(ErrorKind::no_such_volume, "no volume has " + name, kSeeVolumes);
    // A snapshot has the UUID of its origin, but only one of them is in use.
    if (found.size() > 1) {
        const auto mounted = [](const Volume* volume) { return !volume->mounts.empty(); };
        if (std::count_if(found.begin(), found.end(), mounted) == 1)
            found = {*std::find_if(found.begin(), found.end(), mounted)};
    }
    if (found.size() == 1) return member(*found.front(), name);
    std::string names;
    for (const auto* volume : found) names += (names.empty() ? "" : ", ") + volume->name;
    return fail(ErrorKind::invalid_argument, "several volumes have " + name + ": " + names,
                "Name the one you mean by its mount point or device.");
}

Result<const Volume*> by_device(const Inventory& inventory, DeviceNumber number, const std::string& name) {
    for (const auto& volume : inventory.volumes())
        if (std::find(volume.devices.begin(), volume.devices.end(), number) != volume.devices.end())
            return member(volume, name);
    const auto* node = inventory.graph().find(number);
    if (node == nullptr)
        return fail(ErrorKind::no_such_volume,
                    "'" + name + "' is a device node without a device (" + number.text() + ")", kSeeVolumes);
    std::string users;
    bool partitioned = false;
    for (const auto& [other, upper] : inventory.graph().nodes()) {
        if (std::find(upper.lower.begin(), upper.lower.end(), number) == upper.lower.end()) continue;
        users += (users.empty() ? "" : ", ") + upper.path();
        partitioned = partitioned || upper.kind == BlockNode::Kind::partition;
    }
    if (!users.empty())
        return fail(ErrorKind::unsupported,
                    "'" + name + "' is no volume: " + (partitioned ? "it is divided into " : "it carries ") + users,
                    "Name the volumes on it. " + std::string(kSeeVolumes));
    return fail(ErrorKind::unsupported,
                "'" + name + "' holds nothing that can be snapshotted (swap, a part of something else, or no medium)",
                kSeeVolumes);
}

/// Nothing at such a path may be touched: a server or another process answers for it, or does not.
bool answers_elsewhere(const std::vector<Volume>& volumes, const std::string& path) {
    const auto place = place_of(volumes, path);
    return place.volume != nullptr && classify_file_system(place.volume->file_system).remote_answer;
}

} // namespace

Result<const Volume*> Inventory::holder_of(const std::string& path) const {
    if (!path.starts_with('/') || path.find('\0') != std::string::npos)
        return fail(ErrorKind::invalid_argument, "'" + path + "' is no absolute path");
    const auto reached = walk_path(clean_path(path), [this](const std::string& part) { return answers_elsewhere(volumes_, part); });
    if (!reached) return fail_errno("nothing is at '" + path + "'", reached.error().error_number, ErrorKind::no_such_volume);
    const auto place = place_of(volumes_, reached->path);
    if (place.volume == nullptr) return fail(ErrorKind::no_such_volume, "'" + path + "' lies on no volume that is known");
    return place.volume;
}

Result<const Volume*> Inventory::resolve(const std::string& name) const {
    if (name.starts_with("UUID=")) return by_tag(volumes_, name, name.substr(5), &Volume::uuid);
    if (name.starts_with("LABEL=")) return by_tag(volumes_, name, name.substr(6), &Volume::label);
    if (!name.starts_with('/') || name.find('\0') != std::string::npos)
        return fail(ErrorKind::invalid_argument, "'" + name + "' is no name of a volume",
                    "Give a mount point, a device such as /dev/vg/lv, UUID=... or LABEL=... .");

    const auto path = clean_path(name);
    if (const auto place = place_of(volumes_, path); place.mount != nullptr && place.mount->path == path)
        return member(*place.volume, name);
    if (const auto place = foreign_place_of(volumes_, path, true); place.volume != nullptr) return member(*place.volume, name);
    if (leads_through_process(path))
        return fail(ErrorKind::no_such_volume, "'" + name + "' is no mount point of another mount namespace", kSeeVolumes);
    for (const auto& [number, node] : graph_.nodes())
        if (path == node.path() || path == "/dev/" + node.name) return by_device(*this, number, name);

    const auto reached = walk_path(path, [this](const std::string& part) { return answers_elsewhere(volumes_, part); });
    if (!reached) {
        if (auto elsewhere = mounted_elsewhere(volumes_, path, name)) return tl::unexpected<Error>(std::move(*elsewhere));
        auto error = fail(ErrorKind::no_such_volume, "'" + name + "' names no volume", kSeeVolumes);
        error.value().error_number = reached.error().error_number;
        return error;
    }
    const auto place = place_of(volumes_, reached->path);
    // A link to a mount point is as good as the mount point.
    if (place.mount != nullptr && place.mount->path == reached->path) return member(*place.volume, name);
    if (reached->stopped) return member(*place.volume, name); // its error: nothing there is ever a member
    if (S_ISBLK(reached->status.st_mode)) return by_device(*this, DeviceNumber::from(reached->status.st_rdev), name);
    if (auto elsewhere = mounted_elsewhere(volumes_, path, name)) return tl::unexpected<Error>(std::move(*elsewhere));
    const auto where = place.volume == nullptr ? std::string() : "; it lies on the volume " + place.volume->name;
    return fail(ErrorKind::not_mounted,
                "'" + name + "' is no mount point, but a " + (S_ISDIR(reached->status.st_mode) ? "folder" : "file") +
                    where,
                "Mount what you mean there" +
                    (place.volume == nullptr ? std::string(".") : ", or name " + place.volume->name + "."));
}

} // namespace quiesced
