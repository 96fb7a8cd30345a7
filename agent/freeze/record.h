// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "freeze/dm_chain.h"

namespace quiesced {

/// A file system to freeze, as planned by the daemon.
struct PlannedMember {
    std::string name;           ///< Volume::name
    std::string mount_path;     ///< where `fd` was opened
    DeviceNumber superblock;    ///< st_dev that the fd must have
    std::uint64_t mount_id = 0; ///< mount that the fd must be on
    int level = 0;              ///< 0 is frozen first and thawed last: lower levels lie in files of higher ones
    bool carried = false;       ///< frozen along because it lies in a file of a member; no member itself
    UniqueFd fd;                ///< open on the mount; the freezer gets a copy
};

/// All that the freezer will do, fixed before the window.
struct FreezePlan {
    std::string set;
    std::vector<PlannedMember> members;
    std::vector<DmChain> chains;
    bool expedite_rcu = true;
    bool accept_foreign = false;             ///< a member that somebody else froze counts as frozen; it is never thawed by us
    std::chrono::nanoseconds member_limit{0}; ///< longest time for one FIFREEZE; 0: the deadline alone
};

/// The record of a window: plan and progress in one file below /run, mapped by the daemon and the freezer at the same
/// time. It is written whole before the first FIFREEZE, so that whoever is left (the daemon, `quiesced --recover`) knows
/// by it what is frozen, suspended or primed; and progress costs no system call inside the window. All of it is plain data
/// at fixed offsets: no pointers. Layout version kVersion; a record of another version is refused.
///
/// Progress fields are atomics written by the freezer's threads and may be read at any time.

enum class MemberState : std::uint32_t {
    idle,
    freezing, ///< FIFREEZE was called and has not returned
    frozen,
    thawing,
    thawed,
    foreign, ///< EBUSY: somebody else had frozen it; never thawed by us
    refused, ///< the fd was not on the planned mount; nothing was called
    failed,  ///< FIFREEZE returned an error
    probing, ///< foreign and accepted: a second FIFREEZE asks whether it still is; see MemberWorkers
};

/// Of a file system that a SIGKILL in its thaw would turn read-only (FreezeKernel::killed_thaw_breaks).
enum class ThawRisk : std::uint32_t { none, watched, turned_read_only };

struct MemberSlot {
    std::uint32_t superblock_major;
    std::uint32_t superblock_minor;
    std::uint64_t mount_id;
    std::int32_t level;
    std::uint32_t carried;
    std::atomic<MemberState> state;
    std::atomic<std::int32_t> error_number;     ///< errno of what failed last, 0
    std::atomic<std::int64_t> flush_ns;         ///< length of the last pre-flush pass
    std::atomic<std::int64_t> flush_total_ns;   ///< of all passes
    std::atomic<std::int64_t> freeze_started;   ///< Monotonic, ns; 0: not yet
    std::atomic<std::int64_t> freeze_ended;
    std::atomic<std::int64_t> thaw_started;
    std::atomic<std::int64_t> thaw_ended;
    std::atomic<std::uint32_t> thaw_wanted;     ///< whoever returns from FIFREEZE late thaws at once
    std::atomic<std::int32_t> thread;           ///< the freezer's thread for it; 0: not started
    std::atomic<std::uint32_t> foreign;         ///< 1: our FIFREEZE was answered by EBUSY
    std::atomic<ThawRisk> thaw_risk;
    std::atomic<std::int64_t> foreign_until;    ///< Monotonic, ns: somebody else's freeze was still there; 0: not known
    char name[256];                             ///< cut when longer, NUL-terminated
    char mount_path[512];                       ///< likewise; for recovery
};

enum class StepState : std::uint32_t { idle, running, done, failed, skipped };
enum class StepPhase : std::uint32_t { prime, fire, unprime };

struct StepSlot {
    DmStep::Op op;
    StepPhase phase;
    std::uint32_t chain;
    std::uint32_t read_only;
    std::uint64_t sectors;
    std::uint32_t text_offset; ///< into the text area
    std::uint32_t text_length;
    std::uint32_t path_offset; ///< zero: the device's path, NUL-terminated, in the text area
    std::atomic<StepState> state;
    std::atomic<std::int32_t> error_number;
    std::atomic<std::int64_t> started; ///< Monotonic, ns
    std::atomic<std::int64_t> ended;
    std::uint32_t major;  ///< of the device, where `uuid` is empty
    std::uint32_t minor;
    char uuid[129];   ///< DM_UUID_LEN, NUL-terminated
    char target[16];  ///< DM_MAX_TYPE_NAME
};

/// What a step's error means in its phase: an unprime of a device that is gone, since somebody removed what was armed (ENXIO), has
/// nothing to bring back.
constexpr int outcome_of(StepPhase phase, int error) noexcept { return phase == StepPhase::unprime && error == ENXIO ? 0 : error; }

/// Both steps are of one dm device.
bool same_device(const StepSlot& a, const StepSlot& b) noexcept;

enum class ChainState : std::uint32_t {
    idle,
    priming,
    primed,
    firing,
    fired,    ///< cut: the snapshot is that of the window
    failed,   ///< prime or fire failed before the cut; needs unprime
    unprimed, ///< back as armed, or empty
};

struct ChainSlot {
    std::uint32_t group; ///< index of the chains' shared lock
    std::uint32_t reserved;
    std::atomic<ChainState> state;
    std::atomic<std::int32_t> error_number;
    char name[256];
};

struct RecordHeader {
    std::uint64_t magic;
    std::uint32_t version;
    std::uint32_t size; ///< of the whole record, bytes
    char set[32];
    std::uint32_t expedite_rcu;
    std::atomic<std::int32_t> saved_rcu;        ///< value to put back; -1: nothing to put back
    std::atomic<std::int64_t> window_started;   ///< Monotonic, ns: start of the first FIFREEZE
    std::atomic<std::int64_t> window_ended;     ///< return of the last FITHAW
    std::atomic<std::int64_t> deadline;         ///< Monotonic, ns
    std::atomic<std::uint32_t> deadline_passed; ///< 1: the freezer thawed by itself
    std::uint32_t accept_foreign;
    std::int64_t member_limit;                  ///< ns, 0: none
    std::atomic<std::int32_t> late_member;      ///< index + 1 of the member that passed the limit; 0: none
    std::atomic<std::uint32_t> journal_relinquished; ///< 1: journald was told to leave /var, and has to be told to return
    std::atomic<std::int64_t> thaw_began;       ///< Monotonic, ns: the freezer has taken notice of the thaw
    std::atomic<std::int64_t> thaw_done;        ///< Monotonic, ns: nothing is held, but for what is stuck in the kernel
    std::atomic<std::int64_t> minor_faults;     ///< of the freezer, in the window; -1: not measured
    std::atomic<std::int64_t> major_faults;     ///< likewise
    std::atomic<std::int64_t> peak_rss;         ///< of the freezer, bytes; 0: not measured
    std::atomic<std::int32_t> freezer_pid;      ///< 0: not ready yet
    std::atomic<std::int64_t> freezer_start;    ///< see ProcessIdentity
    std::atomic<std::int32_t> daemon_pid;       ///< 0: it has given the record up
    std::int32_t reserved;
    std::atomic<std::int64_t> daemon_start;
    std::uint32_t members_offset, members_count;
    std::uint32_t chains_offset, chains_count;
    std::uint32_t steps_offset, steps_count;
    std::uint32_t text_offset, text_size;
};

/// The mapping of a record. Move-only; unmapped at the end, the file stays until remove_record().
class Record {
public:
    static constexpr std::uint64_t kMagic = 0x3164636573656975; // "uiesecd1" in memory
    static constexpr std::uint32_t kVersion = 3;

    /// Writes the plan to `path` (0600, must not exist) and maps it; the caller is the record's daemon. On error no file is
    /// left. Errors: kernel, io, limit.
    static Result<Record> create(const std::string& path, const FreezePlan& plan);
    /// Maps an existing record. Checks magic, version, size, every offset and text. Errors: io.
    static Result<Record> map(UniqueFd fd);

    Record(Record&& other) noexcept;
    Record& operator=(Record&& other) noexcept;
    Record(const Record&) = delete;
    Record& operator=(const Record&) = delete;
    ~Record();

    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] RecordHeader& header() const { return *at<RecordHeader>(0); }
    [[nodiscard]] std::span<MemberSlot> members() const;
    [[nodiscard]] std::span<ChainSlot> chains() const;
    [[nodiscard]] std::span<StepSlot> steps() const;
    [[nodiscard]] std::string_view text(const StepSlot& step) const;
    /// NUL-terminated, valid as long as the record.
    [[nodiscard]] const char* path(const StepSlot& step) const;

private:
    Record(UniqueFd fd, std::byte* base, std::size_t size) : fd_(std::move(fd)), base_(base), size_(size) {}
    template <typename T>
    T* at(std::size_t offset) const {
        return reinterpret_cast<T*>(base_ + offset); // offsets were checked by create() or map()
    }
    [[nodiscard]] Result<void> check() const;
    UniqueFd fd_;
    std::byte* base_ = nullptr;
    std::size_t size_ = 0;
};

static_assert(std::atomic<std::int64_t>::is_always_lock_free && std::atomic<MemberState>::is_always_lock_free,
              "shared between processes");

/// Whoever kills a whole service sends SIGKILL to one process after another. One of them that is to thaw in place of a lost one may
/// be the next, some milliseconds later: it waits 30 ms for its own end before its first FITHAW, where one of the members that
/// are frozen does not bear a killed FITHAW (ThawRisk). Whoever recovers then, thaws. Returns at once where there is none.
void await_own_end(const Record& record) noexcept;

inline std::int64_t monotonic_ns() { return Monotonic::now().time_since_epoch().count(); }

} // namespace quiesced
