// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bus/job_object.h"

namespace quiesced {

/// The jobs on the bus: those that run, and the last that are over. On the events thread, but for what is said otherwise.
class Jobs {
public:
    static constexpr std::size_t kMostRunning = 16;
    static constexpr std::size_t kMostOver = 16;

    /// Of a job that was begun: its object, and what the work has to call.
    struct Begun {
        sdbus::ObjectPath path;
        std::shared_ptr<RevertWatch> watch;
        std::function<void(const Result<void>&)> finished; ///< once, on the events thread
    };

    /// `added` and `removed` tell the manager's listeners.
    Jobs(BusContext& context, std::function<void(const sdbus::ObjectPath&)> added, std::function<void(const sdbus::ObjectPath&)> removed);

    /// Errors: limit.
    Result<Begun> begin(JobSubject subject);
    /// Oldest first.
    [[nodiscard]] std::vector<sdbus::ObjectPath> paths() const;

private:
    void finish(std::uint64_t number, const Result<void>& outcome);

    BusContext& context_;
    std::function<void(const sdbus::ObjectPath&)> added_, removed_;
    std::uint64_t last_ = 0;
    std::map<std::uint64_t, std::unique_ptr<JobObject>> jobs_;
};

} // namespace quiesced
