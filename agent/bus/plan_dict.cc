// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/plan_dict.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "bus/reply.h"
#include "bus/volume_dict.h"
#include "snapshot/dm_names.h"
#include "snapshot/host_provider.h"
#include "snapshot/lvm_reference.h"

namespace quiesced {
namespace {

using Dicts = std::vector<Dict>;

sdbus::Variant text(std::string_view value) { return sdbus::Variant(utf8(value)); }

std::vector<std::string> texts(const std::vector<std::string>& values) {
    std::vector<std::string> sound;
    sound.reserve(values.size());
    for (const auto& value : values) sound.push_back(utf8(value));
    return sound;
}

sdbus::Variant list(const std::vector<std::string>& values) { return sdbus::Variant(texts(values)); }
sdbus::Variant number(std::uint64_t value) { return sdbus::Variant(value); }

void put_error(Dict& dict, const std::optional<Error>& error, const char* message_key = "error") {
    dict["error_name"] = text(error ? kErrorPrefix + std::string(error_name(error->kind)) : "");
    dict[message_key] = text(error ? error->message() : "");
}

template <typename Items, typename Convert>
sdbus::Variant dicts(const Items& items, Convert convert) {
    Dicts all;
    for (const auto& item : items) all.push_back(convert(item));
    return sdbus::Variant(all);
}

Dict refusal_to_dict(const Refusal& refusal) { return {{"provider", text(refusal.provider)}, {"reason", text(refusal.reason)}}; }

Dict member_to_dict(const ReportedMember& member, const Inventory& inventory) {
    const auto& planned = member.planned;
    auto dict = volume_to_dict(planned.volume, inventory);
    dict["provider"] = text(planned.provider ? planned.provider->name() : "");
    dict["provider_reason"] = text(planned.reason);
    dict["refusals"] = dicts(planned.refusals, refusal_to_dict);
    dict["level"] = sdbus::Variant(static_cast<std::uint32_t>(planned.level));
    dict["carries"] = list(member.carries);
    put_error(dict, planned.error);
    if (member.write_rate) dict["write_rate"] = number(*member.write_rate);
    if (member.store) dict["store"] = number(member.store->count);
    if (member.fills_in) dict["fills_in_s"] = number(static_cast<std::uint64_t>(member.fills_in->count()));
    return dict;
}

const char* kind_of(const std::string& provider) {
    if (provider == kLvmProviderName) return "lvm";
    if (provider == kDmProviderName) return "dm";
    return provider == kHostProviderName ? "host" : "plugin";
}

Dict provider_to_dict(const ReportedProvider& provider) {
    Dict dict{{"name", text(provider.name)}, {"kind", text(kind_of(provider.name))}, {"volumes", list(provider.volumes)}};
    put_error(dict, provider.error);
    return dict;
}

Dict space_to_dict(const ReportedSpace& space) {
    const auto& need = space.need;
    Dict dict{{"kind", text(need.kind)},
              {"name", text(need.name)},
              {"provider", text(space.provider)},
              {"volumes", list(need.volumes)},
              {"enough", sdbus::Variant(!need.refusal.has_value())},
              {"text", text(need.refusal ? need.refusal->message() : need.text)}};
    if (need.needed) dict["needed"] = number(need.needed->count);
    if (need.free) dict["free"] = number(need.free->count);
    if (need.size) dict["size"] = number(need.size->count);
    if (need.data_percent) dict["data_percent"] = sdbus::Variant(*need.data_percent);
    if (need.metadata_percent) dict["metadata_percent"] = sdbus::Variant(*need.metadata_percent);
    return dict;
}

Dict writer_to_dict(const WriterEntry& writer) {
    return {{"name", text(writer.name)}, {"kind", text(writer.kind)}, {"path", text(writer.path)}, {"volumes", list(writer.volumes)}};
}

Dict warning_to_dict(const PlanWarning& warning) {
    return {{"key", text(warning.key)}, {"text", text(warning.text)}, {"advice", text(warning.advice)}, {"volumes", list(warning.volumes)}};
}

Dict graph_to_dict(const PlanGraph& graph) {
    const auto node_to_dict = [](const PlanNode& node) {
        return Dict{{"id", text(node.id)},
                    {"label", text(node.label)},
                    {"kind", text(node.kind)},
                    {"placement", text(placement_name(node.placement))},
                    {"member", sdbus::Variant(node.member)}};
    };
    std::vector<sdbus::Struct<std::string, std::string>> edges;
    for (const auto& [upper, lower] : graph.edges) edges.emplace_back(utf8(upper), utf8(lower));
    return {{"nodes", dicts(graph.nodes, node_to_dict)}, {"edges", sdbus::Variant(edges)}};
}

} // namespace

Dict plan_to_dict(const PlanReport& report) {
    const auto& inventory = *report.inventory;
    std::vector<std::vector<std::string>> levels;
    for (const auto& level : report.levels) levels.push_back(texts(level));
    const auto carried_to_dict = [&inventory](const PlannedVolume& carried) {
        auto dict = volume_to_dict(carried.volume, inventory);
        dict["level"] = sdbus::Variant(static_cast<std::uint32_t>(carried.level));
        dict["inside"] = text(carried.inside);
        return dict;
    };
    const auto skipped_to_dict = [&inventory](const PlannedVolume& skipped) {
        auto dict = volume_to_dict(skipped.volume, inventory);
        put_error(dict, skipped.error, "reason");
        return dict;
    };
    return {
        {"feasible", sdbus::Variant(report.feasible)},
        {"kernel", text(report.host.kernel)},
        {"sample_ms", sdbus::Variant(static_cast<std::uint32_t>(report.sampled.count()))},
        {"members", dicts(report.members, [&inventory](const ReportedMember& member) { return member_to_dict(member, inventory); })},
        {"carried", dicts(report.carried, carried_to_dict)},
        {"levels", sdbus::Variant(levels)},
        {"providers", dicts(report.providers, provider_to_dict)},
        {"space", dicts(report.space, space_to_dict)},
        {"writers", dicts(report.writers.writers, writer_to_dict)},
        {"writers_left_out", list(report.writers.left_out)},
        {"writers_error", text(report.writers_error ? report.writers_error->message() : "")},
        {"skipped", dicts(report.skipped, skipped_to_dict)},
        {"warnings", dicts(report.warnings, warning_to_dict)},
        {"graph", sdbus::Variant(graph_to_dict(report.graph))},
    };
}

} // namespace quiesced
