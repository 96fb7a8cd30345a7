// SPDX-License-Identifier: LGPL-2.1-or-later
#include "freeze/explain.h"

#include <cerrno>
#include <string>
#include <utility>

namespace quiesced {

using Kind = FreezerMessage::Kind;

namespace {

Error make(ErrorKind kind, int number, std::string context, std::string advice) {
    return {.kind = kind, .error_number = number, .context = std::move(context), .advice = std::move(advice), .undone = {}};
}

constexpr const char* kDiskAdvice = "A disk below it does not answer, or a lower file system is frozen: see dmesg and dmsetup info";

/// What the kernel says of it is not known here: a killed FITHAW and a disk that fails end in the same state.
Error turned_read_only(const MemberSlot& slot) {
    return make(ErrorKind::kernel, 0, std::string("the kernel has turned ") + slot.name + " read-only in its thaw",
                "See dmesg. With 'errno=-4' there, the process that thawed it was killed, and what was written is safe. Unmount it and mount it again");
}

} // namespace

std::vector<std::string> explain_read_only(const Record& record) {
    std::vector<std::string> sentences;
    for (const auto& slot : record.members())
        if (slot.thaw_risk.load() == ThawRisk::turned_read_only) sentences.push_back(turned_read_only(slot).message());
    return sentences;
}

std::optional<Error> explain_member(const RecordHeader& header, const MemberSlot& slot) {
    const std::string name = slot.name;
    switch (slot.state.load()) {
    case MemberState::foreign:
    case MemberState::probing:
        if (header.accept_foreign != 0) return std::nullopt;
        return make(ErrorKind::foreign_freeze, 0, name + " was already frozen by somebody else",
                    "Find who did it (another backup agent, fsfreeze); thaw it there, or: fsfreeze -u " + std::string(slot.mount_path));
    case MemberState::refused:
        return make(ErrorKind::no_such_volume, 0, name + " is no longer the file system that the set was prepared with",
                    "It was unmounted or replaced meanwhile; make a new set.");
    case MemberState::failed:
        return make(ErrorKind::kernel, slot.error_number, "cannot freeze " + name, "See the kernel's messages: dmesg");
    case MemberState::freezing:
        return make(ErrorKind::deadline, 0, name + " did not freeze in time; it is thawed as soon as the kernel lets go of it", kDiskAdvice);
    case MemberState::thawing:
        return make(ErrorKind::deadline, 0, "the kernel has not finished the thaw of " + name, kDiskAdvice);
    case MemberState::frozen:
        if (slot.thaw_ended.load() == 0) return std::nullopt;
        return make(ErrorKind::kernel, slot.error_number, "cannot thaw " + name, "See dmesg; then: fsfreeze -u " + std::string(slot.mount_path));
    case MemberState::thawed:
        if (slot.thaw_risk.load() != ThawRisk::turned_read_only) return std::nullopt;
        return turned_read_only(slot);
    case MemberState::idle:
        return std::nullopt;
    }
    return std::nullopt;
}

Error explain_window(const Record& record, Kind kind, std::int32_t result) {
    const auto& header = record.header();
    const auto members = record.members();
    // The one that was late may be back by now; what else there is to say follows from it.
    if (const auto late = header.late_member.load(); late > 0 && static_cast<std::size_t>(late) <= members.size())
        return make(ErrorKind::deadline, 0,
                    std::string(members[static_cast<std::size_t>(late) - 1].name) + " did not freeze within its limit of " +
                        std::to_string(header.member_limit / 1'000'000) + " ms; all others were thawed at once",
                    kDiskAdvice);
    for (const auto& slot : members)
        if (auto problem = explain_member(header, slot)) return std::move(*problem);
    for (const auto& chain : record.chains())
        if (const int number = chain.error_number.load(); number != 0)
            return make(ErrorKind::kernel, number, std::string("device-mapper refused to cut ") + chain.name,
                        number == ENXIO || number == ENODATA ? "Its armed snapshot is gone: somebody removed it, or was about to, after Prepare. Make a new set."
                                                             : "See the kernel's messages: dmesg");
    if (header.deadline_passed.load() != 0 || result == ETIMEDOUT)
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
