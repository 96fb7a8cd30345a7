// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/plan_warnings.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "sequence_fixture.h"

namespace quiesced {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> keys(const std::vector<PlanWarning>& warnings) {
    std::vector<std::string> found;
    for (const auto& warning : warnings) found.push_back(warning.key);
    return found;
}

class PlanWarnings : public testing::Test {
protected:
    std::vector<PlanWarning> warn(const HostFacts& host, const std::vector<std::string>& members, const std::vector<SpaceNeed>& space = {},
                                  const std::vector<StoreForecast>& stores = {}) {
        inventory_ = guest_.inventory();
        std::vector<const Volume*> frozen;
        for (const auto& name : members) frozen.push_back(inventory_.resolve(name).value());
        return make_warnings(host, frozen, inventory_, space, stores);
    }
    TestGuest guest_;
    Inventory inventory_;
};

TEST(KernelBefore, ComparesTheFirstTwoNumbers) {
    EXPECT_TRUE(kernel_before("5.15.0-91-generic", 5, 17));
    EXPECT_TRUE(kernel_before("4.18.0-553.el8", 5, 17));
    EXPECT_FALSE(kernel_before("5.17.0", 5, 17));
    EXPECT_FALSE(kernel_before("6.1.0-13-amd64", 5, 17));
    EXPECT_FALSE(kernel_before("10.0", 5, 17));
    for (const auto* none : {"", "5", "5.", "five", "99999999999999.1"}) EXPECT_FALSE(kernel_before(none, 5, 17)) << none;
}

TEST_F(PlanWarnings, AQuietGuestHasNone) {
    guest_.lv("/srv/data", 1);
    EXPECT_THAT(warn({.kernel = "6.1.0"}, {"/srv/data"}), IsEmpty());
}

TEST_F(PlanWarnings, APanicOnHungTasksAndAnOldKernelAreSaid) {
    guest_.lv("/srv/data", 1);
    HostFacts host;
    host.kernel = "5.10.0-28-amd64";
    host.hung_task_panic = true;
    host.hung_task_timeout = std::chrono::seconds(30);
    const auto warnings = warn(host, {"/srv/data"});
    ASSERT_THAT(keys(warnings), ElementsAre("hung_task_panic", "old_kernel"));
    EXPECT_THAT(warnings[0].text, HasSubstr("30 s"));
    EXPECT_THAT(warnings[1].text, HasSubstr("5.10.0-28-amd64"));
    host.hung_task_timeout = std::chrono::seconds(0);
    EXPECT_THAT(keys(warn(host, {"/srv/data"})), ElementsAre("old_kernel")) << "the kernel does not look for hung tasks";
    EXPECT_THAT(warn(host, {}), IsEmpty()) << "nothing is frozen";
}

TEST_F(PlanWarnings, TheJournalAndLvmsArchiveOnlyIfTheirVolumeIsFrozen) {
    guest_.lv("/", 1);
    guest_.lv("/srv/data", 2);
    const auto inventory = guest_.inventory();
    HostFacts host;
    host.journal = inventory.resolve("/").value();
    host.lvm = host.journal;
    EXPECT_THAT(keys(warn(host, {"/", "/srv/data"})), ElementsAre("root_is_member", "journal_on_member", "lvm_archive_on_member"));
    EXPECT_THAT(warn(host, {"/srv/data"}), IsEmpty());
}

TEST_F(PlanWarnings, ASwapFileAndAMountThatOnlyOthersSeeAreNamed) {
    guest_.lv("/srv/data", 1);
    inventory_ = guest_.inventory();
    auto volume = *inventory_.resolve("/srv/data").value();
    volume.swap_files = {"/srv/data/swap"};
    volume.mounts.front().process = MountProcess{.pid = 4711, .command = "nginx"};
    const auto warnings = make_warnings({}, {&volume}, inventory_, {}, {});
    ASSERT_THAT(keys(warnings), ElementsAre("swap_file_on_member", "foreign_mount"));
    EXPECT_THAT(warnings[0].text, HasSubstr("/srv/data/swap"));
    EXPECT_THAT(warnings[1].text, HasSubstr("process 4711 (nginx)"));
    EXPECT_THAT(warnings[1].volumes, ElementsAre("/srv/data"));
}

TEST_F(PlanWarnings, AHypervisorThatSaysOtherwiseIsQuoted) {
    guest_.lun("/srv/log", 2);
    guest_.change_disk(2, [](Disk& disk) {
        disk.guess = Placement::virtual_disk;
        disk.said = Placement::lun;
    });
    const auto warnings = warn({}, {"/srv/log"});
    ASSERT_THAT(keys(warnings), ElementsAre("placement_contradiction"));
    EXPECT_THAT(warnings[0].text, AllOf(HasSubstr("calls sd2 lun"), HasSubstr("it is virtual")));
    EXPECT_THAT(warnings[0].volumes, ElementsAre("/srv/log"));
    guest_.change_disk(2, [](Disk& disk) { disk.guess = Placement::lun; });
    EXPECT_THAT(warn({}, {"/srv/log"}), IsEmpty()) << "the two agree";
}

TEST_F(PlanWarnings, AThinPoolThatIsNearlyFullUnlessItIsRefusedAnyway) {
    SpaceNeed pool;
    pool.kind = "thin-pool";
    pool.name = "vg/pool";
    pool.volumes = {"/srv/data"};
    pool.data_percent = 79.9;
    pool.metadata_percent = 3;
    EXPECT_THAT(warn({}, {}, {pool}), IsEmpty());
    pool.metadata_percent = 81;
    auto warnings = warn({}, {}, {pool});
    ASSERT_THAT(keys(warnings), ElementsAre("thin_pool_nearly_full"));
    EXPECT_THAT(warnings[0].text, HasSubstr("metadata of the thin pool vg/pool are 81 % full; at 95 %"));
    pool.metadata_percent = 61;
    EXPECT_THAT(warn({}, {}, {pool}), IsEmpty());
    pool.metadata_limit = 75;
    pool.data_percent = 80.5;
    warnings = warn({}, {}, {pool});
    ASSERT_THAT(keys(warnings), ElementsAre("thin_pool_nearly_full", "thin_pool_nearly_full")) << "each has a limit and a remedy of its own";
    EXPECT_THAT(warnings[1].text, HasSubstr("61 % full; at 75 %"));
    EXPECT_THAT(warnings[1].advice, HasSubstr("--poolmetadatasize"));
    pool.refusal = Error{.kind = ErrorKind::no_space, .error_number = 0, .context = "full", .advice = {}, .undone = {}};
    EXPECT_THAT(warn({}, {}, {pool}), IsEmpty());
}

TEST_F(PlanWarnings, AStoreThatFillsWithinTheHour) {
    const StoreForecast soon{.volume = "/srv/data", .store = Bytes{64U << 20U}, .write_rate = 1U << 20U, .fills_in = std::chrono::seconds(64)};
    const auto warnings = warn({}, {}, {}, {soon, {.volume = "/b", .store = {}, .write_rate = 1, .fills_in = kShortStoreLife}});
    ASSERT_THAT(keys(warnings), ElementsAre("store_may_fill"));
    EXPECT_THAT(warnings[0].text, AllOf(HasSubstr("1.0 MiB a second"), HasSubstr("64.0 MiB"), HasSubstr("64 s")));
}

TEST_F(PlanWarnings, TheFactsComeFromTheKernelsSettingsAndTheFoldersThatExist) {
    const auto folder = std::filesystem::path(testing::TempDir()) / "quiesced-host-facts";
    std::filesystem::create_directories(folder / "kernel");
    std::filesystem::create_directories(folder / "journal");
    const auto write = [&](const char* name, const char* text) { std::ofstream(folder / "kernel" / name) << text << "\n"; };
    write("osrelease", "6.1.0-13-amd64");
    write("hung_task_panic", "1");
    write("hung_task_timeout_secs", "45");
    guest_.lv("/", 1);
    inventory_ = guest_.inventory();
    const HostPaths paths{.diskstats = {}, .kernel_settings = (folder / "kernel").string(), .journal = (folder / "journal").string(), .lvm = (folder / "lvm").string()};
    const auto host = read_host_facts(paths, inventory_);
    EXPECT_EQ(host.kernel, "6.1.0-13-amd64");
    EXPECT_TRUE(host.hung_task_panic);
    EXPECT_EQ(host.hung_task_timeout, std::chrono::seconds(45));
    ASSERT_NE(host.journal, nullptr);
    EXPECT_EQ(host.journal->name, "/");
    EXPECT_EQ(host.lvm, nullptr) << "there is no such folder";
    write("hung_task_panic", "0");
    EXPECT_FALSE(read_host_facts(paths, inventory_).hung_task_panic);
    std::filesystem::remove_all(folder);
    EXPECT_EQ(read_host_facts(paths, inventory_).kernel, "");
}

} // namespace
} // namespace quiesced
