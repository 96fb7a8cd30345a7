// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bus/sdbus_compat.h"

namespace quiesced {

/// What polkit is asked for, "org.quiesced1." and: inspect, snapshot, delete, revert, configure. See org.quiesced1.policy.
enum class Action { inspect, snapshot, remove, revert, configure };

/// "org.quiesced1.snapshot"
std::string_view action_id(Action action);

/// Who calls.
struct Caller {
    std::string connection; ///< unique name on the bus: ":1.42"
    uid_t user = 0;
};

/// What somebody wants to do.
struct Question {
    Action action = Action::inspect;
    bool interactive = false;            ///< polkit may ask the user for a password meanwhile
    std::optional<uid_t> owner = {};     ///< this user may in any case, and is not kept waiting
};

/// Who may do what: the only place that decides it. Root may do everything, and so may the user that runs the daemon (on a bus of
/// their own); all others only what polkit grants them. Without polkit nobody else may do anything. For the bus's thread.
class Authority {
public:
    using Decided = std::function<void(Result<Caller>)>;

    static constexpr std::size_t kMostPending = 256;       ///< questions to polkit at once
    static constexpr std::size_t kMostPendingOfUser = 16;

    /// polkit is asked over this connection, which must outlive this object.
    explicit Authority(sdbus::IConnection& connection);
    ~Authority();
    Authority(const Authority&) = delete;
    Authority& operator=(const Authority&) = delete;

    /// Whether the caller of the message that `object` handles may do it. `decided` is called once on the bus's thread: before
    /// this returns where polkit is not needed, else when it has answered; `object` may be gone by then.
    /// Errors: access_denied; limit (too many wait for polkit).
    void ask(const sdbus::IObject& object, const Question& question, Decided decided);

    /// The caller of that message. The bus is asked once for each: a unique name never comes back with another owner.
    /// Errors: access_denied when it has left already.
    Result<Caller> caller(const sdbus::IObject& object);

private:
    void ask_polkit(const Caller& caller, const Question& question, Decided decided);

    static constexpr std::size_t kMostKnown = 1024; ///< each call of busctl is a new name
    std::map<std::string, uid_t> known_;
    std::map<uid_t, std::size_t> pending_;
    std::size_t pending_count_ = 0;
    std::unique_ptr<sdbus::IProxy> polkit_; ///< last: its end drops the answers that are still to come
};

} // namespace quiesced
