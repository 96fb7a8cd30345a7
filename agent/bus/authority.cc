// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/authority.h"

#include <unistd.h>

#include <array>
#include <chrono>
#include <utility>

namespace quiesced {
namespace {

constexpr std::array<std::string_view, 5> kActions{"org.quiesced1.inspect", "org.quiesced1.snapshot", "org.quiesced1.delete",
                                                   "org.quiesced1.revert", "org.quiesced1.configure"};
constexpr std::array<const char*, 5> kDeeds{"look at the volumes and snapshot sets of this machine", "take snapshot sets", "delete snapshot sets",
                                            "revert volumes to a snapshot set", "change how quiesced works"};

constexpr const char* kService = "org.freedesktop.PolicyKit1";
constexpr const char* kPath = "/org/freedesktop/PolicyKit1/Authority";
constexpr const char* kInterface = "org.freedesktop.PolicyKit1.Authority";
constexpr std::uint32_t kAllowUserInteraction = 1;
constexpr std::chrono::seconds kPatience{25};
constexpr std::chrono::minutes kPatienceWithPassword{5};

/// CheckAuthorization's answer: is_authorized, is_challenge, details.
using Verdict = sdbus::Struct<bool, bool, std::map<std::string, std::string>>;

tl::unexpected<Error> denied(const Caller& caller, Action action, const std::string& why) {
    const auto index = static_cast<std::size_t>(action);
    return fail(ErrorKind::access_denied, "user " + std::to_string(caller.user) + " may not " + kDeeds.at(index) + ": " + why,
                "Call as root, or allow the polkit action " + std::string(kActions.at(index)) + ".");
}

} // namespace

std::string_view action_id(Action action) { return kActions.at(static_cast<std::size_t>(action)); }

Authority::Authority(sdbus::IConnection& connection)
    : polkit_(sdbus::createProxy(connection, BusServiceName(kService), sdbus::ObjectPath(kPath))) {}

Authority::~Authority() = default;

Result<Caller> Authority::caller(const sdbus::IObject& object) {
    Caller caller{.connection = bus_caller(object), .user = 0};
    if (const auto known = known_.find(caller.connection); known != known_.end()) {
        caller.user = known->second;
        return caller;
    }
    const auto user = bus_caller_uid(object);
    if (!user) return fail(ErrorKind::access_denied, "the caller " + caller.connection + " left the bus before it was known who that is");
    caller.user = *user;
    if (known_.size() >= kMostKnown) known_.clear();
    known_.emplace(caller.connection, caller.user);
    return caller;
}

void Authority::ask(const sdbus::IObject& object, const Question& question, Decided decided) {
    auto asking = caller(object);
    if (!asking || asking->user == 0 || asking->user == ::geteuid() || asking->user == question.owner) return decided(std::move(asking));
    ask_polkit(*asking, question, std::move(decided));
}

void Authority::ask_polkit(const Caller& caller, const Question& question, Decided decided) {
    if (pending_count_ >= kMostPending || pending_[caller.user] >= kMostPendingOfUser)
        return decided(fail(ErrorKind::limit, "polkit has not answered " + std::to_string(pending_count_) + " earlier calls yet", "Try again later."));
    ++pending_count_;
    ++pending_[caller.user];
    auto answered = [this, caller, action = question.action, decided](BusAsyncError error, const Verdict& verdict) {
        --pending_count_;
        if (--pending_[caller.user] == 0) pending_.erase(caller.user);
        if (error) {
            const std::string name = error->getName();
            if (name == "org.freedesktop.DBus.Error.ServiceUnknown" || name == "org.freedesktop.DBus.Error.NameHasNoOwner")
                return decided(denied(caller, action, "polkit is not there to be asked"));
            return decided(denied(caller, action, "polkit did not answer: " + std::string(error->getMessage())));
        }
        if (std::get<0>(verdict)) return decided(caller);
        decided(denied(caller, action, std::get<1>(verdict) ? "polkit wants a password first, which it may ask for only if the option 'interactive' is true or the message allows it"
                                                            : "polkit does not grant it"));
    };
    try {
        const sdbus::Struct<std::string, std::map<std::string, sdbus::Variant>> subject{"system-bus-name", {{"name", sdbus::Variant(caller.connection)}}};
        const std::chrono::microseconds patience = question.interactive ? std::chrono::microseconds(kPatienceWithPassword) : kPatience;
        polkit_->callMethodAsync("CheckAuthorization")
            .onInterface(kInterface)
            .withTimeout(patience)
            .withArguments(subject, std::string(action_id(question.action)), std::map<std::string, std::string>(),
                           question.interactive ? kAllowUserInteraction : 0U, std::string())
            .uponReplyInvoke(std::move(answered));
    } catch (const sdbus::Error& error) {
        --pending_count_;
        if (--pending_[caller.user] == 0) pending_.erase(caller.user);
        decided(denied(caller, question.action, "polkit cannot be asked: " + std::string(error.getMessage())));
    }
}

} // namespace quiesced
