// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "diff/ranges.h"

namespace quiesced {

/// Reads `into.size()` bytes from `offset` on. Errors: io; what lies beyond the end is one.
using ReadAt = std::function<Result<void>(std::uint64_t offset, std::span<std::byte> into)>;

/// A block device, or a file, that is only read, past the page cache: device-mapper writes to a copy-on-write store below it.
class Device {
public:
    /// Errors: io, kernel.
    static Result<Device> open(const std::string& path);

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::uint64_t size() const { return size_; } ///< bytes
    [[nodiscard]] DeviceNumber number() const { return number_; }
    Result<void> read(std::uint64_t offset, std::span<std::byte> into) const;

private:
    Device(std::string path, UniqueFd fd, std::uint64_t size, DeviceNumber number) : path_(std::move(path)), fd_(std::move(fd)), size_(size), number_(number) {}
    std::string path_;
    UniqueFd fd_;
    std::uint64_t size_ = 0;
    DeviceNumber number_;
};

/// The chunks within `ranges`, which are whole chunks, that are not the same on both; merged. Errors: io.
Result<std::vector<ByteRange>> differing(const ReadAt& one, const ReadAt& other, const std::vector<ByteRange>& ranges, std::uint64_t chunk, std::uint64_t size);

} // namespace quiesced
