// SPDX-License-Identifier: LGPL-2.1-or-later
// quiesced-draw: JSON of the daemon's on standard input, SVG on standard output. quiescectl starts it.
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>

#include "config.h"
#include "draw/plan.h"
#include "draw/timeline.h"
#include "view/json_read.h"
#include "view/manifest_view.h"
#include "view/text.h"

namespace {

constexpr int kUsage = 2;

quiesced::Result<std::string> draw(std::string_view kind, const std::string& input) {
    if (kind == "timeline") {
        const auto set = quiesced::view_manifest(input);
        if (!set) return tl::unexpected<quiesced::Error>(set.error());
        return quiesced::draw_timeline(*set);
    }
    const auto plan = quiesced::Json::parse(input, nullptr, false);
    if (!plan.is_object()) return quiesced::fail(quiesced::ErrorKind::io, "the plan on standard input is no JSON object");
    return quiesced::draw_plan(plan);
}

} // namespace

int main(int argc, char** argv) {
    const std::string_view kind = argc == 2 ? argv[1] : "";
    if (kind == "--version") {
        std::cout << "quiesced-draw " QUIESCED_VERSION "\n";
        return EXIT_SUCCESS;
    }
    if (kind != "plan" && kind != "timeline") {
        std::cerr << "Usage: quiesced-draw plan|timeline < JSON > SVG\nIt draws what quiescectl plan --json or quiescectl show --json SET prints.\n";
        return kUsage;
    }
    quiesced::use_utf8();
    std::ostringstream input;
    input << std::cin.rdbuf();
    const auto svg = draw(kind, input.str());
    if (!svg) {
        std::cerr << svg.error().message() << "\n";
        return EXIT_FAILURE;
    }
    std::cout << *svg << std::flush;
    if (!std::cout) {
        std::cerr << "cannot write the drawing\n";
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}
