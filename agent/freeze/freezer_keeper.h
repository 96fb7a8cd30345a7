// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "freeze/freezer_client.h"

namespace quiesced {

/// Keeps what is left of windows of which a FIFREEZE or FITHAW is stuck in the kernel, until it has come back: their freezers live
/// on and thaw, and no new set may freeze those volumes meanwhile. Thread-safe.
class FreezerKeeper {
public:
    /// A member's name in the record and its superblock.
    using Members = std::vector<std::pair<std::string, DeviceNumber>>;

    FreezerKeeper() = default;
    FreezerKeeper(const FreezerKeeper&) = delete;
    FreezerKeeper& operator=(const FreezerKeeper&) = delete;
    /// Waits for nothing that is stuck: freezers go on by themselves, with their records.
    ~FreezerKeeper();

    void keep(const std::string& set, std::shared_ptr<FreezerClient> client, Members members);
    /// The set of which this superblock is stuck.
    [[nodiscard]] std::optional<std::string> stuck_in(DeviceNumber superblock) const;
    [[nodiscard]] std::size_t count() const;

private:
    struct Leftover {
        std::string set;
        std::shared_ptr<FreezerClient> client;
        Members members;
    };
    struct State {
        std::mutex mutex;
        std::map<const FreezerClient*, Leftover> leftovers;
    };
    std::shared_ptr<State> state_ = std::make_shared<State>();
};

} // namespace quiesced
