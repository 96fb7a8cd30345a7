// SPDX-License-Identifier: LGPL-2.1-or-later
// The lvm provider against real LVM and a real kernel. Runs in the test guest only, as root, on a spare disk that it
// overwrites: QUIESCED_TEST_DISK. The chains are carried out by the freezer's own executor.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include <gtest/gtest.h>

#include "base/child.h"
#include "base/file.h"
#include "base/scope_exit.h"
#include "freeze/linux_kernel.h"
#include "freeze/record.h"
#include "snapshot/lvm_provider.h"
#include "volumes/inventory.h"

namespace quiesced {
namespace {

const std::string kGroup = "quiesced-test"; // with a hyphen: LVM doubles it in dm names
const std::string kTop = "/run/quiesced-lvm-test";

std::string run(const std::vector<std::string>& argv, bool must = true) {
    const auto outcome = run_child(argv);
    std::string command;
    for (const auto& word : argv) command += word + " ";
    if (!outcome) {
        ADD_FAILURE() << command << ": " << outcome.error().message();
        return {};
    }
    if (must && outcome->exit_status != 0)
        ADD_FAILURE() << command << ": status " << outcome->exit_status << "\n" << outcome->errors << outcome->output;
    return outcome->output;
}

void write_text(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::trunc | std::ios::binary) << text;
}

std::string read_text(const std::string& path) {
    auto text = read_file(path);
    return text ? *text : text.error().message();
}

struct Origin {
    std::string name;
    std::string file_system;
    [[nodiscard]] std::string mount() const { return kTop + "/" + name; }
    [[nodiscard]] std::string device() const { return "/dev/" + kGroup + "/" + name; }
};

const std::vector<Origin> kOrigins{{"a-thick", "ext4"}, {"b", "xfs"}, {"c-thin", "ext4"}, {"d", "xfs"}};

SetId new_set() { return SetId::generate().value(); }

double since(Monotonic::time_point start) { return to_ms(Monotonic::now() - start); }

/// The freezer's executor over the chains of a session.
class Executor {
public:
    explicit Executor(std::vector<DmChain> chains) {
        FreezePlan plan;
        plan.set = "test";
        plan.chains = std::move(chains);
        ::unlink(path_.c_str());
        auto record = Record::create(path_, plan);
        if (!record) throw std::runtime_error(record.error().message());
        record_ = std::make_unique<Record>(std::move(*record));
        if (auto prepared = dm_.prepare(*record_); !prepared) throw std::runtime_error(prepared.error().message());
    }
    ~Executor() { ::unlink(path_.c_str()); }
    Executor(const Executor&) = delete;
    Executor& operator=(const Executor&) = delete;

    void all(StepPhase phase) {
        const auto steps = record_->steps();
        for (std::size_t index = 0; index < steps.size(); ++index) {
            if (steps[index].phase != phase) continue;
            ASSERT_EQ(dm_.run(index), 0) << "step " << index << " op " << static_cast<int>(steps[index].op);
        }
    }

private:
    const std::string path_ = "/run/quiesced-lvm-test.record";
    std::unique_ptr<Record> record_;
    LinuxDmKernel dm_;
};

class LvmProviderInTheGuest : public testing::Test {
protected:
    // Once for all tests: an emulated machine needs half a minute for it. Each test removes what it adds.
    static void SetUpTestSuite() {
        const char* disk = test_disk();
        if (disk == nullptr || ::geteuid() != 0) return;
        run({"vgcreate", "-y", "-qq", kGroup, disk});
        run({"lvcreate", "-y", "-qq", "-L", "160M", "-n", "a-thick", kGroup});
        run({"lvcreate", "-y", "-qq", "-L", "320M", "-n", "b", kGroup});
        run({"lvcreate", "-y", "-qq", "-L", "640M", "-T", kGroup + "/pool"});
        run({"lvcreate", "-y", "-qq", "-V", "160M", "-T", kGroup + "/pool", "-n", "c-thin"});
        run({"lvcreate", "-y", "-qq", "-V", "320M", "-T", kGroup + "/pool", "-n", "d"});
        ASSERT_TRUE(make_directories(kTop + "/snapshot"));
        for (const auto& origin : kOrigins) {
            run({"mkfs." + origin.file_system, "-q", origin.device()});
            ASSERT_TRUE(make_directories(origin.mount()));
            run({"mount", origin.device(), origin.mount()});
        }
    }

    static void TearDownTestSuite() {
        if (test_disk() == nullptr || ::geteuid() != 0) return;
        for (const auto& origin : kOrigins) run({"umount", origin.mount()});
        run({"vgremove", "-ff", "-y", "-qq", kGroup});
        EXPECT_EQ(run({"dmsetup", "info", "-c", "--noheadings", "-o", "name"}).find("quiesced--test"),
                  std::string::npos)
            << "left: " << run({"dmsetup", "table"});
    }

    void SetUp() override {
        if (test_disk() == nullptr) GTEST_SKIP() << "QUIESCED_TEST_DISK names no spare disk";
        if (::geteuid() != 0) GTEST_SKIP() << "this needs root";
        mark("before arm");
        ::sync();
        const auto read = Inventory::read();
        ASSERT_TRUE(read) << read.error().message();
        inventory_ = *read;
        for (const auto& origin : kOrigins) {
            const auto volume = inventory_.resolve(origin.mount());
            ASSERT_TRUE(volume) << volume.error().message();
            volumes_.push_back(*volume);
        }
    }

    void TearDown() override {
        if (volumes_.empty()) return;
        run({"umount", kTop + "/snapshot"}, false);
        EXPECT_EQ(run({"dmsetup", "info", "-c", "--noheadings", "-o", "name", "-S", "suspended=1"}).find("test"),
                  std::string::npos);
        EXPECT_EQ(tagged(), "");
        run({"lvremove", "-y", "-qq", "-S", "lv_name=old||lv_name=filler||lv_name=~-q", kGroup});
    }

    static const char* test_disk() { return std::getenv("QUIESCED_TEST_DISK"); } // NOLINT(concurrency-mt-unsafe)

    std::unique_ptr<ProviderSession> begin(const SetId& set) {
        auto session = provider_.begin(set, volumes_, inventory_);
        EXPECT_TRUE(session) << session.error().message();
        return std::move(*session);
    }

    void mark(const std::string& text) {
        for (const auto& origin : kOrigins) {
            write_text(origin.mount() + "/moment", text);
            // More than a chunk, so that stale exceptions would show.
            write_text(origin.mount() + "/bulk", std::string(3U << 20U, text.back()));
        }
    }

    /// All frozen, all cut, all thawed: what the freezer does, one after another.
    void cut(Executor& executor) {
        std::vector<UniqueFd> mounts;
        for (const auto& origin : kOrigins)
            mounts.push_back(open_at(AT_FDCWD, origin.mount(), O_RDONLY | O_DIRECTORY).value());
        const auto start = Monotonic::now();
        for (const auto& fd : mounts) ASSERT_EQ(::ioctl(fd.get(), FIFREEZE, 0), 0);
        const ScopeExit thaw([&] {
            for (const auto& fd : mounts) EXPECT_EQ(::ioctl(fd.get(), FITHAW, 0), 0);
            std::cout << "  freeze, fire and thaw of 4, one after another: " << since(start) << " ms\n";
        });
        const auto fire = Monotonic::now();
        executor.all(StepPhase::fire);
        std::cout << "  fire of 4, one after another: " << since(fire) << " ms\n";
    }

    void expect_snapshot(const Origin& origin, const SnapshotRecord& record, const std::string& text) {
        const auto point = kTop + "/snapshot";
        run({"mount", "-o", origin.file_system == "xfs" ? "ro,nouuid" : "ro", record.device, point});
        EXPECT_EQ(read_text(point + "/moment"), text) << record.snapshot;
        EXPECT_EQ(read_text(point + "/bulk"), std::string(3U << 20U, text.back())) << record.snapshot;
        run({"umount", point});
        if (origin.file_system == "xfs")
            run({"xfs_repair", "-n", record.device});
        else
            run({"e2fsck", "-fn", record.device});
    }

    static std::string tagged() { return run({"lvs", "--noheadings", "-o", "lv_full_name", "@quiesced"}); }

    Inventory inventory_;
    std::vector<const Volume*> volumes_;
    LvmProvider provider_;
};

TEST_F(LvmProviderInTheGuest, TheSnapshotsHoldTheMomentOfTheFireAndAreOrdinaryLvmSnapshots) {
    run({"lvcreate", "-y", "-qq", "-s", "-L", "32M", "-n", "old", kGroup + "/a-thick"}); // must be kept
    const auto monitors = run({"lvs", "--noheadings", "-o", "lv_name,seg_monitor", kGroup + "/old", kGroup + "/pool"});
    for (const auto& claim : provider_.claim(volumes_, inventory_)) EXPECT_TRUE(claim.taken) << claim.reason;

    const auto set = new_set();
    const auto session = begin(set);
    const auto arm = Monotonic::now();
    const auto armed = session->arm();
    ASSERT_TRUE(armed) << armed.error().message();
    std::cout << "  arm of 4: " << since(arm) << " ms\n";
    EXPECT_EQ(run({"lvs", "--noheadings", "-o", "lv_name,seg_monitor", kGroup + "/old", kGroup + "/pool"}), monitors);

    mark("between arm and fire"); // overwrites what the armed snapshots know
    ::sync();
    mark("at the fire");
    ASSERT_EQ(session->chains().size(), kOrigins.size());
    {
        Executor executor(session->chains());
        ::sync();
        const auto prime = Monotonic::now();
        executor.all(StepPhase::prime);
        std::cout << "  prime of 4, one after another: " << since(prime) << " ms\n";
        cut(executor);
    }
    mark("after the thaw");
    ::sync();

    const auto records = session->finish();
    ASSERT_TRUE(records) << records.error().message();
    ASSERT_EQ(records->size(), kOrigins.size());
    for (std::size_t i = 0; i < kOrigins.size(); ++i) expect_snapshot(kOrigins[i], records->at(i), "at the fire");
    for (const auto& origin : kOrigins) EXPECT_EQ(read_text(origin.mount() + "/moment"), "after the thaw");
    run({"mount", "-o", "ro", "/dev/" + kGroup + "/old", kTop + "/snapshot"});
    EXPECT_EQ(read_text(kTop + "/snapshot/moment"), "before arm");
    run({"umount", kTop + "/snapshot"});
    EXPECT_EQ(run({"lvs", "--noheadings", "-o", "lv_name", "-S", "lv_attr=~^S || lv_health_status!=\"\"", kGroup}), "");

    // As after a reboot.
    for (const auto& origin : kOrigins) run({"umount", origin.mount()});
    run({"vgchange", "-qq", "-an", kGroup});
    run({"vgchange", "-qq", "-ay", "-K", kGroup});
    for (std::size_t i = 0; i < kOrigins.size(); ++i) expect_snapshot(kOrigins[i], records->at(i), "at the fire");
    for (const auto& origin : kOrigins) run({"mount", origin.device(), origin.mount()});

    for (const auto* time : {"first", "second"}) {
        const auto removed = provider_.remove(set, *records);
        EXPECT_TRUE(removed) << time << ": " << removed.error().message();
    }
    EXPECT_EQ(tagged(), "");
    EXPECT_EQ(run({"lvs", "--noheadings", "-o", "lv_name", kGroup}).find("-q"), std::string::npos);
}

TEST_F(LvmProviderInTheGuest, AnUnprimedSetIsGivenUpWithoutATraceWhereverPrimeHadStopped) {
    const auto session = begin(new_set());
    const auto armed = session->arm();
    ASSERT_TRUE(armed) << armed.error().message();
    for (std::size_t reached = 0; reached <= 4; ++reached) {
        SCOPED_TRACE("prime stops before step " + std::to_string(reached));
        auto chains = session->chains();
        chains.resize(2); // the thick ones; a thin one cannot be primed twice
        for (auto& chain : chains) chain.prime.resize(reached);
        Executor executor(std::move(chains));
        executor.all(StepPhase::prime);
        executor.all(StepPhase::unprime);
    }
    {
        Executor executor(session->chains());
        executor.all(StepPhase::prime);
        executor.all(StepPhase::unprime);
    }
    mark("given up");
    for (int time = 0; time < 2; ++time) {
        const auto disarmed = session->disarm();
        EXPECT_TRUE(disarmed) << disarmed.error().message();
    }
    EXPECT_EQ(tagged(), "");
}

TEST_F(LvmProviderInTheGuest, WithoutRoomForAllNothingIsMade) {
    run({"lvcreate", "-y", "-qq", "-Wn", "-Zn", "-l", "95%FREE", "-n", "filler", kGroup});
    const auto free = run({"vgs", "--noheadings", "-o", "vg_free_count", kGroup});
    auto session = LvmProvider().begin(new_set(), volumes_, inventory_, {.store = {.base = StorePolicy::Base::size, .value = 100}, .written = {}});
    const auto armed = (*session)->arm();
    ASSERT_FALSE(armed);
    EXPECT_EQ(armed.error().kind, ErrorKind::no_space);
    std::cout << "  " << armed.error().message() << "\n";
    EXPECT_EQ(tagged(), "");
    EXPECT_EQ(run({"vgs", "--noheadings", "-o", "vg_free_count", kGroup}), free);
}

TEST_F(LvmProviderInTheGuest, AFullStoreIsReportedAndGivenUp) {
    LvmProvider small;
    const SnapshotWishes wishes{.store = {.base = StorePolicy::Base::bytes, .value = 4ULL << 20U}, .written = {}};
    auto session = small.begin(new_set(), volumes_, inventory_, wishes);
    ASSERT_TRUE((*session)->arm());
    {
        Executor executor((*session)->chains());
        executor.all(StepPhase::prime);
        cut(executor);
    }
    for (const auto& origin : kOrigins) write_text(origin.mount() + "/flood", std::string(24U << 20U, 'x'));
    ::sync();
    const auto records = (*session)->finish();
    ASSERT_FALSE(records);
    EXPECT_EQ(records.error().kind, ErrorKind::no_space);
    std::cout << "  " << records.error().message() << "\n";
    const auto disarmed = (*session)->disarm();
    EXPECT_TRUE(disarmed) << disarmed.error().message();
    for (const auto& origin : kOrigins) ::unlink((origin.mount() + "/flood").c_str());
}

TEST_F(LvmProviderInTheGuest, AMountedSnapshotIsNamedAndTheOthersAreRemoved) {
    const auto set = new_set();
    const auto session = begin(set);
    ASSERT_TRUE(session->arm());
    {
        Executor executor(session->chains());
        executor.all(StepPhase::prime);
        cut(executor);
    }
    const auto records = session->finish();
    ASSERT_TRUE(records) << records.error().message();
    run({"mount", "-o", "ro", records->front().device, kTop + "/snapshot"});
    const auto removed = provider_.remove(set, *records);
    ASSERT_FALSE(removed);
    EXPECT_EQ(removed.error().kind, ErrorKind::busy);
    EXPECT_NE(removed.error().message().find(records->front().snapshot), std::string::npos)
        << removed.error().message();
    std::cout << "  " << removed.error().message() << "\n";
    EXPECT_EQ(tagged(), "  " + records->front().snapshot + "\n");
    run({"umount", kTop + "/snapshot"});
    const auto again = provider_.remove(set, *records);
    EXPECT_TRUE(again) << again.error().message();
    EXPECT_EQ(tagged(), "");
}

TEST_F(LvmProviderInTheGuest, AForeignLogicalVolumeOfTheSameNameStays) {
    const auto set = new_set();
    const auto name = kGroup + "/b-q" + set.text();
    run({"lvcreate", "-y", "-qq", "-Wn", "-Zn", "-L", "8M", "-n", "b-q" + set.text(), kGroup});
    const auto session = begin(set);
    const auto armed = session->arm();
    ASSERT_FALSE(armed);
    EXPECT_EQ(armed.error().kind, ErrorKind::busy);
    ASSERT_TRUE(session->disarm());
    EXPECT_NE(run({"lvs", "--noheadings", "-o", "lv_name", name}), "");
    EXPECT_EQ(tagged(), "");
}

TEST_F(LvmProviderInTheGuest, AskingDeviceMapperLeavesNoDescriptorOpen) {
    const auto open_files = [] { return list_directory_at(AT_FDCWD, "/proc/self/fd")->size(); };
    const auto before = open_files();
    const KernelDmTables tables;
    const auto node = inventory_.graph().find(volumes_.front()->devices.front());
    ASSERT_NE(node, nullptr);
    const auto device = tables.table(node->dm_uuid);
    ASSERT_TRUE(device) << device.error().message();
    EXPECT_EQ(device->number, node->number);
    EXPECT_EQ(device->name, node->dm_name);
    const auto missing = tables.table("LVM-none");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().error_number, ENXIO);
    EXPECT_EQ(open_files(), before);
}

} // namespace
} // namespace quiesced
