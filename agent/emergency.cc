// SPDX-License-Identifier: LGPL-2.1-or-later
#include "emergency.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "freeze/recovery.h"

namespace quiesced {
namespace {

void say(const std::string& line) {
    const auto text = line + "\n";
    std::string_view rest = text;
    while (!rest.empty()) {
        const auto written = ::write(STDERR_FILENO, rest.data(), rest.size());
        if (written <= 0) return;
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
}

void say_all(const std::string& set, const char* what, const std::vector<std::string>& names) {
    for (const auto& name : names) say("set " + set + ": " + what + name);
}

} // namespace

void lock_in_memory() {
    ::mlockall(MCL_CURRENT | MCL_FUTURE);
    // The stack grows by itself, a page at a time: now.
    std::array<volatile char, 256U * 1024U> depth; // NOLINT(cppcoreguidelines-pro-type-member-init)
    for (std::size_t i = 0; i < depth.size(); i += 4096) depth[i] = 0;
}

int thaw_in_emergency(const std::string& directory) {
    auto kernel = WindowKernel::linux();
    const auto recovered = recover_by_force(kernel, directory);
    if (!recovered) {
        say("quiesced: " + recovered.error().message());
        say("If writes hang all the same: SysRq-j thaws every file system there is (echo j > /proc/sysrq-trigger).");
        return EXIT_FAILURE;
    }
    bool clean = true;
    for (const auto& entry : *recovered) {
        say_all(entry.set, "thawed ", entry.report.thawed);
        say_all(entry.set, "resumed ", entry.report.resumed);
        say_all(entry.set, "unprimed ", entry.report.unprimed);
        say_all(entry.set, "NOT DONE: ", entry.report.failed);
        if (entry.journal) say("set " + entry.set + ": the journal is in /run; bring it back: journalctl --flush");
        clean = clean && entry.report.failed.empty();
    }
    if (recovered->empty()) say("No record names anything that is frozen, suspended or primed.");
    if (!clean) say("What is left: look at dmesg and dmsetup info. Last resort: SysRq-j thaws every file system there is.");
    await_thaws(*recovered);
    return clean ? EXIT_SUCCESS : EXIT_FAILURE;
}

} // namespace quiesced
