// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plugins/targetd/initiator.h"

#include <fcntl.h>

#include <cctype>
#include <filesystem>
#include <thread>

#include "base/clock.h"
#include "base/file.h"

namespace quiesced {
namespace {

constexpr std::chrono::seconds kOtherPaths{3}; ///< for the others than the first

} // namespace

std::string lio_wwid(const std::string& serial) {
    constexpr std::size_t digits = 25;
    std::string wwid = "naa.6001405";
    const auto full = wwid.size() + digits;
    for (const char c : serial)
        if (wwid.size() < full && std::isxdigit(static_cast<unsigned char>(c)) != 0)
            wwid += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    wwid.resize(full, '0');
    return wwid;
}

Result<std::size_t> Initiator::scan(const std::string& target, int lun) const {
    const auto sessions = list_directory_at(AT_FDCWD, sysfs_ + "/class/iscsi_session");
    if (!sessions) return fail(ErrorKind::lost, "this guest has no iSCSI session");
    bool any = false;
    std::size_t working = 0;
    for (const auto& session : *sessions) {
        const auto folder = sysfs_ + "/class/iscsi_session/" + session;
        if (const auto name = read_attribute_at(AT_FDCWD, folder + "/targetname"); !name || (!target.empty() && *name != target)) continue;
        // .../hostN/sessionM: the session's parent is its SCSI host.
        std::error_code error;
        const auto device = std::filesystem::canonical(folder + "/device", error);
        if (error) continue;
        const auto host = device.parent_path().filename().string();
        if (auto written = write_file(sysfs_ + "/class/scsi_host/" + host + "/scan", "0 0 " + std::to_string(lun)); !written) return pass(written);
        any = true;
        if (read_attribute_at(AT_FDCWD, folder + "/state").value_or("") == "LOGGED_IN") ++working;
    }
    if (!any) return fail(ErrorKind::lost, "this guest has no iSCSI session with " + target, "Log in: iscsiadm -m node -T " + target + " --login");
    return working;
}

std::vector<std::string> Initiator::paths_of(const std::string& wwid) const {
    std::vector<std::string> paths;
    const auto disks = list_directory_at(AT_FDCWD, sysfs_ + "/block");
    if (!disks) return paths;
    for (const auto& disk : *disks) {
        if (!disk.starts_with("sd")) continue;
        const auto path = sysfs_ + "/block/" + disk;
        if (const auto found = read_attribute_at(AT_FDCWD, path + "/device/wwid"); found && *found == wwid) paths.push_back(path);
    }
    return paths;
}

bool Initiator::appears(const std::string& wwid, std::size_t paths, std::chrono::milliseconds limit) const {
    const auto start = Monotonic::now();
    while (true) {
        const auto found = paths_of(wwid).size();
        const auto waited = Monotonic::now() - start;
        if (found > 0 && (found >= paths || waited >= kOtherPaths)) return true;
        if (waited >= limit) return found > 0;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

/// What is built on a device (its folder in sysfs) or its partitions, but for a multipath device and its partitions; empty
/// for nothing.
std::string Initiator::user_of(const std::string& device) const {
    for (const auto& holder : list_directory_at(AT_FDCWD, device + "/holders").value_or(std::vector<std::string>())) {
        const auto uuid = read_attribute_at(AT_FDCWD, sysfs_ + "/block/" + holder + "/dm/uuid").value_or("");
        const bool transparent = uuid.starts_with("mpath-") || (uuid.starts_with("part") && uuid.find("-mpath-") != std::string::npos);
        auto user = transparent ? user_of(sysfs_ + "/block/" + holder) : read_attribute_at(AT_FDCWD, sysfs_ + "/block/" + holder + "/dm/name").value_or(holder);
        if (!user.empty()) return user;
    }
    const auto disk = device.substr(device.rfind('/') + 1);
    for (const auto& entry : list_directory_at(AT_FDCWD, device).value_or(std::vector<std::string>()))
        if (entry.size() > disk.size() && entry.starts_with(disk)) // sdb1 in sdb
            if (auto user = user_of(device + "/" + entry); !user.empty()) return user;
    return {};
}

Result<void> Initiator::check_unused(const std::string& wwid) const {
    for (const auto& path : paths_of(wwid))
        if (const auto user = user_of(path); !user.empty())
            return fail(ErrorKind::busy, "LUN " + wwid + " is in use: " + user + " lies on it", "Deactivate it (vgchange -an, cryptsetup close), then delete again.");
    return {};
}

Result<void> Initiator::remove(const std::string& wwid) const {
    if (auto unused = check_unused(wwid); !unused) return unused;
    for (const auto& path : paths_of(wwid))
        if (auto written = write_file(path + "/device/delete", "1"); !written && written.error().error_number != ENOENT) return written;
    return {};
}

} // namespace quiesced
