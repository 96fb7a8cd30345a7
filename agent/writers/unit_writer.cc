// SPDX-License-Identifier: LGPL-2.1-or-later
#include "writers/unit_writer.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace quiesced {
namespace {

/// For a unit to start again whose stop was called off.
constexpr std::chrono::seconds kStartPatience{2};
/// Between two looks at a unit that is not frozen yet.
constexpr std::chrono::milliseconds kLook{100};

Result<void> named(Result<void> result, const std::string& name) {
    if (!result && result.error().kind == ErrorKind::wrong_state) return writer_called_off("the writer " + name);
    if (!result) result.error().context = "the writer " + name + ": " + result.error().context;
    return result;
}

} // namespace

Result<void> UnitWriter::prepare(const WriterContext& /*context*/, const Limit& limit) {
    auto state = units_.state(unit_, limit);
    if (!state) return named(pass(state), name_);
    return {};
}

Result<void> UnitWriter::freeze(const WriterContext& /*context*/, const Limit& limit) {
    auto state = units_.state(unit_, limit);
    if (!state) return named(pass(state), name_);
    // What does not run writes nothing, and must not be started by the thaw.
    if (*state != "active" && *state != "activating" && *state != "reloading") return {};
    if (method_ == WriterConfig::Method::stop) {
        begun_ = true;
        auto stopped = units_.stop(unit_, limit);
        held_ = stopped.has_value();
        called_off_ = !held_ && limit.interrupted();
        return named(std::move(stopped), name_);
    }
    auto freezer = units_.freezer_state(unit_, limit);
    if (!freezer) return named(pass(freezer), name_);
    if (*freezer != "running")
        return named(fail(ErrorKind::busy, "the unit " + unit_ + " is " + *freezer + " by somebody else", "Thaw it: systemctl thaw " + unit_), name_);
    begun_ = true;
    auto frozen = units_.freeze(unit_, limit);
    held_ = frozen.has_value();
    return named(std::move(frozen), name_);
}

Result<void> UnitWriter::thaw(const WriterContext& /*context*/, const Limit& limit) {
    if (!std::exchange(begun_, false)) return {};
    const bool was_held = std::exchange(held_, false);
    if (method_ == WriterConfig::Method::stop) {
        auto state = units_.state(unit_, limit);
        // Started all the same when the state is not known: a start of what runs is nothing.
        const auto patience = called_off_ ? std::min(limit.until, Monotonic::now() + kStartPatience) : limit.until;
        auto started = named(units_.start(unit_, patience), name_);
        // Its job waits for the end of the stop.
        if (!started && called_off_ && started.error().kind == ErrorKind::deadline) return {};
        if (!started) {
            started.error().advice = "Start it: systemctl start " + unit_;
            return started;
        }
        if (was_held && state && *state == "active") return named(fail(ErrorKind::lost, "somebody else had started the unit " + unit_ + " meanwhile"), name_);
        return {};
    }
    auto freezer = units_.freezer_state(unit_, limit);
    auto thawed = named(units_.thaw(unit_, limit), name_);
    // A freeze that was not waited for goes on, and systemd thaws nothing that it is freezing.
    while (!thawed && freezer && *freezer == "freezing" && Monotonic::now() + kLook < limit.until) {
        std::this_thread::sleep_for(kLook);
        freezer = units_.freezer_state(unit_, limit);
        thawed = named(units_.thaw(unit_, limit), name_);
    }
    if (!thawed) {
        // It may have ended, or be thawed already.
        auto now = units_.freezer_state(unit_, limit);
        if (!now || *now != "running") {
            thawed.error().advice = "Thaw it: systemctl thaw " + unit_;
            return thawed;
        }
    }
    if (was_held && freezer && *freezer != "frozen") return named(fail(ErrorKind::lost, "somebody else had thawed the unit " + unit_ + " meanwhile"), name_);
    return {};
}

WriterUndo UnitWriter::undo() const {
    return {.kind = method_ == WriterConfig::Method::stop ? "unit-start" : "unit-thaw", .name = name_, .what = {unit_}, .limit = {}};
}

} // namespace quiesced
