// SPDX-License-Identifier: LGPL-2.1-or-later
// quiescectl diff: by this process itself, which reads the devices; the daemon only makes them ready.
#include <algorithm>
#include <iostream>
#include <utility>

#include "ctl/commands.h"
#include "diff/snapshot_diff.h"
#include "view/json_read.h"

namespace quiesced {
namespace {

constexpr const char* kLive = "-"; ///< in the place of a set: the volume as it is

/// One end of the comparison.
struct End {
    std::string id, device, origin;
};

Answer<End> find_end(const Context& context, const std::string& set, const std::string& volume) {
    const auto refuse = [&](const std::string& message) { return tl::unexpected<ClientError>(ClientError{ExitCode::refused, "", message}); };
    const auto manifest = context.client.map(set);
    if (!manifest) return tl::unexpected<ClientError>(manifest.error());
    const auto json = Json::parse(*manifest, nullptr, false);
    std::optional<End> end;
    for_each_object(json, "members", [&](const Json& member) {
        if (text_of(member, "volume") == volume) end = End{.id = text_of(json, "id"), .device = text_of(member, "device"), .origin = text_of(member, "origin")};
    });
    if (!end) return refuse("'" + volume + "' is no volume of the set " + set + ". See: quiescectl show " + set);
    if (end->device.empty()) return refuse("the snapshot of " + volume + " in the set " + set + " is on no device of this guest");
    return *end;
}

void print(const std::string& volume, const End& one, const End& other, const SnapshotDiff& diff, bool exact) {
    auto ranges = Json::array();
    for (const auto& range : diff.ranges) ranges.push_back({{"start", range.start}, {"length", range.length}});
    const Json json{{"volume", volume}, {"set1", one.id}, {"device1", one.device}, {"set2", other.id}, {"device2", other.device},
                    {"size", diff.size}, {"chunk", diff.chunk}, {"exact", exact}, {"ranges", std::move(ranges)}};
    std::cout << json.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

} // namespace

ExitCode diff_sets(const Context& context) {
    const auto& request = context.request;
    const auto one = find_end(context, request.set, request.diff_volume);
    if (!one) return complain(one.error());
    Answer<End> other = End{.id = kLive, .device = one->origin, .origin = one->origin};
    if (request.other_set != kLive) other = find_end(context, request.other_set, request.diff_volume);
    if (!other) return complain(other.error());
    // What changed between them is the same whichever is named first; an id begins with its time.
    const bool swapped = other->id != kLive && other->id < one->id;
    const auto diff = diff_snapshots(swapped ? other->device : one->device, swapped ? one->device : other->device, {.compare = !request.no_compare});
    if (!diff) return complain(diff.error());
    print(request.diff_volume, *one, *other, *diff, !request.no_compare);
    return ExitCode::ok;
}

} // namespace quiesced
