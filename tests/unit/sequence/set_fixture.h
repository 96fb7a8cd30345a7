// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "sequence/snapshot_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <fcntl.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>

#include "freeze/sim_kernel.h"
#include "sequence_fixture.h"
#include "snapshot/host_provider.h"

namespace quiesced {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

inline Error error(ErrorKind kind, std::string context) {
    return {.kind = kind, .error_number = 0, .context = std::move(context), .advice = {}, .undone = {}};
}

/// Writers that write down when they were called.
class FakeWriters : public Writers {
public:
    FakeWriters(FakeCalls& calls, SimWorld& world, const bool& refuse, const bool& hang) : calls_(calls), world_(world), refuse_(refuse), hang_(hang) {}
    Result<void> prepare(const WriterContext& /*context*/, const Inventory& /*inventory*/) override {
        calls_.add("prepare");
        return {};
    }
    [[nodiscard]] std::vector<WriterReport> report() const override {
        return {{.name = "db", .kind = "session", .volumes = {"/srv/data"}, .quiesced = true, .raises = true, .error = {}, .freeze_ms = 1.0,
                 .thaw_ms = 1.0, .records = {{"backup_label", "START WAL LOCATION"}}}};
    }
    Result<std::size_t> freeze(const WriterContext& /*context*/) override {
        calls_.add(world_.held().empty() ? "freeze before the window" : "freeze inside the window");
        if (hang_) {
            std::unique_lock lock(mutex_);
            EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(60), [this] { return cancelled_; })) << "nobody cancelled it";
            return fail(ErrorKind::wrong_state, "the freeze of the writers was cancelled");
        }
        if (refuse_) return fail(ErrorKind::writer_failed, "postgres said no");
        return 1U;
    }
    std::vector<std::string> thaw(const WriterContext& context) override {
        calls_.add(std::string(world_.held().empty() ? "thaw after the window" : "thaw inside the window") + (context.aborted ? ", aborted" : ""));
        return {};
    }
    void cancel() override {
        calls_.add("cancel");
        const std::lock_guard lock(mutex_);
        cancelled_ = true;
        changed_.notify_all();
    }
    [[nodiscard]] std::vector<std::string> notes() const override { return {}; }

private:
    FakeCalls& calls_;
    SimWorld& world_;
    const bool& refuse_;
    const bool& hang_; ///< until it is cancelled
    std::mutex mutex_;
    std::condition_variable changed_;
    bool cancelled_ = false;
};

/// A journal that notes when it was told what.
class FakeJournal : public Journal {
public:
    FakeJournal(FakeCalls& calls, SimWorld& world, std::uint64_t mount) : calls_(calls), world_(world), mount_(mount) {}
    bool refuse = false;
    [[nodiscard]] std::optional<std::uint64_t> mount() const override { return mount_; }
    Result<void> relinquish() override { return answer("relinquish"); }
    Result<void> flush() override { return answer("flush"); }

private:
    Result<void> answer(const std::string& what) {
        calls_.add(what + (world_.held().empty() ? " outside" : " inside"));
        if (refuse) return fail(ErrorKind::io, "journald said no");
        return {};
    }
    FakeCalls& calls_;
    SimWorld& world_;
    std::uint64_t mount_;
};

/// A set over one LV ("/srv/data", dm chain) and one LUN ("/srv/log", plugin) in a simulated kernel.
class Set : public testing::Test {
protected:
    Set() {
        guest_.lv("/srv/data", 1);
        guest_.lun("/srv/log", 2);
        for (const auto& [path, minor] : {std::pair{"/srv/data", 1U}, {"/srv/log", 2U}}) {
            fds_[path] = world_->add_file_system(path);
            world_->set_identity(path, {.superblock = {253, minor}, .mount_id = 100 + minor});
        }
        lvm_->chains = {DmChain{.name = "vg/data",
                                .group = {},
                                .prime = {{.op = DmStep::Op::load, .uuid = "snap", .target = "snapshot", .sectors = 8, .text = "p", .path = {}}},
                                .fire = {step(DmStep::Op::suspend, "origin"), step(DmStep::Op::resume, "snap"), step(DmStep::Op::resume, "origin")},
                                .unprime = {step(DmStep::Op::resume, "snap")}}};
        directory_ = std::filesystem::temp_directory_path() / ("quiesced-set-" + std::to_string(::getpid()));
        std::filesystem::create_directories(directory_);
        store_ = std::make_unique<ManifestStore>((directory_ / "sets").string());
    }
    ~Set() override {
        set_.reset();
        // The end of a failed set's freezer removes its record on a thread of its own.
        for (int i = 0; i < 2000 && std::filesystem::exists(directory_ / "6560000000000001.window"); ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(1)); // house-allow(sleep): polls a file
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }

    static DmStep step(DmStep::Op op, const std::string& uuid) {
        return {.op = op, .uuid = uuid, .target = {}, .sectors = 0, .text = {}, .path = {}};
    }
    void make(std::chrono::milliseconds deadline = std::chrono::seconds(10)) {
        options_.deadline = deadline;
        SetEnvironment environment;
        environment.make_kernel = [this] { return world_->kernel(); };
        environment.make_launcher = [this] { return std::make_unique<ThreadLauncher>(world_->kernel()); };
        environment.open_mount = [this](const std::string& path) -> Result<OpenedMount> {
            return OpenedMount{.fd = UniqueFd(::fcntl(fds_.at(path).get(), F_DUPFD_CLOEXEC, 0)), .identity = world_->identity(path)};
        };
        if (with_writers_)
            environment.make_writers = [this] { return std::make_unique<FakeWriters>(writer_calls_, *world_, writers_refuse_, writers_hang_); };
        environment.record_directory = directory_.string();
        environment.journal = journal_;
        environment.keeper = &keeper_;
        environment.gate = gate_;
        environment.store = store_.get();
        environment.telling = telling_;
        auto plan = plan_set({"/srv/data", "/srv/log"}, std::make_shared<const Inventory>(guest_.inventory()), {plugin_, lvm_, host_}, options_.providers);
        ASSERT_TRUE(plan) << plan.error().message();
        set_ = std::make_unique<SnapshotSet>(*SetId::parse("6560000000000001"), std::move(*plan), options_,
                                             environment, [this](State state) {
                                                 const std::lock_guard lock(states_mutex_);
                                                 states_.emplace_back(state_name(state));
                                             });
    }
    std::future<Result<void>> start(Step step) {
        auto promise = std::make_shared<std::promise<Result<void>>>();
        auto future = promise->get_future();
        set_->post(step, [promise](Result<void> result) { promise->set_value(std::move(result)); });
        return future;
    }
    Result<void> run(Step step) { return start(step).get(); }
    std::vector<std::string> states() {
        const std::lock_guard lock(states_mutex_);
        return states_;
    }
    bool wait_for(State state) {
        for (int i = 0; i < 2000; ++i) {
            if (set_->state() == state) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(2)); // house-allow(sleep): polls a state, no event to wait for
        }
        return false;
    }
    void expect_nothing_left() {
        EXPECT_THAT(world_->held(), IsEmpty());
        EXPECT_EQ(world_->rcu_expedited(), 0);
    }
    std::size_t thaws(const std::string& name) { return world_->point(SimCall::thaw, name).calls(); }

    TestGuest guest_;
    SetOptions options_;
    SetTelling telling_;
    FreezerKeeper keeper_;
    std::shared_ptr<WindowGate> gate_ = std::make_shared<WindowGate>();
    std::shared_ptr<FakeJournal> journal_;
    std::shared_ptr<SimWorld> world_ = SimWorld::create();
    std::map<std::string, UniqueFd> fds_;
    std::shared_ptr<FakeProvider> plugin_ = std::make_shared<FakeProvider>("exec", Placement::lun);
    std::shared_ptr<FakeProvider> lvm_ = std::make_shared<FakeProvider>("lvm", Placement::virtual_disk);
    std::shared_ptr<HostProvider> host_ = std::make_shared<HostProvider>();
    std::filesystem::path directory_;
    std::unique_ptr<ManifestStore> store_;
    bool with_writers_ = false;
    bool writers_refuse_ = false;
    bool writers_hang_ = false;
    FakeCalls writer_calls_;
    std::mutex states_mutex_;
    std::vector<std::string> states_;
    std::unique_ptr<SnapshotSet> set_;
};

} // namespace quiesced
