// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>

#include "ctl/client.h"
#include "ctl/progress_board.h"

namespace quiesced {

/// A set's progress on standard error while this lives; nothing where that is no terminal, or the daemon is on another host (a second
/// connection would ask for ssh's password again). It leaves no line behind.
class LiveView {
public:
    LiveView(const BusPlace& place, const std::string& set);
    ~LiveView();
    LiveView(const LiveView&) = delete;
    LiveView& operator=(const LiveView&) = delete;

private:
    void draw();

    std::mutex mutex_;
    ProgressBoard board_;
    std::size_t drawn_ = 0; ///< lines
    std::unique_ptr<Client::Listener> listener_;
};

} // namespace quiesced
