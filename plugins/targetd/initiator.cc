// SPDX-License-Identifier: LGPL-2.1-or-later
#include "plugins/targetd/initiator.h"

#include <fcntl.h>

#include <cctype>
#include <filesystem>
#include <thread>

#include "base/clock.h"
#include "base/file.h"

namespace quiesced {

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

Result<void> Initiator::scan(const std::string& target, int lun) const {
    const auto sessions = list_directory_at(AT_FDCWD, sysfs_ + "/class/iscsi_session");
    if (!sessions) return fail(ErrorKind::lost, "this guest has no iSCSI session");
    bool any = false;
    for (const auto& session : *sessions) {
        const auto folder = sysfs_ + "/class/iscsi_session/" + session;
        if (const auto name = read_attribute_at(AT_FDCWD, folder + "/targetname"); !name || (!target.empty() && *name != target)) continue;
        // .../hostN/sessionM: the session's parent is its SCSI host.
        std::error_code error;
        const auto device = std::filesystem::canonical(folder + "/device", error);
        if (error) continue;
        const auto host = device.parent_path().filename().string();
        if (auto written = write_file(sysfs_ + "/class/scsi_host/" + host + "/scan", "0 0 " + std::to_string(lun)); !written) return written;
        any = true;
    }
    if (!any) return fail(ErrorKind::lost, "this guest has no iSCSI session with " + target, "Log in: iscsiadm -m node -T " + target + " --login");
    return {};
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

bool Initiator::appears(const std::string& wwid, std::chrono::milliseconds limit) const {
    const auto deadline = Monotonic::now() + limit;
    while (paths_of(wwid).empty()) {
        if (Monotonic::now() >= deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
}

Result<void> Initiator::remove(const std::string& wwid) const {
    for (const auto& path : paths_of(wwid))
        if (auto written = write_file(path + "/device/delete", "1"); !written && written.error().error_number != ENOENT) return written;
    return {};
}

} // namespace quiesced
