// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/limit.h"
#include "config.h"
#include "writers/outside.h"
#include "writers/units.h"
#include "writers/writer.h"
#include "writers/writer_record.h"

namespace quiesced {

struct WriterSettings {
    std::string hooks_directory = QUIESCED_SYSCONFDIR "/hooks.d";     ///< absolute; need not exist
    std::string writers_directory = QUIESCED_SYSCONFDIR "/writers.d"; ///< likewise
    std::string record_directory = {};        ///< where a WriterRecord is kept while frozen; empty: nowhere
    std::chrono::milliseconds limit{60000};   ///< of each executable of the hooks directory, for its freeze and again for its thaw
    std::shared_ptr<Units> units = nullptr;   ///< null: systemd's
    Outside outside = Outside();              ///< how programs are run
};

/// The writers that an admin has configured. First the executables of hooks.d, one after another in the order of their names, for
/// every set; then those of writers.d that concern a member, by their order, the same order side by side. Thawed in reverse.
/// See read_hook_directory() and read_writer_configs() for what runs.
class ConfiguredWriters final : public Writers {
public:
    explicit ConfiguredWriters(WriterSettings settings);
    ~ConfiguredWriters() override;
    ConfiguredWriters(const ConfiguredWriters&) = delete;
    ConfiguredWriters& operator=(const ConfiguredWriters&) = delete;

    [[nodiscard]] Result<WriterList> list(const std::vector<std::string>& volumes, const Inventory& inventory) const override;
    [[nodiscard]] std::vector<ConfiguredWriter> configured() const override;
    Result<void> prepare(const WriterContext& context, const Inventory& inventory) override;
    Result<std::size_t> freeze(const WriterContext& context) override;
    std::vector<std::string> thaw(const WriterContext& context) override;
    void cancel() override { interrupt_.raise(); }
    [[nodiscard]] std::vector<std::string> notes() const override { return notes_; }
    [[nodiscard]] std::vector<WriterReport> report() const override;

private:
    /// One writer of the set.
    struct Entry {
        std::unique_ptr<Writer> writer;
        std::string path;
        int group = 0; ///< ascending; the same: side by side
        std::chrono::milliseconds limit;
        bool may_fail = false;
        bool out = false;   ///< failed, and the set goes on without it
        bool begun = false; ///< its freeze began, and its thaw has not
        WriterReport report;
        std::optional<Error> error; ///< of the step under way
    };
    using Group = std::pair<std::size_t, std::size_t>; ///< entries [first, last)

    struct Selection {
        std::vector<Entry> entries; ///< by group
        std::vector<std::string> notes;
    };
    [[nodiscard]] Result<Selection> select(const std::vector<std::string>& volumes, const Inventory& inventory) const;
    [[nodiscard]] std::vector<Group> groups() const;
    Result<void> settle(Group group, const WriterContext& context);
    Result<void> freeze_group(Group group, const WriterContext& context);
    Result<void> keep_record(const WriterContext& context, std::size_t count);
    static void thaw_one(Entry& entry, const WriterContext& context);

    WriterSettings settings_;
    std::vector<Entry> entries_;
    std::vector<WriterReport> given_up_; ///< of entries that a failed prepare() has ended
    std::optional<WriterRecord> record_;
    WriterContext context_; ///< of the last freeze(), for the destructor
    bool frozen_ = false;
    std::vector<std::string> notes_;
    Interrupt interrupt_; ///< raised by cancel()
};

/// The writers for one new set.
std::unique_ptr<Writers> make_configured_writers(WriterSettings settings = {});

} // namespace quiesced
