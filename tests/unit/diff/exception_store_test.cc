// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diff/exception_store.h"

#include <gmock/gmock.h>

#include <cstring>

namespace quiesced {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t kChunk = 4096;
constexpr std::uint64_t kPerArea = kChunk / 16;
constexpr std::uint64_t kOrigin = 1000 * kChunk;

/// A store in memory, written as the kernel does it.
class ExceptionStoreTest : public testing::Test {
protected:
    ExceptionStoreTest() {
        put32(0, 0x70416e53);
        put32(4, 1);
        put32(8, 1);
        put32(12, kChunk / 512);
    }
    void put(std::uint64_t at, std::uint64_t value, unsigned bytes) {
        if (store_.size() < at + bytes) store_.resize((at + bytes + kChunk - 1) / kChunk * kChunk);
        for (unsigned i = 0; i < bytes; ++i) store_[at + i] = static_cast<char>(value >> (8 * i));
    }
    void put32(std::uint64_t at, std::uint64_t value) { put(at, value, 4); }
    /// The kernel writes an area's chunk as a whole, and clears the next one when an area is full.
    void copy_chunk(std::uint64_t old_chunk) {
        const auto area = count_ / kPerArea;
        const auto place = (1 + area * (kPerArea + 1)) * kChunk;
        put(place + count_ % kPerArea * 16, old_chunk, 8);
        put(place + count_ % kPerArea * 16 + 8, 2 + count_ + area, 8);
        ++count_;
    }
    Result<ExceptionStore> read() {
        return read_exception_store(
            [this](std::uint64_t offset, std::span<std::byte> into) -> Result<void> {
                if (offset + into.size() > store_.size()) return fail(ErrorKind::io, "beyond the end");
                std::memcpy(into.data(), store_.data() + offset, into.size());
                return {};
            },
            store_.size(), kOrigin);
    }
    std::string refusal() {
        const auto store = read();
        return store ? "it is taken" : store.error().message();
    }
    std::string store_ = std::string(2 * kChunk, '\0');
    std::uint64_t count_ = 0;
};

TEST_F(ExceptionStoreTest, AnEmptyOneHasNoChanges) {
    const auto store = read();
    ASSERT_TRUE(store) << store.error().message();
    EXPECT_EQ(store->chunk, kChunk);
    EXPECT_THAT(store->changed, IsEmpty());
}

TEST_F(ExceptionStoreTest, NamesTheChunksOfTheOriginInWhateverOrderTheyWereCopied) {
    for (const auto chunk : {7U, 0U, 9U, 8U}) copy_chunk(chunk);
    const auto store = read();
    ASSERT_TRUE(store) << store.error().message();
    EXPECT_THAT(store->changed, ElementsAre(ByteRange{0, kChunk}, ByteRange{7 * kChunk, 3 * kChunk}));
}

TEST_F(ExceptionStoreTest, GoesOnFromAreaToAreaUntilTheFirstThatIsNotFull) {
    for (std::uint64_t i = 0; i < 2 * kPerArea + 5; ++i) copy_chunk(2 * i % 999);
    store_.resize(store_.size() + 8 * kChunk, '\0');
    const auto store = read();
    ASSERT_TRUE(store) << store.error().message();
    std::uint64_t bytes = 0;
    for (const auto& range : store->changed) bytes += range.length;
    EXPECT_EQ(bytes, (2 * kPerArea + 5) * kChunk);
}

TEST_F(ExceptionStoreTest, AStoreThatEndsWithAFullAreaIsReadToItsEnd) {
    for (std::uint64_t i = 0; i < kPerArea; ++i) copy_chunk(i);
    const auto store = read();
    ASSERT_TRUE(store) << store.error().message();
    EXPECT_THAT(store->changed, ElementsAre(ByteRange{0, kPerArea * kChunk}));
}

TEST_F(ExceptionStoreTest, WhatLiesBeyondTheOriginIsLeftOut) {
    copy_chunk(999);
    copy_chunk(UINT64_MAX / 2);
    EXPECT_THAT(read()->changed, ElementsAre(ByteRange{999 * kChunk, kChunk}));
}

TEST_F(ExceptionStoreTest, RefusesWhatIsNoStoreOrLost) {
    put32(4, 0);
    EXPECT_EQ(read().error().kind, ErrorKind::no_space);
    put32(4, 1);
    put32(8, 2);
    EXPECT_THAT(refusal(), HasSubstr("version 2"));
    put32(8, 1);
    for (const std::uint64_t sectors : {0U, 7U, 1U << 17U}) {
        put32(12, sectors);
        EXPECT_THAT(refusal(), HasSubstr("no size of a chunk")) << sectors;
    }
    put32(0, 1);
    EXPECT_THAT(refusal(), HasSubstr("header"));
    store_.resize(100);
    EXPECT_THAT(refusal(), HasSubstr("too small"));
}

} // namespace
} // namespace quiesced
