// SPDX-License-Identifier: LGPL-2.1-or-later
#include <algorithm>
#include <string>
#include <vector>

#include "fuzz/target.h"
#include "volumes/file_system_type.h"
#include "volumes/mount_namespaces.h"
#include "volumes/mount_tree.h"
#include "volumes/mountinfo.h"
#include "volumes/swap_area.h"

namespace quiesced::fuzz {

void run_mountinfo(std::string_view input) {
    const auto table = parse_mountinfo(input);
    const auto lines = static_cast<std::size_t>(std::count(input.begin(), input.end(), '\n')) + 1;
    require(table.entries.size() + table.errors.size() <= lines, "a line is an entry or an error, once");
    for (const auto& entry : table.entries) {
        require(entry.mount_point.starts_with('/'), "a mount point is absolute");
        require(entry.mount_point.find('\0') == std::string::npos, "a mount point has no NUL");
        require(!entry.file_system.empty(), "a mount has a type");
        (void)classify_file_system(entry.file_system);
    }
    for (const auto& error : table.errors) require(error.line >= 1 && error.line <= lines, "an error names a line");
}

void run_octal(std::string_view input) {
    require(unescape_octal(input).size() <= input.size(), "unescaping does not lengthen");
    // As the kernel escapes in mountinfo.
    std::string escaped;
    for (const char c : input) {
        if (c == ' ')
            escaped += "\\040";
        else if (c == '\t')
            escaped += "\\011";
        else if (c == '\n')
            escaped += "\\012";
        else if (c == '\\')
            escaped += "\\134";
        else
            escaped += c;
    }
    require(unescape_octal(escaped) == input, "what the kernel escapes comes back as it was");
}

void run_mount_options(std::string_view input) {
    const auto end = std::min(input.find('\n'), input.size());
    const auto name = input.substr(0, end);
    const auto options = input.substr(std::min(end + 1, input.size()));
    require(option_value(options, name).size() <= options.size(), "a value is a part of the options");
    if (has_option(options, name)) require(options.find(name) != std::string_view::npos, "a flag is a part of the options");
}

void run_mount_tree(std::string_view input) {
    const auto table = parse_mountinfo(input);
    const MountTree tree(table.entries);
    for (const auto& entry : table.entries) {
        (void)tree.visible(entry);
        (void)tree.behind_remote(entry);
        const auto* place = tree.at(entry.mount_point + "/below");
        require(place == nullptr || place == tree.at(entry.mount_point) || place->mount_point.ends_with("/below"),
                "what is below a mount point lies where it does");
    }
    (void)tree.at(input);
}

/// What is picked out of a table without a parse of all of it must be what the parser finds.
void run_foreign_mounts(std::string_view input) {
    std::vector<ForeignMount> found;
    const auto wanted = [](DeviceNumber number, std::string_view type) { return number.major % 2 == 1 && type != "nfs"; };
    find_foreign_mounts({.pid = 7, .command = "sleep"}, input, wanted, found);
    std::size_t expected = 0;
    for (const auto& entry : parse_mountinfo(input).entries)
        if (wanted(entry.device, entry.file_system)) ++expected;
    require(found.size() == expected, "every mount that is wanted is found");
}

void run_swaps(std::string_view input) {
    for (const auto& area : parse_swaps(input)) {
        require(area.path.starts_with('/'), "a swap area has an absolute path");
        require(area.path.find('\0') == std::string::npos, "a path has no NUL");
    }
}

} // namespace quiesced::fuzz
