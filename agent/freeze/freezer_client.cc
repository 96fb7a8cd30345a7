// SPDX-License-Identifier: LGPL-2.1-or-later
#include "freeze/freezer_client.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "base/scope_exit.h"
#include "freeze/explain.h"
#include "freeze/freezer.h"
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
/// How often the end of a client looks whether what is left is stuck.
constexpr std::chrono::milliseconds kSlice{20};

/// All is thawed and no snapshot is left primed.
bool nothing_to_do(const Record& record) {
    const auto chains = record.chains();
    return record.header().thaw_done.load() != 0 && std::none_of(chains.begin(), chains.end(), [](const ChainSlot& chain) {
               const auto state = chain.state.load();
               return state != ChainState::idle && state != ChainState::fired && state != ChainState::unprimed;
           });
}

} // namespace

WindowKernel WindowKernel::linux() {
    return {.freeze = std::make_unique<LinuxFreezeKernel>(),
            .dm = std::make_unique<LinuxDmKernel>(),
            .rcu = std::make_unique<LinuxRcuSwitch>()};
}

FreezerClient::FreezerClient(Options options, Record record, std::string path, UniqueFd socket, std::vector<UniqueFd> fds,
                             std::unique_ptr<FreezerLauncher> launcher, WindowKernel kernel,
                             std::function<void(const WindowLoss&)> on_loss)
    : options_(std::move(options)), record_(std::make_shared<const Record>(std::move(record))), path_(std::move(path)),
      socket_(std::move(socket)), fds_(std::make_shared<const std::vector<UniqueFd>>(std::move(fds))),
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
        options, std::move(*record), path, std::move(ours), std::move(fds), std::move(launcher), std::move(kernel), std::move(on_loss)));
    remove.dismiss();
    client->reader_ = std::thread([raw = client.get()] { raw->read_answers(); });
    if (auto attached = client->attach(options.ready_limit); !attached) return pass(attached);
    return client;
}

Result<void> FreezerClient::attach(std::chrono::milliseconds limit) {
    std::vector<int> all{record_->fd()};
    for (const auto& fd : *fds_) all.push_back(fd.get());
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
        thaw_asked_ = std::min(thaw_asked_, Monotonic::now());
    }
    static_cast<void>(send_message(socket_.get(), {.kind = Kind::quit, .result = 0, .value = 0}));
    // The freezer thaws on quit; its end closes the socket, which ends the reader. One that is stuck in the kernel stays:
    // it thaws when its FIFREEZE returns, and its record stays with it.
    auto until = Monotonic::now() + kThawLimit;
    bool gone = launcher_->reap(kSlice);
    const auto rescued = [this] {
        const std::lock_guard lock(mutex_);
        return rescued_;
    };
    const auto only_stuck = [&] { return (record_->header().thaw_done.load() != 0 || rescued()) && !stuck().empty(); };
    while (!gone && Monotonic::now() < until && !only_stuck()) {
        gone = launcher_->reap(kSlice);
        // What is left of it then is a thread in a syncfs on a disk that does not answer.
        if (nothing_to_do(*record_)) until = std::min(until, Monotonic::now() + options_.patience);
    }
    {
        // A freezer that is alive is the one to thaw what it has in flight; a second FITHAW would only wait with it.
        const std::lock_guard lock(mutex_);
        abandoned_ = true;
        clean_ = clean_ && gone;
    }
    ::shutdown(socket_.get(), SHUT_RDWR);
    if (reader_.joinable()) reader_.join();
    // From now on it is recover()'s. While FITHAWs of ours are in flight they are this process's: nobody needs a second one.
    if (clean_) ::unlink(path_.c_str());
    else if (!rescued() || stuck().empty()) record_->header().daemon_pid = 0;
}

void FreezerClient::let_go(std::function<void()> on_end) {
    bool over = false;
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
        over = ended_;
        if (!over) on_end_ = std::move(on_end);
        if (!over && !lost_) keep_only_stuck();
    }
    if (over) {
        on_end();
        return;
    }
    static_cast<void>(send_message(socket_.get(), {.kind = Kind::quit, .result = 0, .value = 0}));
}

/// The others can be unmounted, and their snapshots removed. mutex_ is held.
void FreezerClient::keep_only_stuck() {
    auto kept = std::make_shared<std::vector<UniqueFd>>(fds_->size());
    const auto slots = record_->members();
    for (std::size_t i = 0; i < kept->size(); ++i) {
        const auto state = slots[i].state.load();
        const bool held = state == MemberState::freezing || state == MemberState::frozen || state == MemberState::thawing;
        if (held) (*kept)[i] = UniqueFd(::fcntl((*fds_)[i].get(), F_DUPFD_CLOEXEC, 0));
    }
    fds_ = std::move(kept);
    if (nothing_to_do(*record_)) kernel_.dm->release();
}

void FreezerClient::finish_end() {
    std::function<void()> on_end;
    {
        const std::lock_guard lock(mutex_);
        ended_ = true;
        on_end.swap(on_end_);
    }
    if (on_end) on_end();
}

Result<void> FreezerClient::call(Kind kind, std::int64_t value, Monotonic::time_point until) {
    const auto index = static_cast<std::size_t>(kind);
    std::unique_lock lock(mutex_);
    answers_.at(index).reset();
    if (lost_) {
        answered_.wait_for(lock, kThawLimit, [this] { return rescued_; });
        return tl::unexpected<Error>(explain_window(*record_, kind, EPIPE));
    }
    if (auto sent = send_message(socket_.get(), {.kind = kind, .result = 0, .value = value}); !sent && sent.error().kind != ErrorKind::lost)
        return sent;
    const auto left = until - Monotonic::now();
    const bool in_time = answered_.wait_for(lock, left, [&] { return answers_.at(index).has_value() || rescued_; });
    if (!in_time)
        return fail(ErrorKind::deadline, "the freezer did not answer in time", "Look for a disk that does not answer: dmesg, dmsetup info");
    const auto result = answers_.at(index).value_or(EPIPE);
    if (result == 0) return {};
    return tl::unexpected<Error>(explain_window(*record_, kind, result));
}

void FreezerClient::read_answers() {
    for (;;) {
        const auto due = answer_due();
        auto received = receive_message(socket_.get(), std::min(Monotonic::now() + kLook, due));
        if (!received && received.error().kind == ErrorKind::deadline && !freezer_died()) {
            // It is stopped, or starved, while writers wait: what it holds is released in its place. SIGKILL ends a stopped one, too.
            if (Monotonic::now() >= due && Monotonic::now() >= answer_due() && !std::exchange(killed_, true)) launcher_->kill();
            continue;
        }
        if (!received) break;
        const auto& message = received->message;
        if (message.kind == Kind::deadline) {
            tell({.kind = ErrorKind::deadline, .killed = false, .report = {}});
            continue;
        }
        const auto index = static_cast<std::size_t>(message.kind);
        const std::lock_guard lock(mutex_);
        if (index < answers_.size()) answers_.at(index) = message.result;
        if (message.kind == Kind::thaw) thaw_asked_ = Monotonic::time_point::max();
        answered_.notify_all();
    }
    lose_freezer();
    finish_end();
}

/// When the freezer must have shown a sign of the thaw that is due; max() while none is.
Monotonic::time_point FreezerClient::answer_due() const {
    constexpr auto never = Monotonic::time_point::max();
    if (killed_) return never;
    const auto& header = record_->header();
    const std::lock_guard lock(mutex_);
    if (header.thaw_done.load() != 0) return never;
    if (const auto began = header.thaw_began.load(); began != 0) {
        std::int32_t levels = 1;
        for (const auto& slot : record_->members()) levels = std::max(levels, slot.level + 1);
        return Monotonic::time_point(std::chrono::nanoseconds(began)) + Freezer::longest_thaw(levels) + options_.patience;
    }
    const auto deadline = header.deadline.load();
    const auto until = deadline != 0 ? Monotonic::time_point(std::chrono::nanoseconds(deadline)) : freeze_until_;
    const auto due = std::min(until, thaw_asked_);
    return due == never ? never : due + options_.patience;
}

bool FreezerClient::freezer_died() const {
    // Killed while a thread of it waits in FIFREEZE: the kernel keeps its end of the socket open until that returns, which
    // may be never, and what else it froze has nobody but us.
    const auto& header = record_->header();
    const ProcessIdentity freezer{.pid = header.freezer_pid.load(), .start = header.freezer_start.load()};
    return freezer.pid != 0 && !process_alive(freezer);
}

void FreezerClient::tell(const WindowLoss& loss) {
    if (!std::exchange(told_, true) && on_loss_) on_loss_(loss);
}

void FreezerClient::lose_freezer() {
    std::shared_ptr<const std::vector<UniqueFd>> fds;
    {
        const std::lock_guard lock(mutex_);
        lost_ = true;
        fds = fds_;
        if (abandoned_ && !launcher_->reap(std::chrono::milliseconds(0))) return;
    }
    // Also after an orderly end: then the record shows that there is nothing to do.
    auto report = rescue(record_, fds, kernel_, options_.rescue_patience);
    bool unexpected = false;
    {
        const std::lock_guard lock(mutex_);
        clean_ = report.failed.empty();
        rescued_ = true;
        unexpected = !ending_;
        answered_.notify_all();
    }
    const auto read_only = explain_read_only(*record_);
    report.failed.insert(report.failed.end(), read_only.begin(), read_only.end());
    if (unexpected) tell({.kind = ErrorKind::lost, .killed = killed_, .report = report});
    await_stuck(report, fds);
}

void FreezerClient::await_stuck(const RescueReport& report, const std::shared_ptr<const std::vector<UniqueFd>>& fds) {
    if (report.stuck.empty()) return;
    const auto abandoned = [this] {
        const std::lock_guard lock(mutex_);
        return abandoned_;
    };
    while (!report.pending->wait(kLook))
        if (abandoned()) return;
    // All have come back; what else failed is seen by asking once more.
    const auto rest = rescue(record_, fds, kernel_, options_.rescue_patience);
    const std::lock_guard lock(mutex_);
    clean_ = rest.failed.empty();
}

Result<void> FreezerClient::flush(std::chrono::nanoseconds bound) {
    auto result = call(Kind::flush, bound.count(), Monotonic::now() + bound + options_.flush_spare);
    if (result || result.error().kind != ErrorKind::deadline || record_->header().thaw_began.load() != 0) return result;
    std::string names;
    for (const auto& slot : record_->members())
        if (slot.flush_ns.load() == 0) names += (names.empty() ? "" : ", ") + std::string(slot.name);
    if (!names.empty()) result.error().context = "what is to be written to " + names + " could not be written in time; nothing was frozen";
    return result;
}
Result<void> FreezerClient::prime() { return call(Kind::prime, 0, Monotonic::now() + kPrimeLimit); }
Result<void> FreezerClient::freeze(std::chrono::nanoseconds limit) {
    {
        const std::lock_guard lock(mutex_);
        freeze_until_ = Monotonic::now() + limit;
    }
    return call(Kind::freeze, limit.count(), Monotonic::now() + limit + kSpare);
}
Result<void> FreezerClient::fire() { return call(Kind::fire, 0, Monotonic::now() + kPrimeLimit); }

Result<void> FreezerClient::thaw() {
    {
        const std::lock_guard lock(mutex_);
        if (!lost_) thaw_asked_ = std::min(thaw_asked_, Monotonic::now());
    }
    auto result = call(Kind::thaw, 0, Monotonic::now() + kThawLimit);
    const std::lock_guard lock(mutex_);
    note_read_only(*record_, *fds_, *kernel_.freeze);
    if (result) return result;
    // The freezer is gone; the rescue that answered the call in its place has thawed all it could.
    if (rescued_ && clean_) return {};
    return result;
}

Result<void> FreezerClient::extend(Monotonic::time_point deadline) {
    return call(Kind::extend, deadline.time_since_epoch().count(), Monotonic::now() + kSpare);
}

std::vector<std::string> FreezerClient::stuck() const {
    std::vector<std::string> names;
    for (const auto& slot : record_->members()) {
        const auto state = slot.state.load();
        if (state == MemberState::freezing || state == MemberState::thawing || state == MemberState::probing) names.emplace_back(slot.name);
    }
    return names;
}

} // namespace quiesced
