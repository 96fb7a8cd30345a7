// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace quiesced {

/// Every LV that this program makes carries this tag and quiesced_set_tag().
inline constexpr const char* kLvmTag = "quiesced";
std::string lvm_set_tag(const SetId& set);

/// A logical volume as `lvs` reports it, with what it says of the volume group.
struct LogicalVolume {
    enum class Kind {
        thick, ///< snapshots of it have a copy-on-write store in the volume group
        thin,  ///< snapshots of it live in its pool
        pool,  ///< a thin pool
        other, ///< nothing that this program snapshots (a thick snapshot, a pvmove, vdo, ...)
    };
    std::string group;      ///< name of the volume group
    std::string group_uuid; ///< with hyphens, as LVM prints it
    Bytes group_free;
    Bytes extent; ///< allocation unit of the volume group
    std::string name;
    std::string uuid;         ///< with hyphens
    Bytes size;               ///< of a thick snapshot: its copy-on-write store
    std::string segment_type; ///< "linear", "striped", "raid1", "thin", "thin-pool", ...; of the first segment
    std::string attributes;   ///< lv_attr, see lvs(8)
    std::string pool;         ///< thin: name of its pool
    std::string origin;       ///< snapshots: name of the origin
    std::optional<std::uint32_t> thin_id;   ///< thin: device id in its pool
    std::optional<double> data_percent;     ///< fill of a pool, or of a snapshot's store
    std::optional<double> metadata_percent; ///< fill of a pool's metadata
    std::optional<Bytes> metadata_size;     ///< of a pool
    std::optional<Bytes> chunk;             ///< of a thick snapshot's store, or a pool's blocks
    bool needs_check = false;               ///< a pool whose metadata the kernel does not trust any more, and will not extend
    std::vector<std::string> tags;

    [[nodiscard]] Kind kind() const;
    [[nodiscard]] std::string full_name() const { return group + "/" + name; }
    [[nodiscard]] std::string dm_uuid() const; ///< of its visible device: "LVM-..."
    [[nodiscard]] bool has_tag(const std::string& tag) const;
    [[nodiscard]] bool is_active() const { return attributes.size() > 4 && (attributes[4] == 'a' || attributes[4] == 's'); }
    [[nodiscard]] bool is_open() const { return attributes.size() > 5 && attributes[5] == 'o'; }
    /// A thick snapshot whose store was full, or could not be read or written: nothing is left of it.
    [[nodiscard]] bool is_invalid() const { return attributes.size() > 4 && (attributes[4] == 'I' || attributes[4] == 'S'); }
    [[nodiscard]] bool is_merging() const {
        return !attributes.empty() && (attributes[0] == 'O' || attributes[0] == 'S');
    }
};

/// A volume group as `vgs` reports it.
struct LvmGroup {
    std::string name;
    Bytes free;
    Bytes extent; ///< allocation unit
};

/// The value of `lvs -o` whose report parse_lvm_report() reads.
extern const char* const kLvmReportFields;

/// Reads `lvs --reportformat json --units b --nosuffix -o kLvmReportFields`. An LV with several segments comes once.
/// Errors: lvm_failed, saying what in the report makes no sense.
Result<std::vector<LogicalVolume>> parse_lvm_report(const std::string& json);

/// The same for `vgs -o kLvmGroupFields` of one group.
extern const char* const kLvmGroupFields;
Result<LvmGroup> parse_lvm_group(const std::string& json);

/// True for the dm UUID of a logical volume's visible device, as against LVM's inner ones ("...-real", "...-cow").
bool is_lvm_uuid(const std::string& dm_uuid);

/// The volume group's name in the dm name of a logical volume: "data-1" of "data--1-home". Empty when it is none.
std::string lvm_group_of(const std::string& dm_name);

/// Name for the snapshot of `origin` in a set: "<origin>-q<id>", or "q<id>-<index>" where that would exceed what
/// device-mapper takes for a name (127 bytes with the group, hyphens doubled, and LVM's own suffixes).
std::string lvm_snapshot_name(const std::string& group, const std::string& origin, const SetId& set, std::size_t index);

} // namespace quiesced
