// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/drawing.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>

#include "base/child.h"
#include "base/file.h"

namespace quiesced {
namespace {

constexpr const char* kAdvice = "Drawings need quiesced-draw and its libraries: install Debian's libgvc6 and libpugixml1v5, or build "
                                "quiesced with -Ddraw=enabled. --json has the same facts.";
constexpr std::size_t kLongest = 64U << 20U; ///< bytes; 256 members take less than one MiB
constexpr std::chrono::minutes kPatience{2};

} // namespace

Result<std::string> make_drawing(const std::string& program, const std::string& kind, const std::string& json) {
    ChildOptions options;
    options.input = json;
    options.output_limit = kLongest;
    options.limit = kPatience;
    auto outcome = run_child({program, kind}, options);
    if (!outcome) {
        auto error = outcome.error();
        error.advice = kAdvice;
        return tl::unexpected<Error>(std::move(error));
    }
    if (outcome->timed_out) return fail(ErrorKind::deadline, program + " took longer than two minutes", "Draw fewer volumes.");
    if (outcome->exit_status == 127) return fail(ErrorKind::io, program + " cannot be run: " + outcome->errors, kAdvice);
    if (outcome->exit_status != 0 || outcome->truncated)
        return fail(ErrorKind::io, program + " failed: " + (outcome->errors.empty() ? "status " + std::to_string(outcome->exit_status) : outcome->errors));
    return std::move(outcome->output);
}

Result<void> write_drawing(const std::string& path, const std::string& svg) {
    std::error_code unknown;
    const auto real = std::filesystem::weakly_canonical(path, unknown);
    if (unknown) return fail_errno("cannot write " + path, unknown.value());
    struct stat status {};
    if (::stat(real.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
        return fail(ErrorKind::invalid_argument, path + " is there, and is no file", "Use --svg - for standard output.");
    auto folder = open_at(AT_FDCWD, real.parent_path(), O_RDONLY | O_DIRECTORY);
    if (!folder) return pass(folder);
    const auto mask = ::umask(0);
    ::umask(mask);
    return replace_file_at(folder->get(), real.filename(), svg, 0666 & ~mask);
}

} // namespace quiesced
