// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/scope_exit.h"

namespace quiesced {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& strings) {
    std::vector<char*> result;
    result.reserve(strings.size() + 1);
    // exec's interface lacks the const that it keeps.
    for (const auto& string : strings)
        result.push_back(const_cast<char*>(string.c_str())); // NOLINT(cppcoreguidelines-pro-type-const-cast)
    result.push_back(nullptr);
    return result;
}

} // namespace

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno("cannot make a pipe for a child process");
    Pipe pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
    for (UniqueFd* end : {&pipe.read_end, &pipe.write_end}) {
        if (end->get() > STDERR_FILENO) continue;
        const int higher = ::fcntl(end->get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        if (higher < 0) return fail_errno("cannot make a pipe for a child process");
        end->reset(higher);
    }
    return pipe;
}

// posix_spawn() and not fork(): its child shares our memory until exec, so it costs the same however much memory the
// daemon has locked, and it hands exec's errno back.
Result<pid_t> spawn_group(const std::string& program, const std::vector<std::string>& argv,
                          const std::vector<std::string>& environment, int in, int out, int err) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    if (const int error = ::posix_spawn_file_actions_init(&actions); error != 0)
        return fail_errno("cannot start " + program, error);
    const ScopeExit free_actions([&] { ::posix_spawn_file_actions_destroy(&actions); });
    if (const int error = ::posix_spawnattr_init(&attributes); error != 0)
        return fail_errno("cannot start " + program, error);
    const ScopeExit free_attributes([&] { ::posix_spawnattr_destroy(&attributes); });

    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    int error = 0;
    const auto step = [&error](int result) { error = error != 0 ? error : result; };
    step(::posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO));
    step(::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO));
    step(::posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO));
    // close_range() where the kernel has it: descriptors of libraries that forgot O_CLOEXEC.
    step(::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1));
    step(::posix_spawnattr_setpgroup(&attributes, 0));
    step(::posix_spawnattr_setsigmask(&attributes, &none));
    // exec resets handlers but not SIG_IGN, and a daemon ignores SIGPIPE.
    step(::posix_spawnattr_setsigdefault(&attributes, &all));
    step(::posix_spawnattr_setflags(&attributes,
                                    POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
    if (error != 0) return fail_errno("cannot start " + program, error);

    auto arguments = pointers(argv);
    auto variables = pointers(environment);
    pid_t child = -1;
    error = ::posix_spawn(&child, program.c_str(), &actions, &attributes, arguments.data(), variables.data());
    if (error == 0) return child;
    const bool out_of_resources = error == EAGAIN || error == ENOMEM || error == EMFILE || error == ENFILE;
    auto failure = fail_errno("cannot run " + program, error, out_of_resources ? ErrorKind::kernel : ErrorKind::io);
    if (error == ENOENT && ::access(program.c_str(), F_OK) == 0)
        failure.value().advice = "The program is there, but the interpreter in its first line is not.";
    else if (error == ENOEXEC)
        failure.value().advice = "A script needs a first line like #!/bin/sh.";
    return failure;
}

} // namespace quiesced
