// SPDX-License-Identifier: LGPL-2.1-or-later
// quiesced-freezer: holds file systems frozen for one window, on behalf of the daemon that started it.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "freeze/freezer.h"
#include "freeze/linux_kernel.h"

int main(int argc, char** argv) {
    // No option parser: the daemon is the only caller, and what is linked here is locked in memory.
    constexpr std::string_view option = "--socket=";
    if (argc != 2 || !std::string_view(argv[1]).starts_with(option)) {
        static constexpr std::string_view usage =
            "quiesced-freezer is started by quiesced and of no use by itself; see quiesced(8).\n";
        [[maybe_unused]] const auto written = ::write(2, usage.data(), usage.size());
        return EXIT_FAILURE;
    }
    quiesced::UniqueFd socket(std::atoi(argv[1] + option.size()));

    // The end of the socket is the one way to end a freezer early: it thaws first. A service manager that signals
    // the whole control group must not leave anything frozen.
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2}) ::signal(number, SIG_IGN);
    ::prctl(PR_SET_NAME, "quiesced-freeze");
    // The last that a machine out of memory kills, after the daemon; it takes no more memory, and its end would cost the set.
    if (const int adjust = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); adjust >= 0) {
        static constexpr std::string_view never = "-1000"; // OOM_SCORE_ADJ_MIN; without the right to, the unit's value stays
        [[maybe_unused]] const auto written = ::write(adjust, never.data(), never.size());
        ::close(adjust);
    }
    // One descriptor for each file system: the usual soft limit of 1024 is a matter of select(), which nobody calls here.
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
    }

    quiesced::LinuxFreezeKernel kernel;
    quiesced::LinuxDmKernel dm;
    quiesced::LinuxRcuSwitch rcu;
    return quiesced::Freezer(std::move(socket), kernel, dm, rcu, {}).run();
}
