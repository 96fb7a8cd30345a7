// SPDX-License-Identifier: LGPL-2.1-or-later
#include "leak_check.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <string_view>
#include <thread>

#include "base/child.h"
#include "base/clock.h"
#include "base/file.h"
#include "volumes/mountinfo.h"
#include "write_probe.h"

namespace quiesced {
namespace {

using Sentences = std::vector<std::string>;

/// Looks again until nothing is found or the patience is at its end.
Sentences patiently(std::chrono::milliseconds patience, const std::function<Sentences()>& look) {
    const auto until = Monotonic::now() + patience;
    for (;;) {
        auto found = look();
        if (found.empty() || Monotonic::now() >= until) return found;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

std::string attribute(const std::string& path) { return read_attribute_at(AT_FDCWD, path).value_or(""); }

Sentences names_in(const std::string& folder) { return list_directory_at(AT_FDCWD, folder).value_or(Sentences{}); }

Sentences frozen_file_systems(std::chrono::milliseconds patience) {
    const auto table = read_mountinfo("/proc/self/mountinfo");
    if (!table) return {table.error().message()};
    // One probe for each superblock, all at once: a file system may be mounted often.
    std::map<DeviceNumber, std::pair<std::string, std::unique_ptr<WriteProbe>>> probes;
    for (const auto& entry : table->entries) {
        const bool on_disk = entry.device.major != 0 || entry.file_system == "btrfs";
        if (!on_disk || !has_option(entry.options, "rw") || !has_option(entry.super_options, "rw") || probes.contains(entry.device)) continue;
        std::error_code error;
        if (!std::filesystem::is_directory(entry.mount_point, error)) continue;
        probes[entry.device] = {entry.mount_point, std::make_unique<WriteProbe>(entry.mount_point)};
    }
    Sentences found;
    const auto until = Monotonic::now() + patience;
    for (auto& [device, probe] : probes) {
        const auto left = std::max(until - Monotonic::now(), Monotonic::duration::zero());
        if (!probe.second->ended(std::chrono::ceil<std::chrono::milliseconds>(left)))
            found.push_back("the file system at " + probe.first + " (" + device.text() + ") is frozen: a write did not end within " +
                            std::to_string(patience.count()) + " ms");
    }
    return found;
}

Sentences suspended_devices() {
    Sentences found;
    for (const auto& name : names_in("/sys/block"))
        if (name.starts_with("dm-") && attribute("/sys/block/" + name + "/dm/suspended") == "1")
            found.push_back("device-mapper device " + attribute("/sys/block/" + name + "/dm/name") + " (" + name + ") is suspended");
    return found;
}

Sentences tagged_volumes(const std::vector<std::string>& allowed) {
    const auto outcome = run_child({"lvs", "--noheadings", "--options", "vg_name,lv_name,lv_tags", "@quiesced"},
                                   {.input = {}, .environment = {}, .limit = std::chrono::seconds(20), .output_limit = 1U << 20U});
    if (!outcome) return {}; // no LVM here
    if (outcome->exit_status != 0) return {"lvs could not be asked: " + outcome->errors};
    Sentences found;
    std::istringstream lines(outcome->output);
    for (std::string line; std::getline(lines, line);) {
        std::istringstream fields(line);
        std::string group, volume, tags;
        fields >> group >> volume >> tags;
        const auto is_allowed = [&](const std::string& set) { return has_option(tags, "quiesced.set=" + set); };
        if (!group.empty() && std::none_of(allowed.begin(), allowed.end(), is_allowed))
            found.push_back("snapshot " + group + "/" + volume + " is left (tags: " + tags + ")");
    }
    return found;
}

/// Of the dm provider, without their set.
Sentences provider_devices(const std::vector<std::string>& allowed) {
    Sentences found;
    for (const auto& name : names_in("/sys/block")) {
        const auto uuid = name.starts_with("dm-") ? attribute("/sys/block/" + name + "/dm/uuid") : std::string();
        const auto is_allowed = [&](const std::string& set) { return uuid.find("-" + set + "-") != std::string::npos; };
        // The real device is of the first set over its origin, and may serve later ones.
        if (!uuid.starts_with("QUIESCED-dm-") || std::any_of(allowed.begin(), allowed.end(), is_allowed)) continue;
        if (!allowed.empty() && uuid.ends_with("-real")) continue;
        found.push_back("device-mapper device " + attribute("/sys/block/" + name + "/dm/name") + " (" + uuid + ") is left");
    }
    return found;
}

Sentences running_freezers(const std::string& program) {
    Sentences found;
    for (const auto& name : names_in("/proc")) {
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        if (attribute("/proc/" + name + "/comm") != "quiesced-freeze") continue;
        std::error_code error;
        const auto executable = std::filesystem::read_symlink("/proc/" + name + "/exe", error);
        // A zombie has none: it runs no more, and its parent will wait for it.
        if (error || (!program.empty() && executable != program)) continue;
        found.push_back("process " + name + " (" + executable.string() + ") still runs");
    }
    return found;
}

Sentences records_in(const std::string& folder) {
    Sentences found;
    for (const auto& name : names_in(folder))
        if (name.ends_with(".window")) found.push_back("the record " + folder + "/" + name + " is left");
    return found;
}

Sentences loop_devices_on(const std::string& folder) {
    Sentences found;
    for (const auto& name : names_in("/sys/block")) {
        if (folder.empty() || !name.starts_with("loop")) continue;
        const auto backing = attribute("/sys/block/" + name + "/loop/backing_file");
        if (backing.starts_with(folder)) found.push_back("/dev/" + name + " is left on " + backing);
    }
    return found;
}

} // namespace

std::int32_t rcu_expedited_now() {
    const auto text = attribute("/sys/kernel/rcu_expedited");
    return text.empty() ? -1 : static_cast<std::int32_t>(std::strtol(text.c_str(), nullptr, 10));
}

Sentences LeakCheck::find() const {
    Sentences all;
    const auto add = [&all](Sentences found) { all.insert(all.end(), found.begin(), found.end()); };
    add(frozen_file_systems(patience));
    const auto suspended = patiently(patience, suspended_devices);
    add(suspended);
    // lvs reads every device: it would hang on a suspended one.
    if (suspended.empty()) add(tagged_volumes(allowed_sets));
    add(patiently(patience, [this] { return provider_devices(allowed_sets); }));
    add(patiently(patience, [this]() -> Sentences {
        const auto now = rcu_expedited_now();
        if (now < 0 || now == rcu_expedited) return {};
        return {"/sys/kernel/rcu_expedited is " + std::to_string(now) + " and was " + std::to_string(rcu_expedited)};
    }));
    if (processes) add(patiently(patience, [this] { return running_freezers(freezer); }));
    add(patiently(patience, [this] { return records_in(records); }));
    add(patiently(patience, [this] { return loop_devices_on(loop_backing); }));
    return all;
}

} // namespace quiesced
