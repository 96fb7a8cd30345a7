// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "bus/bus_context.h"
#include "bus/dict.h"
#include "bus/open_calls.h"
#include "org.quiesced1.Job.adaptor.h"

namespace quiesced {

/// What a job is about; does not change.
struct JobSubject {
    std::string kind; ///< "revert"
    SetId set;
    std::vector<std::string> members;
};

/// org.quiesced1.Job on /org/quiesced1/job/NUMBER. Created, destroyed and told of changes on the events thread; its properties are read on
/// the bus's.
class JobObject final : public sdbus::AdaptorInterfaces<org::quiesced1::Job_adaptor> {
public:
    JobObject(BusContext& context, const std::string& path, JobSubject subject, std::shared_ptr<RevertWatch> watch);
    ~JobObject();
    JobObject(const JobObject&) = delete;
    JobObject& operator=(const JobObject&) = delete;

    void progressed(double fraction);
    void finished(const Result<void>& outcome);
    [[nodiscard]] bool running() const;
    OpenCalls& calls() { return calls_; }

private:
    struct Status {
        std::string state = "running";
        double progress = 0;
        std::string error;
    };
    void Cancel(sdbus::Result<>&& result, Dict options) override;
    std::string Kind() override { return subject_.kind; }
    sdbus::ObjectPath SnapshotSet() override { return sdbus::ObjectPath(set_path(subject_.set)); }
    std::vector<std::string> Members() override;
    std::uint64_t Started() override;
    std::string State() override { return status().state; }
    double Progress() override { return status().progress; }
    std::string Error() override { return status().error; }
    [[nodiscard]] Status status() const;
    void emit(std::initializer_list<const char*> properties);

    BusContext& context_;
    const JobSubject subject_;
    const std::shared_ptr<RevertWatch> watch_;
    const std::chrono::system_clock::time_point started_ = std::chrono::system_clock::now();
    mutable std::mutex mutex_;
    Status status_;
    OpenCalls calls_;
};

} // namespace quiesced
