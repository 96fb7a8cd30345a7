// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "config.h"

namespace quiesced {

/// What quiesced.conf says; see quiesced.conf(5) for each key. The values here are the defaults.
struct Settings {
    // [daemon]
    std::string log_level = "info"; ///< debug, info, warning, error
    std::string state_directory = "/var/lib/quiesced";
    std::string plugin_directory = "/run/quiesced/plugins";
    std::string hooks_directory = QUIESCED_SYSCONFDIR "/hooks.d";
    std::string writers_directory = QUIESCED_SYSCONFDIR "/writers.d";
    // [sets]
    std::uint64_t most_unfinished = 16;
    std::uint64_t most_of_a_caller = 4;
    std::chrono::milliseconds deadline{10000};
    std::chrono::milliseconds member_limit{0};
    std::chrono::milliseconds prepare_limit{600000};
    std::chrono::milliseconds keep_failed{600000};
    // [window]
    std::chrono::milliseconds flush_bound{30000};
    bool relinquish_journal = true;
    // [space]
    std::uint64_t chunk_size = 4096; ///< bytes
    std::uint64_t extend_at = 0; ///< percent; 0: off
    std::uint64_t extend_by = 50; ///< percent
    // [writers]
    std::chrono::milliseconds script_limit{60000};
    // [dm]
    std::string store_group = {}; ///< volume group for the stores of the dm provider; empty: it takes nothing

    bool operator==(const Settings&) const = default;
};

/// Puts what one file says over `settings`. Returns what is wrong with it, each "LINE: sentence"; keys without fault count all the
/// same. Never touches a file.
std::vector<std::string> apply_settings(const std::string& text, Settings& settings);

/// Every key as "section.key", in the order of the manual.
std::vector<std::string> setting_names();

/// Where the files are: the first folder is the administrator's, the last one the vendor's.
struct SettingsFolders {
    std::vector<std::string> folders{QUIESCED_SYSCONFDIR, "/run/quiesced", QUIESCED_VENDORDIR};
};

/// What was found in the files.
struct LoadedSettings {
    Settings settings;
    std::vector<std::string> files;    ///< that were read, in their order: a later one overrules
    std::vector<std::string> problems; ///< "FILE:LINE: sentence"; empty: all is well
    /// One error of all problems. Errors: invalid_argument.
    [[nodiscard]] Result<void> check() const;
};

/// Reads quiesced.conf of the first folder that has one, and then quiesced.conf.d/*.conf of all folders in the order of their
/// names; of several with the same name that of the first folder counts, and a link to /dev/null or an empty file hides the others.
/// A file that others than root or this user may write to is a problem.
LoadedSettings load_settings(const SettingsFolders& where = {});

} // namespace quiesced
