// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <span>
#include <string_view>

namespace quiesced::fuzz {

/// A parser that takes any bytes. It must neither crash nor hang, and what require() asks holds for every input.
struct Target {
    std::string_view name; ///< also that of its folder of seeds: tests/fuzz/corpus/NAME
    void (*run)(std::string_view input);
};

/// All of them; run by libFuzzer one at a time (tests/fuzz/run), and over their seeds by the unit tests.
std::span<const Target> targets();

/// Aborts with the sentence when `holds` is false: a finding.
void require(bool holds, const char* sentence);

// diff_targets.cc
void run_exception_store(std::string_view input);
void run_thin_delta(std::string_view input);
void run_thin_table(std::string_view input);

// mount_targets.cc
void run_mountinfo(std::string_view input);
void run_octal(std::string_view input);
void run_mount_options(std::string_view input);
void run_mount_tree(std::string_view input);
void run_foreign_mounts(std::string_view input);
void run_swaps(std::string_view input);
// device_targets.cc
void run_udev_signature(std::string_view input);
void run_superblock(std::string_view input);
void run_dm_name(std::string_view input);
void run_device_number(std::string_view input);
void run_block_graph(std::string_view input);
void run_vpd(std::string_view input);
void run_wwid(std::string_view input);
void run_address(std::string_view input);
// machine_targets.cc
void run_disk(std::string_view input);
void run_resolve(std::string_view input);
void run_claim(std::string_view input);
void run_verdicts(std::string_view input);
void run_inventory(std::string_view input);
// agent_targets.cc
void run_rpc_answer(std::string_view input);
void run_rpc_request(std::string_view input);
void run_diskstats(std::string_view input);
void run_kernel_release(std::string_view input);
void run_exec_config(std::string_view input);
void run_command_line(std::string_view input);
void run_manifest(std::string_view input);
void run_lvm_report(std::string_view input);
void run_lvm_reference(std::string_view input);
void run_record(std::string_view input);
void run_freezer_message(std::string_view input);
// writer_targets.cc
void run_writer_config(std::string_view input);
void run_session_answer(std::string_view input);
void run_writer_record(std::string_view input);

} // namespace quiesced::fuzz
