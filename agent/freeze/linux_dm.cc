// SPDX-License-Identifier: LGPL-2.1-or-later
// The device-mapper half of linux_kernel.h.
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/file.h"
#include "freeze/linux_kernel.h"

namespace quiesced {
namespace {

constexpr std::size_t kZeroed = 16U * 1024U; ///< a COW store's header and first area begin here (dm-snap-persistent)
alignas(4096) constexpr std::array<char, kZeroed> kZeroes{};

/// Room for what the kernel writes back; it never grows the buffer.
constexpr std::size_t kAnswerRoom = 512;

/// A question of `payload` bytes after the head.
dm_ioctl question(const StepSlot& step, std::uint32_t flags, std::size_t payload) {
    dm_ioctl head{};
    head.version[0] = DM_VERSION_MAJOR;
    // 4.0.0: every request used here is that old, and the kernel refuses a minor version above its own.
    head.data_size = static_cast<std::uint32_t>(sizeof head + payload + kAnswerRoom);
    head.data_start = sizeof head;
    head.flags = flags;
    // By UUID alone: with a name or a device number beside it the kernel would refuse (6.1, __find_device_hash_cell).
    if (step.uuid[0] == '\0') head.dev = DeviceNumber{step.major, step.minor}.device();
    std::memcpy(head.uuid, step.uuid, std::min(std::strlen(step.uuid), sizeof head.uuid - 1));
    return head;
}

void append(std::vector<std::byte>& buffer, const void* data, std::size_t size) {
    const auto* const bytes = static_cast<const std::byte*>(data);
    buffer.insert(buffer.end(), bytes, bytes + size);
}

std::vector<std::byte> load_payload(const StepSlot& step, std::string_view parameters) {
    dm_target_spec spec{};
    spec.length = step.sectors;
    spec.next = static_cast<std::uint32_t>((sizeof spec + parameters.size() + 1 + 7) & ~std::size_t{7});
    std::memcpy(spec.target_type, step.target, sizeof spec.target_type);
    std::vector<std::byte> payload;
    append(payload, &spec, sizeof spec);
    append(payload, parameters.data(), parameters.size());
    payload.resize(spec.next);
    return payload;
}

std::vector<std::byte> message_payload(std::string_view text) {
    const dm_target_msg message{};
    std::vector<std::byte> payload;
    append(payload, &message, sizeof message);
    append(payload, text.data(), text.size());
    payload.push_back(std::byte{0});
    return payload;
}

} // namespace

Result<void> LinuxDmKernel::prepare(const Record& record) {
    requests_.clear();
    if (record.steps().empty()) return {};
    auto control = open_at(AT_FDCWD, control_path_, O_RDWR);
    if (!control) {
        control.error().advice = "Load device-mapper: modprobe dm_mod";
        return pass(control);
    }
    control_ = std::move(*control);
    Result<void> prepared;
    for (const auto& step : record.steps()) {
        Request entry{.op = step.op, .question = {}, .buffer = {}, .device = {}};
        std::uint32_t flags = 0;
        std::vector<std::byte> payload;
        switch (step.op) {
        case DmStep::Op::suspend:
            // SKIP_LOCKFS: the file system above is frozen by FIFREEZE already; lockfs would answer EBUSY on 6.1.
            flags = DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG;
            break;
        case DmStep::Op::resume:
            // A resume with a loaded table suspends first; no lockfs there either. event_nr stays 0: no udev cookie,
            // nobody waits for udev.
            flags = DM_SKIP_LOCKFS_FLAG;
            break;
        case DmStep::Op::load:
            flags = step.read_only != 0 ? DM_READONLY_FLAG : 0;
            payload = load_payload(step, record.text(step));
            break;
        case DmStep::Op::message:
            payload = message_payload(record.text(step));
            break;
        case DmStep::Op::clear:
            break;
        case DmStep::Op::zero: {
            auto device = open_at(AT_FDCWD, record.path(step), O_WRONLY | O_DIRECT | O_SYNC);
            if (device) entry.device = std::move(*device);
            else if (prepared) prepared = pass(device);
            break;
        }
        }
        entry.question = question(step, flags, payload.size());
        if (step.op == DmStep::Op::load) entry.question.target_count = 1;
        append(entry.buffer, &entry.question, sizeof entry.question);
        append(entry.buffer, payload.data(), payload.size());
        entry.buffer.resize(entry.question.data_size);
        requests_.push_back(std::move(entry));
    }
    return prepared;
}

void LinuxDmKernel::release() noexcept {
    for (auto& entry : requests_) entry.device.reset();
}

int LinuxDmKernel::run(std::size_t index) noexcept {
    if (index >= requests_.size()) return ENODEV;
    auto& entry = requests_[index];
    const auto call = [&](unsigned long command) {
        // The kernel answers in the same buffer; put the question back, in case this is a second try.
        std::memcpy(entry.buffer.data(), &entry.question, sizeof entry.question);
        return ::ioctl(control_.get(), command, entry.buffer.data()) == 0 ? 0 : errno;
    };
    switch (entry.op) {
    case DmStep::Op::suspend:
    case DmStep::Op::resume:
        return call(DM_DEV_SUSPEND);
    case DmStep::Op::load:
        return call(DM_TABLE_LOAD);
    case DmStep::Op::message:
        return call(DM_TARGET_MSG);
    case DmStep::Op::clear:
        return call(DM_TABLE_CLEAR);
    case DmStep::Op::zero:
        if (!entry.device) return ENODEV;
        return ::pwrite(entry.device.get(), kZeroes.data(), kZeroes.size(), 0) == static_cast<ssize_t>(kZeroed) ? 0 : errno;
    }
    return EINVAL;
}

} // namespace quiesced
