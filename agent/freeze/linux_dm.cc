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

dm_ioctl& head_of(std::vector<std::byte>& buffer) { return *reinterpret_cast<dm_ioctl*>(buffer.data()); }

std::vector<std::byte> request(const char* uuid, std::uint32_t flags, std::size_t payload) {
    std::vector<std::byte> buffer(sizeof(dm_ioctl) + payload + kAnswerRoom);
    auto& head = head_of(buffer);
    head.version[0] = DM_VERSION_MAJOR;
    // 4.0.0: every request used here is that old, and the kernel refuses a minor version above its own.
    head.version[1] = 0;
    head.version[2] = 0;
    head.data_size = static_cast<std::uint32_t>(buffer.size());
    head.data_start = sizeof(dm_ioctl);
    head.flags = flags;
    std::memcpy(head.uuid, uuid, std::min(std::strlen(uuid), sizeof head.uuid - 1));
    return buffer;
}

std::vector<std::byte> load_request(const StepSlot& step, std::string_view parameters) {
    const std::size_t spec_size = (sizeof(dm_target_spec) + parameters.size() + 1 + 7) & ~std::size_t{7};
    auto buffer = request(step.uuid, step.read_only != 0 ? DM_READONLY_FLAG : 0, spec_size);
    head_of(buffer).target_count = 1;
    auto& spec = *reinterpret_cast<dm_target_spec*>(buffer.data() + sizeof(dm_ioctl));
    spec.sector_start = 0;
    spec.length = step.sectors;
    spec.next = static_cast<std::uint32_t>(spec_size);
    std::memcpy(spec.target_type, step.target, sizeof spec.target_type);
    std::memcpy(buffer.data() + sizeof(dm_ioctl) + sizeof(dm_target_spec), parameters.data(), parameters.size());
    return buffer;
}

std::vector<std::byte> message_request(const StepSlot& step, std::string_view text) {
    auto buffer = request(step.uuid, 0, sizeof(dm_target_msg) + text.size() + 1);
    auto& message = *reinterpret_cast<dm_target_msg*>(buffer.data() + sizeof(dm_ioctl));
    message.sector = 0;
    std::memcpy(buffer.data() + sizeof(dm_ioctl) + sizeof(dm_target_msg), text.data(), text.size());
    return buffer;
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
    for (const auto& step : record.steps()) {
        Request entry{.op = step.op, .buffer = {}, .device = {}};
        switch (step.op) {
        case DmStep::Op::suspend:
            // SKIP_LOCKFS: the file system above is frozen by FIFREEZE already; lockfs would answer EBUSY on 6.1.
            entry.buffer = request(step.uuid, DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG, 0);
            break;
        case DmStep::Op::resume:
            // A resume with a loaded table suspends first; no lockfs there either. event_nr 0: no udev cookie,
            // nobody waits for udev.
            entry.buffer = request(step.uuid, DM_SKIP_LOCKFS_FLAG, 0);
            break;
        case DmStep::Op::load:
            entry.buffer = load_request(step, record.text(step));
            break;
        case DmStep::Op::message:
            entry.buffer = message_request(step, record.text(step));
            break;
        case DmStep::Op::zero: {
            auto device = open_at(AT_FDCWD, record.path(step), O_WRONLY | O_DIRECT | O_SYNC);
            if (!device) return pass(device);
            entry.device = std::move(*device);
            break;
        }
        }
        requests_.push_back(std::move(entry));
    }
    return {};
}

int LinuxDmKernel::run(std::size_t index) noexcept {
    auto& entry = requests_[index];
    const auto call = [&](unsigned long command) {
        // The kernel answers in the same buffer; put the question back, in case this is a second try. With a name or a
        // device number beside the UUID it would refuse (6.1, __find_device_hash_cell).
        auto& head = head_of(entry.buffer);
        head.name[0] = '\0';
        head.dev = 0;
        head.event_nr = 0;
        head.data_size = static_cast<std::uint32_t>(entry.buffer.size());
        return ::ioctl(control_.get(), command, entry.buffer.data()) == 0 ? 0 : errno;
    };
    switch (entry.op) {
    case DmStep::Op::suspend:
    case DmStep::Op::resume:
        head_of(entry.buffer).flags = DM_SKIP_LOCKFS_FLAG | (entry.op == DmStep::Op::suspend ? DM_SUSPEND_FLAG : 0U);
        return call(DM_DEV_SUSPEND);
    case DmStep::Op::load:
        return call(DM_TABLE_LOAD);
    case DmStep::Op::message:
        return call(DM_TARGET_MSG);
    case DmStep::Op::zero:
        return ::pwrite(entry.device.get(), kZeroes.data(), kZeroes.size(), 0) == static_cast<ssize_t>(kZeroed) ? 0 : errno;
    }
    return EINVAL;
}

} // namespace quiesced
