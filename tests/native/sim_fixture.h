// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/child.h"
#include "bus_fixture.h"
#include "notify_socket.h"
#include "program.h"

namespace quiesced {

/// How a program ended that was run to its end.
struct Ran {
    int status = -1;
    std::string output;
    std::string errors;
};

inline Ran run_to_end(const std::vector<std::string>& argv) {
    const auto outcome = run_child(argv);
    if (!outcome) return {-1, {}, outcome.error().message()};
    return {outcome->exit_status, outcome->output, outcome->errors};
}

/// The real daemon over a simulated guest, on a bus of the test's own.
class Simulated : public testing::Test {
protected:
    Simulated() {
        std::filesystem::remove_all(folder_);
        std::filesystem::create_directories(folder_);
        bus_ = std::make_unique<PrivateBus>(folder_);
        notify_ = std::make_unique<NotifySocket>(folder_ + "/notify");
    }
    ~Simulated() override {
        requestor_.reset();
        daemon_.reset();
        polkit_.reset();
        bus_.reset();
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    std::vector<std::string> command() {
        return {QUIESCED_BUILT, "--sim", "--bus", bus_->address(), "--state-directory", folder_ + "/state", "--run-directory", folder_ + "/run",
                "--config-directory", folder_ + "/etc"};
    }
    void start() {
        // What was freed reads as rubbish (mallopt(3)): an answer that is checked against an object which is gone is then lost each time.
        daemon_ = std::make_unique<Program>(command(), folder_ + "/daemon.log", std::vector{notify_->variable(), std::string("MALLOC_PERTURB_=165")});
        if (!notify_->wait_for("READY=1")) throw std::runtime_error("no daemon: " + daemon_->output());
        requestor_ = std::make_unique<Requestor>(bus_->address());
    }
    /// python-dbusmock's polkit, which grants nothing until it is told.
    void start_polkit() {
        polkit_ = std::make_unique<Program>(std::vector<std::string>{"/usr/bin/python3", "-m", "dbusmock", "--template", "polkitd"},
                                            folder_ + "/polkit.log", std::vector{"DBUS_SYSTEM_BUS_ADDRESS=" + bus_->address()});
        for (int i = 0; i < 1000; ++i) {
            if (busctl({"call", kPolkit, kPolkitPath, kMock, "SetAllowed", "as", "0"}).status == 0) return;
            ::usleep(10000);
        }
        throw std::runtime_error("polkit's mock does not answer: " + polkit_->output());
    }
    Ran polkit(std::vector<std::string> words) {
        words.insert(words.begin(), {"call", kPolkit, kPolkitPath, kMock});
        return busctl(std::move(words));
    }
    void grant(const std::vector<std::string>& actions) {
        std::vector<std::string> words{"SetAllowed", "as", std::to_string(actions.size())};
        words.insert(words.end(), actions.begin(), actions.end());
        const auto told = polkit(words);
        ASSERT_EQ(told.status, 0) << told.errors;
    }

    Ran busctl(std::vector<std::string> words) {
        words.insert(words.begin(), {"busctl", "--address=" + bus_->address()});
        return run_to_end(words);
    }
    /// As the user nobody, each time over a connection of its own.
    Ran as_nobody(std::vector<std::string> words) {
        words.insert(words.begin(), {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "busctl", "--timeout=20", "--address=" + bus_->address()});
        return run_to_end(words);
    }
    Ran call_as_nobody(const std::string& object, const std::string& interface, std::vector<std::string> words) {
        words.insert(words.begin(), {"call", kService, object, interface});
        return as_nobody(std::move(words));
    }

    static constexpr const char* kPolkit = "org.freedesktop.PolicyKit1";
    static constexpr const char* kPolkitPath = "/org/freedesktop/PolicyKit1/Authority";
    static constexpr const char* kMock = "org.freedesktop.DBus.Mock";

    const std::string folder_ = work_folder() + "/sim";
    std::unique_ptr<PrivateBus> bus_;
    std::unique_ptr<NotifySocket> notify_;
    std::unique_ptr<Program> polkit_;
    std::unique_ptr<Program> daemon_;
    std::unique_ptr<Requestor> requestor_;
};

} // namespace quiesced
