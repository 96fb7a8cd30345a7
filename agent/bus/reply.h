// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "base/result.h"
#include "bus/dict.h"
#include "bus/open_calls.h"

namespace quiesced {

inline constexpr const char* kErrorPrefix = "org.quiesced1.Error.";

/// org.quiesced1.Error.KIND with the whole message.
inline sdbus::Error to_bus_error(const Error& error) {
    return {BusErrorName(kErrorPrefix + std::string(error_name(error.kind))), utf8(error.message())};
}

/// The answer to one call, to be given once, from any thread. Copies are the same answer.
template <typename... Values>
class Reply {
public:
    explicit Reply(sdbus::Result<Values...>&& result)
        : result_(std::make_shared<sdbus::Result<Values...>>(std::move(result))) {}
    /// Of an object that may go before the daemon does. Throws as OpenCalls::enter().
    Reply(sdbus::Result<Values...>&& result, const OpenCalls& calls) : ticket_(calls.enter()), result_(std::make_shared<sdbus::Result<Values...>>(std::move(result))) {}

    void values(const Values&... values) const {
        guarded([&] { result_->returnResults(values...); });
    }
    void error(const Error& error) const {
        guarded([&] { result_->returnError(to_bus_error(error)); });
    }

private:
    template <typename Send>
    static void guarded(Send send) {
        try {
            send();
        } catch (const sdbus::Error&) { // NOLINT(bugprone-empty-catch)
            // The connection is lost: nobody waits for this any more, and the loop says so.
        }
    }
    OpenCalls::Ticket ticket_; ///< given back after the result: a call that nobody has answered is answered by its end
    std::shared_ptr<sdbus::Result<Values...>> result_;
};

} // namespace quiesced
