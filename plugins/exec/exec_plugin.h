// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "plugins/exec/armed_command.h"
#include "plugins/exec/exec_config.h"
#include "plugins/sdk/set_lock.h"
#include "plugins/sdk/plugin.h"

namespace quiesced {

/// The methods of the protocol, each carried out by the admin's command for it. One thread.
class ExecPlugin {
public:
    /// `runtime_directory`: for the locks of sets. `caller`: the socket of the requests, watched while a commit
    /// runs; -1 for none.
    ExecPlugin(ExecConfig config, std::string runtime_directory, int caller);

    /// Handlers that refer to this object.
    std::map<std::string, Handler> handlers();

    /// Handlers that refuse every method with the reason why there is no configuration.
    static std::map<std::string, Handler> refusing_handlers(const std::string& reason);

private:
    /// A set that this instance has prepared.
    struct Set {
        std::optional<ArmedCommand> armed; ///< the commit command, waiting or after its answer
        std::optional<Answer> committed;   ///< what commit answered
        bool finished = false;
    };

    Answer claim(const Json& params);
    Answer prepare(const std::string& set, const Json& params);
    Answer commit(const std::string& set, const Json& params);
    Answer finish(const std::string& set, const Json& params);
    Answer remove(const std::string& method, const std::string& set, const Json& params);

    Answer run(const std::string& method, const std::string& set, const Json& params);
    Handler of_set(Answer (ExecPlugin::*method)(const std::string&, const Json&));
    [[nodiscard]] tl::expected<SetLock, Failure> lock(const std::string& method, const std::string& set) const;
    [[nodiscard]] std::string note_path(const std::string& set) const { return runtime_directory_ + "/" + set + ".prepared"; }
    [[nodiscard]] bool aborted_elsewhere(const std::string& set) const;
    [[nodiscard]] Monotonic::time_point deadline(const std::string& method) const;

    ExecConfig config_;
    std::string runtime_directory_;
    int caller_;
    std::map<std::string, Set> sets_;
};

} // namespace quiesced
