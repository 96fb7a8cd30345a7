// SPDX-License-Identifier: LGPL-2.1-or-later
#include "freeze/freezer_client.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/scope_exit.h"
#include "freeze/linux_kernel.h"
#include "freeze/process_identity.h"
#include "freeze/recovery.h"

namespace quiesced {

using Kind = FreezerMessage::Kind;

namespace {

/// A freezer that answers at all answers in microseconds; only file systems and disks take longer.
constexpr std::chrono::seconds kThawLimit{30};
constexpr std::chrono::seconds kPrimeLimit{60};
constexpr std::chrono::seconds kSpare{5};
/// How often the reader looks whether a silent freezer still lives.
constexpr std::chrono::milliseconds kLook{200};

} // namespace

WindowKernel WindowKernel::linux() {
    return {.freeze = std::make_unique<LinuxFreezeKernel>(),
            .dm = std::make_unique<LinuxDmKernel>(),
            .rcu = std::make_unique<LinuxRcuSwitch>()};
}

FreezerClient::FreezerClient(Record record, std::string path, UniqueFd socket, std::vector<UniqueFd> fds,
                             std::unique_ptr<FreezerLauncher> launcher, WindowKernel kernel,
                             std::function<void(const WindowLoss&)> on_loss)
    : record_(std::move(record)), path_(std::move(path)), socket_(std::move(socket)), fds_(std::move(fds)),
      launcher_(std::move(launcher)), kernel_(std::move(kernel)), on_loss_(std::move(on_loss)) {}

Result<std::unique_ptr<FreezerClient>> FreezerClient::start(FreezePlan plan, std::unique_ptr<FreezerLauncher> launcher,
                                                            WindowKernel kernel, Options options,
                                                            std::function<void(const WindowLoss&)> on_loss) {
    const std::string path = options.record_directory + "/" + plan.set + kRecordSuffix;
    auto record = Record::create(path, plan);
    if (!record) return pass(record);
    ScopeExit remove([&path] { ::unlink(path.c_str()); });
    // Our own way to mend things is made ready before anything can break.
    if (auto prepared = kernel.dm->prepare(*record); !prepared) return pass(prepared);
    if (auto prepared = kernel.rcu->prepare(); !prepared) return pass(prepared);

    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0)
        return fail_errno("cannot make the freezer's socket");
    UniqueFd ours(ends[0]);
    UniqueFd theirs(ends[1]);
    if (auto launched = launcher->launch(std::move(theirs)); !launched) return pass(launched);

    std::vector<UniqueFd> fds;
    for (auto& member : plan.members) fds.push_back(std::move(member.fd));
    auto client = std::unique_ptr<FreezerClient>(new FreezerClient( // house-allow(new): private constructor, owned at once
        std::move(*record), path, std::move(ours), std::move(fds), std::move(launcher), std::move(kernel), std::move(on_loss)));
    remove.dismiss();
    client->reader_ = std::thread([raw = client.get()] { raw->read_answers(); });
    if (auto attached = client->attach(options.ready_limit); !attached) return pass(attached);
    return client;
}

Result<void> FreezerClient::attach(std::chrono::milliseconds limit) {
    std::vector<int> all{record_.fd()};
    for (const auto& fd : fds_) all.push_back(fd.get());
    for (std::size_t first = 0; first < all.size(); first += kDescriptorsPerMessage) {
        const auto last = std::min(all.size(), first + kDescriptorsPerMessage);
        const std::vector<int> part(all.begin() + static_cast<std::ptrdiff_t>(first), all.begin() + static_cast<std::ptrdiff_t>(last));
        if (auto sent = send_message(socket_.get(), {.kind = Kind::attach, .result = 0, .value = 0}, part); !sent) return sent;
    }
    return call(Kind::ready, 0, Monotonic::now() + limit);
}

FreezerClient::~FreezerClient() {
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    static_cast<void>(send_message(socket_.get(), {.kind = Kind::quit, .result = 0, .value = 0}));
    // The freezer thaws on quit; its end closes the socket, which ends the reader. One that is stuck in the kernel stays:
    // it thaws when its FIFREEZE returns, and its record stays with it.
    const bool gone = launcher_->reap(kThawLimit);
    {
        // A freezer that is alive is the one to thaw what it has in flight; a second FITHAW would only wait with it.
        const std::lock_guard lock(mutex_);
        abandoned_ = !gone;
    }
    ::shutdown(socket_.get(), SHUT_RDWR);
    if (reader_.joinable()) reader_.join();
    if (gone && clean_) ::unlink(path_.c_str());
    else record_.header().daemon_pid = 0; // from now on it is recover()'s
}

Result<void> FreezerClient::call(Kind kind, std::int64_t value, Monotonic::time_point until) {
    const auto index = static_cast<std::size_t>(kind);
    std::unique_lock lock(mutex_);
    answers_.at(index).reset();
    if (lost_) {
        answered_.wait_for(lock, kThawLimit, [this] { return rescued_; });
        return tl::unexpected<Error>(explain(kind, EPIPE));
    }
    if (auto sent = send_message(socket_.get(), {.kind = kind, .result = 0, .value = value}); !sent && sent.error().kind != ErrorKind::lost)
        return sent;
    const auto left = until - Monotonic::now();
    const bool in_time = answered_.wait_for(lock, left, [&] { return answers_.at(index).has_value() || rescued_; });
    if (!in_time)
        return fail(ErrorKind::deadline, "the freezer did not answer in time", "Look for a disk that does not answer: dmesg, dmsetup info");
    const auto result = answers_.at(index).value_or(EPIPE);
    if (result == 0) return {};
    return tl::unexpected<Error>(explain(kind, result));
}

void FreezerClient::read_answers() {
    for (;;) {
        auto received = receive_message(socket_.get(), Monotonic::now() + kLook);
        if (!received && received.error().kind == ErrorKind::deadline && !freezer_died()) continue;
        if (!received) break;
        const auto& message = received->message;
        if (message.kind == Kind::deadline) {
            tell({.kind = ErrorKind::deadline, .report = {}});
            continue;
        }
        const auto index = static_cast<std::size_t>(message.kind);
        const std::lock_guard lock(mutex_);
        if (index < answers_.size()) answers_.at(index) = message.result;
        answered_.notify_all();
    }
    lose_freezer();
}

bool FreezerClient::freezer_died() const {
    // Killed while a thread of it waits in FIFREEZE: the kernel keeps its end of the socket open until that returns, which
    // may be never, and what else it froze has nobody but us.
    const auto& header = record_.header();
    const ProcessIdentity freezer{.pid = header.freezer_pid.load(), .start = header.freezer_start.load()};
    return freezer.pid != 0 && !process_alive(freezer);
}

void FreezerClient::tell(const WindowLoss& loss) {
    if (!std::exchange(told_, true) && on_loss_) on_loss_(loss);
}

void FreezerClient::lose_freezer() {
    {
        const std::lock_guard lock(mutex_);
        lost_ = true;
        if (abandoned_) return;
    }
    // Also after an orderly end: then the record shows that there is nothing to do.
    auto report = rescue(record_, fds_, *kernel_.freeze, *kernel_.dm, *kernel_.rcu);
    bool unexpected = false;
    {
        const std::lock_guard lock(mutex_);
        clean_ = report.failed.empty();
        rescued_ = true;
        unexpected = !ending_;
        answered_.notify_all();
    }
    if (unexpected) tell({.kind = ErrorKind::lost, .report = std::move(report)});
}

Result<void> FreezerClient::flush(std::chrono::nanoseconds bound) {
    return call(Kind::flush, bound.count(), Monotonic::now() + bound + kThawLimit);
}
Result<void> FreezerClient::prime() { return call(Kind::prime, 0, Monotonic::now() + kPrimeLimit); }
Result<void> FreezerClient::freeze(std::chrono::nanoseconds limit) {
    return call(Kind::freeze, limit.count(), Monotonic::now() + limit + kSpare);
}
Result<void> FreezerClient::fire() { return call(Kind::fire, 0, Monotonic::now() + kPrimeLimit); }

Result<void> FreezerClient::thaw() {
    auto result = call(Kind::thaw, 0, Monotonic::now() + kThawLimit);
    if (result) return result;
    // The freezer is gone; the rescue that answered the call in its place has thawed all it could.
    const std::lock_guard lock(mutex_);
    if (rescued_ && clean_) return {};
    return result;
}

Result<void> FreezerClient::extend(Monotonic::time_point deadline) {
    return call(Kind::extend, deadline.time_since_epoch().count(), Monotonic::now() + kSpare);
}

std::vector<std::string> FreezerClient::stuck() const {
    std::vector<std::string> names;
    for (const auto& slot : record_.members()) {
        const auto state = slot.state.load();
        if (state == MemberState::freezing || state == MemberState::thawing) names.emplace_back(slot.name);
    }
    return names;
}

Error FreezerClient::explain(Kind kind, std::int32_t result) const {
    const auto make = [](ErrorKind error_kind, int number, std::string context, std::string advice) {
        return Error{.kind = error_kind, .error_number = number, .context = std::move(context), .advice = std::move(advice), .undone = {}};
    };
    for (const auto& slot : record_.members()) {
        const std::string name = slot.name;
        switch (slot.state.load()) {
        case MemberState::foreign:
            return make(ErrorKind::foreign_freeze, 0, name + " was already frozen by somebody else",
                        "Find who did it (another backup agent, fsfreeze); thaw it there, or: fsfreeze -u " + name);
        case MemberState::refused:
            return make(ErrorKind::no_such_volume, 0, name + " is no longer the file system that the set was prepared with",
                        "It was unmounted or replaced meanwhile; make a new set.");
        case MemberState::failed:
            return make(ErrorKind::kernel, slot.error_number, "cannot freeze " + name, "See the kernel's messages: dmesg");
        case MemberState::freezing:
            return make(ErrorKind::deadline, 0, name + " did not freeze in time; it is thawed as soon as the kernel lets go of it",
                        "A disk below it does not answer, or a lower file system is frozen: see dmesg and dmsetup info");
        case MemberState::thawing:
            return make(ErrorKind::deadline, 0, "the kernel has not finished the thaw of " + name,
                        "A disk below it does not answer: see dmesg and dmsetup info");
        default:
            break;
        }
        if (slot.state.load() == MemberState::frozen && slot.thaw_ended.load() != 0)
            return make(ErrorKind::kernel, slot.error_number, "cannot thaw " + name, "See dmesg; then: fsfreeze -u " + name);
    }
    for (const auto& chain : record_.chains())
        if (const int number = chain.error_number.load(); number != 0)
            return make(ErrorKind::kernel, number, std::string("device-mapper refused to cut ") + chain.name, "See the kernel's messages: dmesg");
    if (record_.header().deadline_passed.load() != 0 || result == ETIMEDOUT)
        return make(ErrorKind::deadline, 0, "the set's deadline passed and everything was thawed",
                    "Ask for a longer deadline, or call KeepAlive in time.");
    if (result == EPIPE)
        return make(ErrorKind::lost, 0, "the freezer process is gone; what it held was thawed and resumed", "See the journal for its end.");
    if ((kind == Kind::freeze || kind == Kind::fire) && result == EIO)
        return make(ErrorKind::wrong_state, 0, "the window was ended by a thaw before all was done", "");
    if (kind == Kind::ready)
        return make(ErrorKind::kernel, result, "the freezer could not get ready", "See the kernel's messages: dmesg");
    return make(ErrorKind::internal, result, "the freezer failed", "");
}

} // namespace quiesced
