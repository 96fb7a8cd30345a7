// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/child.h"
#include "base/ids.h"
#include "base/result.h"
#include "snapshot/lvm_report.h"

namespace quiesced {

/// Runs one LVM command. The twin for tests answers from a script.
class LvmRunner {
public:
    virtual ~LvmRunner() = default;
    /// `arguments` begins with the subcommand ("lvs"). Blocking, up to `limit`. Errors: those of run_child().
    virtual Result<ChildOutcome> run(const std::vector<std::string>& arguments, std::chrono::milliseconds limit) = 0;
};

/// The real one: the `lvm` program with a configuration and environment that make its words predictable.
class SystemLvmRunner : public LvmRunner {
public:
    /// `program`: a path, or a name to be looked up in the system's directories of programs.
    explicit SystemLvmRunner(std::string program = "lvm") : program_(std::move(program)) {}
    Result<ChildOutcome> run(const std::vector<std::string>& arguments, std::chrono::milliseconds limit) override;

private:
    std::string program_;
};

/// The LVM commands of the lvm and dm providers. Never to be called while a file system is frozen or a snapshot primed.
/// Errors of all: lvm_failed with LVM's own words; deadline when it did not end in time; no_space and busy where
/// LVM's words say so.
class LvmCommand {
public:
    explicit LvmCommand(LvmRunner& runner) : runner_(runner) {}

    /// The visible LVs of these volume groups.
    [[nodiscard]] Result<std::vector<LogicalVolume>> list(const std::vector<std::string>& groups) const;
    /// All LVs of these volume groups, LVM's inner ones as well: their names are in brackets.
    [[nodiscard]] Result<std::vector<LogicalVolume>> list_all(const std::vector<std::string>& groups) const;
    /// The visible LVs of all volume groups that carry a tag.
    [[nodiscard]] Result<std::vector<LogicalVolume>> list_tagged(const std::string& tag) const;

    /// Errors besides: lvm_failed when there is no such group.
    [[nodiscard]] Result<LvmGroup> group(const std::string& name) const;

    /// A volume for the copy-on-write store of a snapshot that LVM knows nothing of; its head is zeroed. `tags` as below.
    [[nodiscard]] Result<void> create_store(const std::string& group, const std::string& name, Bytes size, const SetId& set,
                                            const std::vector<std::string>& tags) const;
    /// `store`: size of the copy-on-write store, `chunk`: of its chunks. `tags` are those besides the ones that every LV of ours carries.
    [[nodiscard]] Result<void> create_thick_snapshot(const LogicalVolume& origin, const std::string& name, Bytes store, Bytes chunk,
                                                     const SetId& set, const std::vector<std::string>& tags = {}) const;
    /// Leaves it inactive.
    [[nodiscard]] Result<void> create_thin_snapshot(const LogicalVolume& origin, const std::string& name, const SetId& set,
                                                    const std::vector<std::string>& tags = {}) const;
    /// Adds a tag to LVs. None is no command.
    [[nodiscard]] Result<void> add_tag(const std::vector<std::string>& names, const std::string& tag) const;
    /// Begins to merge snapshots into their origins, in one command; the rest is done in the background, or at the next activation of an
    /// origin that is in use.
    [[nodiscard]] Result<void> merge(const std::vector<std::string>& snapshots) const;
    /// Removes LVs, named "vg/lv", all that it can; the error then speaks of the rest. None is no command.
    [[nodiscard]] Result<void> remove(const std::vector<std::string>& names) const;
    /// Loads the tables of an active LV anew, and resumes what is suspended of it.
    [[nodiscard]] Result<void> refresh(const std::string& name) const;
    /// Activates LVs in spite of their skip flag. None is no command.
    [[nodiscard]] Result<void> activate(const std::vector<std::string>& names) const;
    /// Lets dmeventd watch LVs. None is no command.
    [[nodiscard]] Result<void> monitor(const std::vector<std::string>& names) const;

    /// Sets the size of a snapshot's store, or of a pool's data.
    [[nodiscard]] Result<void> extend(const std::string& name, Bytes size) const;
    [[nodiscard]] Result<void> extend_pool_metadata(const std::string& pool, Bytes size) const;
    [[nodiscard]] Result<Bytes> pool_metadata_size(const std::string& pool) const;
    /// LVM extends it by itself: lvm.conf says so for its kind, and dmeventd watches it. False also where that cannot be found out.
    [[nodiscard]] bool extends_itself(const LogicalVolume& volume) const;

private:
    [[nodiscard]] Result<std::string> field(const std::string& name, const std::string& what) const;
    [[nodiscard]] Result<std::vector<LogicalVolume>> list_matching(const std::vector<std::string>& what) const;
    [[nodiscard]] Result<void> change(const std::vector<std::string>& arguments, const std::string& doing) const;
    LvmRunner& runner_;
};

} // namespace quiesced
