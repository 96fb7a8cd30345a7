// SPDX-License-Identifier: LGPL-2.1-or-later
#include <poll.h>
#include <systemd/sd-bus.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>

#include "base/scope_exit.h"
#include "writers/units.h"

namespace quiesced {
namespace {

constexpr const char* kService = "org.freedesktop.systemd1";
constexpr const char* kPath = "/org/freedesktop/systemd1";
constexpr const char* kManager = "org.freedesktop.systemd1.Manager";
constexpr const char* kUnit = "org.freedesktop.systemd1.Unit";

constexpr std::int64_t kLongestWait = 3'600'000; ///< milliseconds, of one poll()

using Bus = std::unique_ptr<sd_bus, decltype(&sd_bus_flush_close_unref)>;
using Message = std::unique_ptr<sd_bus_message, decltype(&sd_bus_message_unref)>;

std::uint64_t left_us(const Limit& limit) {
    const auto left = std::chrono::ceil<std::chrono::microseconds>(limit.until - Monotonic::now()).count();
    return static_cast<std::uint64_t>(std::max<std::int64_t>(left, 1)); // 0 means sd-bus's own limit
}

struct BusError {
    sd_bus_error error = SD_BUS_ERROR_NULL;
    BusError() = default;
    ~BusError() { ::sd_bus_error_free(&error); }
    BusError(const BusError&) = delete;
    BusError& operator=(const BusError&) = delete;
};

tl::unexpected<Error> late(const std::string& what, const std::string& unit) {
    return fail(ErrorKind::deadline, "systemd did not " + what + " the unit " + unit + " in time");
}

tl::unexpected<Error> refused(const std::string& what, const std::string& unit, const sd_bus_error& answer, int code) {
    if (code == -ETIMEDOUT || ::sd_bus_error_has_name(&answer, SD_BUS_ERROR_NO_REPLY) != 0) return late(what, unit);
    if (answer.message != nullptr)
        return fail(ErrorKind::writer_failed, "systemd did not " + what + " the unit " + unit + ": " + answer.message);
    return fail_errno("cannot ask systemd to " + what + " the unit " + unit, -code);
}

Result<Bus> connect() {
    sd_bus* bus = nullptr;
    if (const int code = ::sd_bus_open_system(&bus); code < 0) return fail_errno("cannot connect to the system bus", -code);
    return Bus(bus, &sd_bus_flush_close_unref);
}

/// Nothing to read, nothing to write: until that changes, the limit, or the time that sd-bus wants to be called again.
Result<void> wait_for_bus(sd_bus* bus, const Limit& limit) {
    std::uint64_t wanted = UINT64_MAX; // of CLOCK_MONOTONIC
    if (const int code = ::sd_bus_get_timeout(bus, &wanted); code < 0) return fail_errno("cannot listen to systemd", -code);
    auto until = limit.until;
    if (wanted != UINT64_MAX) until = std::min(until, Monotonic::time_point(std::chrono::microseconds(wanted)));
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Monotonic::now()).count();
    std::array<pollfd, 2> fds{{{::sd_bus_get_fd(bus), static_cast<short>(::sd_bus_get_events(bus)), 0}, {limit.fd(), POLLIN, 0}}};
    if (::poll(fds.data(), fds.size(), static_cast<int>(std::clamp<std::int64_t>(left, 0, kLongestWait))) < 0 && errno != EINTR)
        return fail_errno("cannot listen to systemd");
    return {};
}

/// Lets the bus work until `ended()`.
template <typename Ended>
Result<void> work_until(sd_bus* bus, const char* what, const std::string& unit, const Limit& limit, const Ended& ended) {
    while (!ended()) {
        const int code = ::sd_bus_process(bus, nullptr);
        if (code < 0) return fail_errno("cannot listen to systemd", -code);
        if (code > 0) continue;
        if (limit.interrupted()) return fail(ErrorKind::wrong_state, "the wait for systemd was called off");
        if (Monotonic::now() >= limit.until) return late(what, unit);
        if (auto waited = wait_for_bus(bus, limit); !waited) return waited;
    }
    return {};
}

int on_answer(sd_bus_message* answer, void* data, sd_bus_error* /*error*/) {
    static_cast<Message*>(data)->reset(::sd_bus_message_ref(answer));
    return 0;
}

Result<Message> call(sd_bus* bus, const char* method, const char* what, const std::string& unit, const Limit& limit, const char* mode = nullptr) {
    const auto cannot = std::string("cannot ask systemd to ") + what + " the unit " + unit;
    sd_bus_message* request = nullptr;
    int code = ::sd_bus_message_new_method_call(bus, &request, kService, kPath, kManager, method);
    const Message owned(request, &sd_bus_message_unref);
    if (code >= 0) code = mode == nullptr ? ::sd_bus_message_append(request, "s", unit.c_str()) : ::sd_bus_message_append(request, "ss", unit.c_str(), mode);
    if (code < 0) return fail_errno(cannot, -code);
    // Not sd_bus_call(), which nothing calls off.
    Message answer(nullptr, &sd_bus_message_unref);
    sd_bus_slot* slot = nullptr;
    code = ::sd_bus_call_async(bus, &slot, request, on_answer, &answer, left_us(limit));
    const std::unique_ptr<sd_bus_slot, decltype(&sd_bus_slot_unref)> waiting(slot, &sd_bus_slot_unref);
    if (code < 0) return fail_errno(cannot, -code);
    if (auto worked = work_until(bus, what, unit, limit, [&] { return answer != nullptr; }); !worked) return pass(worked);
    if (const sd_bus_error* error = ::sd_bus_message_get_error(answer.get()); error != nullptr)
        return refused(what, unit, *error, -::sd_bus_message_get_errno(answer.get()));
    return answer;
}

/// The job of StopUnit or StartUnit that is waited for.
struct Job {
    std::string path;
    std::string result; ///< empty: not ended
};

int on_job_removed(sd_bus_message* signal, void* data, sd_bus_error* /*error*/) {
    auto& job = *static_cast<Job*>(data);
    std::uint32_t id = 0;
    const char* path = nullptr;
    const char* unit = nullptr;
    const char* result = nullptr;
    if (::sd_bus_message_read(signal, "uoss", &id, &path, &unit, &result) >= 0 && job.path == path) job.result = result;
    return 0;
}

class SystemdUnits final : public Units {
public:
    Result<std::string> state(const std::string& unit, const Limit& limit) override {
        return property(unit, "ActiveState", limit);
    }
    Result<std::string> freezer_state(const std::string& unit, const Limit& limit) override {
        return property(unit, "FreezerState", limit);
    }
    Result<void> freeze(const std::string& unit, const Limit& limit) override { return simple("FreezeUnit", "freeze", unit, limit); }
    Result<void> thaw(const std::string& unit, const Limit& limit) override { return simple("ThawUnit", "thaw", unit, limit); }
    Result<void> stop(const std::string& unit, const Limit& limit) override { return run_job("StopUnit", "stop", unit, limit); }
    Result<void> start(const std::string& unit, const Limit& limit) override { return run_job("StartUnit", "start", unit, limit); }

private:
    static Result<std::string> property(const std::string& unit, const char* name, const Limit& limit) {
        auto bus = connect();
        if (!bus) return pass(bus);
        auto loaded = call(bus->get(), "LoadUnit", "load", unit, limit);
        if (!loaded) return pass(loaded);
        const char* path = nullptr;
        if (const int code = ::sd_bus_message_read(loaded->get(), "o", &path); code < 0) return fail_errno("systemd's answer is not understood", -code);
        const auto read = [&](const char* property_name) -> Result<std::string> {
            BusError error;
            char* text = nullptr;
            const int code = ::sd_bus_get_property_string(bus->get(), kService, path, kUnit, property_name, &error.error, &text);
            const ScopeExit release([&] { ::free(text); }); // NOLINT(cppcoreguidelines-no-malloc): sd-bus's memory
            if (code < 0) return refused("tell of", unit, error.error, code);
            return std::string(text);
        };
        const auto load_state = read("LoadState");
        if (!load_state) return tl::unexpected<Error>(load_state.error());
        if (*load_state == "not-found")
            return fail(ErrorKind::io, "there is no unit " + unit, "See: systemctl list-units; mend its writer's file, or move that away.");
        return read(name);
    }

    static Result<void> simple(const char* method, const char* what, const std::string& unit, const Limit& limit) {
        auto bus = connect();
        if (!bus) return pass(bus);
        auto answer = call(bus->get(), method, what, unit, limit);
        if (!answer) return pass(answer);
        return {};
    }

    static Result<void> run_job(const char* method, const char* what, const std::string& unit, const Limit& limit) {
        auto connected = connect();
        if (!connected) return pass(connected);
        auto* const bus = connected->get();
        Job job;
        // Before the call: the job may have ended when its answer is read. systemd sends signals to those who subscribe only.
        if (const int code = ::sd_bus_match_signal(bus, nullptr, kService, kPath, kManager, "JobRemoved", on_job_removed, &job); code < 0)
            return fail_errno("cannot listen to systemd", -code);
        BusError error;
        if (const int code = ::sd_bus_call_method(bus, kService, kPath, kManager, "Subscribe", &error.error, nullptr, ""); code < 0)
            return refused("subscribe for", unit, error.error, code);
        auto answer = call(bus, method, what, unit, limit, "replace");
        if (!answer) return pass(answer);
        const char* path = nullptr;
        if (const int code = ::sd_bus_message_read(answer->get(), "o", &path); code < 0) return fail_errno("systemd's answer is not understood", -code);
        job.path = path;
        if (auto ended = work_until(bus, what, unit, limit, [&] { return !job.result.empty(); }); !ended) return ended;
        if (job.result == "done" || job.result == "skipped") return {};
        return fail(ErrorKind::writer_failed, std::string("systemd did not ") + what + " the unit " + unit + ": its job ended with '" + job.result + "'",
                    "See: systemctl status " + unit);
    }
};

} // namespace

std::unique_ptr<Units> make_systemd_units() { return std::make_unique<SystemdUnits>(); }

} // namespace quiesced
