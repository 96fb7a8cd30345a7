// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/dm_table.h"

#include <libdevmapper.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <memory>
#include <mutex>
#include <sstream>

#include "snapshot/dm_library.h"

namespace quiesced {
namespace {

std::mutex& library_mutex() {
    static std::mutex mutex;
    return mutex;
}

// libdevmapper prints its errors on stderr otherwise; we have the errno.
void ignore_log(int, const char*, int, int, const char*, ...) {} // NOLINT(cert-dcl50-cpp): the library's signature

Result<DmDevice> ask(int type, const std::string& what, const std::function<bool(dm_task*)>& choose) {
    const DmLibrary library;
    const DmTask task(dm_task_create(type));
    // Secure: the kernel and the library wipe what they had of it, which may be a key.
    if (!task || !choose(task.get()) || dm_task_no_flush(task.get()) == 0 || dm_task_secure_data(task.get()) == 0)
        return fail(ErrorKind::kernel, "cannot ask device-mapper about " + what, "Is the dm_mod module loaded?");
    if (dm_task_run(task.get()) == 0) {
        const int error_number = dm_task_get_errno(task.get());
        return fail_errno("device-mapper does not answer about " + what, error_number != 0 ? error_number : EIO);
    }
    dm_info info{};
    if (dm_task_get_info(task.get(), &info) == 0 || info.exists == 0)
        return fail_errno("there is no device-mapper device " + what, ENXIO);

    DmDevice device;
    device.number = {info.major, info.minor};
    device.name = dm_task_get_name(task.get());
    device.uuid = dm_task_get_uuid(task.get());
    device.suspended = info.suspended != 0;
    device.read_only = info.read_only != 0;
    device.inactive_table = info.inactive_table != 0;
    void* next = nullptr;
    do {
        DmTarget target;
        char* target_type = nullptr;
        char* text = nullptr;
        next = dm_get_next_target(task.get(), next, &target.start, &target.sectors, &target_type, &text);
        if (target_type == nullptr) continue; // no table at all
        target.type = target_type;
        target.text = without_keys(target.type, text != nullptr ? text : "");
        // The kernel pads some with a space at the end.
        target.text.erase(target.text.find_last_not_of(' ') + 1);
        device.targets.push_back(std::move(target));
    } while (next != nullptr);
    return device;
}

Result<DmDevice> ask(int type, const std::string& uuid) {
    return ask(type, uuid, [&uuid](dm_task* task) { return dm_task_set_uuid(task, uuid.c_str()) != 0; });
}

std::function<bool(dm_task*)> choose(DeviceNumber number) {
    return [number](dm_task* task) {
        return dm_task_set_major_minor(task, static_cast<int>(number.major), static_cast<int>(number.minor), 0) != 0;
    };
}

} // namespace

DmLibrary::DmLibrary() : lock_(library_mutex()) {
    dm_log_with_errno_init(ignore_log);
    // It opens the control device without O_CLOEXEC: not to be kept.
    dm_hold_control_dev(0);
}

DmLibrary::~DmLibrary() { dm_lib_release(); }

std::optional<SnapshotTable> parse_snapshot_table(const std::string& text) {
    std::istringstream words(text);
    std::string origin_text;
    std::string store_text;
    std::string kind;
    std::uint64_t sectors = 0;
    words >> origin_text >> store_text >> kind >> sectors;
    const auto origin = DeviceNumber::parse(origin_text);
    const auto store = DeviceNumber::parse(store_text);
    if (words.fail() || !origin || !store || sectors == 0) return std::nullopt;
    return SnapshotTable{.origin = *origin, .store = *store, .persistent = kind.starts_with("P"), .chunk = Bytes{sectors * kSectorSize}};
}

std::string without_keys(std::string_view type, std::string_view parameters) {
    constexpr std::string_view hidden = "(key)";
    // Its keys are anywhere among its options.
    if (type == "integrity") return std::string(hidden);
    if (type != "crypt") return std::string(parameters);
    // "<cipher> <key> <iv offset> <device> <start> ..."; ":<bytes>:<type>:<name>" is the name of a key in a keyring, no key.
    const auto begin = std::min(parameters.find(' '), parameters.size());
    const auto key = parameters.substr(std::min(begin + 1, parameters.size()));
    if (key.empty() || key.front() == ':') return std::string(parameters);
    const auto length = std::min(key.find(' '), key.size());
    return std::string(parameters.substr(0, begin)) + " " + std::string(hidden) + std::string(key.substr(length));
}

Result<DmDevice> KernelDmTables::table(const std::string& uuid) const { return ask(DM_DEVICE_TABLE, uuid); }

Result<DmDevice> KernelDmTables::table(DeviceNumber number) const { return ask(DM_DEVICE_TABLE, number.text(), choose(number)); }

Result<DmDevice> KernelDmTables::inactive(DeviceNumber number) const {
    return ask(DM_DEVICE_TABLE, number.text(),
               [number](dm_task* task) { return choose(number)(task) && dm_task_query_inactive_table(task) != 0; });
}

Result<DmDevice> KernelDmTables::status(const std::string& uuid) const { return ask(DM_DEVICE_STATUS, uuid); }

} // namespace quiesced
