// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <utility>

#include "writers/units.h"
#include "writers/writer.h"
#include "writers/writer_config.h"

namespace quiesced {

/// A writer that is a unit of systemd: its processes stand still (cgroup freezer), or it is stopped and started again. A unit
/// that does not run is left as it is. `units` outlives it.
///
/// A unit that stands still is not quiesced: what it had in memory is not on the disk. So it keeps members at "filesystem";
/// one that was stopped has written everything.
///
/// A stop that is called off is left to systemd, as the start that follows it: who gives a set up does not wait for a long stop.
class UnitWriter final : public Writer {
public:
    /// `frozen`: it is, by a daemon that was lost; only the thaw is left to do.
    UnitWriter(std::string name, std::string unit, WriterConfig::Method method, Units& units, bool frozen = false)
        : name_(std::move(name)), unit_(std::move(unit)), method_(method), units_(units), begun_(frozen) {}

    [[nodiscard]] const std::string& name() const override { return name_; }
    /// Errors: io (no such unit), and of Units.
    Result<void> prepare(const WriterContext& context, const Limit& limit) override;
    /// Errors also: busy (somebody else holds it frozen).
    Result<void> freeze(const WriterContext& context, const Limit& limit) override;
    /// Errors also: lost (somebody else had thawed or started it in the meantime).
    Result<void> thaw(const WriterContext& context, const Limit& limit) override;
    [[nodiscard]] WriterUndo undo() const override;

private:
    std::string name_;
    std::string unit_;
    WriterConfig::Method method_;
    Units& units_;
    bool begun_;         ///< its freeze or stop began
    bool held_ = false;  ///< and was completed
    bool called_off_ = false; ///< or called off
};

} // namespace quiesced
