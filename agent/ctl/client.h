// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>
#include <tl/expected.hpp>

namespace sdbus {
class IConnection;
}

namespace quiesced {

/// Exit codes of quiescectl.
enum class ExitCode { ok = 0, refused = 1, usage = 2, unreachable = 3, unmatched = 4 };

/// Why a call brought nothing.
struct ClientError {
    ExitCode code = ExitCode::refused;
    std::string name; ///< of the D-Bus error
    std::string message;
};

template <typename T>
using Answer = tl::expected<T, ClientError>;

/// Whether an error of that name means that no daemon is there to answer.
bool means_unreachable(const std::string& error_name);

/// How a set is to be taken; what is not said is as the daemon likes it.
struct SetWishes {
    std::chrono::milliseconds deadline{10000};
    std::chrono::milliseconds member_limit{0}; ///< longest freeze of one file system; 0: none
    bool accept_foreign_freeze = false;
    std::string store = {};    ///< as CreateSet has it; empty: the daemon's choice
    bool keep_journal = false; ///< the journal stays where it is, even on a member
    bool bind = true;          ///< it is aborted when this client leaves the bus before it is complete
    std::map<std::string, std::string> providers = {}; ///< name of a volume to that of the provider that is to take its snapshot
};

/// The daemon, as seen over the bus. Each call waits for its answer. Not thread-safe.
class Client {
public:
    /// "system", "session" or an address.
    static Answer<Client> connect(const std::string& bus);
    Client(Client&&) noexcept;
    Client& operator=(Client&&) noexcept;
    ~Client();

    /// As ListVolumes: a list of objects.
    Answer<nlohmann::json> volumes();
    /// As Plan: an object. `sample` is how long the writes are counted, 0 for not at all.
    Answer<nlohmann::json> plan(const std::vector<std::string>& volumes, std::chrono::milliseconds sample, const std::string& store);
    /// As MatchDisks: a list of objects for one; values are texts and whole numbers.
    Answer<nlohmann::json> match(const nlohmann::json& disks, bool remember, bool forget);
    /// As ListPlugins, and all properties of each plugin: a list of objects. `refresh`: each is asked anew.
    Answer<nlohmann::json> plugins(bool refresh);
    /// Ids, oldest first.
    Answer<std::vector<std::string>> sets();
    /// The new set's id.
    Answer<std::string> create(const std::vector<std::string>& volumes, const SetWishes& wishes);
    /// The manifest, as JSON.
    Answer<std::string> take(const std::string& set);
    Answer<std::string> describe(const std::string& set);
    /// One step: "Prepare", "Freeze", "Snapshot".
    Answer<void> step(const std::string& set, const std::string& name);
    Answer<std::string> state(const std::string& set);
    /// The manifest with the devices as they are when all snapshots are ready to be mounted.
    Answer<std::string> map(const std::string& set);
    Answer<void> remove(const std::string& set);
    Answer<void> thaw(const std::string& set);
    Answer<void> abort(const std::string& set);

private:
    explicit Client(std::unique_ptr<sdbus::IConnection> connection);
    std::unique_ptr<sdbus::IConnection> connection_;
};

} // namespace quiesced
