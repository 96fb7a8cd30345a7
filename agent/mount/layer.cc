// SPDX-License-Identifier: LGPL-2.1-or-later
#include "mount/layer.h"

#include <fcntl.h>
#include <libdevmapper.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>

#include "base/file.h"
#include "base/scope_exit.h"
#include "base/unique_fd.h"

namespace quiesced {
namespace {

// A page, in sectors: little memory for scattered writes.
constexpr int kChunk = 8;

struct TaskDestroyer {
    void operator()(dm_task* task) const { dm_task_destroy(task); }
};
using Task = std::unique_ptr<dm_task, TaskDestroyer>;

void ignore_log(int, const char*, int, int, const char*, ...) {} // NOLINT(cert-dcl50-cpp): the library's signature

Task make_task(int type, const std::string& name) {
    // libdevmapper prints its errors on stderr otherwise; we have the errno.
    dm_log_with_errno_init(ignore_log);
    Task task(dm_task_create(type));
    if (task && dm_task_set_name(task.get(), name.c_str()) == 0) task.reset();
    return task;
}

std::string uuid_prefix(const SetId& set) { return "QUIESCED-" + set.text() + "-"; }

/// Runs a task that udev has rules for, and waits for these.
Result<void> run_with_udev(dm_task* task, const std::string& doing, std::uint16_t flags) {
    std::uint32_t cookie = 0;
    if (dm_task_set_cookie(task, &cookie, flags) == 0) return fail(ErrorKind::kernel, doing + ": udev cannot be waited for", "Is udev running?");
    const bool done = dm_task_run(task) != 0;
    const int error_number = dm_task_get_errno(task);
    dm_udev_wait(cookie);
    if (done) return {};
    return fail_errno(doing, error_number != 0 ? error_number : EIO, error_number == EBUSY ? ErrorKind::busy : ErrorKind::kernel);
}

struct Store {
    UniqueFd loop; ///< keeps it until device-mapper does
    DeviceNumber number;
};

/// A loop device over memory; it ends with its last user.
Result<Store> make_store() {
    const UniqueFd memory(::memfd_create("quiesced-layer", MFD_CLOEXEC));
    if (!memory) return fail_errno("cannot get memory for a writable layer");
    if (::ftruncate(memory.get(), static_cast<off_t>(kLayerLimit)) != 0) return fail_errno("cannot size the memory of a writable layer");
    const auto control = open_at(AT_FDCWD, "/dev/loop-control", O_RDWR);
    if (!control) return tl::unexpected<Error>(control.error());
    constexpr int attempts = 16; // somebody else may take the free one
    for (int attempt = 0; attempt < attempts; ++attempt) {
        const int free = ::ioctl(control->get(), LOOP_CTL_GET_FREE);
        if (free < 0) return fail_errno("there is no free loop device");
        auto loop = open_at(AT_FDCWD, "/dev/loop" + std::to_string(free), O_RDWR);
        if (!loop) return tl::unexpected<Error>(loop.error());
        loop_config config{};
        config.fd = static_cast<std::uint32_t>(memory.get());
        config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
        if (::ioctl(loop->get(), LOOP_CONFIGURE, &config) == 0) {
            struct stat status {};
            if (::fstat(loop->get(), &status) != 0) return fail_errno("cannot look at /dev/loop" + std::to_string(free));
            return Store{.loop = std::move(*loop), .number = DeviceNumber::from(status.st_rdev)};
        }
        if (errno != EBUSY) return fail_errno("cannot set up /dev/loop" + std::to_string(free));
    }
    return fail(ErrorKind::busy, "no loop device stays free for a moment", "Try again.");
}

} // namespace

Result<Layer> add_layer(const SetId& set, std::size_t index, const std::string& device) {
    const auto below = open_at(AT_FDCWD, device, O_RDONLY);
    if (!below) return tl::unexpected<Error>(below.error());
    struct stat status {};
    std::uint64_t bytes = 0;
    if (::fstat(below->get(), &status) != 0 || ::ioctl(below->get(), BLKGETSIZE64, &bytes) != 0) return fail_errno("cannot look at " + device);
    const auto store = make_store();
    if (!store) return tl::unexpected<Error>(store.error());

    const auto name = "quiesced-" + set.text() + "-" + std::to_string(index);
    const auto uuid = uuid_prefix(set) + std::to_string(index);
    const auto table = DeviceNumber::from(status.st_rdev).text() + " " + store->number.text() + " N " + std::to_string(kChunk);
    const auto task = make_task(DM_DEVICE_CREATE, name);
    if (!task || dm_task_set_uuid(task.get(), uuid.c_str()) == 0 || dm_task_add_target(task.get(), 0, bytes / kSectorSize, "snapshot", table.c_str()) == 0)
        return fail(ErrorKind::kernel, "cannot lay a writable layer over " + device, "Is the dm_mod module loaded?");
    constexpr std::uint16_t leave_alone =
        DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG | DM_UDEV_DISABLE_DISK_RULES_FLAG | DM_UDEV_DISABLE_OTHER_RULES_FLAG;
    if (auto done = run_with_udev(task.get(), "cannot lay the writable layer " + name + " over " + device, leave_alone); !done) return pass(done);
    dm_info info{};
    if (dm_task_get_info(task.get(), &info) == 0) return fail(ErrorKind::kernel, "the kernel does not answer about the new device " + name);
    return Layer{.name = name, .number = {info.major, info.minor}};
}

Result<std::vector<Layer>> layers_of(const SetId& set) {
    const std::string block = "/sys/class/block";
    const auto devices = list_directory_at(AT_FDCWD, block);
    if (!devices) return tl::unexpected<Error>(devices.error());
    std::vector<Layer> layers;
    for (const auto& device : *devices) {
        if (!device.starts_with("dm-")) continue;
        const auto read = [&](const char* attribute) { return read_attribute_at(AT_FDCWD, block + "/" + device + "/" + attribute).value_or(std::string()); };
        if (!read("dm/uuid").starts_with(uuid_prefix(set))) continue;
        const auto number = DeviceNumber::parse(read("dev"));
        if (!number) return tl::unexpected<Error>(number.error());
        layers.push_back({.name = read("dm/name"), .number = *number});
    }
    return layers;
}

Result<void> remove_layer(const Layer& layer) {
    const auto task = make_task(DM_DEVICE_REMOVE, layer.name);
    if (!task) return fail(ErrorKind::kernel, "cannot remove the writable layer " + layer.name);
    dm_task_retry_remove(task.get()); // udev or blkid may look at it for a moment
    auto done = run_with_udev(task.get(), "cannot remove the writable layer " + layer.name, 0);
    if (!done && done.error().error_number == ENXIO) return {};
    return done;
}

} // namespace quiesced
