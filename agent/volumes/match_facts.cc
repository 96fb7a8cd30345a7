// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/match_facts.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <vector>

namespace quiesced {
namespace {

constexpr std::size_t kVirtioSerial = 20; ///< VIRTIO_BLK_ID_BYTES
constexpr std::size_t kScsiSerial = 36;   ///< QEMU's limit for a SCSI disk, from 2.x on

std::string lower(std::string_view text) {
    std::string made(text);
    std::transform(made.begin(), made.end(), made.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return made;
}

bool is_hexadecimal(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c) != 0; });
}

std::string without(std::string_view text, std::string_view characters) {
    std::string made(text);
    std::erase_if(made, [&](char c) { return characters.find(c) != std::string_view::npos; });
    return made;
}

/// No space at the ends, one at most between.
std::string single_spaced(std::string_view text) {
    std::string made;
    for (const char c : text) {
        const bool space = std::isspace(static_cast<unsigned char>(c)) != 0 || c == '\0';
        if (!space) made += c;
        else if (!made.empty() && made.back() != ' ') made += ' ';
    }
    if (made.ends_with(' ')) made.pop_back();
    return made;
}

bool is_naa(std::string_view digits) {
    return (digits.size() == 32 && digits[0] == '6') ||
           (digits.size() == 16 && (digits[0] == '2' || digits[0] == '3' || digits[0] == '5'));
}

/// The digits within the forms that people use; empty if it is no such form.
std::string digits_of(std::string_view text) {
    bool bare = true; // no prefix that says what the digits are
    for (const std::string_view prefix : {"naa.", "eui.", "uuid.", "wwn-0x", "0x"})
        if (text.starts_with(prefix)) {
            text.remove_prefix(prefix.size());
            bare = false;
            break;
        }
    auto digits = without(text, " :-");
    if (!is_hexadecimal(digits)) return {};
    // udev's ID_SERIAL and multipath: the designator's type in front, 3 for NAA and 2 for EUI.
    if (bare && digits[0] == '3' && is_naa(std::string_view(digits).substr(1))) digits.erase(0, 1);
    else if (bare && digits[0] == '2' && (digits.size() == 17 || digits.size() == 33)) digits.erase(0, 1);
    return digits;
}

/// "vml.": 10 digits of type and LUN, the NAA, and the model's first bytes.
std::string vml_digits(std::string_view text) {
    constexpr std::string_view prefix = "vml.";
    constexpr std::size_t head = 10;
    if (!text.starts_with(prefix)) return {};
    text.remove_prefix(prefix.size());
    if (!is_hexadecimal(text) || text.size() < head + 32) return {};
    const auto naa = text.substr(head, 32);
    return is_naa(naa) ? std::string(naa) : std::string();
}

template <typename Number>
bool read_number(std::string_view text, Number& number, int base) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

std::vector<std::string_view> split(std::string_view text, char at) {
    std::vector<std::string_view> parts;
    for (;;) {
        const auto end = text.find(at);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return parts;
        text.remove_prefix(end + 1);
    }
}

} // namespace

NormalWwid normal_wwid(std::string_view wwid) {
    const auto text = single_spaced(lower(wwid));
    if (auto digits = vml_digits(text); !digits.empty()) return {std::move(digits), true};
    if (auto digits = digits_of(text); !digits.empty()) return {std::move(digits), true};
    return {text, false};
}

std::string kernel_wwid(std::string_view wwid) {
    const auto text = lower(wwid);
    const auto normal = normal_wwid(wwid);
    if (!normal.hexadecimal) return std::string(wwid);
    for (const auto* prefix : {"eui.", "uuid."})
        if (text.starts_with(prefix)) return text;
    return (is_naa(normal.text) ? "naa." : "eui.") + normal.text;
}

std::string normal_serial(std::string_view serial) { return without(single_spaced(lower(serial)), " -"); }

bool same_serial(std::string_view told, std::string_view shown, bool cut) {
    const auto whole = normal_serial(told);
    const auto seen = normal_serial(shown);
    if (seen.empty() || whole == seen) return !seen.empty();
    const bool full = shown.size() == kVirtioSerial || shown.size() == kScsiSerial;
    return cut && full && whole.starts_with(seen);
}

std::optional<PciAddress> parse_pci(std::string_view text) {
    PciAddress address;
    auto parts = split(text, ':');
    if (parts.size() == 2) parts.insert(parts.begin(), "0");
    if (parts.size() != 3) return std::nullopt;
    const auto last = split(parts[2], '.');
    if (last.size() != 2 || !read_number(parts[0], address.domain, 16) || !read_number(parts[1], address.bus, 16) ||
        !read_number(last[0], address.device, 16) || !read_number(last[1], address.function, 16) || address.bus > 0xff ||
        address.device > 0x1f || address.function > 7)
        return std::nullopt;
    return address;
}

std::optional<ScsiAddress> parse_hctl(std::string_view text) {
    auto parts = split(text, ':');
    ScsiAddress address;
    if (parts.size() == 4) {
        if (parts[0] != "*") {
            std::uint64_t host = 0;
            if (!read_number(parts[0], host, 10)) return std::nullopt;
            address.host = host;
        }
        parts.erase(parts.begin());
    }
    if (parts.size() != 3) return std::nullopt;
    for (std::size_t i = 0; i < parts.size(); ++i)
        if (!read_number(parts[i], address.rest.at(i), 10)) return std::nullopt;
    return address;
}

} // namespace quiesced
