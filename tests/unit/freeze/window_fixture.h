// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "freeze/freezer_client.h"
#include "freeze/sim_kernel.h"

namespace quiesced {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Looks every millisecond, for at most 10 s.
inline bool wait_until(const std::function<bool()>& condition) {
    const auto until = Monotonic::now() + seconds(10);
    while (!condition()) {
        if (Monotonic::now() > until) return false;
        std::this_thread::sleep_for(milliseconds(1));
    }
    return true;
}

/// A window over a simulated world: tests add members and chains, then start().
class WindowTest : public testing::Test {
protected:
    WindowTest() {
        std::string pattern = testing::TempDir() + "quiesced-window-XXXXXX";
        directory_ = ::mkdtemp(pattern.data());
        plan_.set = "67f0a1b200c0ffee";
    }
    ~WindowTest() override {
        client_.reset();
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }

    void add_member(const std::string& name, int level = 0) {
        auto fd = world_->add_file_system(name);
        const auto identity = world_->identity(name);
        plan_.members.push_back({.name = name, .mount_path = "/mnt/" + name, .superblock = identity.superblock,
                                 .mount_id = identity.mount_id, .level = level, .carried = false, .fd = std::move(fd)});
    }

    /// A thick LVM snapshot's chain: origin "o-NAME", snapshot "s-NAME", store "/dev/cow-NAME".
    void add_chain(const std::string& name, const std::string& group = {}) {
        using Op = DmStep::Op;
        const std::string origin = "o-" + name;
        const std::string snapshot = "s-" + name;
        DmChain chain{.name = name, .group = group, .prime = {}, .fire = {}, .unprime = {}};
        const DmStep table{.op = Op::load, .uuid = snapshot, .target = "snapshot", .sectors = 8, .text = "1:2 1:3 P 8", .path = {}, .read_only = false};
        chain.prime.push_back({.op = Op::load, .uuid = snapshot, .target = "error", .sectors = 8, .text = {}, .path = {}, .read_only = false});
        chain.prime.push_back(step(Op::resume, snapshot));
        chain.prime.push_back({.op = Op::zero, .uuid = {}, .target = {}, .sectors = 0, .text = {}, .path = "/dev/cow-" + name, .read_only = false});
        chain.prime.push_back(table);
        chain.fire = {step(Op::suspend, origin), step(Op::resume, snapshot), step(Op::resume, origin)};
        chain.unprime = {table, step(Op::resume, snapshot)};
        plan_.chains.push_back(std::move(chain));
    }

    static DmStep step(DmStep::Op op, const std::string& uuid, const std::string& text = {}) {
        return {.op = op, .uuid = uuid, .target = {}, .sectors = 0, .text = text, .path = {}, .read_only = false};
    }

    void start(std::unique_ptr<FreezerLauncher> launcher = nullptr) {
        if (!launcher) launcher = std::make_unique<ThreadLauncher>(world_->kernel());
        options_.record_directory = directory_;
        auto client = FreezerClient::start(std::move(plan_), std::move(launcher), world_->kernel(), options_,
                                           [this](const WindowLoss& loss) {
                                               const std::lock_guard lock(mutex_);
                                               losses_.push_back(loss);
                                           });
        ASSERT_TRUE(client) << client.error().message();
        client_ = std::move(*client);
    }

    std::vector<WindowLoss> losses() {
        const std::lock_guard lock(mutex_);
        return losses_;
    }
    [[nodiscard]] bool record_there() const { return std::filesystem::exists(record_path()); }
    [[nodiscard]] std::string record_path() const { return directory_ + "/67f0a1b200c0ffee.window"; }
    std::uint32_t calls(SimCall call, const std::string& name) { return world_->point(call, name).calls(); }
    [[nodiscard]] std::ptrdiff_t logged(const std::string& line) const {
        const auto lines = world_->log();
        return std::count(lines.begin(), lines.end(), line);
    }
    /// That both lines are in the log and the first one before the second.
    void expect_order(const std::string& first, const std::string& second) const {
        EXPECT_LT(world_->position(first), world_->position(second)) << first << " is not before " << second;
        EXPECT_EQ(logged(second) > 0, true) << second << " is missing";
    }

    std::shared_ptr<SimWorld> world_ = SimWorld::create();
    std::string directory_;
    FreezePlan plan_;
    FreezerClient::Options options_;
    std::unique_ptr<FreezerClient> client_;

private:
    std::mutex mutex_;
    std::vector<WindowLoss> losses_;
};

/// Is an error of that kind whose message contains a text.
MATCHER_P2(FailsWith, kind, text, "") {
    if (arg.has_value()) {
        *result_listener << "which succeeded";
        return false;
    }
    *result_listener << error_name(arg.error().kind) << ": " << arg.error().message();
    return arg.error().kind == kind && arg.error().message().find(text) != std::string::npos;
}

MATCHER(Succeeds, "") {
    if (!arg.has_value()) *result_listener << arg.error().message();
    return arg.has_value();
}

} // namespace quiesced
