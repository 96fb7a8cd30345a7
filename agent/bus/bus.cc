// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/bus.h"

#include <algorithm>
#include <future>
#include <utility>

namespace quiesced {
namespace {

Error refused(const std::string& what, const sdbus::Error& error, const std::string& advice) {
    return {.kind = ErrorKind::lost,
            .error_number = 0,
            .context = what + ": " + std::string(error.getMessage()),
            .advice = advice,
            .undone = {}};
}

} // namespace

Bus::Bus(BusOptions options)
    : options_(std::move(options)), expiry_(options_.keep_failed, [this](const SetId& id) {
          events_.post([this, id] { forget_failed(id); });
      }) {}

Result<std::unique_ptr<Bus>> Bus::connect(BusOptions options) {
    std::unique_ptr<Bus> bus(new Bus(std::move(options))); // house-allow(new): a private constructor
    try {
        bus->connection_ = open_bus(bus->options_.bus);
    } catch (const sdbus::Error& error) {
        return tl::unexpected<Error>(refused("cannot connect to the bus '" + bus->options_.bus + "'", error,
                                             "Is a D-Bus daemon running there?"));
    }
    return bus;
}

Bus::~Bus() { stop(); }

Result<void> Bus::serve(SetManager& manager, const Plugins& plugins, std::function<void(const std::string&)> lost) {
    authority_ = std::make_unique<Authority>(*connection_);
    context_ = std::make_unique<BusContext>(BusContext{
        .version = options_.version,
        .reload = options_.reload,
        .connection = *connection_,
        .manager = manager,
        .plugins = plugins,
        .authority = *authority_,
        .events = events_,
        .worker = worker_,
        .urgent = urgent_,
        .plans = plans_,
        .holds = holds_,
        .jobs = nullptr,
        .keep_binding = [this](const SetId& id, std::shared_ptr<Binding> binding) {
            events_.post([this, id, binding = std::move(binding)]() mutable {
                // Its set may be over by now.
                const auto set = context_->manager.find(id);
                if (set && !is_final(set->state())) bindings_[id] = std::move(binding);
            });
        },
        .publish_plugins = [this](const std::vector<std::string>& names) { publish_plugins(names); }});
    std::promise<Result<void>> published;
    events_.post([&] {
        try {
            manager_object_ = std::make_unique<ManagerObject>(*context_);
            jobs_ = std::make_unique<Jobs>(
                *context_, [this](const sdbus::ObjectPath& job) { manager_object_->emitJobAdded(job); }, [this](const sdbus::ObjectPath& job) { manager_object_->emitJobRemoved(job); });
            context_->jobs = jobs_.get();
            for (const auto& set : manager.sets()) publish(set);
            publish_plugins(plugins.names());
            published.set_value({});
        } catch (const sdbus::Error& error) {
            published.set_value(tl::unexpected<Error>(refused("cannot put the objects on the bus", error, {})));
        }
    });
    if (auto done = published.get_future().get(); !done) return done;
    try {
        connection_->requestName(BusServiceName(kBusName));
    } catch (const sdbus::Error& error) {
        return tl::unexpected<Error>(
            refused("cannot take the name " + std::string(kBusName) + " on the bus", error,
                    "Either another quiesced is running, or the bus has no policy that permits it: see org.quiesced1.conf in "
                    "the folder dbus-1/system.d."));
    }
    loop_ = std::thread([this, lost = std::move(lost)] { run_loop(lost); });
    return {};
}

void Bus::run_loop(const std::function<void(const std::string&)>& lost) {
    std::string reason = "its loop ended";
    try {
        connection_->enterEventLoop();
    } catch (const sdbus::Error& error) {
        reason = error.what();
    }
    if (!stopping_) lost("the connection to the bus is lost: " + reason);
}

void Bus::stop() {
    if (stopping_.exchange(true)) return;
    plans_.finish();
    holds_.finish();
    worker_.finish();
    urgent_.finish();
    events_.post([this] {
        bindings_.clear();
        sets_.clear();
        plugin_objects_.clear();
        if (context_) context_->jobs = nullptr;
        jobs_.reset();
        manager_object_.reset();
    });
    events_.finish();
    if (loop_.joinable()) {
        connection_->leaveEventLoop();
        loop_.join();
    }
    // What polkit has not answered holds on to its sets.
    authority_.reset();
}

void Bus::publish(const std::shared_ptr<SnapshotSet>& set) {
    if (!manager_object_ || sets_.contains(set->id())) return;
    sets_.emplace(set->id(), std::make_unique<SnapshotSetObject>(*context_, set));
}

void Bus::publish_plugins(const std::vector<std::string>& names) {
    std::erase_if(plugin_objects_, [&](const auto& entry) { return std::find(names.begin(), names.end(), entry.first) == names.end(); });
    for (const auto& name : names)
        if (!plugin_objects_.contains(name)) plugin_objects_.emplace(name, std::make_unique<PluginObject>(*context_, name));
}

void Bus::forget_failed(const SetId& id) {
    const auto set = context_->manager.find(id);
    if (set && set->state() == State::failed) context_->manager.forget(id);
}

void Bus::set_added(const std::shared_ptr<SnapshotSet>& set) {
    events_.post([this, set] {
        try {
            publish(set);
            if (manager_object_) manager_object_->emitSetAdded(sdbus::ObjectPath(set_path(set->id())));
        } catch (const sdbus::Error&) { // NOLINT(bugprone-empty-catch)
            // The connection is lost; the loop says so, and the daemon ends.
        }
    });
}

void Bus::set_removed(const SetId& set) {
    events_.post([this, set] {
        bindings_.erase(set);
        if (auto found = sets_.extract(set)) retire(std::move(found.mapped()), events_);
        try {
            if (manager_object_) manager_object_->emitSetRemoved(sdbus::ObjectPath(set_path(set)));
        } catch (const sdbus::Error&) { // NOLINT(bugprone-empty-catch)
            // As above.
        }
    });
}

void Bus::warn(const SetId& set, const std::string& volume, const char* kind, const std::string& message, const Dict& details) {
    try {
        if (manager_object_) manager_object_->emitWarning(set.text(), utf8(volume), kind, utf8(message), details);
    } catch (const sdbus::Error&) { // NOLINT(bugprone-empty-catch)
        // As above.
    }
}

void Bus::progress(const SetId& set, const SetProgress& progress) {
    events_.post([this, set, progress] {
        if (const auto object = sets_.find(set); object != sets_.end()) object->second->emit_progress(progress);
    });
}

void Bus::set_noted(const SetId& set, const std::string& sentence) {
    events_.post([this, set, sentence] { warn(set, {}, "note", sentence); });
}

void Bus::set_abandoned(const SetId& set, const std::string& error) {
    if (!error.empty()) events_.post([this, set, error] { warn(set, {}, "not_undone", error); });
}

void Bus::set_not_rebuilt(const SetId& set, const std::string& reason) {
    events_.post([this, set, reason] { warn(set, {}, "not_rebuilt", reason); });
}

void Bus::space_low(const SetId& set, const SpaceLevel& level) {
    events_.post([this, set, level] {
        if (const auto object = sets_.find(set); object != sets_.end()) object->second->emit_space_low(level);
        warn(set, level.fill.volume, "space_low",
             level.fill.name + ", the " + level.fill.kind + " of its snapshot, is " + std::to_string(level.level) + " % full", {{"level", sdbus::Variant(level.level)}});
    });
}

void Bus::space_extended(const SetId& set, const Fill& fill, const Extension& extension) {
    events_.post([this, set, fill, extension] {
        if (const auto object = sets_.find(set); object != sets_.end()) object->second->emit_extended(fill, extension);
    });
}

void Bus::space_not_extended(const SetId& set, const Fill& fill, const std::string& reason) {
    events_.post([this, set, fill, reason] { warn(set, fill.volume, "space_not_extended", fill.name + " cannot be extended: " + reason); });
}

void Bus::set_reverted(const SetId& set, const Manifest& /*manifest*/) {
    events_.post([this, set] {
        if (const auto object = sets_.find(set); object != sets_.end()) object->second->emit_consistency();
    });
}

void Bus::revert_cut_off(const SetId& set, const RevertNews& news) {
    const auto* kind = news.kind == RevertNews::Kind::not_begun ? "revert_not_begun" : news.kind == RevertNews::Kind::goes_on ? "revert_goes_on" : "revert_interrupted";
    events_.post([this, set, kind, sentence = news.sentence] { warn(set, {}, kind, sentence); });
}

void Bus::snapshot_lost(const SetId& set, const Fill& fill) {
    events_.post([this, set, fill] {
        if (const auto object = sets_.find(set); object != sets_.end()) object->second->emit_lost(fill);
        warn(set, fill.volume, "snapshot_lost", fill.lost);
    });
}

void Bus::state_changed(const SetId& set, State state, const std::string& /*consistency*/, const std::string& error) {
    events_.post([this, set, state, error] {
        if (is_final(state)) bindings_.erase(set);
        const auto object = sets_.find(set);
        if (object == sets_.end()) return;
        std::vector<std::string> stuck;
        if (state == State::failed)
            if (const auto known = context_->manager.find(set)) stuck = known->describe().stuck;
        object->second->emit_state(state, error, stuck);
        for (const auto& name : stuck) warn(set, name, "stuck", "its freeze or thaw has not returned from the kernel: a disk below it does not answer");
    });
    if (state == State::failed) expiry_.add(set);
}

} // namespace quiesced
