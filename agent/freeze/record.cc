// SPDX-License-Identifier: LGPL-2.1-or-later
#include "freeze/record.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <map>
#include <new>

#include "base/file.h"
#include "base/scope_exit.h"
#include "freeze/process_identity.h"

namespace quiesced {
namespace {

constexpr std::int32_t kMostLevels = 1024;  ///< the kernel nests file systems in files far less deep
constexpr std::size_t kLargest = 16U << 20U; ///< bytes; 256 members and chains take about half a MiB

std::size_t aligned(std::size_t size) { return (size + 63U) & ~std::size_t{63}; }

template <std::size_t N>
void copy_text(char (&to)[N], std::string_view from) {
    const auto length = std::min(from.size(), N - 1);
    std::memcpy(to, from.data(), length);
    to[length] = '\0';
}

struct Layout {
    std::size_t members, chains, steps, text, size;
};

/// Collects texts and where each begins.
class TextArea {
public:
    std::uint32_t add(std::string_view text) {
        const auto offset = static_cast<std::uint32_t>(content_.size());
        content_ += text;
        content_ += '\0';
        return offset;
    }
    [[nodiscard]] const std::string& content() const { return content_; }

private:
    std::string content_;
};

struct FlatStep {
    const DmStep* step;
    StepPhase phase;
    std::uint32_t chain;
    std::uint32_t text_offset;
    std::uint32_t path_offset;
};

std::vector<FlatStep> flatten(const std::vector<DmChain>& chains, TextArea& texts) {
    std::vector<FlatStep> flat;
    const auto add = [&](const std::vector<DmStep>& steps, StepPhase phase, std::size_t chain) {
        for (const auto& step : steps)
            flat.push_back({&step, phase, static_cast<std::uint32_t>(chain), texts.add(step.text), texts.add(step.path)});
    };
    for (std::size_t i = 0; i < chains.size(); ++i) {
        add(chains[i].prime, StepPhase::prime, i);
        add(chains[i].fire, StepPhase::fire, i);
        add(chains[i].unprime, StepPhase::unprime, i);
    }
    return flat;
}

/// Index of the chain's group: chains with the same name share one, chains without a name have their own.
std::vector<std::uint32_t> group_indexes(const std::vector<DmChain>& chains) {
    std::map<std::string, std::uint32_t> known;
    std::vector<std::uint32_t> indexes;
    for (std::size_t i = 0; i < chains.size(); ++i) {
        const auto own = static_cast<std::uint32_t>(i);
        indexes.push_back(chains[i].group.empty() ? own : known.try_emplace(chains[i].group, own).first->second);
    }
    return indexes;
}

} // namespace

bool same_device(const StepSlot& a, const StepSlot& b) noexcept {
    return std::strcmp(a.uuid, b.uuid) == 0 && (a.uuid[0] != '\0' || (a.major == b.major && a.minor == b.minor));
}

Result<Record> Record::create(const std::string& path, const FreezePlan& plan) {
    TextArea texts;
    const auto flat = flatten(plan.chains, texts);
    for (const auto& entry : flat)
        if (entry.step->uuid.size() >= sizeof(StepSlot::uuid) || entry.step->target.size() >= sizeof(StepSlot::target))
            return fail(ErrorKind::internal, "device-mapper UUID or target name too long: " + entry.step->uuid);

    Layout layout{};
    layout.members = aligned(sizeof(RecordHeader));
    layout.chains = layout.members + aligned(plan.members.size() * sizeof(MemberSlot));
    layout.steps = layout.chains + aligned(plan.chains.size() * sizeof(ChainSlot));
    layout.text = layout.steps + aligned(flat.size() * sizeof(StepSlot));
    layout.size = layout.text + aligned(texts.content().size() + 1);
    if (layout.size > kLargest)
        return fail(ErrorKind::limit, "the plan of set " + plan.set + " is too large",
                    "Take fewer volumes in one set.");

    auto fd = open_at(AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (!fd) return pass(fd);
    ScopeExit remove([&path] { ::unlink(path.c_str()); });
    // All pages now: a tmpfs page that is first written inside the window would be memory taken from the kernel.
    if (const int error = ::posix_fallocate(fd->get(), 0, static_cast<off_t>(layout.size)); error != 0)
        return fail_errno("cannot reserve " + path, error);
    void* base = ::mmap(nullptr, layout.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd->get(), 0);
    if (base == MAP_FAILED) return fail_errno("cannot map " + path);
    Record record(std::move(*fd), static_cast<std::byte*>(base), layout.size);

    auto& header = *new (record.base_) RecordHeader{}; // placement: the mapping is the storage
    header.version = kVersion;
    header.size = static_cast<std::uint32_t>(layout.size);
    copy_text(header.set, plan.set);
    header.expedite_rcu = plan.expedite_rcu ? 1 : 0;
    header.saved_rcu = -1;
    header.accept_foreign = plan.accept_foreign ? 1 : 0;
    header.member_limit = plan.member_limit.count();
    header.minor_faults = -1;
    header.major_faults = -1;
    const auto self = this_process();
    header.daemon_pid = self.pid;
    header.daemon_start = self.start;
    header.members_offset = static_cast<std::uint32_t>(layout.members);
    header.members_count = static_cast<std::uint32_t>(plan.members.size());
    header.chains_offset = static_cast<std::uint32_t>(layout.chains);
    header.chains_count = static_cast<std::uint32_t>(plan.chains.size());
    header.steps_offset = static_cast<std::uint32_t>(layout.steps);
    header.steps_count = static_cast<std::uint32_t>(flat.size());
    header.text_offset = static_cast<std::uint32_t>(layout.text);
    header.text_size = static_cast<std::uint32_t>(layout.size - layout.text);

    for (std::size_t i = 0; i < plan.members.size(); ++i) {
        const auto& member = plan.members[i];
        auto& slot = *new (record.base_ + layout.members + i * sizeof(MemberSlot)) MemberSlot{};
        slot.superblock_major = member.superblock.major;
        slot.superblock_minor = member.superblock.minor;
        slot.mount_id = member.mount_id;
        slot.level = member.level;
        slot.carried = member.carried ? 1 : 0;
        copy_text(slot.name, member.name);
        copy_text(slot.mount_path, member.mount_path);
    }
    const auto groups = group_indexes(plan.chains);
    for (std::size_t i = 0; i < plan.chains.size(); ++i) {
        auto& slot = *new (record.base_ + layout.chains + i * sizeof(ChainSlot)) ChainSlot{};
        slot.group = groups[i];
        copy_text(slot.name, plan.chains[i].name);
    }
    for (std::size_t i = 0; i < flat.size(); ++i) {
        auto& slot = *new (record.base_ + layout.steps + i * sizeof(StepSlot)) StepSlot{};
        const auto& step = *flat[i].step;
        slot.op = step.op;
        slot.phase = flat[i].phase;
        slot.chain = flat[i].chain;
        slot.read_only = step.read_only ? 1 : 0;
        slot.sectors = step.sectors;
        slot.text_offset = flat[i].text_offset;
        slot.text_length = static_cast<std::uint32_t>(step.text.size());
        slot.path_offset = flat[i].path_offset;
        slot.major = step.number.major;
        slot.minor = step.number.minor;
        copy_text(slot.uuid, step.uuid);
        copy_text(slot.target, step.target);
    }
    std::memcpy(record.base_ + layout.text, texts.content().data(), texts.content().size());
    header.magic = kMagic; // last: a record without it is half-written and names nothing that was frozen
    remove.dismiss();
    return record;
}

Result<Record> Record::map(UniqueFd fd) {
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return fail_errno("cannot examine the window's record");
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size < sizeof(RecordHeader) || size > kLargest)
        return fail(ErrorKind::io, "the window's record has an impossible size of " + std::to_string(size) + " bytes");
    void* base = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd.get(), 0);
    if (base == MAP_FAILED) return fail_errno("cannot map the window's record");
    Record record(std::move(fd), static_cast<std::byte*>(base), size);
    if (auto checked = record.check(); !checked) return pass(checked);
    return record;
}

Result<void> Record::check() const {
    const auto& head = header();
    if (head.magic != kMagic) return fail(ErrorKind::io, "the window's record was not completed: nothing was frozen by it");
    if (head.version != kVersion)
        return fail(ErrorKind::io, "the window's record has version " + std::to_string(head.version),
                    "Recover with the release of quiesced that wrote it.");
    const auto inside = [this](std::uint64_t offset, std::uint64_t count, std::uint64_t each) {
        return offset <= size_ && offset % alignof(std::uint64_t) == 0 && count <= (size_ - offset) / each;
    };
    const auto ended = [](const auto& text) { return std::memchr(text, 0, sizeof text) != nullptr; };
    bool good = head.size == size_ && inside(head.members_offset, head.members_count, sizeof(MemberSlot)) &&
                inside(head.chains_offset, head.chains_count, sizeof(ChainSlot)) &&
                inside(head.steps_offset, head.steps_count, sizeof(StepSlot)) && inside(head.text_offset, head.text_size, 1) &&
                head.text_size > 0 && ended(head.set);
    for (std::size_t i = 0; good && i < head.members_count; ++i) {
        const auto& member = members()[i];
        good = ended(member.name) && ended(member.mount_path) && member.level >= 0 && member.level < kMostLevels;
    }
    for (std::size_t i = 0; good && i < head.steps_count; ++i) {
        const auto& step = steps()[i];
        good = step.text_offset <= head.text_size && step.text_length < head.text_size - step.text_offset &&
               step.path_offset < head.text_size && step.chain < head.chains_count &&
               step.op <= DmStep::Op::clear && step.phase <= StepPhase::unprime && ended(step.uuid) && ended(step.target);
    }
    for (std::size_t i = 0; good && i < head.chains_count; ++i) good = chains()[i].group < head.chains_count && ended(chains()[i].name);
    good = good && base_[head.text_offset + head.text_size - 1] == std::byte{0};
    if (!good) return fail(ErrorKind::io, "the window's record is damaged");
    return {};
}

Record::Record(Record&& other) noexcept
    : fd_(std::move(other.fd_)), base_(std::exchange(other.base_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Record& Record::operator=(Record&& other) noexcept {
    if (this != &other) {
        if (base_ != nullptr) ::munmap(base_, size_);
        fd_ = std::move(other.fd_);
        base_ = std::exchange(other.base_, nullptr);
        size_ = std::exchange(other.size_, 0);
    }
    return *this;
}

Record::~Record() {
    if (base_ != nullptr) ::munmap(base_, size_);
}

std::span<MemberSlot> Record::members() const {
    return {at<MemberSlot>(header().members_offset), header().members_count};
}
std::span<ChainSlot> Record::chains() const { return {at<ChainSlot>(header().chains_offset), header().chains_count}; }
std::span<StepSlot> Record::steps() const { return {at<StepSlot>(header().steps_offset), header().steps_count}; }

std::string_view Record::text(const StepSlot& step) const {
    return {at<char>(header().text_offset + step.text_offset), step.text_length};
}
const char* Record::path(const StepSlot& step) const { return at<char>(header().text_offset + step.path_offset); }

void await_own_end(const Record& record) noexcept {
    constexpr timespec own_end{.tv_sec = 0, .tv_nsec = 30'000'000};
    const auto at_risk = [](const MemberSlot& slot) {
        const auto state = slot.state.load();
        return slot.thaw_risk.load() == ThawRisk::watched &&
               (state == MemberState::freezing || state == MemberState::frozen || state == MemberState::thawing);
    };
    const auto members = record.members();
    if (std::any_of(members.begin(), members.end(), at_risk)) ::nanosleep(&own_end, nullptr);
}

} // namespace quiesced
