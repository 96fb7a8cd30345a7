// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diff/device.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/file.h"

namespace quiesced {
namespace {

/// What direct I/O wants of offsets, lengths and memory; no device's blocks are larger.
constexpr std::uint64_t kAlignment = 4096;
constexpr std::uint64_t kPiece = 1U << 20U;

/// Memory that direct I/O takes.
class Pages {
public:
    explicit Pages(std::size_t size) : size_(size), memory_(::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {}
    Pages(const Pages&) = delete;
    Pages& operator=(const Pages&) = delete;
    ~Pages() {
        if (memory_ != MAP_FAILED) ::munmap(memory_, size_);
    }
    [[nodiscard]] std::byte* data() const { return memory_ == MAP_FAILED ? nullptr : static_cast<std::byte*>(memory_); }

private:
    std::size_t size_;
    void* memory_;
};

} // namespace

Result<Device> Device::open(const std::string& path) {
    auto fd = open_at(AT_FDCWD, path, O_RDONLY | O_DIRECT);
    if (!fd && fd.error().error_number == EINVAL) fd = open_at(AT_FDCWD, path, O_RDONLY); // a file in memory
    if (!fd) return tl::unexpected<Error>(fd.error());
    struct stat status {};
    if (::fstat(fd->get(), &status) != 0) return fail_errno("cannot look at " + path);
    auto size = static_cast<std::uint64_t>(status.st_size);
    if (S_ISBLK(status.st_mode) && ::ioctl(fd->get(), BLKGETSIZE64, &size) != 0) return fail_errno("cannot look at " + path);
    return Device(path, std::move(*fd), size, DeviceNumber::from(status.st_rdev));
}

Result<void> Device::read(std::uint64_t offset, std::span<std::byte> into) const {
    if (offset > size_ || into.size() > size_ - offset)
        return fail(ErrorKind::io, path_ + " ends at " + std::to_string(size_) + " bytes, and more is wanted of it");
    while (!into.empty()) {
        const auto begin = offset / kAlignment * kAlignment;
        const auto wanted = std::min<std::uint64_t>(offset - begin + into.size(), kPiece);
        const auto length = (wanted + kAlignment - 1) / kAlignment * kAlignment;
        const Pages pages(length);
        if (pages.data() == nullptr) return fail_errno("cannot get memory to read " + path_, ENOMEM);
        // Up to the device's end, which need not be aligned.
        const auto got = ::pread(fd_.get(), pages.data(), length, static_cast<off_t>(begin));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno("cannot read " + path_ + " at " + std::to_string(begin), errno, ErrorKind::io);
        const auto skip = offset - begin;
        if (static_cast<std::uint64_t>(got) <= skip) return fail(ErrorKind::io, path_ + " ended at " + std::to_string(begin) + " while it was read");
        const auto part = std::min<std::uint64_t>(static_cast<std::uint64_t>(got) - skip, into.size());
        std::memcpy(into.data(), pages.data() + skip, part);
        into = into.subspan(part);
        offset += part;
    }
    return {};
}

Result<std::vector<ByteRange>> differing(const ReadAt& one, const ReadAt& other, const std::vector<ByteRange>& ranges, std::uint64_t chunk, std::uint64_t size) {
    const auto piece = std::max(chunk, kPiece / chunk * chunk);
    std::vector<std::byte> first(piece);
    std::vector<std::byte> second(piece);
    std::vector<ByteRange> found;
    for (const auto& range : ranges) {
        const auto end = std::min(range.start + range.length, size);
        for (auto at = range.start; at < end; at += piece) {
            const auto length = std::min(piece, end - at);
            if (auto read = one(at, std::span(first).first(length)); !read) return pass(read);
            if (auto read = other(at, std::span(second).first(length)); !read) return pass(read);
            for (std::uint64_t within = 0; within < length; within += chunk) {
                const auto part = std::min(chunk, length - within);
                if (std::memcmp(first.data() + within, second.data() + within, part) != 0) found.push_back({at + within, part});
            }
        }
    }
    return merge_ranges(std::move(found), size);
}

} // namespace quiesced
