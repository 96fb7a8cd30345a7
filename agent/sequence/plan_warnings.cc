// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/plan_warnings.h"

#include <fcntl.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "base/file.h"
#include "snapshot/lvm_space.h"
#include "volumes/file_system_type.h"
#include "volumes/local_path.h"

namespace quiesced {
namespace {

std::string setting(const HostPaths& paths, const char* name) {
    return read_attribute_at(AT_FDCWD, paths.kernel_settings + "/" + name).value_or("");
}

std::optional<unsigned> leading_number(std::string_view& text) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return value;
}

/// The volume whose mount a path leads through last; null where there is none.
const Volume* volume_below(const Inventory& inventory, const std::string& path) {
    const auto is_below = [&path](const std::string& folder) {
        return folder == "/" || (path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/'));
    };
    const Volume* deepest = nullptr;
    std::size_t depth = 0;
    for (const auto& volume : inventory.volumes())
        for (const auto& mount : volume.mounts) {
            if (mount.hidden || mount.process || !is_below(mount.path) || mount.path.size() < depth) continue;
            deepest = &volume;
            depth = mount.path.size();
        }
    return deepest;
}

/// The volume that a folder lies on; null where there is no such folder. Enters nothing that may block.
const Volume* holder_of(const Inventory& inventory, const std::string& path) {
    const auto forbidden = [&inventory](const std::string& part) {
        const auto* volume = volume_below(inventory, part);
        return volume != nullptr && classify_file_system(volume->file_system).remote_answer;
    };
    const auto reached = walk_path(path, forbidden);
    return reached && !reached->stopped ? volume_below(inventory, reached->path) : nullptr;
}

std::string percent_text(double percent) { return std::to_string(static_cast<int>(percent)) + " %"; }

/// Puts the warnings together.
class Writer {
public:
    explicit Writer(const std::vector<const Volume*>& frozen) : frozen_(frozen) {}

    void warn(const char* key, std::string text, std::string advice, std::vector<std::string> volumes = {}) {
        warnings_.push_back({key, std::move(text), std::move(advice), std::move(volumes)});
    }
    [[nodiscard]] bool is_frozen(const Volume* volume) const {
        return volume != nullptr && std::any_of(frozen_.begin(), frozen_.end(), [volume](const Volume* other) {
                   return other->superblock == volume->superblock;
               });
    }
    std::vector<PlanWarning> take() { return std::move(warnings_); }

private:
    const std::vector<const Volume*>& frozen_;
    std::vector<PlanWarning> warnings_;
};

void warn_of_host(Writer& writer, const HostFacts& host) {
    if (host.hung_task_panic && host.hung_task_timeout.count() > 0)
        writer.warn("hung_task_panic",
                    "the kernel panics as soon as a process has waited for " + std::to_string(host.hung_task_timeout.count()) +
                        " s, as a writer to a frozen file system does (kernel.hung_task_panic is set)",
                    "Keep the deadline well below that, or switch it off: sysctl kernel.hung_task_panic=0.");
    if (kernel_before(host.kernel, 5, 17))
        writer.warn("old_kernel",
                    "before Linux 5.17 a process that a freeze has blocked can stay so until the next start, if its file system is unmounted meanwhile; this is " +
                        host.kernel,
                    "Unmount nothing while a set is taken, or use a newer kernel.");
}

void warn_of_volume(Writer& writer, const Volume& volume) {
    const auto is_root = [](const MountPoint& mount) { return mount.path == "/" && !mount.hidden && !mount.process; };
    if (std::any_of(volume.mounts.begin(), volume.mounts.end(), is_root))
        writer.warn("root_is_member", "the root file system is frozen too: logins, cron and all that write to it wait for the thaw",
                    "Keep the window short: let no slow array share the set, and a low deadline bound it.", {volume.name});
    for (const auto& file : volume.swap_files)
        writer.warn("swap_file_on_member", "the swap file " + file + " lies on " + volume.name + ": the kernel writes to it in spite of the freeze, and it fills the snapshot's store",
                    "Move it to a volume that is not in the set, or swap to a partition.", {volume.name});
    if (volume.mounts.empty() || !volume.mounts.front().process) return;
    const auto& mount = volume.mounts.front();
    writer.warn("foreign_mount",
                volume.name + " is mounted only where other processes see it: on " + mount.path + " for process " + std::to_string(mount.process->pid) +
                    " (" + mount.process->command + ")",
                "It is frozen through that process; a set fails if it ends before.", {volume.name});
}

/// What the hypervisor said overrules the guess; an admin should look all the same which of the two is right.
void warn_of_contradictions(Writer& writer, const std::vector<const Volume*>& frozen, const Inventory& inventory) {
    std::map<DeviceNumber, std::vector<std::string>> volumes;
    for (const auto* volume : frozen)
        for (const auto leaf : volume->leaves) volumes[leaf].push_back(volume->name);
    for (const auto& [number, names] : volumes) {
        const auto disk = inventory.disks().find(number);
        if (disk == inventory.disks().end() || !disk->second.said || *disk->second.said == disk->second.guess) continue;
        const auto& facts = disk->second;
        writer.warn("placement_contradiction",
                    "the hypervisor calls " + facts.name + " " + std::string(placement_name(*facts.said)) + ", but by what it looks like in this guest it is " +
                        std::string(placement_name(facts.guess)) + (facts.said_by_size ? "; that it is the disk it means is known by the size alone" : ""),
                    "The hypervisor's word holds. Compare the disk's serial number or WWID on both sides.", names);
    }
}

void warn_of_folders(Writer& writer, const HostFacts& host) {
    if (writer.is_frozen(host.journal))
        writer.warn("journal_on_member",
                    "the journal lies on " + host.journal->name + ": what is logged while that is frozen waits in memory, and services that log much wait with it",
                    "Keep the window short, or keep /var/log on a volume that is not in the set.", {host.journal->name});
    if (writer.is_frozen(host.lvm))
        writer.warn("lvm_archive_on_member",
                    "LVM writes its archive (/etc/lvm) to " + host.lvm->name + ": an lvm command that somebody starts while that is frozen hangs until the thaw, with LVM's locks",
                    "Let no timer and nobody change logical volumes while a set is taken.", {host.lvm->name});
}

void warn_of_space(Writer& writer, const std::vector<SpaceNeed>& space, const std::vector<StoreForecast>& stores) {
    for (const auto& need : space) {
        if (need.kind != "thin-pool" || need.refusal) continue;
        const auto warn = [&](const char* what, double fill, double limit, const char* option) {
            if (fill < limit - kThinPoolWarnBefore) return;
            writer.warn("thin_pool_nearly_full",
                        "the " + std::string(what) + " of the thin pool " + need.name + " are " + percent_text(fill) + " full; at " + percent_text(limit) +
                            " no snapshot is taken, and at 100 % its volumes fail",
                        "Extend it: lvextend " + std::string(option) + " +SIZE " + need.name + ", or remove old snapshots.", need.volumes);
        };
        warn("data", need.data_percent.value_or(0), kThinPoolFullPercent, "--size");
        warn("metadata", need.metadata_percent.value_or(0), need.metadata_limit.value_or(kThinPoolFullPercent), "--poolmetadatasize");
    }
    for (const auto& store : stores) {
        if (store.fills_in >= kShortStoreLife) continue;
        writer.warn("store_may_fill",
                    "at the present rate, " + Bytes{store.write_rate}.text() + " a second, the copy-on-write store of " + store.volume + " (" + store.store.text() +
                        ") may be full after " + std::to_string(store.fills_in.count()) + " s; the snapshot is lost then",
                    "Take the set when less is written, or let lvm.conf extend snapshots (snapshot_autoextend_threshold).", {store.volume});
    }
}

} // namespace

bool kernel_before(const std::string& release, unsigned major, unsigned minor) {
    std::string_view rest = release;
    const auto first = leading_number(rest);
    if (!first || !rest.starts_with('.')) return false;
    rest.remove_prefix(1);
    const auto second = leading_number(rest);
    return second && (*first < major || (*first == major && *second < minor));
}

HostFacts read_host_facts(const HostPaths& paths, const Inventory& inventory) {
    HostFacts host;
    host.kernel = setting(paths, "osrelease");
    const auto panic = setting(paths, "hung_task_panic");
    // A count of hung tasks in later kernels; 0 has always been "never".
    host.hung_task_panic = !panic.empty() && panic != "0";
    const auto timeout = setting(paths, "hung_task_timeout_secs");
    if (std::string_view text = timeout; !text.empty())
        host.hung_task_timeout = std::chrono::seconds(leading_number(text).value_or(120));
    host.journal = holder_of(inventory, paths.journal);
    host.lvm = holder_of(inventory, paths.lvm);
    return host;
}

std::vector<PlanWarning> make_warnings(const HostFacts& host, const std::vector<const Volume*>& frozen, const Inventory& inventory,
                                       const std::vector<SpaceNeed>& space, const std::vector<StoreForecast>& stores) {
    Writer writer(frozen);
    if (!frozen.empty()) warn_of_host(writer, host);
    for (const auto* volume : frozen) warn_of_volume(writer, *volume);
    warn_of_contradictions(writer, frozen, inventory);
    warn_of_folders(writer, host);
    warn_of_space(writer, space, stores);
    for (const auto& problem : inventory.problems())
        writer.warn("inventory_problem", "while looking at the devices: " + problem, "What depends on it may be missing or placed wrongly.");
    return writer.take();
}

} // namespace quiesced
