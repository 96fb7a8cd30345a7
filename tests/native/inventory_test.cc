// SPDX-License-Identifier: LGPL-2.1-or-later
// The inventory of this machine, with loop devices and mount namespaces of the test's own.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <functional>

#include "base/file.h"
#include "base/spawn.h"
#include "freeze/linux_kernel.h"
#include "freeze/recovery.h"
#include "loop_volume.h"
#include "native_main.h"
#include "volumes/inventory_cache.h"

namespace quiesced {
namespace {

std::string g_folder;

/// A process in a mount namespace of its own, a copy of ours; it ends with the object.
class Namespace {
public:
    Namespace() {
        auto ready = make_pipe().value();
        auto stay = make_pipe().value();
        pid_ = ::fork();
        if (pid_ == 0) {
            stay.write_end.reset();
            char byte = ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 ? 'y' : 'n';
            bool good = ::write(ready.write_end.get(), &byte, 1) == 1;
            good = ::read(stay.read_end.get(), &byte, 1) == 0 && good; // until the test closes its end
            ::_exit(good ? 0 : 1);
        }
        char byte = 'n';
        ready_ = ::read(ready.read_end.get(), &byte, 1) == 1 && byte == 'y';
        stay_ = std::move(stay.write_end);
    }
    ~Namespace() {
        stay_.reset();
        ::waitpid(pid_, nullptr, 0);
    }
    Namespace(const Namespace&) = delete;
    Namespace& operator=(const Namespace&) = delete;
    Namespace(Namespace&&) = delete;
    Namespace& operator=(Namespace&&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] bool ready() const { return ready_; }

private:
    pid_t pid_ = -1;
    bool ready_ = false;
    UniqueFd stay_;
};

class NativeInventory : public testing::Test {
protected:
    NativeInventory() {
        static int number = 0;
        folder_ = g_folder + "/" + std::to_string(++number);
        std::filesystem::create_directory(folder_);
    }
    ~NativeInventory() override {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    std::unique_ptr<LoopVolume> make(const std::string& type) {
        auto volume = LoopVolume::create(folder_, "volume", type);
        EXPECT_TRUE(volume) << volume.error().message();
        if (!volume) return nullptr;
        return std::move(*volume);
    }
    static const Volume* on_device(const Inventory& inventory, const std::string& device) {
        const auto& all = inventory.volumes();
        const auto found = std::find_if(all.begin(), all.end(), [&](const Volume& volume) { return volume.device_path == device; });
        return found == all.end() ? nullptr : &*found;
    }

    std::string folder_;
};

/// Whether the loop device's file is the test's own: nothing else is ever frozen here.
bool is_own(const Inventory& inventory, const Volume& volume, const std::string& folder) {
    const auto* node = volume.devices.empty() ? nullptr : inventory.graph().find(volume.devices.front());
    return node != nullptr && node->number.major == 7 && node->backing && node->backing->path.starts_with(folder + "/");
}

class NativeInventoryOf : public NativeInventory, public testing::WithParamInterface<const char*> {};

TEST_P(NativeInventoryOf, AVolumeThatIsMountedInAnotherNamespaceOnlyCanBeOpenedAndFrozen) {
    auto volume = make(GetParam());
    ASSERT_NE(volume, nullptr);
    const auto device = volume->device();
    const auto point = volume->mount_point();
    Namespace other;
    ASSERT_TRUE(other.ready());
    volume.reset(); // unmounted here
    const auto inventory = Inventory::read().value();
    const auto* found = on_device(inventory, device);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->name, device);
    ASSERT_FALSE(found->mounts.empty());
    const auto& mount = found->mounts.front();
    ASSERT_TRUE(mount.process);
    EXPECT_EQ(mount.process->pid, other.pid());
    EXPECT_EQ(mount.path, point);
    EXPECT_EQ(inventory.resolve(mount.open_path()).value(), found);
    EXPECT_EQ(inventory.resolve(point).error().kind, ErrorKind::not_mounted);

    ASSERT_TRUE(is_own(inventory, *found, folder_));
    const auto fd = open_at(AT_FDCWD, mount.open_path(), O_RDONLY | O_DIRECTORY).value();
    MountIdentity identity;
    ASSERT_EQ(LinuxFreezeKernel().identify(fd.get(), identity), 0);
    ASSERT_EQ(identity.mount_id, mount.mount_id) << "the table's ids are those of statx, in other namespaces too";
    EXPECT_EQ(::ioctl(fd.get(), FIFREEZE, 0), 0);
    EXPECT_EQ(::ioctl(fd.get(), FIFREEZE, 0), -1);
    EXPECT_EQ(errno, EBUSY);
    EXPECT_EQ(::ioctl(fd.get(), FITHAW, 0), 0);
}

TEST_P(NativeInventoryOf, AVolumeThatWasFrozenThroughAProcessThatIsGoneIsThawedThroughAnother) {
    auto volume = make(GetParam());
    ASSERT_NE(volume, nullptr);
    const auto device = volume->device();
    Namespace other;
    ASSERT_TRUE(other.ready());
    volume.reset();
    const auto inventory = Inventory::read().value();
    const auto* found = on_device(inventory, device);
    ASSERT_NE(found, nullptr);
    ASSERT_TRUE(is_own(inventory, *found, folder_));
    auto fd = open_at(AT_FDCWD, found->mounts.front().open_path(), O_RDONLY | O_DIRECTORY).value();
    MountIdentity identity;
    ASSERT_EQ(LinuxFreezeKernel().identify(fd.get(), identity), 0);
    FreezePlan plan;
    plan.set = "67f0a1b200c0ffee";
    plan.members.push_back({.name = found->name,
                            .mount_path = "/proc/2147483647/root/gone",
                            .superblock = identity.superblock,
                            .mount_id = identity.mount_id,
                            .level = 0,
                            .carried = false,
                            .fd = {}});
    ASSERT_EQ(::ioctl(fd.get(), FIFREEZE, 0), 0);
    {
        const auto record = Record::create(folder_ + "/67f0a1b200c0ffee.window", plan).value();
        record.members().front().state = MemberState::frozen;
        record.header().daemon_pid = 0; // it and its freezer are lost
    }
    auto kernel = WindowKernel::linux();
    const auto recovered = recover(kernel, folder_).value();
    EXPECT_EQ(::ioctl(fd.get(), FITHAW, 0), -1) << "it was still frozen";
    ASSERT_EQ(recovered.size(), 1U);
    EXPECT_THAT(recovered.front().report.thawed, testing::ElementsAre(device));
}

INSTANTIATE_TEST_SUITE_P(FileSystems, NativeInventoryOf, testing::Values("ext4", "xfs", "btrfs"),
                         [](const auto& file_system) { return std::string(file_system.param); });

TEST_F(NativeInventory, AVolumeOfBothNamespacesIsListedAsOursOnly) {
    auto volume = make("ext4");
    ASSERT_NE(volume, nullptr);
    const Namespace other;
    const auto inventory = Inventory::read().value();
    const auto* found = on_device(inventory, volume->device());
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->name, volume->mount_point());
    EXPECT_EQ(found->mounts.size(), 1U);
    EXPECT_FALSE(found->mounts.front().process);
}

TEST_F(NativeInventory, AnOverlayIsAMountPointOfItsUpperVolume) {
    auto volume = make("ext4");
    ASSERT_NE(volume, nullptr);
    const auto base = volume->mount_point();
    for (const auto* name : {"/lower", "/upper", "/work", "/merged"}) std::filesystem::create_directory(base + name);
    std::filesystem::create_directory_symlink(base, folder_ + "/link"); // the mount table shows what was said
    const auto options = "lowerdir=" + base + "/lower,upperdir=" + folder_ + "/link/upper,workdir=" + base + "/work";
    const auto merged = base + "/merged";
    if (::mount("overlay", merged.c_str(), "overlay", 0, options.c_str()) != 0) GTEST_SKIP() << "no overlayfs here";
    const auto inventory = Inventory::read().value();
    const auto* found = on_device(inventory, volume->device());
    EXPECT_EQ(inventory.resolve(merged).value_or(nullptr), found);
    ASSERT_EQ(::umount2(merged.c_str(), 0), 0);
    ASSERT_NE(found, nullptr);
    ASSERT_EQ(found->overlays.size(), 1U);
    EXPECT_EQ(found->overlays.front().path, merged);
}

TEST_F(NativeInventory, AFileSystemWhoseServerIsDeadIsListedAndNeverTouched) {
    auto connection = open_at(AT_FDCWD, "/dev/fuse", O_RDWR);
    if (!connection) GTEST_SKIP() << "no FUSE here";
    // Nobody ever reads from the connection: whoever looks at a path there waits until it is closed.
    const auto options = "fd=" + std::to_string(connection->get()) + ",rootmode=40000,user_id=0,group_id=0";
    if (::mount("server:/export", folder_.c_str(), "fuse", 0, options.c_str()) != 0) GTEST_SKIP() << "FUSE cannot be mounted here";
    const pid_t child = ::fork();
    if (child == 0) {
        const auto inventory = Inventory::read();
        bool good = inventory.has_value();
        // The ways by which it could be named, or lie on the way to something.
        for (const auto& name : {folder_, folder_ + "/below", folder_ + "/../" + std::filesystem::path(folder_).filename().string() + "/x"})
            good = good && inventory->resolve(name).error().kind == ErrorKind::unsupported;
        ::_exit(good ? 0 : 1);
    }
    const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
    pollfd ended{.fd = process.get(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&ended, 1, 60000), 1) << "it waits for the server";
    connection->reset(); // lets it go on
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(::umount2(folder_.c_str(), MNT_DETACH), 0);
}

/// Asks until nothing is new: other programs' devices and mounts come and go, too.
bool becomes_quiet(ChangeWatch& watch) {
    for (int i = 0; i < 1000; ++i)
        if (!watch.changed()) return true;
    return false;
}

TEST_F(NativeInventory, AMountAndAnUnmountAreSeenAtOnceAndForgotten) {
    auto watch = make_change_watch();
    ASSERT_TRUE(watch) << watch.error().message();
    ASSERT_TRUE(becomes_quiet(**watch));
    ASSERT_EQ(::mount("tmpfs", folder_.c_str(), "tmpfs", 0, nullptr), 0);
    EXPECT_TRUE((*watch)->changed());
    EXPECT_TRUE(becomes_quiet(**watch));
    ASSERT_EQ(::umount2(folder_.c_str(), 0), 0);
    EXPECT_TRUE((*watch)->changed());
    EXPECT_TRUE(becomes_quiet(**watch));
}

TEST_F(NativeInventory, ALoopDeviceThatGetsAFileIsSeenBeforeItsMakerReturns) {
    auto watch = make_change_watch();
    ASSERT_TRUE(watch) << watch.error().message();
    Namespace other; // its mount is no event of ours: only the device is
    auto volume = make("ext4");
    ASSERT_NE(volume, nullptr);
    InventoryCache cache({}, std::move(*watch));
    EXPECT_NE(on_device(*cache.get().value(), volume->device()), nullptr);
    const auto device = volume->device();
    volume.reset();
    const auto* gone = on_device(*cache.get().value(), device);
    EXPECT_TRUE(gone == nullptr || gone->mounts.empty());
}

TEST_F(NativeInventory, AStormOfChangesIsOneAndLosesNothing) {
    auto watch = make_change_watch();
    ASSERT_TRUE(watch) << watch.error().message();
    ASSERT_TRUE(becomes_quiet(**watch));
    for (int i = 0; i < 2000; ++i) {
        ASSERT_EQ(::mount("tmpfs", folder_.c_str(), "tmpfs", 0, nullptr), 0);
        ASSERT_EQ(::umount2(folder_.c_str(), MNT_DETACH), 0);
    }
    EXPECT_TRUE((*watch)->changed());
    EXPECT_TRUE(becomes_quiet(**watch));
}

} // namespace
} // namespace quiesced

int main(int argc, char** argv) {
    std::string folder = "/tmp/quiesced-native-inventory-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) return EXIT_FAILURE;
    quiesced::g_folder = folder;
    quiesced::LeakCheck check;
    check.processes = false; // starts no freezer; another test's may run
    check.loop_backing = folder;
    check.records = folder;
    return quiesced::run_native_tests(argc, argv, std::move(check), folder);
}
