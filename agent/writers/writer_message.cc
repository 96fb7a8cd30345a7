// SPDX-License-Identifier: LGPL-2.1-or-later
#include "writers/writer_message.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>

#include <nlohmann/json.hpp>

namespace quiesced {
namespace {

// Longer ones would make the exec fail (the kernel takes no more than 128 KiB a variable), also of programs that do not care.
constexpr std::size_t kLongestVolumes = 96UL * 1024;

} // namespace

std::string writer_message(std::string_view command, const WriterContext& context, std::chrono::milliseconds limit) {
    const nlohmann::json document{{"version", 1},
                                  {"command", command},
                                  {"set", context.set},
                                  {"volumes", context.volumes},
                                  {"aborted", context.aborted},
                                  {"limit_ms", limit.count()}};
    return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::vector<std::string> writer_environment(const WriterContext& context) {
    std::string volumes;
    for (const auto& volume : context.volumes) volumes += (volumes.empty() ? "" : "\n") + volume;
    std::vector<std::string> variables{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
                                       "QUIESCED_SET=" + context.set,
                                       std::string("QUIESCED_ABORTED=") + (context.aborted ? "1" : "0")};
    if (volumes.size() <= kLongestVolumes) variables.push_back("QUIESCED_VOLUMES=" + volumes);
    // Of the service manager: where LoadCredential= puts secrets.
    if (const char* credentials = ::secure_getenv("CREDENTIALS_DIRECTORY"); credentials != nullptr)
        variables.push_back(std::string("CREDENTIALS_DIRECTORY=") + credentials);
    return variables;
}

std::string in_words(std::chrono::milliseconds limit) {
    return limit.count() % 1000 == 0 ? std::to_string(limit.count() / 1000) + " s" : std::to_string(limit.count()) + " ms";
}

std::string printable_line(std::string_view text) {
    constexpr std::size_t enough = 300;
    std::string line(text.substr(0, enough));
    if (text.size() > enough) line += "...";
    std::replace_if(line.begin(), line.end(), [](char byte) { return (byte >= 0 && byte < ' ') || byte == '\x7f'; }, '?');
    return line;
}

} // namespace quiesced
