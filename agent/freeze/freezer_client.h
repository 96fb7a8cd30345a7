// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "freeze/kernel.h"
#include "freeze/protocol.h"
#include "freeze/record.h"
#include "freeze/rescue.h"

namespace quiesced {

/// Starts the other end of a freezer's socket: a process in the product, a thread in simulations.
class FreezerLauncher {
public:
    virtual ~FreezerLauncher() = default;
    /// Takes the freezer's end of the socket. Errors: kernel, io.
    virtual Result<void> launch(UniqueFd socket) = 0;
    /// Waits for the freezer's end, at most `limit`. False when it goes on: one of its FIFREEZEs is stuck in the kernel, and it has
    /// to live to thaw it.
    virtual bool reap(std::chrono::milliseconds limit) = 0;
    /// Ends a freezer that does not answer, also one that is stopped; from any thread. What it held has to be rescued.
    virtual void kill() noexcept = 0;
};

/// The program quiesced-freezer as a child process, with the socket as its descriptor 3.
class ProcessLauncher final : public FreezerLauncher {
public:
    explicit ProcessLauncher(std::string program) : program_(std::move(program)) {}
    ~ProcessLauncher() override;
    Result<void> launch(UniqueFd socket) override;
    bool reap(std::chrono::milliseconds limit) override;
    void kill() noexcept override;
    [[nodiscard]] int pid() const { return pid_; }

private:
    std::string program_;
    int pid_ = -1;
    UniqueFd pidfd_;
};

/// How a window ended that nobody had asked to end.
struct WindowLoss {
    ErrorKind kind = ErrorKind::deadline; ///< deadline: the freezer thawed by itself; lost: the freezer died, the daemon rescued
    bool killed = false; ///< lost: it had not answered in time, and was killed by us
    RescueReport report;
};

/// The daemon's end of one window. Keeps its own copies of the members' descriptors; when the freezer is lost while
/// it holds something, a thread of this class rescues at once.
///
/// flush, prime, freeze, fire wait for their answer and are called from one thread, in this order; thaw and extend may be
/// called from any thread at any time.
class FreezerClient {
public:
    struct Options {
        std::string record_directory = "/run/quiesced";
        std::chrono::milliseconds ready_limit{10000};
        std::chrono::milliseconds patience{1000}; ///< how long a thaw that is due may not have begun: then the freezer is killed
        std::chrono::milliseconds rescue_patience = kRescuePatience; ///< see rescue()
        std::chrono::milliseconds flush_spare{30000}; ///< beyond its bound, for the pass that is under way then
    };
    /// Writes the record, starts the freezer and gives it everything. `on_loss` is called from a thread of this class, at
    /// most once, after the loss was dealt with; it must not call back into this object nor destroy it.
    static Result<std::unique_ptr<FreezerClient>> start(FreezePlan plan, std::unique_ptr<FreezerLauncher> launcher,
                                                        WindowKernel kernel, Options options,
                                                        std::function<void(const WindowLoss&)> on_loss);
    /// Thaws if need be, ends the freezer, removes the record if nothing is left behind. A freezer of which a FIFREEZE or FITHAW is
    /// stuck in the kernel is left to itself with its record, and so is a rescue: nobody waits for them here.
    ~FreezerClient();
    FreezerClient(const FreezerClient&) = delete;
    FreezerClient& operator=(const FreezerClient&) = delete;

    Result<void> flush(std::chrono::nanoseconds bound);
    Result<void> prime();
    /// `limit`: from the start of the first FIFREEZE. On error all is thawed again and the error names the member.
    Result<void> freeze(std::chrono::nanoseconds limit);
    Result<void> fire();
    /// Idempotent. On error something may still be frozen: see stuck().
    Result<void> thaw();
    /// Errors: deadline when nothing is held any more.
    Result<void> extend(Monotonic::time_point deadline);

    /// For one with something stuck: tells the freezer to end when that has come back. `on_end` is called then, from a thread of
    /// this class or the caller's, once; it must not destroy this object.
    void let_go(std::function<void()> on_end);

    [[nodiscard]] const Record& record() const { return *record_; }
    /// Members whose FIFREEZE or FITHAW has not returned. For after thaw() or a failed freeze().
    [[nodiscard]] std::vector<std::string> stuck() const;

private:
    FreezerClient(Options options, Record record, std::string path, UniqueFd socket, std::vector<UniqueFd> fds,
                  std::unique_ptr<FreezerLauncher> launcher, WindowKernel kernel, std::function<void(const WindowLoss&)> on_loss);
    Result<void> attach(std::chrono::milliseconds limit);
    Result<void> call(FreezerMessage::Kind kind, std::int64_t value, Monotonic::time_point until);
    void read_answers();
    void lose_freezer();
    void await_stuck(const RescueReport& report, const std::shared_ptr<const std::vector<UniqueFd>>& fds);
    void keep_only_stuck();
    void finish_end();
    [[nodiscard]] Monotonic::time_point answer_due() const;
    void tell(const WindowLoss& loss); ///< reader's thread only
    [[nodiscard]] bool freezer_died() const;

    const Options options_;
    std::shared_ptr<const Record> record_;
    std::string path_;
    UniqueFd socket_;
    std::shared_ptr<const std::vector<UniqueFd>> fds_;
    std::unique_ptr<FreezerLauncher> launcher_;
    WindowKernel kernel_;
    std::function<void(const WindowLoss&)> on_loss_;
    mutable std::mutex mutex_;
    std::condition_variable answered_;
    std::array<std::optional<std::int32_t>, 16> answers_; ///< by kind
    bool lost_ = false;    ///< the socket ended
    bool rescued_ = false; ///< and what it held was dealt with
    bool ending_ = false;
    bool clean_ = true;
    bool abandoned_ = false; ///< stuck in the kernel; left behind with its record
    bool told_ = false;      ///< reader's thread only
    bool killed_ = false;    ///< reader's thread only
    bool ended_ = false;     ///< the reader has nothing more to do
    Monotonic::time_point freeze_until_ = Monotonic::time_point::max(); ///< the deadline as asked for; the record may not have one yet
    Monotonic::time_point thaw_asked_ = Monotonic::time_point::max();
    std::function<void()> on_end_;
    std::thread reader_;
};

} // namespace quiesced
