// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "arrays/plugin_records.h"
#include "arrays/plugin_settings.h"
#include "snapshot/provider.h"
#include "volumes/inventory.h"

namespace quiesced {

/// The plugins of this guest, and what is known of each. Thread-safe.
class Plugins {
public:
    explicit Plugins(PluginSettings settings = {});

    /// Names of those whose sockets are there now, sorted.
    [[nodiscard]] std::vector<std::string> names() const;
    /// A provider for each of them.
    [[nodiscard]] std::vector<std::shared_ptr<Provider>> providers() const;
    [[nodiscard]] PluginStatus status(const std::string& name) const { return settings_.records->status(name); }
    /// Asks each of these, side by side, what it is and which of the guest's LUNs are its own. Takes as long as the budgets of
    /// `describe` and `claim` allow; what came of it is in status().
    void ask(const std::vector<std::string>& names, const Inventory& inventory) const;

private:
    PluginSettings settings_; ///< its records are never null
};

} // namespace quiesced
