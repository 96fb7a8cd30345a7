// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/volume_text.h"

#include <algorithm>
#include <cctype>
#include <cstdint>

#include "base/ids.h"
#include "base/join.h"
#include "ctl/table.h"

namespace quiesced {
namespace {

std::string upper(std::string text) {
    for (auto& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return text;
}

Result<VolumeColumn> column_named(const std::string& name) {
    const auto& all = volume_columns();
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& column) { return column.name == upper(name); });
    if (found != all.end()) return *found;
    std::vector<std::string> names;
    for (const auto& column : all) names.emplace_back(column.name);
    return fail(ErrorKind::invalid_argument, "there is no column '" + name + "'", "There are " + joined(names) + ".");
}

Colour colour_of_placement(const std::string& placement) {
    if (placement == "virtual") return Colour::green;
    if (placement == "lun") return Colour::cyan;
    if (placement == "mixed") return Colour::magenta;
    if (placement == "network") return Colour::yellow;
    return Colour::dim;
}

Cell cell_of(const Json& volume, const VolumeColumn& column) {
    const auto found = volume.find(std::string(column.key));
    if (found == volume.end()) return "";
    if (column.size) return found->is_number_unsigned() && *found != 0U ? Bytes{found->get<std::uint64_t>()}.text() : std::string();
    if (found->is_array()) return texts_of(*found);
    if (!found->is_string()) return found->dump();
    const auto text = found->get<std::string>();
    return {text, column.key == "placement" ? colour_of_placement(text) : Colour::plain};
}

} // namespace

const std::vector<VolumeColumn>& volume_columns() {
    static const std::vector<VolumeColumn> columns{
        {"NAME", "name", "How people call it: a mount point, else the device.", false, true, true},
        {"PLACEMENT", "placement", "Where its data are: virtual (the hypervisor's disks), lun (an array's), mixed, network, none.", false, true, false},
        {"FSTYPE", "file_system", "Type of the file system; none for a raw block device.", false, true, false},
        {"SIZE", "size", "Size of its devices together.", true, true, false},
        {"DISKS", "disks", "The disks at the bottom of all layers.", false, true, true},
        {"MOUNTPOINTS", "mount_points", "Everywhere it is mounted.", false, true, true},
        {"DEVICE", "device", "Its first block device; the source of a mount that has none.", false, false, true},
        {"UUID", "uuid", "UUID of the file system.", false, false, false},
        {"LABEL", "label", "Label of the file system.", false, false, false},
        {"PROCESS", "process", "Who has it mounted, if it is mounted in another mount namespace only.", false, false, false},
        {"OVERLAYS", "overlays", "Overlay mounts that write to it.", false, false, true},
        {"SWAPFILES", "swap_files", "Active swap files on it.", false, false, true},
        {"EVIDENCE", "evidence", "The facts that the placement rests on.", false, false, true},
    };
    return columns;
}

Result<std::vector<VolumeColumn>> choose_columns(const std::string& text) {
    std::vector<VolumeColumn> chosen;
    if (text.empty() || text.front() == '+')
        for (const auto& column : volume_columns())
            if (column.shown) chosen.push_back(column);
    std::string rest = text.starts_with('+') ? text.substr(1) : text;
    while (!rest.empty()) {
        const auto end = std::min(rest.find(','), rest.size());
        auto column = column_named(rest.substr(0, end));
        if (!column) return pass(column);
        chosen.push_back(*column);
        rest.erase(0, end + 1);
    }
    return chosen;
}

std::string describe_columns(const Screen& screen) {
    std::string text;
    for (const auto& column : volume_columns()) {
        constexpr std::size_t kName = 13;
        const auto name = pad_text(column.name, kName);
        const auto line = wrap_text(std::string(kName, '.') + " " + std::string(column.what), screen.width, kName + 1);
        text += screen.paint(Colour::bold, name) + line.substr(kName);
    }
    return text;
}

bool is_of_interest(const Json& volume) {
    return text_of(volume, "placement") == "network" || !texts_of(volume, "disks").empty() || number_of(volume, "size").value_or(0) > 0;
}

std::string render_volumes(const Json& volumes, const std::vector<VolumeColumn>& columns, const Screen& screen) {
    std::vector<Column> heads;
    for (const auto& column : columns) heads.push_back({std::string(column.name), column.size, column.wraps});
    std::vector<std::vector<Cell>> rows;
    for (const auto& volume : volumes) {
        if (!volume.is_object()) continue;
        auto& row = rows.emplace_back();
        for (const auto& column : columns) row.push_back(cell_of(volume, column));
    }
    return render_table(heads, rows, screen);
}

Json only_columns(const Json& volumes, const std::vector<VolumeColumn>& columns) {
    auto list = Json::array();
    for (const auto& volume : volumes) {
        auto chosen = Json::object();
        for (const auto& column : columns) {
            const auto found = volume.find(std::string(column.key));
            chosen[std::string(column.key)] = found == volume.end() ? Json() : *found;
        }
        list.push_back(std::move(chosen));
    }
    return list;
}

} // namespace quiesced
