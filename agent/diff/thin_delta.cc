// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diff/thin_delta.h"

#include <libdevmapper.h>
#include <signal.h>

#include <charconv>
#include <memory>
#include <optional>
#include <sstream>
#include <string_view>

#include "base/child.h"
#include "base/scope_exit.h"

namespace quiesced {
namespace {

struct TaskDestroyer {
    void operator()(dm_task* task) const { dm_task_destroy(task); }
};

void ignore_log(int, const char*, int, int, const char*, ...) {} // NOLINT(cert-dcl50-cpp): the library's signature

Result<void> send_message(DeviceNumber pool, const char* message) {
    dm_log_with_errno_init(ignore_log);
    const std::unique_ptr<dm_task, TaskDestroyer> task(dm_task_create(DM_DEVICE_TARGET_MSG));
    const auto what = "the thin pool " + pool.text() + " does not take the message " + message;
    if (!task || dm_task_set_major_minor(task.get(), static_cast<int>(pool.major), static_cast<int>(pool.minor), 0) == 0 ||
        dm_task_set_message(task.get(), message) == 0 || dm_task_set_sector(task.get(), 0) == 0)
        return fail(ErrorKind::kernel, what, "Is the dm_mod module loaded?");
    if (dm_task_run(task.get()) != 0) return {};
    const int error_number = dm_task_get_errno(task.get());
    if (error_number == EBUSY)
        return fail(ErrorKind::busy, "somebody else holds the snapshot of the metadata of the thin pool " + pool.text(),
                    "Wait for it; one that was left behind is given up by: dmsetup message POOL 0 release_metadata_snap");
    return fail_errno(what, error_number != 0 ? error_number : EIO);
}

/// The value of ` name="12"`.
std::optional<std::uint64_t> attribute(std::string_view tag, std::string_view name) {
    const auto wanted = " " + std::string(name) + "=\"";
    const auto at = tag.find(wanted);
    if (at == std::string_view::npos) return std::nullopt;
    const auto value = tag.substr(at + wanted.size());
    std::uint64_t number = 0;
    const auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (problem != std::errc() || end == value.data() + value.size() || *end != '"') return std::nullopt;
    return number;
}

/// What would end this process waits until the end of the scope.
class SignalsWait {
public:
    SignalsWait() {
        sigset_t waiting;
        ::sigemptyset(&waiting);
        for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) ::sigaddset(&waiting, number);
        ::pthread_sigmask(SIG_BLOCK, &waiting, &before_);
    }
    SignalsWait(const SignalsWait&) = delete;
    SignalsWait& operator=(const SignalsWait&) = delete;
    ~SignalsWait() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_{};
};

Result<std::string> run_thin_delta(DeviceNumber metadata, std::uint32_t one, std::uint32_t other) {
    ChildOptions options;
    options.limit = std::chrono::minutes(30);
    options.output_limit = 512U << 20U; // a line for each range
    options.environment = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};
    const auto outcome = run_child({"thin_delta", "--metadata-snap", "--snap1", std::to_string(one), "--snap2", std::to_string(other),
                                    "/dev/dm-" + std::to_string(metadata.minor)}, options);
    if (!outcome) return fail(ErrorKind::unsupported, "thin_delta cannot be run: " + outcome.error().message(), "Install thin-provisioning-tools.");
    if (outcome->timed_out) return fail(ErrorKind::deadline, "thin_delta did not end within 30 min");
    if (outcome->exit_status != 0) return fail(ErrorKind::io, "thin_delta failed: " + (outcome->errors.empty() ? outcome->output : outcome->errors));
    if (outcome->truncated) return fail(ErrorKind::limit, "thin_delta gave too much output");
    return outcome->output;
}

} // namespace

Result<std::vector<ByteRange>> parse_thin_delta(const std::string& text, std::uint64_t block, std::uint64_t size) {
    std::vector<ByteRange> ranges;
    bool complete = false;
    for (std::size_t begin = text.find('<'); begin != std::string::npos; begin = text.find('<', begin + 1)) {
        const auto end = text.find('>', begin);
        if (end == std::string::npos) break;
        const std::string_view tag(text.data() + begin + 1, end - begin - 1);
        const auto name = tag.substr(0, tag.find_first_of(" /\n"));
        if (tag == "/superblock") complete = true;
        if (name != "different" && name != "left_only" && name != "right_only") continue;
        const auto first = attribute(tag, "begin");
        const auto count = attribute(tag, "length");
        if (!first || !count || block == 0 || *first > UINT64_MAX / block || *count > UINT64_MAX / block - *first)
            return fail(ErrorKind::io, "cannot understand what thin_delta says: <" + std::string(tag.substr(0, 200)) + ">");
        ranges.push_back({*first * block, *count * block});
    }
    if (!complete) return fail(ErrorKind::io, "what thin_delta says has no end");
    return merge_ranges(std::move(ranges), size);
}

Result<ThinDevice> parse_thin_table(const std::string& text) {
    std::istringstream words(text);
    std::string pool;
    ThinDevice device;
    words >> pool >> device.id;
    const auto number = DeviceNumber::parse(pool);
    if (!words || !number) return fail(ErrorKind::io, "'" + text + "' is no table of a thin device");
    device.pool = *number;
    return device;
}

Result<ThinPool> parse_pool_table(const std::string& text) {
    std::istringstream words(text);
    std::string metadata;
    std::string data;
    std::uint64_t sectors = 0;
    words >> metadata >> data >> sectors;
    const auto number = DeviceNumber::parse(metadata);
    if (!words || !number || sectors == 0 || sectors > UINT64_MAX / kSectorSize) return fail(ErrorKind::io, "'" + text + "' is no table of a thin pool");
    return ThinPool{.metadata = *number, .block = sectors * kSectorSize};
}

Result<std::vector<ByteRange>> thin_changes(DeviceNumber pool, const ThinPool& table, std::uint32_t one, std::uint32_t other, std::uint64_t size) {
    const SignalsWait wait;
    // It commits what is under way first (dm-thin.c, process_reserve_metadata_snap_mesg()).
    if (auto reserved = send_message(pool, "reserve_metadata_snap"); !reserved) return pass(reserved);
    auto text = run_thin_delta(table.metadata, one, other);
    auto released = send_message(pool, "release_metadata_snap");
    if (!text) {
        if (!released) text.error().undone.push_back(released.error().message());
        return pass(text);
    }
    if (!released) return pass(released);
    return parse_thin_delta(*text, table.block, size);
}

} // namespace quiesced
