// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "bus/sdbus_compat.h"
#include "org.quiesced1.Manager.proxy.h"
#include "org.quiesced1.SnapshotSet.proxy.h"

namespace quiesced {

using Dict = std::map<std::string, sdbus::Variant>;

inline constexpr const char* kService = "org.quiesced1";

/// Folder of all that this run makes; anybody may enter it.
const std::string& work_folder();

/// A requestor: a connection of its own with a thread that receives its signals.
class Requestor {
public:
    explicit Requestor(const std::string& address) : connection_(open_bus(address)) {
        connection_->setMethodCallTimeout(std::chrono::seconds(60));
        connection_->enterEventLoopAsync();
        wait_for_loop();
    }
    [[nodiscard]] sdbus::IConnection& connection() { return *connection_; }

private:
#if QUIESCED_SDBUS_MAJOR >= 2
    using AsyncError = std::optional<sdbus::Error>;
#else
    using AsyncError = const sdbus::Error*;
#endif
    /// A call before the loop runs would be answered ahead of the signals that came before its answer.
    void wait_for_loop() {
        std::promise<void> answered;
        const auto bus = sdbus::createProxy(*connection_, BusServiceName("org.freedesktop.DBus"), sdbus::ObjectPath("/org/freedesktop/DBus"));
        bus->callMethodAsync("GetId").onInterface("org.freedesktop.DBus").uponReplyInvoke([&](AsyncError, const std::string&) { answered.set_value(); });
        answered.get_future().wait();
    }
    std::unique_ptr<sdbus::IConnection> connection_;
};

class ManagerClient final : public sdbus::ProxyInterfaces<org::quiesced1::Manager_proxy> {
public:
    explicit ManagerClient(Requestor& requestor)
        : ProxyInterfaces(requestor.connection(), BusServiceName(kService), sdbus::ObjectPath("/org/quiesced1")) {
        registerProxy();
    }
    ~ManagerClient() { unregisterProxy(); }
    std::vector<std::string> signals() {
        const std::lock_guard lock(mutex_);
        return signals_;
    }
    bool wait_for_signals(std::size_t count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return signals_.size() >= count; });
    }

private:
    void onSetAdded(const sdbus::ObjectPath& set) override { keep("added " + set); }
    void onSetRemoved(const sdbus::ObjectPath& set) override { keep("removed " + set); }
    void onWarning(const std::string& set, const std::string& volume, const std::string& kind, const std::string& message, const Dict& /*details*/) override {
        keep("warning " + set + " " + volume + " " + kind + " " + message);
    }
    void onJobAdded(const sdbus::ObjectPath& job) override { keep("job " + job); }
    void onJobRemoved(const sdbus::ObjectPath& job) override { keep("job gone " + job); }
    void keep(const std::string& signal) {
        const std::lock_guard lock(mutex_);
        signals_.push_back(signal);
        changed_.notify_all();
    }
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> signals_;
};

class SetClient final : public sdbus::ProxyInterfaces<org::quiesced1::SnapshotSet_proxy, sdbus::Properties_proxy> {
public:
    SetClient(Requestor& requestor, const std::string& path)
        : ProxyInterfaces(requestor.connection(), BusServiceName(kService), sdbus::ObjectPath(path)) {
        registerProxy();
    }
    ~SetClient() { unregisterProxy(); }

    /// States that were signalled so far.
    std::vector<std::string> states() {
        const std::lock_guard lock(mutex_);
        return states_;
    }
    std::string error() {
        const std::lock_guard lock(mutex_);
        return error_;
    }
    std::vector<std::string> stuck() {
        const std::lock_guard lock(mutex_);
        return stuck_;
    }
    bool wait_for(const std::string& state) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return !states_.empty() && states_.back() == state; });
    }
    /// "arm /srv/data 1/2" of each Progress so far.
    std::vector<std::string> progress() {
        const std::lock_guard lock(mutex_);
        return progress_;
    }
    bool wait_for_properties(unsigned count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return properties_changed_ >= count; });
    }
    unsigned properties_changed() {
        const std::lock_guard lock(mutex_);
        return properties_changed_;
    }

private:
    void onSpaceExtended(const std::string& /*member*/, const std::map<std::string, sdbus::Variant>& /*details*/) override {}
    void onSpaceLow(const std::string& /*member*/, const std::uint32_t& /*level*/, const std::map<std::string, sdbus::Variant>& /*details*/) override {}
    void onSnapshotLost(const std::string& /*member*/, const std::string& /*reason*/, const std::map<std::string, sdbus::Variant>& /*details*/) override {}
    void onProgress(const std::string& step, const std::string& member, const std::uint32_t& done, const std::uint32_t& total, const Dict& /*details*/) override {
        const std::lock_guard lock(mutex_);
        progress_.push_back(step + " " + member + " " + std::to_string(done) + "/" + std::to_string(total));
        changed_.notify_all();
    }
    void onStateChanged(const std::string& state, const Dict& details) override {
        const std::lock_guard lock(mutex_);
        states_.push_back(state);
        if (details.contains("error")) error_ = details.at("error").get<std::string>();
        if (details.contains("stuck")) stuck_ = details.at("stuck").get<std::vector<std::string>>();
        changed_.notify_all();
    }
#if QUIESCED_SDBUS_MAJOR >= 2
    void onPropertiesChanged(const sdbus::InterfaceName&, const std::map<sdbus::PropertyName, sdbus::Variant>& changed,
                             const std::vector<sdbus::PropertyName>&) override {
#else
    void onPropertiesChanged(const std::string&, const std::map<std::string, sdbus::Variant>& changed,
                             const std::vector<std::string>&) override {
#endif
        const std::lock_guard lock(mutex_);
        if (!changed.empty()) ++properties_changed_;
        changed_.notify_all();
    }
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> states_;
    std::string error_;
    std::vector<std::string> stuck_;
    std::vector<std::string> progress_;
    unsigned properties_changed_ = 0;
};

/// How a call ended: the last part of the error's name, or "" when it succeeded; and the message.
struct CallEnd {
    std::string error;
    std::string message;
};

template <typename Call>
CallEnd end_of(Call call) {
    try {
        call();
        return {};
    } catch (const sdbus::Error& error) {
        std::string name = error.getName();
        const std::string prefix = "org.quiesced1.Error.";
        if (name.starts_with(prefix)) name = name.substr(prefix.size());
        return {name, error.getMessage()};
    }
}

MATCHER_P2(EndsWithError, name, text, "") {
    *result_listener << arg.error << ": " << arg.message;
    return arg.error == name && arg.message.find(text) != std::string::npos;
}
MATCHER(EndsWell, "") {
    *result_listener << arg.error << ": " << arg.message;
    return arg.error.empty();
}

} // namespace quiesced
