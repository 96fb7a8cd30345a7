// SPDX-License-Identifier: LGPL-2.1-or-later
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "oracle/record.h"
#include "oracle/verdict.h"
#include "oracle/writer.h"

namespace quiesced::oracle {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::uint64_t kRun = 0x0123456789abcdefU;
const auto kNothing = []() -> Result<void> { return {}; };

/// Records of one run with these numbers, volume by volume.
std::vector<Record> records_with(const std::vector<std::uint64_t>& numbers) {
    std::vector<Record> records;
    for (std::uint32_t k = 0; k < numbers.size(); ++k) {
        records.push_back(Record{kRun, numbers[k], k, static_cast<std::uint32_t>(numbers.size())});
    }
    return records;
}

/// Directories that stand for volumes; removed at the end.
class Directories {
public:
    explicit Directories(int count) {
        std::string pattern = (std::filesystem::temp_directory_path() / "oracle-test.XXXXXX").string();
        root_ = ::mkdtemp(pattern.data());
        for (int k = 0; k < count; ++k) {
            paths_.push_back(root_ + "/" + std::to_string(k));
            std::filesystem::create_directory(paths_.back());
        }
    }
    Directories(const Directories&) = delete;
    Directories& operator=(const Directories&) = delete;
    ~Directories() { std::filesystem::remove_all(root_); }
    [[nodiscard]] const std::vector<std::string>& paths() const { return paths_; }

private:
    std::string root_;
    std::vector<std::string> paths_;
};

std::vector<Record> read_all(const std::vector<std::string>& directories) {
    std::vector<Record> records;
    for (const auto& directory : directories) {
        const auto record = read_record(directory);
        EXPECT_TRUE(record) << (record ? "" : record.error().message());
        if (record) records.push_back(*record);
    }
    return records;
}

std::size_t threads_of_this_process() {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}));
}

TEST(Verdict, EveryInstantOfTheWritersLifeIsConsistent) {
    // All that can be on four volumes while the writer goes from 6 to 7.
    for (const auto& numbers : std::vector<std::vector<std::uint64_t>>{
             {6, 6, 6, 6}, {7, 6, 6, 6}, {7, 7, 6, 6}, {7, 7, 7, 6}, {7, 7, 7, 7}, {0, 0, 0, 0}}) {
        const auto verdict = judge(records_with(numbers));
        ASSERT_TRUE(verdict) << verdict.error().message();
        EXPECT_THAT(verdict->violations, IsEmpty());
        EXPECT_EQ(verdict->numbers, numbers);
        EXPECT_TRUE(verdict->consistent());
    }
}

TEST(Verdict, ALaterVolumeThatIsAheadIsAViolation) {
    for (const auto& numbers : std::vector<std::vector<std::uint64_t>>{{6, 7}, {7, 6, 7}, {6, 6, 6, 7}, {6, 7, 7, 7}}) {
        const auto verdict = judge(records_with(numbers));
        ASSERT_TRUE(verdict);
        EXPECT_FALSE(verdict->consistent());
        EXPECT_THAT(verdict->violations, ElementsAre(HasSubstr("has number 7")));
    }
}

TEST(Verdict, AFirstVolumeThatIsTwoAheadOfTheLastIsAViolation) {
    for (const auto& numbers : std::vector<std::vector<std::uint64_t>>{{8, 6}, {8, 7, 6}, {8, 8, 8, 6}, {900, 6}}) {
        const auto verdict = judge(records_with(numbers));
        ASSERT_TRUE(verdict);
        EXPECT_FALSE(verdict->consistent());
        EXPECT_THAT(verdict->violations, ElementsAre(HasSubstr("only 6")));
    }
}

TEST(Verdict, EveryBrokenRuleIsNamed) {
    const auto verdict = judge(records_with({5, 6, 5, 6, 1}));
    ASSERT_TRUE(verdict);
    EXPECT_THAT(verdict->violations, ElementsAre(HasSubstr("volume 2 has number 6, but volume 1"),
                                                 HasSubstr("volume 4 has number 6, but volume 3"),
                                                 HasSubstr("volume 1 has number 5, but volume 5")));
}

TEST(Verdict, OneVolumeCannotBeJudged) {
    EXPECT_EQ(judge(records_with({6})).error().kind, ErrorKind::invalid_argument);
    EXPECT_EQ(judge({}).error().kind, ErrorKind::invalid_argument);
}

TEST(Verdict, ARecordOfAnotherRunCannotBeJudged) {
    auto records = records_with({6, 6, 6});
    records[1].run ^= 1U;
    const auto verdict = judge(records);
    ASSERT_FALSE(verdict);
    EXPECT_THAT(verdict.error().message(), HasSubstr("directory 2 was left by another run"));
}

TEST(Verdict, DirectoriesInTheWrongOrderCannotBeJudged) {
    auto records = records_with({6, 6, 6});
    std::swap(records[1], records[2]);
    const auto verdict = judge(records);
    ASSERT_FALSE(verdict);
    EXPECT_THAT(verdict.error().message(), HasSubstr("was written as number 3"));
}

TEST(Verdict, AVolumeThatIsLeftOutCannotBeJudged) {
    auto records = records_with({6, 6, 6});
    records.pop_back();
    const auto verdict = judge(records);
    ASSERT_FALSE(verdict);
    EXPECT_THAT(verdict.error().message(), HasSubstr("a run over 3 volumes, not 2"));
}

TEST(Verdict, JsonSaysAllOfIt) {
    const auto json = nlohmann::json::parse(to_json(*judge(records_with({6, 7}))));
    EXPECT_EQ(json.at("numbers"), nlohmann::json({6, 7}));
    EXPECT_EQ(json.at("consistent"), false);
    EXPECT_EQ(json.at("violations").size(), 1U);
}

TEST(OracleRecord, ComesBackAsItWasWritten) {
    const Record record{kRun, 0xfedcba9876543210U, 3, 4};
    const auto decoded = decode(encode(record));
    ASSERT_TRUE(decoded) << decoded.error().message();
    EXPECT_EQ(*decoded, record);
}

TEST(OracleRecord, SectorsOfTwoNumbersAreTorn) {
    const auto before = encode(Record{kRun, 6, 0, 2});
    const auto after = encode(Record{kRun, 7, 0, 2});
    for (std::size_t sectors = 1; sectors < kRecordSize / 512; ++sectors) {
        auto mixed = before;
        std::copy_n(after.begin(), sectors * 512, mixed.begin());
        ASSERT_FALSE(decode(mixed)) << sectors << " sectors of the new record";
        EXPECT_THAT(decode(mixed).error().message(), HasSubstr("torn"));
        mixed = after;
        std::copy_n(before.begin(), sectors * 512, mixed.begin());
        EXPECT_FALSE(decode(mixed)) << sectors << " sectors of the old record";
    }
    for (std::size_t at = 0; at < kRecordSize; at += 512) {
        auto mixed = before;
        std::copy_n(after.begin() + static_cast<std::ptrdiff_t>(at), 512,
                    mixed.begin() + static_cast<std::ptrdiff_t>(at));
        EXPECT_FALSE(decode(mixed)) << "only the sector at byte " << at << " is new";
    }
}

TEST(OracleRecord, AnySingleChangedByteIsFound) {
    const auto whole = encode(Record{kRun, 6, 0, 2});
    for (std::size_t at = 0; at < kRecordSize; at += 13) {
        auto changed = whole;
        changed[at] ^= std::byte{0x10};
        EXPECT_FALSE(decode(changed)) << "byte " << at;
    }
}

TEST(OracleRecord, OtherFilesAreNoRecords) {
    const auto whole = encode(Record{kRun, 6, 0, 2});
    EXPECT_FALSE(decode(std::span(whole).first(kRecordSize - 1)));
    EXPECT_FALSE(decode({}));
    EXPECT_FALSE(decode(RecordBytes{})) << "zeros, as after a lost write";
}

TEST(OracleRecord, AMissingFileIsNamed) {
    const Directories directories(1);
    const auto record = read_record(directories.paths()[0]);
    ASSERT_FALSE(record);
    EXPECT_THAT(record.error().message(), HasSubstr(directories.paths()[0] + "/oracle.record"));
}

TEST(OracleRecord, ALongerFileIsNoRecord) {
    const Directories directories(1);
    const auto bytes = encode(Record{kRun, 6, 0, 2});
    std::ofstream file(directories.paths()[0] + "/" + kRecordName, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    file << "more";
    file.close();
    const auto record = read_record(directories.paths()[0]);
    ASSERT_FALSE(record);
    EXPECT_THAT(record.error().message(), HasSubstr("4100 bytes"));
}

TEST(OracleWriter, LeavesTheSameNumberEverywhere) {
    const Directories directories(3);
    std::atomic<bool> stop{false};
    int ready = 0;
    const auto report = write_records({.directories = directories.paths()}, stop, [&]() -> Result<void> {
        ++ready;
        EXPECT_THAT(judge(read_all(directories.paths()))->numbers, ElementsAre(1, 1, 1));
        stop.store(true);
        return {};
    });
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_EQ(ready, 1);
    EXPECT_EQ(report->sequence, 1U);
    EXPECT_GT(report->longest_write.count(), 0);
}

TEST(OracleWriter, WritesVolumeByVolumeInOrder) {
    const Directories directories(2);
    std::atomic<bool> stop{false};
    std::uint64_t seen = 0;
    std::jthread reader;
    const auto report = write_records({.directories = directories.paths(), .length = std::chrono::seconds(30)}, stop,
                                      [&]() -> Result<void> {
                                          reader = std::jthread([&] {
                                              // What is read first, from the last volume, can only be behind what is read from the first one later.
                                              while (seen < 20 && !stop.load()) {
                                                  const auto last = read_record(directories.paths()[1]);
                                                  const auto first = read_record(directories.paths()[0]);
                                                  if (!last || !first) continue; // read in the middle of a write
                                                  EXPECT_GE(first->sequence, last->sequence);
                                                  seen = std::max(seen, last->sequence);
                                              }
                                              stop.store(true);
                                          });
                                          return {};
                                      });
    stop.store(true);
    if (reader.joinable()) reader.join();
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_GE(seen, 20U);
    EXPECT_GE(report->sequence, seen);
}

TEST(OracleWriter, ALoadIsWrittenToEveryVolumeAndEnds) {
    const Directories directories(2);
    const std::size_t threads = threads_of_this_process();
    std::atomic<bool> stop{false};
    const auto report = write_records(
        {.directories = directories.paths(), .length = std::chrono::seconds(1), .load = 8}, stop, kNothing);
    ASSERT_TRUE(report) << report.error().message();
    for (const auto& directory : directories.paths()) {
        EXPECT_GT(std::filesystem::file_size(directory + "/oracle.load"), 1U << 20U);
    }
    EXPECT_EQ(threads_of_this_process(), threads);
}

TEST(OracleWriter, RestsAsLongAsItIsTold) {
    const Directories directories(2);
    std::atomic<bool> stop{false};
    const auto start = Monotonic::now();
    const auto report = write_records(
        {.directories = directories.paths(), .length = std::chrono::milliseconds(300), .rest = 3}, stop, kNothing);
    const auto elapsed = Monotonic::now() - start;
    ASSERT_TRUE(report) << report.error().message();
    EXPECT_GT(report->busy.count(), 0);
    EXPECT_GE(elapsed, report->busy * 3 / 2);
}

TEST(OracleWriter, AnUnwritableVolumeIsNamed) {
    Directories directories(2);
    auto paths = directories.paths();
    paths.push_back(paths[0] + "/missing");
    std::atomic<bool> stop{false};
    const auto report = write_records({.directories = paths}, stop, kNothing);
    ASSERT_FALSE(report);
    EXPECT_THAT(report.error().message(), HasSubstr(paths[2]));
}

TEST(OracleWriter, AFullVolumeEndsTheRunWithAnError) {
    const Directories directories(2);
    // A load file that leads to a device which is always full.
    std::filesystem::create_symlink("/dev/full", directories.paths()[1] + "/oracle.load");
    std::atomic<bool> stop{false};
    const auto report = write_records(
        {.directories = directories.paths(), .length = std::chrono::seconds(20), .load = 4}, stop, kNothing);
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().error_number, ENOSPC);
    EXPECT_THAT(report.error().message(), HasSubstr(directories.paths()[1] + "/oracle.load"));
}

} // namespace
} // namespace quiesced::oracle
