// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "snapshot/dm_table.h"
#include "snapshot/lvm_command.h"

namespace quiesced {

/// dm tables in memory.
class TwinDmTables : public DmTables {
public:
    [[nodiscard]] Result<DmDevice> table(const std::string& uuid) const override;
    [[nodiscard]] Result<DmDevice> table(DeviceNumber number) const override;
    [[nodiscard]] Result<DmDevice> status(const std::string& uuid) const override;

    std::map<std::string, DmDevice> devices;     ///< by UUID
    std::map<std::string, std::string> statuses; ///< by UUID; a healthy one otherwise
};

/// A volume group "vg" in memory that obeys the commands of LvmCommand as LVM 2.03 does, and keeps the dm tables in step.
class TwinLvm : public LvmRunner {
public:
    explicit TwinLvm(std::shared_ptr<TwinDmTables> tables) : tables_(std::move(tables)) {}
    Result<ChildOutcome> run(const std::vector<std::string>& arguments, std::chrono::milliseconds limit) override;

    LogicalVolume& add_thick(const std::string& name, Bytes size);
    LogicalVolume& add_pool(const std::string& name);
    LogicalVolume& add_thin(const std::string& name, const std::string& pool);
    LogicalVolume* find(const std::string& name);
    [[nodiscard]] std::vector<std::string> names() const;
    /// How often a subcommand was run.
    [[nodiscard]] std::size_t count(const std::string& subcommand) const;

    std::vector<std::vector<std::string>> calls;
    std::string fail_on;                               ///< the command that has this word among its arguments fails
    std::string fail_words = "  It does not want to."; ///< and says this
    bool half_make = false;                            ///< the failing lvcreate leaves its volume behind
    Bytes free{1ULL << 30U};
    Bytes metadata{4ULL << 20U};  ///< of every pool
    unsigned extends_itself = 100; ///< LVM's own threshold, for stores and pools
    bool monitored = false;        ///< all of them

private:
    LogicalVolume& add(const std::string& name, const std::string& segment_type, const std::string& attributes,
                       Bytes size);
    void put_table(const std::string& uuid, const std::string& type, const std::string& text, Bytes size);
    ChildOutcome create(const std::vector<std::string>& arguments);
    ChildOutcome create_plain(const std::vector<std::string>& arguments);
    ChildOutcome extend(const std::vector<std::string>& arguments);
    ChildOutcome merge(const std::vector<std::string>& arguments);
    ChildOutcome remove(const std::vector<std::string>& arguments);
    [[nodiscard]] std::string report(const std::vector<std::string>& arguments) const;

    std::shared_ptr<TwinDmTables> tables_;
    std::vector<std::unique_ptr<LogicalVolume>> volumes_;
    std::uint32_t next_minor_ = 0;
    std::uint32_t next_thin_id_ = 1;
    unsigned next_uuid_ = 1;
};

} // namespace quiesced
