// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "base/result.h"
#include "base/unique_fd.h"
#include "sequence/snapshot_set.h"

namespace quiesced {

/// Handles on sets, which a requestor keeps open for as long as it is there: descriptors, so that they can be handed on to another
/// process, and the kernel closes them whatever happens to it. When the last copy of one is closed, its set is thawed:
/// a set that is cut goes on to its end by that, one that is not yet is aborted, and a finished one stays.
/// Thread-safe. Its thread sleeps without a wake-up until a handle is closed.
class Holds {
public:
    static constexpr std::size_t kMost = 64;      ///< at once
    static constexpr std::size_t kMostOfASet = 4;

    Holds() = default;
    ~Holds() { finish(); }
    Holds(const Holds&) = delete;
    Holds& operator=(const Holds&) = delete;

    /// The requestor's end; whoever has it owns it. Errors: wrong_state (the set is over), limit, kernel.
    Result<UniqueFd> hold(const std::shared_ptr<SnapshotSet>& set);

    /// Whether there is an open handle on it.
    [[nodiscard]] bool held(const SetId& set) const;

    /// Stops watching, without thawing what is held. Not from its own thread.
    void finish();

private:
    struct Handle {
        UniqueFd end; ///< ours
        SetId set;
        std::weak_ptr<SnapshotSet> object;
    };
    Result<void> start();
    void run();
    void drop_finished();

    mutable std::mutex mutex_;
    std::map<std::uint64_t, Handle> handles_;
    std::uint64_t next_ = 1; ///< 0 is the wake-up
    UniqueFd poll_;
    UniqueFd wake_;
    bool ending_ = false;
    std::thread thread_;
};

} // namespace quiesced
