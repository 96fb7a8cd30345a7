// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.h"

namespace quiesced {

/// What a plugin says about itself.
struct PluginDescription {
    std::string name;
    std::string version;
    std::string vendor;
    std::vector<std::string> capabilities; ///< "group-snapshot", "two-phase", "map", "writable-clone", "list"
};

/// A snapshot that the array holds for this guest.
struct HeldSnapshot {
    std::string set;
    std::string snapshot; ///< the array's name for it
    std::string origin = {}; ///< WWID of the LUN that it was taken of; empty where the plugin does not say
};

/// The last call of one method, from the request to its answer.
struct PluginCall {
    std::chrono::microseconds took{};
    std::string error; ///< what went wrong; empty: it succeeded
};

/// What is known of one plugin by what it was asked so far.
struct PluginStatus {
    enum class State {
        unknown, ///< nobody has asked it yet
        ready,   ///< it described itself when it was last connected to
        failed,  ///< it could not be connected to, or did not describe itself
    };
    State state = State::unknown;
    std::string error; ///< why it failed; else empty
    PluginDescription description;
    std::map<std::string, std::string> luns;  ///< by WWID: the array's names of what it claimed when it was last asked
    std::map<std::string, PluginCall> calls;  ///< by method
    std::vector<HeldSnapshot> snapshots;      ///< what `list` answered when it was last asked
};

/// "unknown", "ready", "failed".
std::string_view plugin_state_name(PluginStatus::State state);

/// What all connections to plugins have learned. Thread-safe; a note costs no more than a few allocations, so that one may be
/// made in the window.
class PluginRecords {
public:
    void note_connection(const std::string& plugin, const Error& error);
    void note_description(const std::string& plugin, const Result<PluginDescription>& description);
    void note_call(const std::string& plugin, const std::string& method, std::chrono::microseconds took, const Error* error);
    /// Of what it was asked about: those that are not claimed are forgotten, and so are all others if it was asked about `all`.
    void note_claims(const std::string& plugin, const std::vector<std::string>& asked, const std::map<std::string, std::string>& claimed, bool all);

    void note_snapshots(const std::string& plugin, std::vector<HeldSnapshot> snapshots);

    /// Of a plugin that was never asked: what is so at the beginning.
    [[nodiscard]] PluginStatus status(const std::string& plugin) const;

private:
    mutable std::mutex mutex_;
    std::map<std::string, PluginStatus> plugins_;
};

} // namespace quiesced
