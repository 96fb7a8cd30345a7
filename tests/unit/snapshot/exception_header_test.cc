// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/exception_header.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace quiesced {
namespace {

using testing::HasSubstr;

/// A store of four chunks of 8 KiB in a file, without exceptions.
class ExceptionHeader : public testing::Test {
protected:
    ExceptionHeader() {
        put(0, "SnAp");
        put(4, "\1");
        put(8, "\1");
        put(12, "\20"); // sectors
    }
    ~ExceptionHeader() override { std::filesystem::remove(path_); }
    void put(std::size_t at, const std::string& bytes) { store_.replace(at, bytes.size(), bytes); }
    Result<bool> is_empty() {
        std::ofstream(path_, std::ios::binary) << store_;
        return exception_store_is_empty(path_);
    }
    std::string refusal() {
        const auto answer = is_empty();
        return answer ? "it is taken" : answer.error().message();
    }
    const std::string path_ = testing::TempDir() + "exception-header-" + std::to_string(::getpid());
    std::string store_ = std::string(4 * 8192, '\0');
};

TEST_F(ExceptionHeader, AStoreWithoutAnExceptionIsEmpty) {
    const auto answer = is_empty();
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_TRUE(*answer);
}

TEST_F(ExceptionHeader, OneExceptionIsEnough) {
    put(8192 + 8, "\2"); // of the origin's chunk 0, in the store's chunk 2
    const auto answer = is_empty();
    ASSERT_TRUE(answer) << answer.error().message();
    EXPECT_FALSE(*answer);
}

TEST_F(ExceptionHeader, WhatIsNoStoreIsRefused) {
    put(12, "\21");
    EXPECT_THAT(refusal(), HasSubstr("no size of a chunk"));
    put(12, "\4");
    EXPECT_THAT(refusal(), HasSubstr("which LVM does not make"));
    put(4, std::string(1, '\0'));
    EXPECT_THAT(refusal(), HasSubstr("it was full"));
    put(8, "\2");
    EXPECT_THAT(refusal(), HasSubstr("version 2"));
    put(0, "ext4");
    EXPECT_THAT(refusal(), HasSubstr("does not begin with a header"));
    store_.resize(100);
    EXPECT_THAT(refusal(), HasSubstr("ends before"));
}

} // namespace
} // namespace quiesced
