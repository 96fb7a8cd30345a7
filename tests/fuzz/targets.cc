// SPDX-License-Identifier: LGPL-2.1-or-later
#include "fuzz/target.h"

#include <array>
#include <cstdio>
#include <cstdlib>

namespace quiesced::fuzz {
namespace {

constexpr auto kTargets = std::to_array<Target>({
    // what the kernel, udev and the disks tell
    {"mountinfo", run_mountinfo},
    {"octal", run_octal},
    {"mount_options", run_mount_options},
    {"mount_tree", run_mount_tree},
    {"foreign_mounts", run_foreign_mounts},
    {"swaps", run_swaps},
    {"udev_signature", run_udev_signature},
    {"superblock", run_superblock},
    {"dm_name", run_dm_name},
    {"exception_store", run_exception_store},
    {"thin_delta", run_thin_delta},
    {"thin_table", run_thin_table},
    {"device_number", run_device_number},
    {"block_graph", run_block_graph},
    {"vpd", run_vpd},
    {"wwid", run_wwid},
    {"address", run_address},
    {"disk", run_disk},
    {"resolve", run_resolve},
    {"claim", run_claim},
    {"verdicts", run_verdicts},
    {"inventory", run_inventory},
    {"diskstats", run_diskstats},
    {"kernel_release", run_kernel_release},
    // what plugins, LVM, the admin and our own files tell
    {"rpc_answer", run_rpc_answer},
    {"rpc_request", run_rpc_request},
    {"exec_config", run_exec_config},
    {"command_line", run_command_line},
    {"manifest", run_manifest},
    {"lvm_report", run_lvm_report},
    {"lvm_reference", run_lvm_reference},
    {"writer_config", run_writer_config},
    {"session_answer", run_session_answer},
    {"writer_record", run_writer_record},
    {"record", run_record},
    {"freezer_message", run_freezer_message},
});

} // namespace

std::span<const Target> targets() { return kTargets; }

void require(bool holds, const char* sentence) {
    if (holds) return;
    std::fprintf(stderr, "not true of every input: %s\n", sentence);
    std::abort();
}

} // namespace quiesced::fuzz
