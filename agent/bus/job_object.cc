// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/job_object.h"

#include <algorithm>
#include <utility>

#include "bus/permit.h"

namespace quiesced {
namespace {

/// Smaller steps of the progress are not told.
constexpr double kStep = 0.01;
/// LVM takes a merge that has nothing left to do for one that runs, until it looks again.
constexpr double kAlmost = 0.99;

} // namespace

JobObject::JobObject(BusContext& context, const std::string& path, JobSubject subject, std::shared_ptr<RevertWatch> watch)
    : AdaptorInterfaces(context.connection, sdbus::ObjectPath(path)), context_(context), subject_(std::move(subject)), watch_(std::move(watch)) {
    registerAdaptor();
}

JobObject::~JobObject() { unregisterAdaptor(); }

JobObject::Status JobObject::status() const {
    const std::lock_guard lock(mutex_);
    return status_;
}

bool JobObject::running() const { return status().state == "running"; }

void JobObject::emit(std::initializer_list<const char*> properties) {
    try {
        emit_properties_changed(getObject(), INTERFACE_NAME, properties);
    } catch (const sdbus::Error&) { // NOLINT(bugprone-empty-catch)
        // The connection is lost; the loop says so.
    }
}

void JobObject::progressed(double fraction) {
    fraction = std::min(fraction, kAlmost);
    {
        const std::lock_guard lock(mutex_);
        if (status_.state != "running" || fraction < status_.progress + kStep) return;
        status_.progress = fraction;
    }
    emit({"Progress"});
}

void JobObject::finished(const Result<void>& outcome) {
    Status end;
    if (!outcome) {
        const auto error = to_bus_error(outcome.error());
        {
            const std::lock_guard lock(mutex_);
            status_.error = std::string(error.getName()) + ": " + std::string(error.getMessage());
        }
        // GetAll reads one property after another, Error before State, with the library's lock held (sdbus-c++ 1.2, 2.1); sending takes
        // that lock, so that whoever has read no error yet has read "running" as well before the state changes.
        emit({"Error"});
    }
    {
        const std::lock_guard lock(mutex_);
        status_.state = outcome ? "done" : watch_->cancelled() ? "cancelled" : "failed";
        if (outcome) status_.progress = 1;
        end = status_;
    }
    emit({"State", "Progress"});
    try {
        emitFinished(end.state, end.error, {});
    } catch (const sdbus::Error&) { // NOLINT(bugprone-empty-catch)
        // As above.
    }
}

void JobObject::Cancel(sdbus::Result<>&& result, Dict options) {
    const Reply<> reply(std::move(result), calls_);
    when_permitted(context_, getObject(), reply, options, {.action = Action::revert}, [this_job = subject_, watch = watch_, reply, over = !running()](const Caller&) {
        if (over || !watch->cancel())
            return reply.error(fail(ErrorKind::wrong_state, over ? "the job is over" : "the volumes of set " + this_job.set.text() + " are being put back, which nothing stops",
                                    over ? "" : "Follow it: quiescectl jobs").value());
        reply.values();
    });
}

std::vector<std::string> JobObject::Members() {
    std::vector<std::string> names;
    for (const auto& name : subject_.members) names.push_back(utf8(name));
    return names;
}

std::uint64_t JobObject::Started() {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(started_.time_since_epoch()).count());
}

} // namespace quiesced
