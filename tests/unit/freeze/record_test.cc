// SPDX-License-Identifier: LGPL-2.1-or-later
#include "freeze/record.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstddef>
#include <cstring>
#include <fstream>

#include "base/file.h"
#include "window_fixture.h"

namespace quiesced {
namespace {

class RecordTest : public WindowTest {
protected:
    Record create() {
        auto record = Record::create(record_path(), plan_);
        EXPECT_THAT(record, Succeeds());
        return std::move(*record);
    }
    Result<Record> map() { return open_at(AT_FDCWD, record_path(), O_RDWR).and_then(&Record::map); }
    /// Puts `value` at `offset` of a sound record and maps it.
    template <typename T>
    Result<Record> map_with(std::size_t offset, T value) {
        std::filesystem::remove(record_path());
        { const auto record = create(); }
        std::fstream file(record_path(), std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(static_cast<std::streamoff>(offset));
        file.write(reinterpret_cast<const char*>(&value), sizeof value);
        file.close();
        return map();
    }
};

TEST_F(RecordTest, WhatWasPlannedIsReadBack) {
    add_member("srv/a");
    add_member("b", 3);
    plan_.members[1].carried = true;
    plan_.expedite_rcu = false;
    add_chain("x", "pool");
    add_chain("y");
    add_chain("z", "pool");
    { const auto record = create(); }
    const auto record = map();
    ASSERT_THAT(record, Succeeds());
    EXPECT_STREQ(record->header().set, "67f0a1b200c0ffee");
    EXPECT_EQ(record->header().expedite_rcu, 0U);
    EXPECT_EQ(record->header().saved_rcu.load(), -1);
    ASSERT_EQ(record->members().size(), 2U);
    EXPECT_STREQ(record->members()[0].name, "srv/a");
    EXPECT_STREQ(record->members()[0].mount_path, "/mnt/srv/a");
    EXPECT_EQ(record->members()[0].superblock_major, 250U);
    EXPECT_EQ(record->members()[1].mount_id, plan_.members[1].mount_id);
    EXPECT_EQ(record->members()[1].level, 3);
    EXPECT_EQ(record->members()[1].carried, 1U);
    EXPECT_EQ(record->members()[1].state.load(), MemberState::idle);
    ASSERT_EQ(record->chains().size(), 3U);
    EXPECT_EQ(record->chains()[0].group, record->chains()[2].group);
    EXPECT_NE(record->chains()[0].group, record->chains()[1].group);
    ASSERT_EQ(record->steps().size(), 27U);
    const auto& table = record->steps()[9 + 3];
    EXPECT_EQ(table.op, DmStep::Op::load);
    EXPECT_EQ(table.phase, StepPhase::prime);
    EXPECT_EQ(table.chain, 1U);
    EXPECT_EQ(table.sectors, 8U);
    EXPECT_STREQ(table.uuid, "s-y");
    EXPECT_STREQ(table.target, "snapshot");
    EXPECT_EQ(record->text(table), "1:2 1:3 P 8");
    EXPECT_STREQ(record->path(record->steps()[2]), "/dev/cow-x");
}

TEST(StepSlot, DevicesAreTheSameByUuidAndWithoutOneByNumber) {
    const auto slot = [](const char* uuid, std::uint32_t minor) {
        auto made = std::make_unique<StepSlot>();
        std::strcpy(made->uuid, uuid); // NOLINT(clang-analyzer-security.insecureAPI.strcpy): short ones
        made->major = 254;
        made->minor = minor;
        return made;
    };
    EXPECT_TRUE(same_device(*slot("u", 1), *slot("u", 2)));
    EXPECT_FALSE(same_device(*slot("u", 1), *slot("v", 1)));
    EXPECT_FALSE(same_device(*slot("", 1), *slot("u", 1)));
    EXPECT_TRUE(same_device(*slot("", 1), *slot("", 1)));
    EXPECT_FALSE(same_device(*slot("", 1), *slot("", 2)));
}

TEST_F(RecordTest, ItIsReadableByItsOwnerOnlyAndNeverReplacesAnother) {
    add_member("a");
    const auto record = create();
    struct stat status {};
    ASSERT_EQ(::stat(record_path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0600U);
    const auto second = Record::create(record_path(), plan_);
    EXPECT_FALSE(second);
    EXPECT_TRUE(record_there()) << "the record of a window that is under way was removed";
}

TEST_F(RecordTest, LongNamesAreCutAndLongUuidsAreRefused) {
    add_member(std::string(100, 'n'));
    plan_.members[0].name = std::string(300, 'n');
    plan_.members[0].mount_path = "/" + std::string(600, 'p');
    {
        const auto record = create();
        EXPECT_EQ(std::string(record.members()[0].name), std::string(255, 'n'));
        EXPECT_EQ(std::string(record.members()[0].mount_path).size(), 511U);
    }
    std::filesystem::remove(record_path());
    add_chain(std::string(130, 'u'));
    EXPECT_THAT(Record::create(record_path(), plan_), FailsWith(ErrorKind::internal, "too long"));
    EXPECT_FALSE(record_there());
}

TEST_F(RecordTest, AProgressOfOneMappingIsSeenByTheOther) {
    add_member("a");
    const auto one = create();
    const auto other = map();
    ASSERT_THAT(other, Succeeds());
    one.members()[0].state = MemberState::frozen;
    EXPECT_EQ(other->members()[0].state.load(), MemberState::frozen);
}

TEST_F(RecordTest, DamagedRecordsAreRefused) {
    add_member("a");
    add_chain("x");
    const std::uint32_t far = 0x7fffffff;
    std::size_t member = 0, chain = 0, step = 0;
    {
        const auto record = create();
        member = record.header().members_offset;
        chain = record.header().chains_offset;
        step = record.header().steps_offset;
    }
    EXPECT_THAT(map_with(offsetof(RecordHeader, magic), std::uint64_t{1}), FailsWith(ErrorKind::io, "not completed"));
    EXPECT_THAT(map_with(offsetof(RecordHeader, version), std::uint32_t{99}), FailsWith(ErrorKind::io, "version 99"));
    for (const std::size_t field :
         {offsetof(RecordHeader, size), offsetof(RecordHeader, members_offset), offsetof(RecordHeader, members_count),
          offsetof(RecordHeader, chains_offset), offsetof(RecordHeader, chains_count), offsetof(RecordHeader, steps_offset),
          offsetof(RecordHeader, steps_count), offsetof(RecordHeader, text_offset), offsetof(RecordHeader, text_size),
          step + offsetof(StepSlot, chain), step + offsetof(StepSlot, text_offset), step + offsetof(StepSlot, text_length),
          step + offsetof(StepSlot, path_offset), step + offsetof(StepSlot, op), step + offsetof(StepSlot, phase),
          chain + offsetof(ChainSlot, group), member + offsetof(MemberSlot, level)})
        EXPECT_THAT(map_with(field, far), FailsWith(ErrorKind::io, "damaged")) << "field at " << field;
    EXPECT_THAT(map_with(offsetof(RecordHeader, members_offset), static_cast<std::uint32_t>(member + 4)),
                FailsWith(ErrorKind::io, "damaged"));
    EXPECT_THAT(map_with(member + offsetof(MemberSlot, level), std::int32_t{-1}), FailsWith(ErrorKind::io, "damaged"));
    std::array<char, sizeof(MemberSlot::name)> endless{};
    endless.fill('x');
    EXPECT_THAT(map_with(member + offsetof(MemberSlot, name), endless), FailsWith(ErrorKind::io, "damaged"));
    EXPECT_THAT(map_with(member, std::uint32_t{250}), Succeeds());
}

TEST_F(RecordTest, ATruncatedRecordIsRefused) {
    add_member("a");
    add_chain("x");
    { const auto record = create(); }
    const auto whole = std::filesystem::file_size(record_path());
    for (const auto size : {whole - 1, whole - 64, static_cast<std::uintmax_t>(sizeof(RecordHeader)), std::uintmax_t{16}, std::uintmax_t{0}}) {
        std::filesystem::resize_file(record_path(), size);
        EXPECT_FALSE(map()) << size << " of " << whole << " bytes";
    }
}

TEST_F(RecordTest, WhereItCannotBeWrittenNothingIsLeft) {
    add_member("a");
    EXPECT_FALSE(Record::create(directory_ + "/missing/x.window", plan_));
    plan_.members[0].name.clear();
    for (int i = 0; i < 20000; ++i) plan_.members.push_back({});
    EXPECT_THAT(Record::create(record_path(), plan_), FailsWith(ErrorKind::limit, "too large"));
    EXPECT_FALSE(record_there());
}

} // namespace
} // namespace quiesced
