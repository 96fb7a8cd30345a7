// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "plugins/sdk/plugin.h"
#include "plugins/sdk/set_lock.h"
#include "plugins/targetd/initiator.h"
#include "plugins/targetd/targetd_api.h"
#include "plugins/targetd/targetd_config.h"

namespace quiesced {

/// The methods of the protocol for LUNs of Linux arrays that targetd manages. A snapshot is a thin copy, named ORIGIN-qSET:
/// what belongs to a set is known from the arrays alone. One thread.
class TargetdPlugin {
public:
    /// `runtime_directory`: locks of sets, and notes of those that are being cut; below /run.
    TargetdPlugin(TargetdConfig config, std::string runtime_directory, Initiator initiator);
    ~TargetdPlugin();

    /// Handlers that refer to this object.
    std::map<std::string, Handler> handlers();
    /// Handlers that refuse every method with the reason why there is no configuration.
    static std::map<std::string, Handler> refusing_handlers(const std::string& reason);

private:
    struct Array;
    struct Lun; ///< a disk of the guest, and the volume that it is
    struct Set;

    Answer describe(const Json& params);
    Answer claim(const Json& params);
    Answer prepare(const std::string& set, const Json& params);
    Answer commit(const std::string& set, const Json& params);
    Answer finish(const std::string& set, const Json& params);
    Answer remove(const std::string& set, const Json& params);
    Answer list(const Json& params);

    Handler of_set(Answer (TargetdPlugin::*member)(const std::string&, const Json&));
    Outcome<SetLock> lock(const std::string& method, const std::string& set) const;
    Outcome<std::vector<Lun>> find_luns(const Json& disks, bool all);
    Outcome<void> check_space(const std::vector<Lun>& luns);
    Outcome<void> cut(Array& array, const std::string& set, const std::vector<Lun>& luns, std::chrono::milliseconds limit);
    Outcome<Json> map(Array& array, const Lun& lun, const ArrayVolume& copy);
    Outcome<void> remove_from(Array& array, const std::string& set, bool& found);
    [[nodiscard]] std::string note_path(const std::string& set) const;

    TargetdConfig config_;
    std::string runtime_directory_;
    Initiator initiator_;
    std::vector<std::unique_ptr<Array>> arrays_;
    std::map<std::string, Set> sets_;
};

/// "lun0-q0123456789abcdef" for lun0.
std::string copy_name(const std::string& origin, const std::string& set);
/// The set of a copy's name; nothing for other names.
std::optional<std::string> set_of_copy(const std::string& name);

} // namespace quiesced
