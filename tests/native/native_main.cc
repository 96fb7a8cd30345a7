// SPDX-License-Identifier: LGPL-2.1-or-later
#include "native_main.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "base/scope_exit.h"
#include "loop_volume.h"

namespace quiesced {
namespace {

/// Fails the test that left something behind.
class LeakListener final : public testing::EmptyTestEventListener {
public:
    explicit LeakListener(LeakCheck check) : check_(std::move(check)) { check_.rcu_expedited = rcu_expedited_now(); }
    void OnTestEnd(const testing::TestInfo&) override {
        for (const auto& sentence : check_.find()) ADD_FAILURE() << "left behind: " << sentence;
    }

private:
    LeakCheck check_;
};

} // namespace

int run_native_tests(int argc, char** argv, LeakCheck check, const std::string& folder) {
    testing::InitGoogleMock(&argc, argv);
    const ScopeExit remove([&folder] {
        std::error_code ignored;
        std::filesystem::remove_all(folder, ignored);
    });
    if (testing::GTEST_FLAG(list_tests)) return RUN_ALL_TESTS();
    if (const auto entered = enter_own_mount_namespace(); !entered) {
        std::fprintf(stderr, "%s: %s\n", argv[0], entered.error().message().c_str());
        return EXIT_FAILURE;
    }
    // Behind the printer: ends are told in reverse order, so that what it finds is part of the test's result.
    testing::UnitTest::GetInstance()->listeners().Append(std::make_unique<LeakListener>(std::move(check)).release());
    return RUN_ALL_TESTS();
}

} // namespace quiesced
