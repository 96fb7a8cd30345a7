// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/inventory_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "fixture.h"

namespace quiesced {
namespace {

using ::testing::Contains;
using ::testing::SizeIs;

/// Tells what the test says.
class SaidWatch final : public ChangeWatch {
public:
    explicit SaidWatch(bool& next) : next_(next) {}
    bool changed() override { return std::exchange(next_, false); }

private:
    bool& next_;
};

class Cache : public ::testing::Test {
protected:
    void SetUp() override {
        fixture.virtio("254:0", "vda");
        fixture.mount("254:0", "/", "ext4", "/dev/vda");
        fixture.process(1, 1, "init", "");
    }
    Fixture fixture;
    bool changed = false;
};

TEST_F(Cache, WithoutAChangeTheSameInventoryIsHandedOut) {
    InventoryCache cache(fixture.paths(), std::make_unique<SaidWatch>(changed), fixture.probe());
    const auto first = cache.get().value();
    EXPECT_EQ(cache.get().value(), first);
}

TEST_F(Cache, AChangeIsReadAtTheNextRequestAndOnceOnly) {
    InventoryCache cache(fixture.paths(), std::make_unique<SaidWatch>(changed), fixture.probe());
    const auto first = cache.get().value();
    fixture.virtio("254:16", "vdb");
    EXPECT_EQ(cache.get().value(), first) << "nobody told of it yet";
    changed = true;
    const auto second = cache.get().value();
    EXPECT_THAT(all_names(*second), Contains("/dev/vdb"));
    EXPECT_THAT(first->volumes(), SizeIs(1)) << "who has the old one keeps it";
    EXPECT_EQ(cache.get().value(), second);
}

TEST_F(Cache, AMountInAnotherNamespaceIsSeenWithoutAnEvent) {
    fixture.virtio("254:16", "vdb");
    fixture.process(1300, 7, "nginx", "900 899 0:77 / / rw - overlay overlay rw\n");
    InventoryCache cache(fixture.paths(), std::make_unique<SaidWatch>(changed), fixture.probe());
    const auto first = cache.get().value();
    EXPECT_EQ(cache.get().value(), first);
    fixture.write("proc/1300/mountinfo", "900 899 0:77 / / rw - overlay overlay rw\n901 900 254:16 / /d rw - xfs /dev/vdb rw\n");
    EXPECT_THAT(volume_named(*cache.get().value(), "/dev/vdb").mounts, SizeIs(1));
}

TEST_F(Cache, WithoutAWatchEveryRequestReads) {
    InventoryCache cache(fixture.paths(), nullptr, fixture.probe());
    const auto first = cache.get().value();
    EXPECT_NE(cache.get().value(), first);
}

TEST_F(Cache, AReadingThatFailedIsTriedAgain) {
    InventoryCache cache(fixture.paths(), std::make_unique<SaidWatch>(changed), fixture.probe());
    ASSERT_TRUE(cache.get());
    std::filesystem::rename(fixture.path("mountinfo"), fixture.path("away"));
    changed = true;
    EXPECT_FALSE(cache.get());
    std::filesystem::rename(fixture.path("away"), fixture.path("mountinfo"));
    EXPECT_TRUE(cache.get());
}

TEST_F(Cache, ARequestForAReadingReads) {
    InventoryCache cache(fixture.paths(), std::make_unique<SaidWatch>(changed), fixture.probe());
    const auto first = cache.get().value();
    const auto second = cache.read().value();
    EXPECT_NE(first, second);
    EXPECT_EQ(cache.get().value(), second);
}

TEST(ChangeWatch, OnThisMachineNothingChangesByBeingAsked) {
    auto watch = make_change_watch();
    if (!watch) GTEST_SKIP() << watch.error().message();
    // Others may mount something just now; not a hundred times.
    int changes = 0;
    for (int i = 0; i < 100; ++i) changes += (*watch)->changed() ? 1 : 0;
    EXPECT_LT(changes, 50);
}

TEST(ChangeWatch, SeesUdevsDatabaseChangeWithoutItsEvents) {
    const auto folder = std::filesystem::temp_directory_path() / ("quiesced-udev-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    auto watch = make_change_watch("/proc/self/mountinfo", "/proc/swaps", folder.string());
    ASSERT_TRUE(watch) << watch.error().message();
    const auto put = [&](const char* name) {
        std::ofstream(folder / "new") << "I:1\n";
        std::filesystem::rename(folder / "new", folder / name);
    };
    const auto quiet = [&] {
        // This machine's own devices may change meanwhile.
        for (int i = 0; i < 100; ++i)
            if (!(*watch)->changed()) return true;
        return false;
    };
    ASSERT_TRUE(quiet());
    put("b8:0");
    EXPECT_TRUE((*watch)->changed());
    EXPECT_TRUE(quiet()) << "it is told once";
    std::filesystem::remove(folder / "b8:0");
    EXPECT_TRUE((*watch)->changed());
    EXPECT_TRUE(quiet());
    std::filesystem::remove_all(folder);
}

TEST(ChangeWatch, WithoutAMountTableThereIsNone) {
    EXPECT_EQ(make_change_watch("/nonexistent").error().error_number, ENOENT);
}

} // namespace
} // namespace quiesced
