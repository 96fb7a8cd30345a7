// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/dm_device.h"

#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>

#include "base/file.h"
#include "snapshot/dm_library.h"

namespace quiesced {
namespace {

/// What udev is told of our devices: a copy of a file system must not take the place of its origin in /dev/disk, nor be mounted,
/// assembled or scanned by whoever sees one come. It notes that for the events that come without our word (the freezer's resume).
constexpr std::uint16_t kLeaveAlone = DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG | DM_UDEV_DISABLE_DISK_RULES_FLAG |
                                      DM_UDEV_DISABLE_OTHER_RULES_FLAG | DM_UDEV_LOW_PRIORITY_FLAG;

/// A task whose buffers are wiped, in the kernel and in the library.
DmTask make_task(int type) {
    DmTask task(dm_task_create(type));
    if (task && dm_task_secure_data(task.get()) == 0) task.reset();
    return task;
}

DmTask make_task(int type, DeviceNumber device) {
    auto task = make_task(type);
    if (task && dm_task_set_major_minor(task.get(), static_cast<int>(device.major), static_cast<int>(device.minor), 0) == 0) task.reset();
    return task;
}

tl::unexpected<Error> no_task(const std::string& doing) { return fail(ErrorKind::kernel, doing, "Is the dm_mod module loaded?"); }

Result<void> run(dm_task* task, const std::string& doing) {
    if (dm_task_run(task) != 0) return {};
    const int error_number = dm_task_get_errno(task);
    return fail_errno(doing, error_number != 0 ? error_number : EIO, error_number == EBUSY ? ErrorKind::busy : ErrorKind::kernel);
}

/// A task for which udev has rules, under the lock; then waits for these without it.
Result<void> run_with_udev(std::optional<DmLibrary>& library, dm_task* task, std::uint16_t flags, const std::string& doing) {
    std::uint32_t cookie = 0;
    if (dm_task_set_cookie(task, &cookie, flags) == 0) return fail(ErrorKind::kernel, doing + ": udev cannot be waited for", "Is udev running?");
    auto done = run(task, doing);
    library.reset();
    dm_udev_wait(cookie);
    return done;
}

/// A task that has the active table of a device; under the lock.
Result<DmTask> read_table(DeviceNumber device) {
    const auto doing = "cannot read the table of the device-mapper device " + device.text();
    auto task = make_task(DM_DEVICE_TABLE, device);
    if (!task || dm_task_no_flush(task.get()) == 0) return no_task(doing);
    if (auto done = run(task.get(), doing); !done) return pass(done);
    dm_info info{};
    if (dm_task_get_info(task.get(), &info) == 0 || info.exists == 0) return fail_errno(doing, ENXIO);
    return task;
}

struct RawTarget {
    std::uint64_t start = 0;
    std::uint64_t sectors = 0;
    char* type = nullptr;
    char* parameters = nullptr;
};

/// The targets in a task, which has their texts; no copy of one, since it may hold a key.
std::vector<RawTarget> targets_of(dm_task* task) {
    std::vector<RawTarget> targets;
    void* next = nullptr;
    do {
        RawTarget target;
        next = dm_get_next_target(task, next, &target.start, &target.sectors, &target.type, &target.parameters);
        if (target.type != nullptr && target.parameters != nullptr) targets.push_back(target);
    } while (next != nullptr);
    return targets;
}

bool same(const RawTarget& a, const RawTarget& b) {
    return a.start == b.start && a.sectors == b.sectors && std::strcmp(a.type, b.type) == 0 && std::strcmp(a.parameters, b.parameters) == 0;
}

/// Puts the active table of a device into a task that makes or loads one.
Result<void> add_table_of(dm_task* task, DeviceNumber from, const std::string& doing) {
    const auto source = read_table(from);
    if (!source) return tl::unexpected<Error>(source.error());
    const auto targets = targets_of(source->get());
    if (targets.empty()) return fail(ErrorKind::kernel, doing + ": the device-mapper device " + from.text() + " has no table");
    dm_info info{};
    dm_task_get_info(source->get(), &info);
    if (info.read_only != 0 && dm_task_set_ro(task) == 0) return no_task(doing);
    for (const auto& target : targets)
        if (dm_task_add_target(task, target.start, target.sectors, target.type, target.parameters) == 0) return no_task(doing);
    return {};
}

/// Makes an active device; `fill` puts its table into the task.
Result<DeviceNumber> make_device(const std::string& name, const std::string& uuid, const std::string& doing,
                                 const std::function<Result<void>(dm_task*)>& fill) {
    std::optional<DmLibrary> library(std::in_place);
    const auto task = make_task(DM_DEVICE_CREATE);
    if (!task || dm_task_set_name(task.get(), name.c_str()) == 0 || dm_task_set_uuid(task.get(), uuid.c_str()) == 0) return no_task(doing);
    if (auto filled = fill(task.get()); !filled) return pass(filled);
    if (auto done = run_with_udev(library, task.get(), kLeaveAlone, doing); !done) return pass(done);
    dm_info info{};
    if (dm_task_get_info(task.get(), &info) == 0) return fail(ErrorKind::kernel, "the kernel does not answer about the new device " + name);
    return DeviceNumber{info.major, info.minor};
}

Result<void> load_into(DeviceNumber device, const std::string& doing, const std::function<Result<void>(dm_task*)>& fill) {
    const DmLibrary library;
    const auto task = make_task(DM_DEVICE_RELOAD, device);
    if (!task) return no_task(doing);
    if (auto filled = fill(task.get()); !filled) return filled;
    return run(task.get(), doing);
}

Result<void> add_target(dm_task* task, const DmTarget& target, const std::string& doing) {
    if (dm_task_add_target(task, target.start, target.sectors, target.type.c_str(), target.text.c_str()) == 0) return no_task(doing);
    return {};
}

} // namespace

Result<std::vector<DmEntry>> KernelDmDevices::list() const {
    const std::string block = "/sys/class/block";
    const auto names = list_directory_at(AT_FDCWD, block);
    if (!names) return tl::unexpected<Error>(names.error());
    std::vector<DmEntry> entries;
    for (const auto& name : *names) {
        if (!name.starts_with("dm-")) continue;
        const auto read = [&](const char* attribute) { return read_attribute_at(AT_FDCWD, block + "/" + name + "/" + attribute).value_or(std::string()); };
        // One that has gone meanwhile is none.
        if (const auto number = DeviceNumber::parse(read("dev"))) entries.push_back({.number = *number, .name = read("dm/name"), .uuid = read("dm/uuid")});
    }
    return entries;
}

Result<bool> KernelDmDevices::same_table(DeviceNumber a, DeviceNumber b) const {
    const DmLibrary library;
    const auto first = read_table(a);
    if (!first) return tl::unexpected<Error>(first.error());
    const auto second = read_table(b);
    if (!second) return tl::unexpected<Error>(second.error());
    const auto ones = targets_of(first->get());
    const auto others = targets_of(second->get());
    return std::equal(ones.begin(), ones.end(), others.begin(), others.end(), same);
}

Result<DeviceNumber> KernelDmDevices::create(const std::string& name, const std::string& uuid, const DmTarget& target) {
    const auto doing = "cannot make the device-mapper device " + name;
    return make_device(name, uuid, doing, [&](dm_task* task) { return add_target(task, target, doing); });
}

Result<DeviceNumber> KernelDmDevices::copy(DeviceNumber from, const std::string& name, const std::string& uuid) {
    const auto doing = "cannot make the device-mapper device " + name + " with the table of " + from.text();
    return make_device(name, uuid, doing, [&](dm_task* task) { return add_table_of(task, from, doing); });
}

Result<void> KernelDmDevices::load(DeviceNumber device, const DmTarget& target, bool read_only) {
    const auto doing = "cannot load a " + target.type + " table into the device-mapper device " + device.text();
    return load_into(device, doing, [&](dm_task* task) -> Result<void> {
        if (read_only && dm_task_set_ro(task) == 0) return no_task(doing);
        return add_target(task, target, doing);
    });
}

Result<void> KernelDmDevices::load_copy(DeviceNumber device, DeviceNumber from) {
    const auto doing = "cannot load the table of the device-mapper device " + from.text() + " into " + device.text();
    return load_into(device, doing, [&](dm_task* task) { return add_table_of(task, from, doing); });
}

Result<void> KernelDmDevices::activate(DeviceNumber device) {
    const auto doing = "cannot activate the table that is loaded into the device-mapper device " + device.text();
    // Past libdevmapper: to a resume without a cookie it adds DM_UDEV_DISABLE_DM_RULES_FLAG (_do_dm_ioctl(), 1.02.185), by which udev takes
    // the device's link in /dev/mapper away; and with a cookie, udev forgets the flags that it has of this device, which is somebody
    // else's. event_nr 0 is an event of nobody's, for which udev goes by what it knows (55-dm.rules).
    const auto control = open_at(AT_FDCWD, "/dev/mapper/control", O_RDWR);
    if (!control) return tl::unexpected<Error>(control.error());
    dm_ioctl request{};
    request.version[0] = DM_VERSION_MAJOR;
    request.data_size = sizeof request;
    request.data_start = sizeof request;
    request.flags = DM_SKIP_LOCKFS_FLAG;
    request.dev = device.device();
    if (::ioctl(control->get(), DM_DEV_SUSPEND, &request) == 0) return {};
    return fail_errno(doing, errno, errno == EBUSY ? ErrorKind::busy : ErrorKind::kernel);
}

Result<void> KernelDmDevices::clear(DeviceNumber device) {
    const auto doing = "cannot drop the table that is loaded into the device-mapper device " + device.text();
    const DmLibrary library;
    const auto task = make_task(DM_DEVICE_CLEAR, device);
    if (!task) return no_task(doing);
    return run(task.get(), doing);
}

Result<void> KernelDmDevices::remove(const std::string& uuid) {
    const auto doing = "cannot remove the device-mapper device " + uuid;
    std::optional<DmLibrary> library(std::in_place);
    const auto task = make_task(DM_DEVICE_REMOVE);
    if (!task || dm_task_set_uuid(task.get(), uuid.c_str()) == 0) return no_task(doing);
    dm_task_retry_remove(task.get()); // udev may look at it for a moment
    auto done = run_with_udev(library, task.get(), 0, doing);
    if (!done && done.error().error_number == ENXIO) return {};
    return done;
}

} // namespace quiesced
