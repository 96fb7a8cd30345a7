// SPDX-License-Identifier: LGPL-2.1-or-later
#include "arrays/plugins.h"

#include <thread>
#include <utility>

#include "arrays/plugin_connection.h"
#include "arrays/plugin_provider.h"

namespace quiesced {

Plugins::Plugins(PluginSettings settings) : settings_(std::move(settings)) {
    if (!settings_.records) settings_.records = std::make_shared<PluginRecords>();
}

std::vector<std::string> Plugins::names() const { return installed_plugins(settings_.directory); }

std::vector<std::shared_ptr<Provider>> Plugins::providers() const {
    std::vector<std::shared_ptr<Provider>> providers;
    for (const auto& name : names()) providers.push_back(std::make_shared<PluginProvider>(name, settings_));
    return providers;
}

void Plugins::ask(const std::vector<std::string>& names, const Inventory& inventory) const {
    std::vector<std::jthread> threads;
    for (const auto& name : names)
        threads.emplace_back([this, &name, &inventory] { PluginProvider(name, settings_).look(inventory); });
}

} // namespace quiesced
