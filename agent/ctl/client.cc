// SPDX-License-Identifier: LGPL-2.1-or-later
#include "ctl/client.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/ids.h"
#include "bus/sdbus_compat.h"
#include "ctl/message_json.h"
#include "ctl/password_agent.h"
#include "org.quiesced1.Manager.proxy.h"
#include "org.quiesced1.SnapshotSet.proxy.h"

namespace quiesced {
namespace {

constexpr const char* kService = "org.quiesced1";
constexpr const char* kManager = "/org/quiesced1";
constexpr const char* kManagerInterface = "org.quiesced1.Manager";
constexpr const char* kSetInterface = "org.quiesced1.SnapshotSet";
constexpr const char* kSets = "/org/quiesced1/set/";
constexpr const char* kJobs = "/org/quiesced1/job/";
constexpr const char* kJobInterface = "org.quiesced1.Job";
/// A plugin's finish, a pre-flush and LVM together take minutes; it is the daemon that sets limits.
constexpr std::chrono::hours kPatience{1};

using Dict = std::map<std::string, sdbus::Variant>;

// Never registered for signals: this client only calls.
class ManagerProxy final : public sdbus::ProxyInterfaces<org::quiesced1::Manager_proxy> {
public:
    explicit ManagerProxy(sdbus::IConnection& connection)
        : ProxyInterfaces(connection, BusServiceName(kService), sdbus::ObjectPath(kManager)) {}

private:
    void onSetAdded(const sdbus::ObjectPath&) override {}
    void onSetRemoved(const sdbus::ObjectPath&) override {}
    void onJobAdded(const sdbus::ObjectPath&) override {}
    void onJobRemoved(const sdbus::ObjectPath&) override {}
    void onWarning(const std::string& /*set*/, const std::string& /*volume*/, const std::string& /*kind*/, const std::string& /*message*/, const Dict& /*details*/) override {}
};

class SetProxy final : public sdbus::ProxyInterfaces<org::quiesced1::SnapshotSet_proxy> {
public:
    SetProxy(sdbus::IConnection& connection, const std::string& set)
        : ProxyInterfaces(connection, BusServiceName(kService), sdbus::ObjectPath(kSets + set)) {}

private:
    void onSpaceLow(const std::string& /*member*/, const std::uint32_t& /*level*/, const std::map<std::string, sdbus::Variant>& /*details*/) override {}
    void onSpaceExtended(const std::string& /*member*/, const std::map<std::string, sdbus::Variant>& /*details*/) override {}
    void onSnapshotLost(const std::string& /*member*/, const std::string& /*reason*/, const std::map<std::string, sdbus::Variant>& /*details*/) override {}
    void onProgress(const std::string& /*step*/, const std::string& /*member*/, const std::uint32_t& /*done*/, const std::uint32_t& /*total*/, const Dict& /*details*/) override {}
    void onStateChanged(const std::string&, const Dict&) override {}
};

ClientError translate(const sdbus::Error& error) {
    const std::string name = error.getName();
    const std::string message = error.getMessage();
    if (means_unreachable(name))
        return {ExitCode::unreachable, name, "quiesced does not answer: " + message + "\nStart it with: systemctl start quiesced"};
    return {ExitCode::refused, name, message};
}

template <typename Call>
auto attempt(Call call) -> Answer<decltype(call())> {
    try {
        if constexpr (std::is_void_v<decltype(call())>) {
            call();
            return {};
        } else {
            return call();
        }
    } catch (const sdbus::Error& error) {
        return tl::unexpected<ClientError>(translate(error));
    }
}

/// What is no id can be no object's path either.
template <typename Call>
auto attempt_on(const std::string& set, Call call) -> Answer<decltype(call())> {
    const ClientError unknown{ExitCode::refused, "org.quiesced1.Error.NoSuchSet",
                              "there is no snapshot set '" + set + "'. See: quiescectl show"};
    if (!SetId::parse(set)) return tl::unexpected<ClientError>(unknown);
    auto answer = attempt(call);
    if (!answer && answer.error().name == "org.freedesktop.DBus.Error.UnknownObject") return tl::unexpected<ClientError>(unknown);
    return answer;
}

/// Throws sdbus::Error.
std::unique_ptr<sdbus::IConnection> open_place(const BusPlace& place) {
    if (!place.host.empty()) return sdbus::createRemoteSystemBusConnection(place.host);
    return open_bus(place.machine.empty() ? place.bus : "x-machine-unix:machine=" + place.machine);
}

std::string id_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

} // namespace

bool means_unreachable(const std::string& error_name) {
    using std::string_view_literals::operator""sv;
    static constexpr std::array names{
        "org.freedesktop.DBus.Error.ServiceUnknown"sv, "org.freedesktop.DBus.Error.NameHasNoOwner"sv,
        "org.freedesktop.DBus.Error.NoReply"sv,        "org.freedesktop.DBus.Error.Disconnected"sv,
        "org.freedesktop.DBus.Error.NoServer"sv,       "org.freedesktop.DBus.Error.TimedOut"sv,
        "System.Error.ECONNRESET"sv,                   "System.Error.ENOTCONN"sv,
        "System.Error.EPIPE"sv,
    };
    // systemd says why it could not start the unit with names of its own.
    return std::find(names.begin(), names.end(), error_name) != names.end() ||
           error_name.starts_with("org.freedesktop.DBus.Error.Spawn.") || error_name.starts_with("org.freedesktop.systemd1.");
}

Client::Client(std::unique_ptr<sdbus::IConnection> connection) : connection_(std::move(connection)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

Answer<Client> Client::connect(const BusPlace& place) {
    // As machined names them; it becomes a part of an address.
    const auto sound = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.'; };
    if (!std::all_of(place.machine.begin(), place.machine.end(), sound))
        return tl::unexpected<ClientError>(ClientError{ExitCode::usage, "", "'" + place.machine + "' is no name of a machine. See: machinectl list"});
    const auto where = !place.host.empty() ? "of the host '" + place.host + "'" : !place.machine.empty() ? "of the machine '" + place.machine + "'" : "'" + place.bus + "'";
    try {
        auto connection = open_place(place);
        connection->setMethodCallTimeout(kPatience);
        return Client(std::move(connection));
    } catch (const sdbus::Error& error) {
        return tl::unexpected<ClientError>(
            ClientError{ExitCode::unreachable, error.getName(), "cannot connect to the bus " + where + ": " + std::string(error.getMessage())});
    }
}

void Client::allow_asking() {
    interactive_ = true;
    agent_ = std::make_unique<PasswordAgent>();
}

std::map<std::string, sdbus::Variant> Client::options() const {
    Dict options;
    if (interactive_) options.emplace("interactive", sdbus::Variant(true));
    return options;
}

// What these two answer grows from release to release: it is shown as it comes, not field by field.

Answer<nlohmann::json> Client::volumes() {
    return attempt([this] {
        const auto proxy = sdbus::createProxy(*connection_, BusServiceName(kService), sdbus::ObjectPath(kManager));
        return call_for_json(*proxy, kManagerInterface, "ListVolumes", options());
    });
}

Answer<nlohmann::json> Client::plan(const std::vector<std::string>& volumes, std::chrono::milliseconds sample, const std::string& store) {
    return attempt([&] {
        const auto proxy = sdbus::createProxy(*connection_, BusServiceName(kService), sdbus::ObjectPath(kManager));
        auto wanted = options();
        wanted["sample_ms"] = sdbus::Variant(static_cast<std::uint32_t>(sample.count()));
        if (!store.empty()) wanted["store"] = sdbus::Variant(store);
        return call_for_json(*proxy, kManagerInterface, "Plan", volumes, wanted);
    });
}

Answer<nlohmann::json> Client::match(const nlohmann::json& disks, bool remember, bool forget) {
    return attempt([&] {
        const auto proxy = sdbus::createProxy(*connection_, BusServiceName(kService), sdbus::ObjectPath(kManager));
        std::vector<Dict> dicts;
        for (const auto& disk : disks) {
            auto& dict = dicts.emplace_back();
            for (const auto& [key, value] : disk.items())
                dict[key] = value.is_string() ? sdbus::Variant(value.get<std::string>()) : sdbus::Variant(value.get<std::uint64_t>());
        }
        auto wanted = options();
        wanted["remember"] = sdbus::Variant(remember);
        wanted["forget"] = sdbus::Variant(forget);
        return call_for_json(*proxy, kManagerInterface, "MatchDisks", dicts, wanted);
    });
}

Answer<nlohmann::json> Client::plugins(bool refresh) {
    return attempt([&] {
        auto plugins = nlohmann::json::array();
        auto wanted = options();
        wanted["refresh"] = sdbus::Variant(refresh);
        for (const auto& path : ManagerProxy(*connection_).ListPlugins(wanted)) {
            const auto proxy = sdbus::createProxy(*connection_, BusServiceName(kService), path);
            plugins.push_back(call_for_json(*proxy, "org.freedesktop.DBus.Properties", "GetAll", std::string("org.quiesced1.Plugin")));
        }
        return plugins;
    });
}

Answer<nlohmann::json> Client::writers() {
    return attempt([this] {
        const auto proxy = sdbus::createProxy(*connection_, BusServiceName(kService), sdbus::ObjectPath(kManager));
        return call_for_json(*proxy, kManagerInterface, "ListWriters", options());
    });
}

Answer<std::vector<std::string>> Client::sets() {
    return attempt([this] {
        std::vector<std::string> ids;
        for (const auto& path : ManagerProxy(*connection_).ListSets(options())) ids.push_back(id_of(path));
        return ids;
    });
}

Answer<std::string> Client::create(const std::vector<std::string>& volumes, const SetWishes& wishes) {
    return attempt([&] {
        const auto ms = [](std::chrono::milliseconds time) { return sdbus::Variant(static_cast<std::uint32_t>(time.count())); };
        auto wanted = options();
        wanted["bind"] = sdbus::Variant(wishes.bind);
        wanted["deadline_ms"] = ms(wishes.deadline);
        if (wishes.member_limit.count() > 0) wanted["member_limit_ms"] = ms(wishes.member_limit);
        if (wishes.accept_foreign_freeze) wanted["foreign_freeze"] = sdbus::Variant(std::string("accept"));
        if (!wishes.providers.empty()) wanted["providers"] = sdbus::Variant(wishes.providers);
        if (!wishes.store.empty()) wanted["store"] = sdbus::Variant(wishes.store);
        if (wishes.keep_journal) wanted["relinquish_journal"] = sdbus::Variant(false);
        return id_of(ManagerProxy(*connection_).CreateSet(volumes, wanted));
    });
}

Answer<std::string> Client::take(const std::string& set) {
    return attempt_on(set, [&] { return SetProxy(*connection_, set).Take(options()); });
}

Answer<std::string> Client::describe(const std::string& set) {
    return attempt_on(set, [&] { return SetProxy(*connection_, set).Describe(options()); });
}

Answer<std::string> Client::state(const std::string& set) {
    return attempt_on(set, [&] { return SetProxy(*connection_, set).State(); });
}

Answer<std::string> Client::map(const std::string& set) {
    return attempt_on(set, [&] { return SetProxy(*connection_, set).Map(options()); });
}

Answer<std::string> Client::start_revert(const std::string& set, const std::vector<std::string>& members) {
    return attempt_on(set, [&] { return id_of(SetProxy(*connection_, set).StartRevert(members, options())); });
}

Answer<nlohmann::json> Client::job(const std::string& number) {
    return attempt([&] {
        const auto proxy = sdbus::createProxy(*connection_, BusServiceName(kService), sdbus::ObjectPath(kJobs + number));
        auto properties = call_for_json(*proxy, "org.freedesktop.DBus.Properties", "GetAll", std::string(kJobInterface));
        properties["Job"] = number;
        return properties;
    });
}

Answer<nlohmann::json> Client::jobs() {
    const auto paths = attempt([this] { return ManagerProxy(*connection_).ListJobs(options()); });
    if (!paths) return tl::unexpected<ClientError>(paths.error());
    auto jobs = nlohmann::json::array();
    for (const auto& path : *paths)
        if (auto job = this->job(id_of(path))) jobs.push_back(std::move(*job)); // one that is over may be gone meanwhile
    return jobs;
}

Answer<void> Client::cancel_job(const std::string& number) {
    const ClientError unknown{ExitCode::refused, "org.freedesktop.DBus.Error.UnknownObject", "there is no job '" + number + "'. See: quiescectl jobs"};
    if (number.empty() || number.find_first_not_of("0123456789") != std::string::npos) return tl::unexpected<ClientError>(unknown);
    auto done = attempt([&] {
        const auto proxy = sdbus::createProxy(*connection_, BusServiceName(kService), sdbus::ObjectPath(kJobs + number));
        proxy->callMethod("Cancel").onInterface(kJobInterface).withArguments(options());
    });
    if (!done && done.error().name == unknown.name) return tl::unexpected<ClientError>(unknown);
    return done;
}

Answer<void> Client::remove(const std::string& set) {
    return attempt_on(set, [&] { SetProxy(*connection_, set).Delete(options()); });
}

Answer<void> Client::thaw(const std::string& set) {
    return attempt_on(set, [&] { SetProxy(*connection_, set).Thaw(options()); });
}

Answer<void> Client::step(const std::string& set, const std::string& name) {
    return attempt_on(set, [&] {
        const auto proxy = sdbus::createProxy(*connection_, BusServiceName(kService), sdbus::ObjectPath(kSets + set));
        proxy->callMethod(name).onInterface(kSetInterface).withArguments(options());
    });
}

Answer<void> Client::keep_alive(const std::string& set) {
    return attempt_on(set, [&] { SetProxy(*connection_, set).KeepAlive(options()); });
}

Answer<nlohmann::json> Client::leases() {
    return attempt([this] {
        const auto proxy = sdbus::createProxy(*connection_, BusServiceName(kService), sdbus::ObjectPath(kManager));
        return call_for_json(*proxy, kManagerInterface, "ListLeases", options());
    });
}

Answer<void> Client::reload() {
    return attempt([this] { ManagerProxy(*connection_).Reload(options()); });
}

Answer<std::string> Client::version() {
    return attempt([this] { return ManagerProxy(*connection_).Version(); });
}

Answer<nlohmann::json> Client::unit(const std::string& name, const char* interface) {
    return attempt([&] {
        const BusServiceName systemd("org.freedesktop.systemd1");
        const auto manager = sdbus::createProxy(*connection_, systemd, sdbus::ObjectPath("/org/freedesktop/systemd1"));
        const auto path = call_for_json(*manager, "org.freedesktop.systemd1.Manager", "LoadUnit", name).get<std::string>();
        const auto proxy = sdbus::createProxy(*connection_, systemd, sdbus::ObjectPath(path));
        return call_for_json(*proxy, "org.freedesktop.DBus.Properties", "GetAll", std::string(interface));
    });
}

namespace {

/// Nothing for a message of another kind. Throws sdbus::Error.
std::optional<SetNews> read_news(sdbus::Message& message) {
    const std::string member = message.getMemberName();
    SetNews news;
    Dict details;
    if (member == "StateChanged") {
        message >> news.state >> details;
        news.set = id_of(message.getPath());
        news.what = "state";
        if (details.contains("error")) news.error = details.at("error").get<std::string>();
    } else if (member == "Progress") {
        message >> news.step >> news.volume >> news.done >> news.total;
        news.set = id_of(message.getPath());
        news.what = "progress";
    } else if (member == "Warning") {
        message >> news.set >> news.volume >> news.kind >> news.message;
        news.what = "warning";
    } else if (member == "SetAdded" || member == "SetRemoved") {
        sdbus::ObjectPath path;
        message >> path;
        news.set = id_of(path);
        news.what = member == "SetAdded" ? "added" : "removed";
    } else if (member == "NameOwnerChanged") {
        std::string name, old_owner, owner;
        message >> name >> old_owner >> owner;
        news.what = owner.empty() ? "ended" : "started";
    } else {
        return std::nullopt;
    }
    return news;
}

std::vector<sdbus::Slot> hear_news(sdbus::IConnection& connection, const std::function<void(const SetNews&)>& told) {
    const auto hear = [&told](sdbus::Message& message) {
        if (const auto news = read_news(message)) told(*news);
    };
    std::vector<sdbus::Slot> slots;
    for (const auto* match : {"type='signal',sender='org.quiesced1',interface='org.quiesced1.Manager'",
                              "type='signal',sender='org.quiesced1',interface='org.quiesced1.SnapshotSet'",
                              "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='org.quiesced1'"})
        slots.push_back(bus_match_message(connection, match, hear));
    return slots;
}

class BusListener final : public Client::Listener {
public:
    BusListener(const BusPlace& place, std::function<void(const SetNews&)> told) : told_(std::move(told)), connection_(open_place(place)) {
        slots_ = hear_news(*connection_, told_);
        connection_->enterEventLoopAsync();
    }
    ~BusListener() override { connection_->leaveEventLoop(); }

private:
    std::function<void(const SetNews&)> told_;
    std::unique_ptr<sdbus::IConnection> connection_;
    std::vector<sdbus::Slot> slots_; ///< before the connection goes
};

} // namespace

ClientError Client::watch(const std::function<void(const SetNews&)>& told) {
    try {
        const auto slots = hear_news(*connection_, told);
        connection_->enterEventLoop();
    } catch (const sdbus::Error& error) {
        return translate(error);
    }
    return {ExitCode::unreachable, "", "the connection to the bus is lost"};
}

Answer<std::unique_ptr<Client::Listener>> Client::listen(const BusPlace& place, std::function<void(const SetNews&)> told) {
    return attempt([&]() -> std::unique_ptr<Listener> { return std::make_unique<BusListener>(place, std::move(told)); });
}

Answer<void> Client::abort(const std::string& set) {
    return attempt_on(set, [&] { SetProxy(*connection_, set).Abort(options()); });
}

} // namespace quiesced
