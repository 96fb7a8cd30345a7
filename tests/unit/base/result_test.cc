// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/result.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/scope_exit.h"
#include "base/unique_fd.h"

namespace quiesced {
namespace {

TEST(Result, EveryErrorKindHasItsOwnNameAndComesBackFromIt) {
    std::set<std::string_view> names;
    const int last = static_cast<int>(ErrorKind::internal);
    for (int i = 0; i <= last; ++i) {
        const auto kind = static_cast<ErrorKind>(i);
        EXPECT_EQ(error_kind(error_name(kind)), kind) << error_name(kind);
        names.insert(error_name(kind));
    }
    EXPECT_EQ(names.size(), static_cast<std::size_t>(last) + 1);
}

TEST(Result, ANameThatIsNoneOfOursMeansInternal) {
    EXPECT_EQ(error_kind("org.freedesktop.DBus.Error.NoReply"), ErrorKind::internal);
    EXPECT_EQ(error_kind(""), ErrorKind::internal);
}

TEST(Result, AMessageSaysWhatHappenedWhyAndWhatToDo) {
    Error error{.kind = ErrorKind::kernel,
                .error_number = EBUSY,
                .context = "cannot freeze /srv",
                .advice = "Thaw it with fsfreeze -u.",
                .undone = {}};
    EXPECT_EQ(error.message(), "cannot freeze /srv: Device or resource busy. Thaw it with fsfreeze -u.");
}

TEST(Result, AMessageNamesEachStepThatCouldNotBeUndone) {
    Error error{
        .kind = ErrorKind::deadline, .error_number = 0, .context = "too late", .advice = {}, .undone = {"a", "b"}};
    EXPECT_EQ(error.message(), "too late\n  not undone: a\n  not undone: b");
}

TEST(Result, FailErrnoKeepsTheErrnoOfTheCallThatFailed) {
    errno = ENOSPC;
    const Result<int> result = fail_errno("cannot write x");
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().error_number, ENOSPC);
    EXPECT_EQ(result.error().kind, ErrorKind::kernel);
}

TEST(Result, PassHandsTheErrorOnToAnotherType) {
    Result<int> first = fail(ErrorKind::no_space, "full", "Make room.");
    const Result<std::string> second = pass(first);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, ErrorKind::no_space);
    EXPECT_EQ(second.error().message(), "full. Make room.");
}

TEST(ScopeExit, RunsAtTheEndUnlessDismissed) {
    int runs = 0;
    {
        const ScopeExit undo([&] { ++runs; });
    }
    EXPECT_EQ(runs, 1);
    {
        ScopeExit undo([&] { ++runs; });
        undo.dismiss();
    }
    EXPECT_EQ(runs, 1);
}

TEST(UniqueFd, ClosesWhatItOwnsExactlyOnce) {
    int ends[2] = {-1, -1};
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd read_end(ends[0]);
    UniqueFd write_end(ends[1]);
    const UniqueFd moved(std::move(write_end));
    EXPECT_FALSE(write_end); // NOLINT(bugprone-use-after-move): what a move leaves is promised
    write_end.reset();
    EXPECT_EQ(::write(moved.get(), "x", 1), 1);
}

} // namespace
} // namespace quiesced
