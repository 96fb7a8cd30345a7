// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>

#include "base/result.h"

namespace quiesced {

/// A small read-only ext4 in a file of /run, which we leave to qemu-ga to freeze. qemu-ga answers a freeze with the number of file systems that it
/// froze by itself, and everything else is frozen already. For an answer of 0 libvirt (seen with 9.0) sends no thaw after its snapshot, and
/// qemu-ga takes itself for not frozen.
class HookMarker {
public:
    /// `run_directory`: where nothing is ever frozen.
    explicit HookMarker(const std::string& run_directory) : image_(run_directory + "/hook-marker.img"), mount_point_(run_directory + "/hook-marker") {}

    /// Makes and mounts it, in the place of one that was left. Before anything is frozen: it runs mkfs.ext4. Errors: io, kernel; then there is none.
    [[nodiscard]] Result<void> raise() const;
    /// Thaws it, if somebody froze it and did not thaw it, and removes all of it. Nothing where there is none.
    void lower() const;

private:
    [[nodiscard]] Result<void> make() const;

    std::string image_;
    std::string mount_point_;
};

} // namespace quiesced
