// SPDX-License-Identifier: LGPL-2.1-or-later
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <map>
#include <string>

#include "arrays/json_rpc.h"
#include "arrays/lun_disks.h"
#include "arrays/plugin_connection.h"
#include "base/command_line.h"
#include "freeze/protocol.h"
#include "freeze/record.h"
#include "fuzz/target.h"
#include "plugins/exec/exec_config.h"
#include "plugins/sdk/plugin.h"
#include "sequence/plan_warnings.h"
#include "sequence/write_rate.h"
#include "snapshot/lvm_reference.h"
#include "snapshot/lvm_report.h"
#include "snapshot/manifest.h"

namespace quiesced::fuzz {

void run_rpc_answer(std::string_view input) {
    const auto answer = parse_answer(input, 7);
    if (!answer)
        require(!answer.error().context.empty(), "an error says what happened");
    else if (!answer->failure) {
        (void)parse_description(answer->result);
        if (const auto snapshots = parse_snapshots(answer->result, {"naa.1", "naa.2"})) {
            require(snapshots->size() == 2, "one snapshot for each disk");
            for (const auto& snapshot : *snapshots) (void)snapshot_to_json(snapshot).dump(-1, ' ', false, Json::error_handler_t::replace);
        }
    }
    require(printable(input, 100).size() <= 100 + 3, "what is shown is short"); // and perhaps "..."
}

void run_rpc_request(std::string_view input) {
    static const std::map<std::string, Handler> handlers{
        {"echo", [](const Json& params) -> Answer { return params; }},
        {"name", [](const Json& params) -> Answer { return Json{{"name", params.at("name").get<std::string>()}}; }},
        {"fail", [](const Json&) -> Answer { return refuse(FailureKind::busy, "later"); }},
    };
    const auto answer = answer_line(handlers, input);
    require(answer.empty() || answer.find('\n') == answer.size() - 1, "an answer is one line");
}

void run_diskstats(std::string_view input) {
    const WriteSample first{.taken = Monotonic::time_point(), .written = parse_diskstats(input.substr(0, input.size() / 2))};
    const WriteSample second{.taken = Monotonic::time_point(std::chrono::nanoseconds(1)), .written = parse_diskstats(input)};
    for (const auto& [device, rate] : write_rates(first, second))
        require(second.written.at(device) >= first.written.at(device) && rate <= 1'000'000'000'000'000'000U, "a rate is that of a device in both samples");
}

void run_kernel_release(std::string_view input) {
    const std::string release(input);
    require(!kernel_before(release, 5, 17) || kernel_before(release, 6, 0), "what is older than 5.17 is older than 6.0");
    require(!kernel_before(release, 0, 0), "nothing is older than 0.0");
}

void run_exec_config(std::string_view input) {
    const auto config = parse_exec_config(std::string(input));
    if (!config) {
        require(!config.error().context.empty(), "an error says what happened");
        return;
    }
    for (const auto& [method, command] : config->commands)
        require(command.argv.empty() || command.argv.front().starts_with('/'), "a program is a full path");
}

void run_command_line(std::string_view input) {
    if (const auto argv = split_command(input))
        require(!argv->empty() && argv->front().starts_with('/'), "a program is a full path");
}

void run_manifest(std::string_view input) {
    const auto manifest = manifest_from_json(std::string(input));
    if (!manifest) return;
    const auto text = manifest_to_json(*manifest);
    const auto again = manifest_from_json(text);
    require(again.has_value() && manifest_to_json(*again) == text, "a manifest that was written can be read");
}

void run_lvm_report(std::string_view input) {
    const auto volumes = parse_lvm_report(std::string(input));
    if (!volumes) return;
    for (const auto& volume : *volumes) {
        (void)volume.kind();
        (void)volume.dm_uuid();
        (void)volume.is_merging();
    }
}

void run_lvm_reference(std::string_view input) {
    const auto reference = lvm_reference_from_json(std::string(input));
    if (!reference) return;
    require(lvm_reference_from_json(lvm_reference_to_json(*reference)).has_value(), "a reference that was written can be read");
}

void run_record(std::string_view input) {
    UniqueFd file(::memfd_create("record", MFD_CLOEXEC));
    if (!file || ::write(file.get(), input.data(), input.size()) < 0) return;
    const auto record = Record::map(std::move(file));
    if (!record) return;
    std::size_t sum = record->members().size() + record->chains().size();
    for (const auto& member : record->members())
        sum += std::string_view(member.name).size() + std::string_view(member.mount_path).size();
    for (const auto& chain : record->chains()) sum += std::string_view(chain.name).size();
    for (const auto& step : record->steps())
        sum += record->text(step).size() + std::string_view(record->path(step)).size() + std::string_view(step.uuid).size() +
               std::string_view(step.target).size();
    require(sum <= 16 * input.size() + 1024, "every text lies in the record");
}

void run_freezer_message(std::string_view input) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return;
    const UniqueFd here(ends[0]);
    UniqueFd there(ends[1]);
    if (::send(there.get(), input.data(), input.size(), MSG_NOSIGNAL) < 0) return;
    there.reset();
    if (const auto received = receive_message(here.get()))
        require(received->descriptors.empty(), "nobody sent a descriptor");
}

} // namespace quiesced::fuzz
