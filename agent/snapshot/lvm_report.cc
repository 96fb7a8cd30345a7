// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/lvm_report.h"

#include <libdevmapper.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <system_error>

#include <nlohmann/json.hpp>

namespace quiesced {

const char* const kLvmReportFields =
    "vg_name,vg_uuid,vg_free,vg_extent_size,lv_name,lv_uuid,lv_size,segtype,lv_attr,pool_lv,"
    "origin,thin_id,data_percent,metadata_percent,lv_metadata_size,chunk_size,lv_check_needed,lv_tags";
const char* const kLvmGroupFields = "vg_name,vg_free,vg_extent_size";

namespace {

/// Reads the texts of one row and remembers the first that makes no sense: LVM prints numbers as texts, too.
class Row {
public:
    explicit Row(const nlohmann::json& row) : row_(row) {}

    std::string text(const char* field) {
        const auto found = row_.find(field);
        if (found != row_.end() && found->is_string()) return found->get<std::string>();
        complain(std::string("the field ") + field + " is missing");
        return {};
    }

    template <typename Number>
    std::optional<Number> number(const char* field) {
        const auto value = text(field);
        if (value.empty()) return std::nullopt;
        Number parsed{};
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
        if (error != std::errc{} || end != value.data() + value.size())
            complain(std::string("the field ") + field + " is '" + value + "', which is no number");
        return parsed;
    }

    Bytes bytes(const char* field) {
        const auto value = number<std::uint64_t>(field);
        if (!value) complain(std::string("the field ") + field + " is empty");
        return Bytes{value.value_or(0)};
    }

    std::vector<std::string> list(const char* field) {
        const auto value = text(field);
        std::vector<std::string> items;
        for (std::size_t begin = 0; begin < value.size();) {
            const auto end = std::min(value.find(',', begin), value.size());
            items.push_back(value.substr(begin, end - begin));
            begin = end + 1;
        }
        return items;
    }

    [[nodiscard]] const std::string& problem() const { return problem_; }

private:
    void complain(std::string problem) {
        if (problem_.empty()) problem_ = std::move(problem);
    }
    const nlohmann::json& row_;
    std::string problem_;
};

tl::unexpected<Error> refuse(const std::string& program, const std::string& what) {
    return fail(ErrorKind::lvm_failed, "cannot understand what " + program + " reports: " + what,
                "Check that `" + program + " --reportformat json` works; LVM 2.02.158 is the oldest that has it.");
}

/// The rows of a report, all of them objects.
Result<std::vector<nlohmann::json>> read_rows(const std::string& json, const std::string& program, const char* kind) {
    const auto document = nlohmann::json::parse(json, nullptr, false);
    const auto report = document.is_object() ? document.find("report") : document.end();
    if (!document.is_object() || report == document.end() || !report->is_array()) return refuse(program, "it is no JSON report");
    std::vector<nlohmann::json> all;
    for (const auto& part : *report) {
        if (!part.is_object() || !part.contains(kind)) continue;
        const auto& rows = part.at(kind);
        if (!rows.is_array()) return refuse(program, "'" + std::string(kind) + "' is no list");
        for (const auto& row : rows) {
            if (!row.is_object()) return refuse(program, "a row is no object");
            all.push_back(row);
        }
    }
    return all;
}

LogicalVolume read_row(Row& row) {
    LogicalVolume volume;
    volume.group = row.text("vg_name");
    volume.group_uuid = row.text("vg_uuid");
    volume.group_free = row.bytes("vg_free");
    volume.extent = row.bytes("vg_extent_size");
    volume.name = row.text("lv_name");
    volume.uuid = row.text("lv_uuid");
    volume.size = row.bytes("lv_size");
    volume.segment_type = row.text("segtype");
    volume.attributes = row.text("lv_attr");
    volume.pool = row.text("pool_lv");
    volume.origin = row.text("origin");
    volume.thin_id = row.number<std::uint32_t>("thin_id");
    volume.data_percent = row.number<double>("data_percent");
    volume.metadata_percent = row.number<double>("metadata_percent");
    if (const auto size = row.number<std::uint64_t>("lv_metadata_size")) volume.metadata_size = Bytes{*size};
    if (const auto chunk = row.number<std::uint64_t>("chunk_size"); chunk && *chunk != 0) volume.chunk = Bytes{*chunk};
    volume.needs_check = row.text("lv_check_needed") == "check needed"; // "unknown" of what is no active pool
    volume.tags = row.list("lv_tags");
    return volume;
}

std::string without_hyphens(std::string text) {
    text.erase(std::remove(text.begin(), text.end(), '-'), text.end());
    return text;
}

/// Bytes of a group's or volume's name in a dm name, where LVM doubles its hyphens.
std::size_t dm_length(const std::string& name) {
    return name.size() + static_cast<std::size_t>(std::count(name.begin(), name.end(), '-'));
}

} // namespace

std::string lvm_set_tag(const SetId& set) { return std::string(kLvmTag) + ".set=" + set.text(); }

LogicalVolume::Kind LogicalVolume::kind() const {
    constexpr auto thick_types = std::to_array<std::string_view>({"linear", "striped", "mirror", "cache"});
    // A thick snapshot's own segment type is that of its store.
    const char type = attributes.empty() ? '?' : attributes.front();
    if (segment_type == "thin-pool") return Kind::pool;
    if (segment_type == "thin") return Kind::thin;
    if (type == 's' || type == 'S' || type == 'p' || type == 'v') return Kind::other;
    if (segment_type.starts_with("raid") ||
        std::find(thick_types.begin(), thick_types.end(), segment_type) != thick_types.end())
        return Kind::thick;
    return Kind::other;
}

std::string LogicalVolume::dm_uuid() const { return "LVM-" + without_hyphens(group_uuid) + without_hyphens(uuid); }

bool LogicalVolume::has_tag(const std::string& tag) const {
    return std::find(tags.begin(), tags.end(), tag) != tags.end();
}

Result<std::vector<LogicalVolume>> parse_lvm_report(const std::string& json) {
    const auto rows = read_rows(json, "lvs", "lv");
    if (!rows) return tl::unexpected<Error>(rows.error());
    std::vector<LogicalVolume> volumes;
    for (const auto& item : *rows) {
        Row row(item);
        auto volume = read_row(row);
        if (!row.problem().empty()) return refuse("lvs", row.problem() + " in the row of '" + volume.full_name() + "'");
        // segtype and thin_id make lvs print one row a segment.
        const auto same = [&volume](const LogicalVolume& other) {
            return other.uuid == volume.uuid && other.group_uuid == volume.group_uuid;
        };
        if (std::none_of(volumes.begin(), volumes.end(), same)) volumes.push_back(std::move(volume));
    }
    return volumes;
}

Result<LvmGroup> parse_lvm_group(const std::string& json) {
    const auto rows = read_rows(json, "vgs", "vg");
    if (!rows) return tl::unexpected<Error>(rows.error());
    if (rows->size() != 1) return refuse("vgs", "it has " + std::to_string(rows->size()) + " rows for one volume group");
    Row row(rows->front());
    LvmGroup group;
    group.name = row.text("vg_name");
    group.free = row.bytes("vg_free");
    group.extent = row.bytes("vg_extent_size");
    if (!row.problem().empty()) return refuse("vgs", row.problem());
    return group;
}

bool is_lvm_uuid(const std::string& dm_uuid) {
    constexpr std::size_t uuid_length = 32;
    return dm_uuid.starts_with("LVM-") && dm_uuid.size() == 4 + 2 * uuid_length;
}

std::string lvm_group_of(const std::string& dm_name) {
    std::string buffer = dm_name; // split in place
    char* group = buffer.data();
    char* volume = nullptr;
    char* layer = nullptr;
    if (dm_split_lvm_name(nullptr, nullptr, &group, &volume, &layer) == 0 || volume == nullptr || *volume == '\0')
        return {};
    return group;
}

std::string lvm_snapshot_name(const std::string& group, const std::string& origin, const SetId& set,
                              std::size_t index) {
    constexpr std::size_t longest_dm_name = 127; // DM_NAME_LEN less the NUL
    constexpr std::size_t longest_suffix = 8;    // "-cow" and what LVM keeps back
    auto name = origin + "-q" + set.text();
    if (dm_length(group) + 1 + dm_length(name) + longest_suffix > longest_dm_name)
        name = "q" + set.text() + "-" + std::to_string(index);
    return name;
}

} // namespace quiesced
