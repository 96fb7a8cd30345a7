// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

namespace quiesced {

/// Locks this process in memory and touches all of it: from here on no page of it is read from a disk. Call it first of all.
/// Without the right to (CAP_IPC_LOCK) it goes on unlocked.
void lock_in_memory();

/// `quiesced --recover --emergency`: thaws and resumes whatever a record in `directory` names, whoever lives, and says on standard
/// error what it did; nothing of it is written before all is thawed. Uses /proc and `directory` alone: no bus, no log, no disk.
/// Returns the exit status: 0 when nothing is left frozen.
int thaw_in_emergency(const std::string& directory);

} // namespace quiesced
