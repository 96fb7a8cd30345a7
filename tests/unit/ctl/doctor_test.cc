// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace quiesced {
namespace {

using testing::AllOf;
using testing::Field;
using testing::HasSubstr;
using testing::Not;

/// The worst of several.
Health worst(const std::vector<Finding>& findings) {
    auto worst = Health::good;
    const auto rank = [](Health health) { return health == Health::bad ? 3 : health == Health::unknown ? 2 : health == Health::hint ? 1 : 0; };
    for (const auto& finding : findings)
        if (rank(finding.health) > rank(worst)) worst = finding.health;
    return worst;
}
MATCHER_P2(Is, health, text, "") {
    *result_listener << arg.text << " -> " << arg.advice;
    // Whoever is told of something bad is told what to do.
    return arg.health == health && arg.text.find(text) != std::string::npos && (health != Health::bad || !arg.advice.empty());
}

TEST(Doctor, JudgesTheUnit) {
    EXPECT_THAT(judge_unit({.load = "loaded", .active = "active", .enabled = "enabled"}), Is(Health::good, "runs"));
    EXPECT_THAT(judge_unit({.load = "loaded", .active = "active", .enabled = "disabled"}), Is(Health::hint, "does not start at boot"));
    EXPECT_THAT(judge_unit({.load = "loaded", .active = "inactive", .enabled = "enabled"}), Is(Health::hint, "the first call starts it"));
    EXPECT_THAT(judge_unit({.load = "loaded", .active = "failed", .enabled = "enabled"}), Is(Health::bad, "has failed"));
    EXPECT_THAT(judge_unit({.load = "masked", .active = "inactive", .enabled = "masked"}), Is(Health::bad, "masked"));
    EXPECT_THAT(judge_unit({.load = "not-found", .active = {}, .enabled = {}}), Is(Health::bad, "no quiesced.service"));
    EXPECT_THAT(judge_unit({}), Is(Health::unknown, "does not tell"));
}

TEST(Doctor, JudgesTheBus) {
    EXPECT_THAT(judge_bus({.daemon_version = "1.0", .own_version = "1.0", .error = {}}), Is(Health::good, "1.0"));
    EXPECT_THAT(judge_bus({.daemon_version = "0.9", .own_version = "1.0", .error = {}}), Is(Health::hint, "0.9"));
    EXPECT_THAT(judge_bus({.daemon_version = {}, .own_version = "1.0", .error = "no such name"}), Is(Health::bad, "no such name"));
}

TEST(Doctor, JudgesPolkit) {
    EXPECT_THAT(judge_polkit({.policy = true, .rules = true, .group = true, .service = true}), Is(Health::good, "group quiesced"));
    EXPECT_THAT(judge_polkit({.policy = true, .rules = false, .group = false, .service = true}), Is(Health::good, "no group"));
    EXPECT_THAT(judge_polkit({.policy = true, .rules = false, .group = true, .service = true}), Is(Health::bad, "no rule"));
    EXPECT_THAT(judge_polkit({.policy = false, .rules = true, .group = true, .service = true}), Is(Health::bad, "does not know"));
    EXPECT_THAT(judge_polkit({}), Is(Health::hint, "not installed"));
}

TEST(Doctor, JudgesLvmsVersionAndThresholds) {
    const std::string version = "  LVM version:     2.03.16(2) (2022-05-18)\n  Library version: 1.02.185 (2022-05-18)\n";
    EXPECT_EQ(worst(judge_lvm({.version_text = version, .threshold_text = "snapshot_autoextend_threshold=70\nthin_pool_autoextend_threshold=80\n"})), Health::good);
    const auto off = judge_lvm({.version_text = version, .threshold_text = "snapshot_autoextend_threshold=100\nthin_pool_autoextend_threshold=100\n"});
    EXPECT_EQ(worst(off), Health::hint);
    EXPECT_THAT(off[1].text, HasSubstr("a thick snapshot that fills its store is lost"));
    EXPECT_THAT(off[2].advice, HasSubstr("thin_pool_autoextend_threshold below 100"));
    EXPECT_THAT(judge_lvm({.version_text = "LVM version: 2.02.98(2) (2012-10-15)", .threshold_text = {}})[0], Is(Health::bad, "2.02.98 is too old"));
    EXPECT_THAT(judge_lvm({.version_text = "what?", .threshold_text = {}})[0], Is(Health::unknown, "not understood"));
    EXPECT_THAT(judge_lvm({})[0], Is(Health::hint, "not installed"));
}

TEST(Doctor, JudgesThePlugins) {
    const auto plugins = Json::parse(R"([{"Name": "exec", "State": "ready", "Version": "0.1"}, {"Name": "targetd", "State": "failed", "Error": "no such box"}])");
    const auto findings = judge_plugins(plugins, {"exec.sock", "targetd.sock"});
    ASSERT_EQ(findings.size(), 2U);
    EXPECT_THAT(findings[0], Is(Health::good, "0.1"));
    EXPECT_THAT(findings[1], AllOf(Is(Health::bad, "no such box"), Field(&Finding::check, "plugin targetd")));
    EXPECT_THAT(judge_plugins(Json::array(), {})[0], Is(Health::hint, "no plugin"));
    EXPECT_THAT(judge_plugins(Json(), {})[0], Is(Health::unknown, "does not tell"));
}

TEST(Doctor, ARevertThatWasInterruptedHasToBeMended) {
    EXPECT_FALSE(judge_sets({}));
    const auto finding = judge_sets({"6560000000000001", "6560000000000002"});
    ASSERT_TRUE(finding);
    EXPECT_THAT(*finding, Is(Health::bad, "do not fit together: 6560000000000001, 6560000000000002"));
    EXPECT_EQ(finding->advice, "quiescectl show 6560000000000001");
}

TEST(Doctor, JudgesTheHooksOfToolsThatAreHere) {
    const auto& ga = *find_hook_tool("qemu-ga");
    const auto& vmtools = *find_hook_tool("open-vm-tools");
    HookStatus status;
    EXPECT_FALSE(judge_hook(ga, status, "")) << "neither is here";
    status.present = true;
    EXPECT_THAT(*judge_hook(ga, status, ""), Is(Health::hint, "does not call quiesced"));
    status.files = {{"/etc/x", "foreign"}};
    EXPECT_THAT(*judge_hook(ga, status, ""), Is(Health::hint, "somebody else"));
    status.installed = true;
    EXPECT_THAT(*judge_hook(ga, status, "/usr/sbin/qemu-ga"), Is(Health::bad, "without -F"));
    EXPECT_THAT(*judge_hook(ga, status, "/usr/sbin/qemu-ga -F/usr/share/quiesced/hooks/qemu-ga/fsfreeze-hook"), Is(Health::good, "calls quiesced"));
    EXPECT_THAT(*judge_hook(ga, status, ""), Is(Health::good, "calls quiesced")) << "what is not known is no fault";
    status.advice = "Set ignoreFrozenFileSystems=true.";
    EXPECT_THAT(*judge_hook(vmtools, status, ""), AllOf(Is(Health::bad, "for an error"), Field(&Finding::advice, HasSubstr("ignoreFrozenFileSystems"))));
}

TEST(Doctor, JudgesTheKernel) {
    EXPECT_EQ(worst(judge_kernel({.release = "6.1.0-13-amd64", .missing_modules = {}, .modules_known = true, .hung_task_panic = "0"})), Health::good);
    EXPECT_EQ(worst(judge_kernel({.release = "5.8.0", .missing_modules = {}, .modules_known = true, .hung_task_panic = ""})), Health::good);
    EXPECT_THAT(judge_kernel({.release = "5.4.0-1", .missing_modules = {}, .modules_known = true, .hung_task_panic = "0"})[0], Is(Health::bad, "5.4.0-1"));
    EXPECT_THAT(judge_kernel({.release = "?", .missing_modules = {}, .modules_known = true, .hung_task_panic = "0"})[0], Is(Health::unknown, "not understood"));
    EXPECT_THAT(judge_kernel({.release = "6.1", .missing_modules = {"dm_snapshot"}, .modules_known = true, .hung_task_panic = "0"})[1], Is(Health::bad, "no dm_snapshot"));
    EXPECT_THAT(judge_kernel({.release = "6.1", .missing_modules = {}, .modules_known = false, .hung_task_panic = "0"})[1], Is(Health::unknown, "not known"));
    EXPECT_THAT(judge_kernel({.release = "6.1", .missing_modules = {}, .modules_known = true, .hung_task_panic = "1"})[2], Is(Health::bad, "panics this machine"));
}

TEST(Doctor, JudgesTheScratchFileSystem) {
    LoopFacts facts;
    facts.identity = true;
    facts.freeze_again = EBUSY;
    facts.thaw_again = EINVAL;
    EXPECT_THAT(judge_loop(facts), Is(Health::good, "frozen, not written to, and thawed"));
    auto wrong = facts;
    wrong.freeze = EPERM;
    EXPECT_THAT(judge_loop(wrong), Is(Health::bad, "cannot be frozen"));
    wrong = facts;
    wrong.freeze_again = 0;
    EXPECT_THAT(judge_loop(wrong), Is(Health::bad, "not refused"));
    wrong = facts;
    wrong.written_while_frozen = true;
    EXPECT_THAT(judge_loop(wrong), Is(Health::bad, "was written to"));
    wrong = facts;
    wrong.identity = false;
    EXPECT_THAT(judge_loop(wrong), Is(Health::bad, "no freeze would be safe"));
    wrong = facts;
    wrong.failed_step = "make a loop device";
    wrong.error = "no such device";
    EXPECT_THAT(judge_loop(wrong), Is(Health::unknown, "cannot make a loop device: no such device"));
    wrong.skipped = "only root may mount";
    EXPECT_THAT(judge_loop(wrong), Is(Health::unknown, "only root may mount"));
}

TEST(Doctor, NamesTheFilesThatAreMissing) {
    EXPECT_THAT(judge_files({}), Is(Health::good, "complete"));
    EXPECT_THAT(judge_files({"/usr/sbin/quiesced"}), Is(Health::bad, "/usr/sbin/quiesced"));
}

TEST(Doctor, ShowsWhatHasToBeMendedFirstAndCountsIt) {
    const std::vector<Finding> findings{{"unit", Health::good, "it runs", ""}, {"lvm", Health::bad, "it is \x1b[2J old", "Renew it."}};
    const auto text = render_findings(findings, Screen{.width = 60, .colour = false});
    EXPECT_LT(text.find("BAD  lvm"), text.find("ok   unit"));
    EXPECT_THAT(text, AllOf(HasSubstr("-> Renew it."), HasSubstr("1 thing has to be mended."), Not(HasSubstr("\x1b"))));
    EXPECT_THAT(render_findings({findings[0]}, {}), HasSubstr("Nothing has to be mended."));
    EXPECT_EQ(findings_to_json(findings).at(1).at("health"), "bad");
}

} // namespace
} // namespace quiesced
