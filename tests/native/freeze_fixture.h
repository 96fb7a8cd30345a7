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
#include <vector>

#include "freeze/freezer_client.h"
#include "loop_volume.h"
#include "write_probe.h"

namespace quiesced {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Path of the freezer under test: QUIESCED_FREEZER of the environment, else the one of this build.
std::string freezer_program();
/// Where all loop files, mount points and records of this run are.
const std::string& work_folder();

/// Windows of the real freezer over loop devices of the test's own.
class NativeFreeze : public testing::Test {
protected:
    NativeFreeze();
    ~NativeFreeze() override;

    LoopVolume& add_volume(const std::string& name, const std::string& type) { return add_volume(name, type, folder_); }
    LoopVolume& add_volume(const std::string& name, const std::string& type, const std::string& folder);
    void plan(const LoopVolume& volume, int level = 0);
    /// The daemon's end of a window over what was planned.
    void start();

    [[nodiscard]] static bool is_frozen(const LoopVolume& volume) { return !WriteProbe(volume.mount_point()).ended(milliseconds(300)); }
    /// Looks every millisecond, for at most `limit`.
    static bool wait_until(const std::function<bool()>& condition, milliseconds limit = seconds(10));
    std::vector<WindowLoss> losses();
    [[nodiscard]] std::string record_path() const { return folder_ + "/67f0a1b200c0ffee.window"; }

    std::string folder_;
    FreezePlan plan_;
    std::vector<std::unique_ptr<LoopVolume>> volumes_;
    std::unique_ptr<FreezerClient> client_;

private:
    std::mutex mutex_;
    std::vector<WindowLoss> losses_;
};

MATCHER_P2(FailsWith, kind, text, "") {
    if (arg.has_value()) return false;
    *result_listener << error_name(arg.error().kind) << ": " << arg.error().message();
    return arg.error().kind == kind && arg.error().message().find(text) != std::string::npos;
}
MATCHER(Succeeds, "") {
    if (!arg.has_value()) *result_listener << arg.error().message();
    return arg.has_value();
}

} // namespace quiesced
