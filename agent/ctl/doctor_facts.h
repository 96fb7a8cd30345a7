// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "ctl/client.h"
#include "ctl/doctor.h"

namespace quiesced {

/// Where the doctor looks; a test may give another machine's.
struct DoctorPaths {
    std::string root;                                      ///< before all of these; empty: the system
    std::string plugin_directory = "/run/quiesced/plugins";
    std::string scratch = "/run";                          ///< for the loop file
};

UnitFacts read_unit(Client& client);
BusFacts read_bus(Client& client);
PolkitFacts read_polkit(const DoctorPaths& paths);
LvmFacts read_lvm();
/// Ids of the sets of which a revert was interrupted, as far as the daemon tells.
std::vector<std::string> read_interrupted(Client& client);
std::vector<std::string> read_plugin_sockets(const DoctorPaths& paths);
KernelFacts read_kernel(const DoctorPaths& paths);
std::vector<std::string> missing_files(const DoctorPaths& paths);
/// The command of a unit, "PROGRAM ARGUMENT..."; empty: not known.
std::string read_unit_command(Client& client, const std::string& unit);

} // namespace quiesced
