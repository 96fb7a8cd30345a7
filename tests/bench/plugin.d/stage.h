// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arrays/plugin_connection.h"
#include "native/program.h"

namespace quiesced {

/// A simulated array behind TLS, the plugin targetd behind a socket that starts an instance for each connection, and a daemon's
/// connection to it. Everything lies in a folder of its own and is gone with it.
class Stage {
public:
    /// `luns` volumes; `work` is how long the array takes for one cut. Errors: io, kernel, lost (something does not start).
    static Result<std::unique_ptr<Stage>> make(int luns, std::chrono::milliseconds work);
    ~Stage();
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;

    /// The protocol's objects of the first `count` LUNs.
    [[nodiscard]] Json disks(int count) const;
    Result<PluginConnection> connect() const;
    /// How long the array was at work on each vol_copy since the last call, ms.
    std::vector<double> take_work_ms();

private:
    Stage() = default;
    std::string folder_;
    std::optional<Program> array_;
    std::optional<Program> plugin_;
};

} // namespace quiesced
