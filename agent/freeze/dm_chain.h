// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"

namespace quiesced {

/// One device-mapper operation that the freezer carries out. Devices are named by their dm UUID, which survives a
/// rename and is what a recovery after the loss of all processes finds them by; one without a UUID (dmsetup asks for none)
/// by its number, which is its own as long as something is mounted from it.
struct DmStep {
    enum class Op : std::uint32_t {
        suspend, ///< with DM_SKIP_LOCKFS: the file system above is frozen already (facts: EBUSY on 6.1 otherwise)
        resume,  ///< also activates a loaded table
        load,    ///< `text` as the parameters of one target of type `target`, `sectors` long, as the inactive table
        message, ///< `text` to the target at sector 0
        zero,    ///< writes 16 KiB of zeros at the start of `path`, a block device, past the page cache
        clear,   ///< drops a loaded table that was not activated; nothing where there is none
    };
    Op op = Op::resume;
    std::string uuid;          ///< of the dm device; unused for zero; empty: see `number`
    std::string target;        ///< load: "snapshot", "error"
    std::uint64_t sectors = 0; ///< load: length of the target in 512-byte sectors
    std::string text;          ///< load: target parameters; message: the message
    std::string path;          ///< zero: the device; opened before the window
    bool read_only = false;    ///< load: make the device read-only
    DeviceNumber number = {};  ///< of the dm device, where it has no UUID
};

/// The dm work for one origin. The steps of one chain run one after another, chains run side by side; messages of chains
/// with the same `group` (a thin pool's UUID) run one after another.
/// A fire that fails or is given up half-way always ends with the resume of what it had suspended.
struct DmChain {
    std::string name;              ///< for messages: the origin, "vg/lv"
    std::string group;             ///< empty: on its own
    std::vector<DmStep> prime;     ///< just before the first FIFREEZE
    std::vector<DmStep> fire;      ///< inside the window
    std::vector<DmStep> unprime;   ///< when primed and then not fired; may be empty
};

} // namespace quiesced
