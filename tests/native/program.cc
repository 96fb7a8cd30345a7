// SPDX-License-Identifier: LGPL-2.1-or-later
#include "program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <stdexcept>

#include "base/unique_fd.h"

namespace quiesced {

Program::Program(std::vector<std::string> argv, std::string log, const std::vector<std::string>& environment) : log_(std::move(log)) {
    std::vector<std::string> variables = environment;
    for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
    std::vector<char*> arguments;
    for (auto& argument : argv) arguments.push_back(argument.data());
    arguments.push_back(nullptr);
    std::vector<char*> pointers;
    for (auto& variable : variables) pointers.push_back(variable.data());
    pointers.push_back(nullptr);
    const UniqueFd output(::open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("cannot fork");
    if (pid_ == 0) { // only calls that a forked thread may make
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::dup2(output.get(), 1);
        ::dup2(output.get(), 2);
        ::execvpe(arguments[0], arguments.data(), pointers.data());
        ::_exit(127);
    }
}

Program::~Program() {
    if (status_) return;
    signal(SIGTERM);
    if (wait(std::chrono::seconds(20))) return;
    signal(SIGKILL);
    wait(std::chrono::seconds(20));
}

void Program::signal(int number) const {
    if (!status_) ::kill(pid_, number);
}

std::optional<int> Program::wait(std::chrono::milliseconds limit) {
    if (status_) return status_;
    const UniqueFd end(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    pollfd entry{.fd = end.get(), .events = POLLIN, .revents = 0};
    if (::poll(&entry, 1, static_cast<int>(limit.count())) != 1) return std::nullopt;
    int status = 0;
    if (::waitpid(pid_, &status, 0) != pid_) return std::nullopt;
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return status_;
}

std::string Program::output() const {
    std::ostringstream text;
    text << std::ifstream(log_).rdbuf();
    return text.str();
}

namespace {

constexpr const char* kOpen = R"(<policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*" eavesdrop="true"/>
    <allow receive_sender="*"/>
  </policy>)";

} // namespace

PrivateBus::PrivateBus(const std::string& folder, const std::string& rules) : address_("unix:path=" + folder + "/bus") {
    const auto config = folder + "/bus.conf";
    std::ofstream(config) << R"(<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>)" << address_ << R"(</listen>
  <auth>EXTERNAL</auth>
)" << (rules.empty() ? kOpen : rules) << R"(
</busconfig>
)";
    // It prints its address when it listens, to the log.
    program_.emplace(std::vector<std::string>{"dbus-daemon", "--config-file=" + config, "--nofork", "--nopidfile", "--print-address=1"},
                     folder + "/bus.log");
    for (int i = 0; i < 5000 && program_->output().find("unix:path=") == std::string::npos; ++i) ::usleep(2000);
    if (program_->output().find("unix:path=") == std::string::npos)
        throw std::runtime_error("no private bus: " + program_->output());
}

} // namespace quiesced
