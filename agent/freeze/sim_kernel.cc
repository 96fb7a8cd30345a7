// SPDX-License-Identifier: LGPL-2.1-or-later
#include "freeze/sim_kernel.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <new>

namespace quiesced {
namespace {

constexpr std::size_t kMostThings = 1024;
constexpr std::size_t kMostEvents = 16384;
constexpr std::size_t kCalls = static_cast<std::size_t>(SimCall::restore) + 1;
constexpr std::array<const char*, kCalls> kCallNames{"sync", "identify", "freeze",  "thaw",     "suspend", "resume",
                                                     "load", "message",  "zero",    "clear",    "expedite", "restore"};

// Plain sleeping and looking: a lock or a condition variable in shared memory would not survive a kill.
void pause(std::int64_t length = 200'000) noexcept {
    const timespec interval{.tv_sec = length / 1'000'000'000, .tv_nsec = length % 1'000'000'000};
    ::nanosleep(&interval, nullptr);
}

enum class Frost : std::uint32_t { thawed, freezing, frozen };

/// The name of a target type (at most 15 characters), to be read while it is written.
class SharedName {
public:
    void set(const char* name) noexcept {
        std::array<std::uint64_t, 2> halves{};
        std::memcpy(halves.data(), name, ::strnlen(name, sizeof halves - 1));
        for (std::size_t i = 0; i < halves.size(); ++i) halves_[i] = halves[i];
    }
    void set(const SharedName& other) noexcept {
        for (std::size_t i = 0; i < halves_.size(); ++i) halves_[i] = other.halves_[i].load();
    }
    [[nodiscard]] std::string get() const {
        const std::array<std::uint64_t, 2> halves{halves_[0].load(), halves_[1].load()};
        std::array<char, sizeof halves + 1> text{};
        std::memcpy(text.data(), halves.data(), sizeof halves);
        return text.data();
    }

private:
    std::array<std::atomic<std::uint64_t>, 2> halves_;
};

} // namespace

struct SimWorld::Thing {
    char name[160];
    bool device;
    // a file system
    dev_t file_device;
    ino_t file_inode;
    std::atomic<std::uint64_t> superblock; ///< major in the upper half
    std::atomic<std::uint64_t> mount_id;
    std::atomic<Frost> frost;
    std::atomic<std::uint32_t> delicate; ///< a killed thaw breaks it
    std::atomic<std::uint32_t> killed;   ///< its thaws are
    std::atomic<std::uint32_t> read_only;
    // a device
    std::atomic<std::uint32_t> suspended;
    std::atomic<std::uint32_t> inactive;
    SharedName live_target;
    SharedName inactive_target;
    std::array<SimPoint, kCalls> points;
};

struct SimWorld::Shared {
    struct Event {
        std::atomic<std::uint32_t> thing; ///< index + 1; 0: not written yet
        SimCall call;
        bool ended;
        std::int32_t error;
    };
    std::atomic<std::uint32_t> things_count;
    std::atomic<std::uint32_t> adding;
    std::atomic<std::uint32_t> events_count;
    std::atomic<std::int32_t> rcu_expedited;
    std::atomic<std::int32_t> rcu_normal;
    std::atomic<std::int32_t> rcu_windows; ///< that have it expedited
    std::array<Thing, kMostThings> things;
    std::array<Event, kMostEvents> events;
};

void SimPoint::fail(int error, int times) noexcept {
    error_ = error;
    errors_left_ = times;
}

int SimPoint::enter() noexcept {
    ++calls_;
    ++waiting_;
    while (closed_ != 0) pause();
    --waiting_;
    if (const auto length = delay_ns_.load(); length > 0) pause(length);
    for (int left = errors_left_.load(); left != 0;)
        if (errors_left_.compare_exchange_weak(left, left < 0 ? left : left - 1)) return error_;
    return 0;
}

std::shared_ptr<SimWorld> SimWorld::create() {
    void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return nullptr;
    return std::shared_ptr<SimWorld>(new SimWorld(new (memory) Shared{})); // house-allow(new): private constructor, owned at once
}

SimWorld::~SimWorld() { ::munmap(shared_, sizeof(Shared)); }

SimWorld::Thing& SimWorld::thing(const std::string& name, bool device) const {
    while (shared_->adding.exchange(1) != 0) pause();
    const auto count = shared_->things_count.load();
    std::size_t i = 0;
    while (i < count && (shared_->things[i].device != device || name != shared_->things[i].name)) ++i;
    auto& found = shared_->things[std::min(i, kMostThings - 1)];
    if (i == count && count < kMostThings) {
        found.device = device;
        name.copy(found.name, sizeof found.name - 1);
        ++shared_->things_count;
    }
    shared_->adding = 0;
    return found;
}

SimWorld::Thing* SimWorld::by_fd(int fd) const noexcept {
    struct stat status {};
    if (::fstat(fd, &status) != 0) return nullptr;
    const auto count = shared_->things_count.load();
    for (std::size_t i = 0; i < count; ++i) {
        auto& each = shared_->things[i];
        if (!each.device && each.file_device == status.st_dev && each.file_inode == status.st_ino) return &each;
    }
    return nullptr;
}

std::size_t SimWorld::index_of(const Thing& thing) const noexcept {
    return static_cast<std::size_t>(&thing - shared_->things.data());
}

UniqueFd SimWorld::add_file_system(const std::string& name) {
    UniqueFd fd(::memfd_create(name.c_str(), MFD_CLOEXEC));
    const auto number = static_cast<std::uint32_t>(index_of(thing(name, false)));
    adopt(name, fd.get(), {.superblock = {.major = 250, .minor = number}, .mount_id = 1000U + number});
    return fd;
}

void SimWorld::adopt(const std::string& name, int fd, const MountIdentity& identity) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) return;
    auto& file_system = thing(name, false);
    file_system.file_device = status.st_dev;
    file_system.file_inode = status.st_ino;
    set_identity(name, identity);
}

void SimWorld::set_identity(const std::string& name, const MountIdentity& identity) {
    auto& file_system = thing(name, false);
    file_system.superblock = std::uint64_t{identity.superblock.major} << 32U | identity.superblock.minor;
    file_system.mount_id = identity.mount_id;
}

MountIdentity SimWorld::identity(const std::string& name) const {
    const auto& file_system = thing(name, false);
    const auto superblock = file_system.superblock.load();
    return {.superblock = {.major = static_cast<std::uint32_t>(superblock >> 32U), .minor = static_cast<std::uint32_t>(superblock)},
            .mount_id = file_system.mount_id.load()};
}

SimPoint& SimWorld::point(SimCall call, const std::string& name) {
    return thing(name, call >= SimCall::suspend).points[static_cast<std::size_t>(call)];
}

bool SimWorld::frozen(const std::string& name) const { return thing(name, false).frost == Frost::frozen; }
void SimWorld::freeze_by_somebody_else(const std::string& name) { thing(name, false).frost = Frost::frozen; }
void SimWorld::thaw_by_somebody_else(const std::string& name) { thing(name, false).frost = Frost::thawed; }
void SimWorld::break_by_killed_thaw(const std::string& name, bool killed) {
    auto& file_system = thing(name, false);
    file_system.delicate = 1;
    file_system.killed = killed ? 1 : 0;
}
bool SimWorld::suspended(const std::string& uuid) const { return thing(uuid, true).suspended != 0; }
std::string SimWorld::live_table(const std::string& uuid) const { return thing(uuid, true).live_target.get(); }
bool SimWorld::has_inactive_table(const std::string& uuid) const { return thing(uuid, true).inactive != 0; }
std::int32_t SimWorld::rcu_expedited() const { return shared_->rcu_expedited; }
void SimWorld::set_rcu(std::int32_t expedited, std::int32_t normal) {
    shared_->rcu_expedited = expedited;
    shared_->rcu_normal = normal;
}

std::vector<std::string> SimWorld::held() const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < shared_->things_count; ++i) {
        const auto& each = shared_->things[i];
        if (each.frost != Frost::thawed || each.suspended != 0) names.emplace_back(each.name);
    }
    return names;
}

void SimWorld::write_log(const Thing& thing, SimCall call, bool ended, int error) noexcept {
    const auto place = shared_->events_count.fetch_add(1);
    if (place >= kMostEvents) return;
    auto& event = shared_->events[place];
    event.call = call;
    event.ended = ended;
    event.error = error;
    event.thing = static_cast<std::uint32_t>(index_of(thing)) + 1;
}

std::vector<std::string> SimWorld::log() const {
    std::vector<std::string> lines;
    const auto count = std::min<std::size_t>(shared_->events_count, kMostEvents);
    for (std::size_t i = 0; i < count; ++i) {
        const auto& event = shared_->events[i];
        const auto number = event.thing.load();
        if (number == 0) continue; // being written, or its writer was killed
        std::string line = kCallNames[static_cast<std::size_t>(event.call)];
        if (const char* name = shared_->things[number - 1].name; *name != '\0') line += std::string(" ") + name;
        if (event.ended) line += " = " + std::to_string(event.error);
        lines.push_back(std::move(line));
    }
    return lines;
}

std::size_t SimWorld::position(std::string_view line) const {
    const auto lines = log();
    return static_cast<std::size_t>(std::find(lines.begin(), lines.end(), line) - lines.begin());
}

int SimWorld::freeze(Thing& thing) noexcept {
    // The kernel's freeze is under way from here on, and is completed even when the caller has been killed: see thaw().
    auto state = Frost::thawed;
    if (!thing.frost.compare_exchange_strong(state, Frost::freezing)) return EBUSY;
    const int error = thing.points[static_cast<std::size_t>(SimCall::freeze)].enter();
    state = Frost::freezing;
    thing.frost.compare_exchange_strong(state, error == 0 ? Frost::frozen : Frost::thawed);
    return error;
}

int SimWorld::thaw(Thing& thing) noexcept {
    if (const int error = thing.points[static_cast<std::size_t>(SimCall::thaw)].enter(); error != 0) return error;
    auto& freezing = thing.points[static_cast<std::size_t>(SimCall::freeze)];
    for (int open_for = 0; thing.frost == Frost::freezing; pause()) {
        if (!freezing.closed()) ++open_for;
        if (open_for < 250) continue;
        // Nobody is there any more to say so, but the freeze has come to its end.
        auto state = Frost::freezing;
        thing.frost.compare_exchange_strong(state, Frost::frozen);
    }
    auto state = Frost::frozen;
    if (!thing.frost.compare_exchange_strong(state, Frost::thawed)) return EINVAL;
    if (thing.delicate != 0 && thing.killed != 0) thing.read_only = 1;
    return 0;
}

int SimWorld::device_call(Thing& thing, SimCall call, const char* target) noexcept {
    write_log(thing, call, false, 0);
    const int error = thing.points[static_cast<std::size_t>(call)].enter();
    if (error == 0 && call == SimCall::suspend) thing.suspended = 1;
    if (error == 0 && call == SimCall::load) {
        thing.inactive_target.set(target);
        thing.inactive = 1;
    }
    if (error == 0 && call == SimCall::resume) {
        if (thing.inactive.exchange(0) != 0) thing.live_target.set(thing.inactive_target);
        thing.suspended = 0;
    }
    if (error == 0 && call == SimCall::clear) thing.inactive = 0;
    write_log(thing, call, true, error);
    return error;
}

class SimWorld::FileSystems final : public FreezeKernel {
public:
    explicit FileSystems(std::shared_ptr<SimWorld> world) : world_(std::move(world)) {}
    int sync(int fd) noexcept override {
        auto* const thing = world_->by_fd(fd);
        return thing == nullptr ? EBADF : thing->points[static_cast<std::size_t>(SimCall::sync)].enter();
    }
    int identify(int fd, MountIdentity& identity) noexcept override {
        auto* const thing = world_->by_fd(fd);
        if (thing == nullptr) return EBADF;
        const auto superblock = thing->superblock.load();
        identity.superblock = {static_cast<std::uint32_t>(superblock >> 32U), static_cast<std::uint32_t>(superblock)};
        identity.mount_id = thing->mount_id;
        return thing->points[static_cast<std::size_t>(SimCall::identify)].enter();
    }
    bool killed_thaw_breaks(int fd) noexcept override {
        const auto* const thing = world_->by_fd(fd);
        return thing != nullptr && thing->delicate != 0;
    }
    bool read_only(int fd) noexcept override {
        const auto* const thing = world_->by_fd(fd);
        return thing != nullptr && thing->read_only != 0;
    }
    int freeze(int fd) noexcept override { return logged(fd, SimCall::freeze, &SimWorld::freeze); }
    int thaw(int fd) noexcept override { return logged(fd, SimCall::thaw, &SimWorld::thaw); }

private:
    int logged(int fd, SimCall call, int (SimWorld::*function)(Thing&) noexcept) noexcept {
        auto* const thing = world_->by_fd(fd);
        if (thing == nullptr) return EBADF;
        world_->write_log(*thing, call, false, 0);
        const int error = (*world_.*function)(*thing);
        world_->write_log(*thing, call, true, error);
        return error;
    }
    std::shared_ptr<SimWorld> world_;
};

class SimWorld::Devices final : public DmKernel {
public:
    explicit Devices(std::shared_ptr<SimWorld> world) : world_(std::move(world)) {}
    Result<void> prepare(const Record& record) override {
        steps_.clear();
        for (const auto& slot : record.steps()) {
            Step step{.thing = nullptr, .op = slot.op, .target = {}};
            const auto number = DeviceNumber{slot.major, slot.minor}.text();
            const std::string device = slot.uuid[0] != '\0' ? slot.uuid : number;
            step.thing = &world_->thing(slot.op == DmStep::Op::zero ? record.path(slot) : device, true);
            std::memcpy(step.target.data(), slot.target, step.target.size());
            steps_.push_back(step);
        }
        return {};
    }
    int run(std::size_t index) noexcept override {
        if (index >= steps_.size()) return ENODEV;
        const auto& step = steps_[index];
        const auto call = static_cast<SimCall>(static_cast<std::uint32_t>(SimCall::suspend) + static_cast<std::uint32_t>(step.op));
        return world_->device_call(*step.thing, call, step.target.data());
    }

private:
    struct Step {
        Thing* thing;
        DmStep::Op op;
        std::array<char, 16> target;
    };
    std::shared_ptr<SimWorld> world_;
    std::vector<Step> steps_;
};

class SimWorld::Rcu final : public RcuSwitch {
public:
    explicit Rcu(std::shared_ptr<SimWorld> world) : world_(std::move(world)), thing_(world_->thing("", true)) {}
    Result<void> prepare() override { return {}; }
    std::int32_t expedite() noexcept override {
        world_->write_log(thing_, SimCall::expedite, false, 0);
        const int error = thing_.points[static_cast<std::size_t>(SimCall::expedite)].enter();
        auto& shared = *world_->shared_;
        if (error != 0 || shared.rcu_normal != 0) return -1;
        if (shared.rcu_expedited != 0 && shared.rcu_windows == 0) return -1;
        ++shared.rcu_windows;
        shared.rcu_expedited = 1;
        return 0;
    }
    int restore(std::int32_t value) noexcept override {
        world_->write_log(thing_, SimCall::restore, false, 0);
        const int error = thing_.points[static_cast<std::size_t>(SimCall::restore)].enter();
        auto& shared = *world_->shared_;
        if (error == 0 && value >= 0 && --shared.rcu_windows <= 0) put_back(value);
        return error;
    }
    int force(std::int32_t value) noexcept override {
        world_->write_log(thing_, SimCall::restore, false, 0);
        const int error = thing_.points[static_cast<std::size_t>(SimCall::restore)].enter();
        if (error == 0 && value >= 0) put_back(value);
        return error;
    }

private:
    void put_back(std::int32_t value) noexcept {
        world_->shared_->rcu_windows = 0;
        world_->shared_->rcu_expedited = value;
    }
    std::shared_ptr<SimWorld> world_;
    Thing& thing_;
};

WindowKernel SimWorld::kernel() {
    return {.freeze = std::make_unique<FileSystems>(shared_from_this()),
            .dm = std::make_unique<Devices>(shared_from_this()),
            .rcu = std::make_unique<Rcu>(shared_from_this())};
}

struct ThreadLauncher::State {
    WindowKernel kernel;
    Freezer::Options options;
    std::atomic<bool> ended{false};
};

ThreadLauncher::ThreadLauncher(WindowKernel kernel, Freezer::Options options) : state_(std::make_shared<State>()) {
    state_->kernel = std::move(kernel);
    state_->options = options;
}

ThreadLauncher::~ThreadLauncher() {
    if (!thread_.joinable()) return;
    if (state_->ended) thread_.join();
    else thread_.detach();
}

Result<void> ThreadLauncher::launch(UniqueFd socket) {
    thread_ = std::thread([state = state_, end = std::move(socket)]() mutable {
        auto& kernel = state->kernel;
        Freezer(std::move(end), *kernel.freeze, *kernel.dm, *kernel.rcu, state->options).run();
        state->ended = true;
    });
    return {};
}

bool ThreadLauncher::reap(std::chrono::milliseconds limit) {
    const auto until = Monotonic::now() + limit;
    while (!state_->ended && Monotonic::now() < until) pause();
    if (!state_->ended) return false;
    if (thread_.joinable()) thread_.join();
    return true;
}

} // namespace quiesced
