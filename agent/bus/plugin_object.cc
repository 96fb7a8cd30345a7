// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/plugin_object.h"

#include <cstdint>
#include <utility>

namespace quiesced {

std::string plugin_path(const std::string& name) {
    std::string path = std::string(kManagerPath) + "/plugin/";
    for (const char c : name) path += c == '-' ? std::string("_2d") : std::string(1, c); // a name has nothing else that a path has not
    return path;
}

PluginObject::PluginObject(BusContext& context, std::string name)
    : AdaptorInterfaces(context.connection, sdbus::ObjectPath(plugin_path(name))), context_(context), name_(std::move(name)) {
    registerAdaptor();
}

PluginObject::~PluginObject() { unregisterAdaptor(); }

std::vector<std::string> PluginObject::Capabilities() {
    std::vector<std::string> names;
    for (const auto& name : status().description.capabilities) names.push_back(utf8(name));
    return names;
}

std::vector<Dict> PluginObject::Luns() {
    std::vector<Dict> luns;
    for (const auto& [wwid, array_volume] : status().luns)
        luns.push_back({{"wwid", sdbus::Variant(utf8(wwid))}, {"array_volume", sdbus::Variant(utf8(array_volume))}});
    return luns;
}

std::vector<Dict> PluginObject::Calls() {
    std::vector<Dict> calls;
    for (const auto& [method, call] : status().calls)
        calls.push_back({{"method", sdbus::Variant(utf8(method))},
                         {"took_us", sdbus::Variant(static_cast<std::uint64_t>(call.took.count()))},
                         {"error", sdbus::Variant(utf8(call.error))}});
    return calls;
}

std::vector<Dict> PluginObject::Snapshots() {
    std::vector<Dict> snapshots;
    for (const auto& held : status().snapshots) snapshots.push_back({{"set", sdbus::Variant(utf8(held.set))}, {"snapshot", sdbus::Variant(utf8(held.snapshot))}});
    return snapshots;
}

} // namespace quiesced
