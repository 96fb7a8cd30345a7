// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace quiesced {

/// What daemon and freezer say to each other: fixed-size messages over a SOCK_SEQPACKET socket pair, one answer to each
/// request, plus the freezer's own announcement of a passed deadline. All else is in the shared record. Both ends are
/// the same build on the same machine.
struct FreezerMessage {
    enum class Kind : std::uint32_t {
        attach,   ///< daemon: descriptors follow; the first is the record's, then the members' in order
        ready,    ///< daemon: all attached; start threads, lock memory
        flush,    ///< daemon: pre-flush until short; `value`: bound in ns
        prime,    ///< daemon: dm chains
        freeze,   ///< daemon: expedite, FIFREEZE level by level; `value`: time limit in ns from the first FIFREEZE
        fire,     ///< daemon: dm chains
        thaw,     ///< daemon: FITHAW all, restore RCU, unprime what was not fired. Allowed at any time
        extend,   ///< daemon: `value`: the new deadline, Monotonic ns
        deadline, ///< freezer, unasked: the deadline passed and all is thawed
        quit,     ///< daemon: end (thaws first if need be)
    };
    Kind kind = Kind::ready;
    std::int32_t result = 0; ///< answer: 0, or an errno; details are in the record
    std::int64_t value = 0;
};

/// Most descriptors in one attach message (the kernel's SCM_MAX_FD is 253).
inline constexpr std::size_t kDescriptorsPerMessage = 200;

/// Sends one message, whole. Errors: kernel; lost when the other end is gone.
Result<void> send_message(int socket, const FreezerMessage& message, const std::vector<int>& descriptors = {});

struct ReceivedMessage {
    FreezerMessage message;
    std::vector<UniqueFd> descriptors;
};

/// Waits for one message. Errors: lost (end of file), deadline (time is up; Monotonic::time_point::max() waits for ever),
/// io (not of our form).
Result<ReceivedMessage> receive_message(int socket, Monotonic::time_point until = Monotonic::time_point::max());

} // namespace quiesced
