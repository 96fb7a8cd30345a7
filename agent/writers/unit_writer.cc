// SPDX-License-Identifier: LGPL-2.1-or-later
#include "writers/unit_writer.h"

namespace quiesced {
namespace {

Result<void> named(Result<void> result, const std::string& name) {
    if (!result) result.error().context = "the writer " + name + ": " + result.error().context;
    return result;
}

} // namespace

Result<void> UnitWriter::prepare(const WriterContext& /*context*/, Monotonic::time_point deadline) {
    auto state = units_.state(unit_, deadline);
    if (!state) return named(pass(state), name_);
    return {};
}

Result<void> UnitWriter::freeze(const WriterContext& /*context*/, Monotonic::time_point deadline) {
    auto state = units_.state(unit_, deadline);
    if (!state) return named(pass(state), name_);
    // What does not run writes nothing, and must not be started by the thaw.
    if (*state != "active" && *state != "activating" && *state != "reloading") return {};
    if (method_ == WriterConfig::Method::stop) {
        begun_ = true;
        auto stopped = units_.stop(unit_, deadline);
        held_ = stopped.has_value();
        return named(std::move(stopped), name_);
    }
    auto freezer = units_.freezer_state(unit_, deadline);
    if (!freezer) return named(pass(freezer), name_);
    if (*freezer != "running")
        return named(fail(ErrorKind::busy, "the unit " + unit_ + " is " + *freezer + " by somebody else", "Thaw it: systemctl thaw " + unit_), name_);
    begun_ = true;
    auto frozen = units_.freeze(unit_, deadline);
    held_ = frozen.has_value();
    return named(std::move(frozen), name_);
}

Result<void> UnitWriter::thaw(const WriterContext& /*context*/, Monotonic::time_point deadline) {
    if (!std::exchange(begun_, false)) return {};
    const bool was_held = std::exchange(held_, false);
    if (method_ == WriterConfig::Method::stop) {
        auto state = units_.state(unit_, deadline);
        // Started all the same when the state is not known: a start of what runs is nothing.
        auto started = named(units_.start(unit_, deadline), name_);
        if (!started) {
            started.error().advice = "Start it: systemctl start " + unit_;
            return started;
        }
        if (was_held && state && *state == "active") return named(fail(ErrorKind::lost, "somebody else had started the unit " + unit_ + " meanwhile"), name_);
        return {};
    }
    auto freezer = units_.freezer_state(unit_, deadline);
    auto thawed = named(units_.thaw(unit_, deadline), name_);
    if (!thawed) {
        // It may have ended, or be thawed already.
        auto now = units_.freezer_state(unit_, deadline);
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
