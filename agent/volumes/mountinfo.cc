// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/mountinfo.h"

#include <algorithm>
#include <charconv>

#include "base/file.h"

namespace quiesced {
namespace {

/// Cuts the next field off. Exactly one space separates fields, so that an empty source keeps its place.
std::string_view next_field(std::string_view& rest) {
    const auto end = std::min(rest.find(' '), rest.size());
    const auto field = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return field;
}

bool parse_number(std::string_view text, std::uint64_t& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size();
}

/// Returns what is wrong with the line, nullptr when nothing is.
const char* parse_line(std::string_view rest, MountEntry& entry) {
    if (!parse_number(next_field(rest), entry.mount_id)) return "has no mount id";
    if (!parse_number(next_field(rest), entry.parent_id)) return "has no parent mount id";
    const auto device = DeviceNumber::parse(next_field(rest));
    if (!device) return "has no device number";
    entry.device = *device;
    entry.root = unescape_octal(next_field(rest));
    entry.mount_point = unescape_octal(next_field(rest));
    if (!entry.mount_point.starts_with('/')) return "has no mount point";
    // A C string ends there for every system call: such a path would name another file.
    if (entry.mount_point.find('\0') != std::string::npos) return "has a NUL byte in its mount point";
    entry.options = next_field(rest);
    if (entry.options.empty()) return "has no mount options";
    while (true) {
        if (rest.empty()) return "ends before the file system";
        const auto field = next_field(rest);
        if (field == "-") break;
        entry.optional_fields.emplace_back(field);
    }
    entry.file_system = unescape_octal(next_field(rest));
    if (entry.file_system.empty()) return "has no file system type";
    entry.source = unescape_octal(next_field(rest));
    entry.super_options = rest;
    return nullptr;
}

} // namespace

std::string unescape_octal(std::string_view text) {
    const auto octal = [](char c, char highest) { return c >= '0' && c <= highest; };
    std::string result;
    result.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && text.size() - i > 3 && octal(text[i + 1], '3') && octal(text[i + 2], '7') &&
            octal(text[i + 3], '7')) {
            result += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
            i += 3;
        } else {
            result += text[i];
        }
    }
    return result;
}

MountTable parse_mountinfo(std::string_view text) {
    MountTable table;
    for (std::size_t number = 1; !text.empty(); ++number) {
        const auto end = std::min(text.find('\n'), text.size());
        const auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.empty()) continue;
        MountEntry entry;
        if (const char* reason = parse_line(line, entry); reason != nullptr)
            table.errors.push_back({number, "line " + std::to_string(number) + " of the mount table " + reason});
        else
            table.entries.push_back(std::move(entry));
    }
    return table;
}

Result<MountTable> read_mountinfo(const std::string& path) {
    auto text = read_file(path, kLargestMountTable);
    if (!text) return pass(text);
    return parse_mountinfo(*text);
}

std::string option_value(std::string_view options, std::string_view name) {
    while (!options.empty()) {
        const auto end = std::min(options.find(','), options.size());
        const auto option = options.substr(0, end);
        options.remove_prefix(std::min(end + 1, options.size()));
        if (option.size() > name.size() && option.starts_with(name) && option[name.size()] == '=')
            return unescape_octal(option.substr(name.size() + 1));
    }
    return {};
}

bool has_option(std::string_view options, std::string_view flag) {
    while (!options.empty()) {
        const auto end = std::min(options.find(','), options.size());
        if (options.substr(0, end) == flag) return true;
        options.remove_prefix(std::min(end + 1, options.size()));
    }
    return false;
}

} // namespace quiesced
