// SPDX-License-Identifier: LGPL-2.1-or-later
// The main of native-daemon: its own mount namespace, and the leak check after every test.
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "bus_fixture.h"
#include "leak_check.h"
#include "loop_volume.h"

namespace quiesced {

const std::string& work_folder() {
    static const std::string folder = [] {
        std::string pattern = testing::TempDir() + "quiesced-daemon-XXXXXX";
        if (::mkdtemp(pattern.data()) == nullptr) pattern.clear();
        ::chmod(pattern.c_str(), 0755); // another user's client passes through
        return pattern;
    }();
    return folder;
}

namespace {

/// Fails the test that left something behind.
class LeakListener final : public testing::EmptyTestEventListener {
public:
    LeakListener() {
        check_.rcu_expedited = rcu_expedited_now();
        check_.freezer = QUIESCED_FREEZER_BUILT;
        check_.loop_backing = work_folder();
        check_.records = work_folder() + "/daemon/run";
    }
    void OnTestEnd(const testing::TestInfo&) override {
        for (const auto& sentence : check_.find()) ADD_FAILURE() << "left behind: " << sentence;
    }

private:
    LeakCheck check_;
};

} // namespace
} // namespace quiesced

int main(int argc, char** argv) {
    testing::InitGoogleMock(&argc, argv);
    if (testing::GTEST_FLAG(list_tests)) return RUN_ALL_TESTS();
    if (const auto entered = quiesced::enter_own_mount_namespace(); !entered) {
        std::fprintf(stderr, "native-daemon: %s\n", entered.error().message().c_str());
        return EXIT_FAILURE;
    }
    // Behind the printer: ends are told in reverse order, so that what it finds is part of the test's result.
    testing::UnitTest::GetInstance()->listeners().Append(std::make_unique<quiesced::LeakListener>().release());
    const int status = RUN_ALL_TESTS();
    std::error_code ignored;
    std::filesystem::remove_all(quiesced::work_folder(), ignored);
    return status;
}
