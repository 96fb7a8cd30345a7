// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diff/device.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

namespace quiesced {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

ReadAt reader(const std::string& bytes) {
    return [&bytes](std::uint64_t offset, std::span<std::byte> into) -> Result<void> {
        std::memcpy(into.data(), bytes.data() + offset, into.size());
        return {};
    };
}

TEST(Differing, AreTheChunksWithinTheRangesThatAreNotTheSame) {
    const std::string one(100000, 'a');
    auto other = one;
    for (const auto at : {0U, 8191U, 8192U, 20000U, 99999U}) other[at] = 'b';
    const auto found = differing(reader(one), reader(other), {{0, 16384}, {90112, 12288}}, 4096, one.size());
    ASSERT_TRUE(found);
    EXPECT_THAT(*found, ElementsAre(ByteRange{0, 12288}, ByteRange{98304, 1696})) << "not what nobody asked about, and to the end of the device";
    EXPECT_THAT(differing(reader(one), reader(one), {{0, 16384}}, 4096, one.size()).value(), IsEmpty());
}

TEST(Differing, AFailedReadIsAnError) {
    const std::string one(8192, 'a');
    const ReadAt bad = [](std::uint64_t, std::span<std::byte>) -> Result<void> { return fail(ErrorKind::io, "a bad sector"); };
    const auto found = differing(reader(one), bad, {{0, 8192}}, 4096, one.size());
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().kind, ErrorKind::io);
}

TEST(Device, ReadsWhateverPartIsAskedFor) {
    const auto path = std::filesystem::temp_directory_path() / ("quiesced-device-" + std::to_string(::getpid()));
    std::string bytes(3 * 1024 * 1024 + 100, '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 / 3);
    std::ofstream(path) << bytes;
    const auto device = Device::open(path.string());
    ASSERT_TRUE(device) << device.error().message();
    EXPECT_EQ(device->size(), bytes.size());
    for (const auto& [offset, length] : {std::pair<std::size_t, std::size_t>{0, 512}, {511, 2}, {4095, 2097153}, {bytes.size() - 3, 3}, {17, 0}}) {
        std::string part(length, '\0');
        ASSERT_TRUE(device->read(offset, std::as_writable_bytes(std::span(part)))) << offset;
        EXPECT_TRUE(part == bytes.substr(offset, length)) << offset;
    }
    std::string more(4, '\0');
    EXPECT_FALSE(device->read(bytes.size() - 3, std::as_writable_bytes(std::span(more))));
    std::filesystem::remove(path);
    EXPECT_FALSE(Device::open(path.string()));
}

} // namespace
} // namespace quiesced
