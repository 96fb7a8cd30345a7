// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "bus/bus_context.h"
#include "bus/dict.h"
#include "org.quiesced1.Plugin.adaptor.h"

namespace quiesced {

/// "/org/quiesced1/plugin/my_2dplugin" for my-plugin.
std::string plugin_path(const std::string& name);

/// org.quiesced1.Plugin on /org/quiesced1/plugin/NAME. Created and destroyed on the events thread, or while no loop runs.
class PluginObject final : public sdbus::AdaptorInterfaces<org::quiesced1::Plugin_adaptor> {
public:
    PluginObject(BusContext& context, std::string name);
    ~PluginObject();
    PluginObject(const PluginObject&) = delete;
    PluginObject& operator=(const PluginObject&) = delete;

private:
    std::string Name() override { return name_; }
    std::string State() override { return std::string(plugin_state_name(status().state)); }
    std::string Error() override { return utf8(status().error); }
    std::string Version() override { return utf8(status().description.version); }
    std::string Vendor() override { return utf8(status().description.vendor); }
    std::vector<std::string> Capabilities() override;
    std::vector<Dict> Luns() override;
    std::vector<Dict> Calls() override;
    std::vector<Dict> Snapshots() override;

    [[nodiscard]] PluginStatus status() const { return context_.plugins.status(name_); }

    BusContext& context_;
    std::string name_;
};

} // namespace quiesced
