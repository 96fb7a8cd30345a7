// SPDX-License-Identifier: LGPL-2.1-or-later
#include <iostream>

#include "base/file.h"
#include "base/ids.h"
#include "ctl/commands.h"
#include "ctl/match_text.h"

namespace quiesced {
namespace {

constexpr std::size_t kLongest = 16U << 20U; ///< bytes of a request

Result<std::string> read_request(const std::string& file) {
    if (file != "-") return read_file(file, kLongest);
    std::string text(kLongest + 1, '\0');
    std::cin.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(std::cin.gcount()));
    if (text.size() > kLongest)
        return fail(ErrorKind::invalid_argument, "standard input has more than " + Bytes{kLongest}.text(), "Divide the list.");
    return text;
}

} // namespace

ExitCode match_disks(const Context& context) {
    const auto& request = context.request;
    const auto text = read_request(request.match_file);
    if (!text) return complain(text.error());
    const auto disks = parse_match_request(*text);
    if (!disks) return complain(disks.error());
    const auto matches = context.client.match(*disks, !request.dry_run, request.forget);
    if (!matches) return complain(matches.error());
    if (request.json) print_json(*matches);
    else std::cout << render_matches(*matches, context.screen);
    return all_matched(*matches) ? ExitCode::ok : ExitCode::unmatched;
}

} // namespace quiesced
