// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/output.h"

#include <iostream>

namespace quiesced {
namespace {

bool json_complaints = false; // NOLINT(cppcoreguidelines-avoid-non-const-global-variables): of the one command line of this process

} // namespace

void print_json(const Json& value) { std::cout << value.dump(2, ' ', false, Json::error_handler_t::replace) << "\n"; }

void complain_in_json() { json_complaints = true; }

Json json_of(const ClientError& error) { return {{"error", error.name}, {"message", error.message}}; }

ExitCode complain(const ClientError& error) {
    if (json_complaints) {
        auto object = json_of(error);
        object["exit_code"] = static_cast<int>(error.code);
        std::cerr << object.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n";
        return error.code;
    }
    std::cerr << "quiescectl: " << error.message << "\n";
    if (!error.name.empty()) std::cerr << "(" << error.name << ")\n";
    return error.code;
}

ExitCode complain(const Error& error) {
    return complain({error.kind == ErrorKind::invalid_argument ? ExitCode::usage : ExitCode::refused, "", error.message()});
}

} // namespace quiesced
