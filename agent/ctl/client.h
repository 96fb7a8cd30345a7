// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>
#include <tl/expected.hpp>

namespace sdbus {
class IConnection;
class Variant;
}

namespace quiesced {

class PasswordAgent;

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

/// Something that the daemon told all the world.
struct SetNews {
    std::string set = {};    ///< id; empty: it is about the daemon itself
    std::string what = {};   ///< "added", "removed", "state", "progress", "warning"; "started", "ended" of the daemon
    std::string state = {};  ///< of "state"
    std::string error = {};  ///< why it failed
    std::string volume = {}; ///< of "progress" and "warning"; empty: the whole set
    std::string step = {};   ///< of "progress": "arm", "flush", "cut", "confirm"
    unsigned done = 0;  ///< with it, of `total`
    unsigned total = 0;
    std::string kind = {};    ///< of "warning": "space_low", ...
    std::string message = {}; ///< of "warning"
};

/// Where the daemon is; of `host` and `machine` one at most is set.
struct BusPlace {
    std::string bus = "system"; ///< "system", "session" or an address
    std::string host;           ///< "user@host", by ssh
    std::string machine;        ///< a local container
};

/// The daemon, as seen over the bus. Each call waits for its answer. Not thread-safe.
class Client {
public:
    /// Errors: unreachable; usage for a machine's name that is none.
    static Answer<Client> connect(const BusPlace& place);
    Client(Client&&) noexcept;
    Client& operator=(Client&&) noexcept;
    ~Client();

    /// From now on the daemon's polkit may ask the user of this terminal for a password.
    void allow_asking();

    /// As ListVolumes: a list of objects.
    Answer<nlohmann::json> volumes();
    /// As Plan: an object. `sample` is how long the writes are counted, 0 for not at all.
    Answer<nlohmann::json> plan(const std::vector<std::string>& volumes, std::chrono::milliseconds sample, const std::string& store);
    /// As MatchDisks: a list of objects for one; values are texts and whole numbers.
    Answer<nlohmann::json> match(const nlohmann::json& disks, bool remember, bool forget);
    /// As ListPlugins, and all properties of each plugin: a list of objects. `refresh`: each is asked anew.
    Answer<nlohmann::json> plugins(bool refresh);
    /// As ListWriters: a list of objects.
    Answer<nlohmann::json> writers();
    /// Ids, oldest first.
    Answer<std::vector<std::string>> sets();
    /// The new set's id.
    Answer<std::string> create(const std::vector<std::string>& volumes, const SetWishes& wishes);
    /// The manifest, as JSON.
    Answer<std::string> take(const std::string& set);
    Answer<std::string> describe(const std::string& set);
    Answer<std::string> state(const std::string& set);
    /// The manifest with the devices as they are when all snapshots are ready to be mounted.
    Answer<std::string> map(const std::string& set);
    /// Begins to put back all that is not in use; no members: all. The number of the job.
    Answer<std::string> start_revert(const std::string& set, const std::vector<std::string>& members);
    /// All properties of a job, and its number as "Job": an object.
    Answer<nlohmann::json> job(const std::string& number);
    /// Likewise of all that ListJobs names: a list.
    Answer<nlohmann::json> jobs();
    Answer<void> cancel_job(const std::string& number);
    Answer<void> remove(const std::string& set);
    Answer<void> thaw(const std::string& set);
    Answer<void> abort(const std::string& set);
    /// One step by its name on the bus: "Prepare", "Freeze", "Snapshot", "Thaw", "Finish".
    Answer<void> step(const std::string& set, const std::string& name);
    /// While frozen: moves the deadline.
    Answer<void> keep_alive(const std::string& set);
    /// As ListLeases: a list of objects.
    Answer<nlohmann::json> leases();
    Answer<void> reload();
    /// Release of the daemon.
    Answer<std::string> version();
    /// All properties of one interface of a unit of systemd, an object. Loads the unit.
    Answer<nlohmann::json> unit(const std::string& name, const char* interface);
    /// Calls back for all news until the connection is lost; returns why. Whoever wants to end it ends the process.
    ClientError watch(const std::function<void(const SetNews&)>& told);

    /// Hears the same in the background until it is gone, over a connection of its own.
    class Listener {
    public:
        virtual ~Listener() = default;
    };
    /// `told` is called from a thread of the listener, never after its end. Errors: unreachable.
    static Answer<std::unique_ptr<Listener>> listen(const BusPlace& place, std::function<void(const SetNews&)> told);

private:
    explicit Client(std::unique_ptr<sdbus::IConnection> connection);
    /// Those that every call has.
    [[nodiscard]] std::map<std::string, sdbus::Variant> options() const;
    std::unique_ptr<sdbus::IConnection> connection_;
    std::unique_ptr<PasswordAgent> agent_;
    bool interactive_ = false;
};

} // namespace quiesced
