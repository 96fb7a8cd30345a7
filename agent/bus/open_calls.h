// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "bus/sdbus_compat.h"
#include "sequence/executor.h"

namespace quiesced {

/// The calls of an object on the bus that are not answered yet. The object has to stay until they are: sd-bus compares an answer with
/// the signature in the object's own table (systemd 252, sd_bus_send), reads freed memory where that is gone, and sends nothing.
/// Thread-safe.
class OpenCalls {
public:
    /// Held by whoever answers one call.
    using Ticket = std::shared_ptr<const void>;

    /// In the handler of a call. Throws sdbus::Error, which the library answers with, after close().
    [[nodiscard]] Ticket enter() const {
        const std::lock_guard lock(mutex_);
        if (!gate_) throw sdbus::Error(BusErrorName("org.freedesktop.DBus.Error.UnknownObject"), "the object is being removed");
        return gate_;
    }

    /// Once. `last` runs when no call is left, on the thread that answers it, or at once; it may destroy this.
    void close(std::function<void()> last) {
        std::shared_ptr<Gate> gate;
        {
            const std::lock_guard lock(mutex_);
            gate = std::move(gate_);
        }
        gate->last = std::move(last);
    }

private:
    struct Gate {
        Gate() = default;
        Gate(const Gate&) = delete;
        Gate& operator=(const Gate&) = delete;
        ~Gate() {
            if (last) last();
        }
        std::function<void()> last;
    };
    mutable std::mutex mutex_;
    std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
};

/// Removes an object from the bus once its calls are answered. Here, and destroyed there, on the events thread.
template <typename Object>
void retire(std::unique_ptr<Object> object, Executor& events) {
    auto& calls = object->calls();
    calls.close([&events, last = std::shared_ptr<Object>(std::move(object))]() mutable { events.post([last = std::move(last)] {}); });
}

} // namespace quiesced
