// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace quiesced {
namespace {

using testing::HasSubstr;

/// A journald that answers one question with what it was given.
class JournalTest : public testing::Test {
protected:
    JournalTest() {
        std::string pattern = testing::TempDir() + "quiesced-journal-XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
        paths_ = {.socket = folder_ + "/socket", .flushed = folder_ + "/flushed", .persistent = folder_ + "/journal"};
        listener_ = UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, paths_.socket.c_str(), sizeof address.sun_path - 1);
        if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || ::listen(listener_.get(), 1) != 0) std::abort();
    }
    ~JournalTest() override { std::filesystem::remove_all(folder_); }
    void answer(std::string text) {
        server_ = std::jthread([this, text = std::move(text)] {
            const UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            std::array<char, 512> question{};
            if (const auto length = ::read(client.get(), question.data(), question.size()); length > 0)
                question_.assign(question.data(), static_cast<std::size_t>(length));
            // In two parts, as a stream may come.
            static_cast<void>(::write(client.get(), text.data(), text.size() / 2));
            static_cast<void>(::write(client.get(), text.data() + text.size() / 2, text.size() - text.size() / 2));
            if (text.empty()) static_cast<void>(::read(client.get(), question.data(), 1)); // until the other end gives up
        });
    }

    std::string folder_, question_;
    VarlinkJournal::Paths paths_;
    UniqueFd listener_;
    std::jthread server_;
};

TEST_F(JournalTest, AsksInVarlinkAndTakesTheAnswer) {
    answer(std::string("{\"parameters\":{}}") + '\0');
    EXPECT_TRUE(VarlinkJournal(paths_).relinquish());
    server_.join();
    EXPECT_THAT(question_, HasSubstr("\"method\":\"io.systemd.Journal.RelinquishVar\""));
    EXPECT_EQ(question_.back(), '\0');
    answer(std::string("{\"parameters\":{}}") + '\0');
    EXPECT_TRUE(VarlinkJournal(paths_).flush());
    server_.join();
    EXPECT_THAT(question_, HasSubstr("io.systemd.Journal.FlushToVar"));
}

TEST_F(JournalTest, ARefusalRubbishAndSilenceAreErrors) {
    answer(std::string("{\"error\":\"io.systemd.Journal.NotSupportedByNamespaces\"}") + '\0');
    auto refused = VarlinkJournal(paths_).flush();
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().message(), HasSubstr("NotSupportedByNamespaces"));
    answer(std::string("no json") + '\0');
    EXPECT_FALSE(VarlinkJournal(paths_).flush());
    answer("{\"parameters\":{}}"); // without its end
    EXPECT_FALSE(VarlinkJournal(paths_).flush());
    answer("");
    const auto begin = Monotonic::now();
    auto silent = VarlinkJournal(paths_, std::chrono::milliseconds(100)).flush();
    EXPECT_LT(Monotonic::now() - begin, std::chrono::seconds(5));
    ASSERT_FALSE(silent);
    EXPECT_EQ(silent.error().kind, ErrorKind::deadline);
}

TEST_F(JournalTest, NobodyThereIsAnError) {
    std::filesystem::remove(paths_.socket);
    EXPECT_FALSE(VarlinkJournal(paths_).relinquish());
}

TEST_F(JournalTest, LiesOnAMountOnlyWhenItIsPersistentAndInUse) {
    EXPECT_FALSE(VarlinkJournal(paths_).mount());
    std::ofstream(paths_.flushed) << "";
    EXPECT_FALSE(VarlinkJournal(paths_).mount());
    std::filesystem::create_directory(paths_.persistent);
    EXPECT_TRUE(VarlinkJournal(paths_).mount());
    std::filesystem::remove(paths_.flushed);
    EXPECT_FALSE(VarlinkJournal(paths_).mount());
}

} // namespace
} // namespace quiesced
