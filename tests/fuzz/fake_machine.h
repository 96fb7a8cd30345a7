// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "volumes/inventory.h"

namespace quiesced::fuzz {

/// A machine made of files in a temporary folder, from a text such as
///
///     == mountinfo
///     21 1 252:0 / / rw - ext4 /dev/vda rw
///     == sys/devices/virtio0/block/vda/size
///     2048
///     == sys/dev/block/252:0 -> ../../devices/virtio0/block/vda
///
/// What would lie outside the folder is left out, and so is what contradicts the part before. Goes away with the object.
class FakeMachine {
public:
    explicit FakeMachine(std::string_view text);
    ~FakeMachine();
    FakeMachine(const FakeMachine&) = delete;
    FakeMachine& operator=(const FakeMachine&) = delete;
    FakeMachine(FakeMachine&&) = delete;
    FakeMachine& operator=(FakeMachine&&) = delete;

    [[nodiscard]] SystemPaths paths() const;
    [[nodiscard]] std::string path(const std::string& below) const { return (root_ / below).string(); }
    /// Takes "7:0" out of loop/status where the text has such a file; fails otherwise.
    [[nodiscard]] LoopProbe probe() const;

private:
    void add(std::string_view head, std::string_view content) const;
    [[nodiscard]] bool make_folders(const std::filesystem::path& below) const;
    std::filesystem::path root_;
};

} // namespace quiesced::fuzz
