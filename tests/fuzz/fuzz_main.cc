// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The libFuzzer program of all targets: QUIESCED_FUZZ_TARGET in the environment names the one to run.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "fuzz/target.h"

namespace {
void (*chosen)(std::string_view) = nullptr;
}

extern "C" int LLVMFuzzerInitialize(int* /*count*/, char*** /*arguments*/) {
    const char* wanted = std::getenv("QUIESCED_FUZZ_TARGET");
    for (const auto& target : quiesced::fuzz::targets())
        if (wanted != nullptr && target.name == wanted) chosen = target.run;
    if (chosen != nullptr) return 0;
    std::fprintf(stderr, "QUIESCED_FUZZ_TARGET must be one of:\n");
    for (const auto& target : quiesced::fuzz::targets()) std::fprintf(stderr, "%s\n", std::string(target.name).c_str());
    std::exit(2);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    chosen({reinterpret_cast<const char*>(data), size});
    return 0;
}
