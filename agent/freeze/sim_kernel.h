// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "freeze/freezer.h"
#include "freeze/freezer_client.h"
#include "freeze/kernel.h"

namespace quiesced {

/// Every call of the window that the simulated kernel knows.
enum class SimCall : std::uint32_t {
    sync, identify, freeze, thaw,           // of a file system
    suspend, resume, load, message, zero,   // of a device-mapper device, zero of a path
    clear,                                  // of a device-mapper device
    expedite, restore,                      // of RCU
};

/// What one call on one thing is made to do. All members may be used at any time, from any thread and process.
class SimPoint {
public:
    /// The next `times` calls answer `error` and do nothing; -1: all of them.
    void fail(int error, int times = -1) noexcept;
    /// Calls wait from now on until open(). Those of a file system's freeze wait as in the kernel: a thaw waits with them.
    void close() noexcept { closed_ = 1; }
    void open() noexcept { closed_ = 0; }
    /// Every call takes this long.
    void delay(std::chrono::nanoseconds length) noexcept { delay_ns_ = length.count(); }
    /// Calls that were begun, and those of them that wait in a closed point.
    [[nodiscard]] std::uint32_t calls() const noexcept { return calls_; }
    [[nodiscard]] std::uint32_t waiting() const noexcept { return waiting_; }
    [[nodiscard]] bool closed() const noexcept { return closed_ != 0; }

private:
    friend class SimWorld;
    int enter() noexcept; ///< counts, waits, delays; the error to answer, or 0
    std::atomic<int> error_{0};
    std::atomic<int> errors_left_{0};
    std::atomic<std::uint32_t> closed_{0};
    std::atomic<std::int64_t> delay_ns_{0};
    std::atomic<std::uint32_t> calls_{0};
    std::atomic<std::uint32_t> waiting_{0};
};

/// A simulated kernel: file systems that freeze and thaw as Linux's do (EBUSY, EINVAL, a thaw waits for a freeze in flight),
/// device-mapper devices that suspend and change tables, the RCU switch; with faults and delays at every call and a log of
/// all. Its state is shared with processes forked later, so that a freezer can be killed and what it held be looked at.
/// Thread-safe. Limits: 1024 things, 16384 logged calls.
class SimWorld : public std::enable_shared_from_this<SimWorld> {
public:
    static std::shared_ptr<SimWorld> create();
    ~SimWorld();
    SimWorld(const SimWorld&) = delete;
    SimWorld& operator=(const SimWorld&) = delete;

    /// Makes a file system and a descriptor on it, whose identity is {250, n} and mount id 1000 + n for the n-th.
    UniqueFd add_file_system(const std::string& name);
    /// Lets a descriptor of a real file or folder stand for a file system.
    void adopt(const std::string& name, int fd, const MountIdentity& identity);
    [[nodiscard]] MountIdentity identity(const std::string& name) const;
    /// As if the descriptor's mount had been replaced.
    void set_identity(const std::string& name, const MountIdentity& identity);

    /// The three interfaces on this world, which they keep alive.
    WindowKernel kernel();

    /// A file system by name, a device by UUID (without one by its number, for zero by path); RCU has no name.
    SimPoint& point(SimCall call, const std::string& name = {});

    [[nodiscard]] bool frozen(const std::string& name) const;
    void freeze_by_somebody_else(const std::string& name);
    void thaw_by_somebody_else(const std::string& name);
    /// Makes it one that a SIGKILL in its thaw turns read-only. `killed`: as if that happened to each thaw from now on.
    void break_by_killed_thaw(const std::string& name, bool killed);
    [[nodiscard]] bool suspended(const std::string& uuid) const;
    [[nodiscard]] std::string live_table(const std::string& uuid) const; ///< target type, empty: none
    [[nodiscard]] bool has_inactive_table(const std::string& uuid) const;
    [[nodiscard]] std::int32_t rcu_expedited() const;
    void set_rcu(std::int32_t expedited, std::int32_t normal);
    /// Names of what is frozen by a simulated FIFREEZE and of what is suspended.
    [[nodiscard]] std::vector<std::string> held() const;

    /// All calls so far: "freeze a" when one begins, "freeze a = 0" when it ends with that errno; in the order in which they
    /// happened. sync and identify are not among them.
    [[nodiscard]] std::vector<std::string> log() const;
    /// Where a line of the log is; log().size() when it is not there.
    [[nodiscard]] std::size_t position(std::string_view line) const;

private:
    struct Thing;
    struct Shared;
    class FileSystems;
    class Devices;
    class Rcu;
    explicit SimWorld(Shared* shared) : shared_(shared) {}
    Thing& thing(const std::string& name, bool device) const;
    Thing* by_fd(int fd) const noexcept;
    std::size_t index_of(const Thing& thing) const noexcept;
    void write_log(const Thing& thing, SimCall call, bool ended, int error) noexcept;
    int freeze(Thing& thing) noexcept;
    int thaw(Thing& thing) noexcept;
    int device_call(Thing& thing, SimCall call, const char* target) noexcept;

    Shared* shared_;
};

/// Runs a Freezer in a thread of this process.
class ThreadLauncher final : public FreezerLauncher {
public:
    explicit ThreadLauncher(WindowKernel kernel, Freezer::Options options = {.lock_memory = false});
    /// Waits for the freezer's end, unless it is stuck: then its thread is left behind.
    ~ThreadLauncher() override;
    Result<void> launch(UniqueFd socket) override;
    bool reap(std::chrono::milliseconds limit) override;
    void kill() noexcept override {} ///< a thread cannot be killed, nor stopped

private:
    struct State;
    std::shared_ptr<State> state_;
    std::thread thread_;
};

} // namespace quiesced
