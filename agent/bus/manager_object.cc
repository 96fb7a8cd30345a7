// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/manager_object.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

#include "bus/jobs.h"
#include "bus/match_dict.h"
#include "bus/permit.h"
#include "bus/plan_dict.h"
#include "bus/plugin_object.h"
#include "bus/volume_dict.h"
#include "bus/writer_dict.h"

namespace quiesced {
namespace {

constexpr std::uint32_t kShortestDeadline = 100; // ms
constexpr std::uint32_t kLongestDeadline = 600000;
constexpr std::uint32_t kLongestSample = 10000;

struct CreateOptions {
    SetOptions set;
    bool bind = false;
};

/// The size of the chunks is the daemon's, not the requestor's.
Result<StorePolicy> read_store(const Options& options, const StorePolicy& defaults) {
    const auto text = options.get<std::string>("store", "auto");
    if (!text) return tl::unexpected<Error>(text.error());
    auto policy = parse_store_policy(*text);
    if (policy) policy->chunk = defaults.chunk;
    return policy;
}

Result<CreateOptions> read_create_options(const Dict& dict, const SetOptions& defaults) {
    const Options options(dict);
    CreateOptions read{.set = defaults, .bind = false};
    const auto deadline = options.get<std::uint32_t>("deadline_ms", static_cast<std::uint32_t>(read.set.deadline.count()));
    if (!deadline) return tl::unexpected<Error>(deadline.error());
    if (*deadline < kShortestDeadline || *deadline > kLongestDeadline)
        return fail(ErrorKind::invalid_argument, "deadline_ms is " + std::to_string(*deadline),
                    "It must be from " + std::to_string(kShortestDeadline) + " to " + std::to_string(kLongestDeadline) + ".");
    read.set.deadline = std::chrono::milliseconds(*deadline);
    for (const auto& [key, limit] : {std::pair{"member_limit_ms", &read.set.member_limit}, {"prepare_limit_ms", &read.set.prepare_limit}}) {
        const auto value = options.get<std::uint32_t>(key, static_cast<std::uint32_t>(limit->count()));
        if (!value) return tl::unexpected<Error>(value.error());
        *limit = std::chrono::milliseconds(*value);
    }
    const auto foreign = options.get<std::string>("foreign_freeze", "refuse");
    if (!foreign) return tl::unexpected<Error>(foreign.error());
    if (*foreign != "refuse" && *foreign != "accept")
        return fail(ErrorKind::invalid_argument, "foreign_freeze is '" + *foreign + "'", "It must be 'refuse' or 'accept'.");
    read.set.accept_foreign_freeze = *foreign == "accept";
    const auto journal = options.get("relinquish_journal", read.set.relinquish_journal);
    if (!journal) return tl::unexpected<Error>(journal.error());
    read.set.relinquish_journal = *journal;
    const auto providers = options.get("providers", read.set.providers);
    if (!providers) return tl::unexpected<Error>(providers.error());
    read.set.providers = *providers;
    const auto store = read_store(options, defaults.wishes.store);
    if (!store) return tl::unexpected<Error>(store.error());
    read.set.wishes.store = *store;
    const auto bind = options.get("bind", false);
    if (!bind) return tl::unexpected<Error>(bind.error());
    read.bind = *bind;
    return read;
}

Result<PlanOptions> read_plan_options(const Dict& dict, const SetOptions& defaults) {
    const Options options(dict);
    PlanOptions read;
    const auto sample = options.get<std::uint32_t>("sample_ms", static_cast<std::uint32_t>(read.sample.count()));
    if (!sample) return tl::unexpected<Error>(sample.error());
    if (*sample > kLongestSample)
        return fail(ErrorKind::invalid_argument, "sample_ms is " + std::to_string(*sample), "It must be from 0 to " + std::to_string(kLongestSample) + ".");
    read.sample = std::chrono::milliseconds(*sample);
    const auto providers = options.get("providers", read.providers);
    if (!providers) return tl::unexpected<Error>(providers.error());
    read.providers = *providers;
    const auto store = read_store(options, defaults.wishes.store);
    if (!store) return tl::unexpected<Error>(store.error());
    read.wishes.store = *store;
    return read;
}

std::uint64_t microseconds(std::chrono::system_clock::time_point time) {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count());
}

Dict lease_to_dict(const SetId& id, const Lease& lease, bool held) {
    return {{"set", sdbus::Variant(sdbus::ObjectPath(set_path(id)))},
            {"state", sdbus::Variant(std::string(state_name(lease.state)))},
            {"user", sdbus::Variant(std::uint32_t{lease.owner.user})},
            {"connection", sdbus::Variant(lease.owner.connection)},
            {"bound", sdbus::Variant(lease.owner.bound)},
            {"held", sdbus::Variant(held)},
            {"since", sdbus::Variant(microseconds(lease.since))},
            {"until", sdbus::Variant(lease.until ? microseconds(*lease.until) : std::uint64_t{0})}};
}

} // namespace

ManagerObject::ManagerObject(BusContext& context)
    : AdaptorInterfaces(context.connection, sdbus::ObjectPath(kManagerPath)), context_(context) {
    registerAdaptor();
}

ManagerObject::~ManagerObject() { unregisterAdaptor(); }

void ManagerObject::ListVolumes(sdbus::Result<std::vector<Dict>>&& result, Dict options) {
    const Reply<std::vector<Dict>> reply(std::move(result));
    when_permitted(context_, getObject(), reply, options, {.action = Action::inspect}, [&context = context_, reply](const Caller&) {
        context.worker.post([&manager = context.manager, reply] {
            const auto inventory = manager.inventory();
            if (!inventory) return reply.error(inventory.error());
            std::vector<Dict> volumes;
            for (const auto& volume : inventory->volumes()) volumes.push_back(volume_to_dict(volume, *inventory));
            reply.values(volumes);
        });
    });
}

void ManagerObject::CreateSet(sdbus::Result<sdbus::ObjectPath>&& result, std::vector<std::string> volumes, Dict options) {
    const Reply<sdbus::ObjectPath> reply(std::move(result));
    const auto wanted = read_create_options(options, context_.manager.defaults());
    if (!wanted) return reply.error(wanted.error());
    std::shared_ptr<Binding> binding;
    if (wanted->bind) {
        try {
            binding = Binding::to(context_.connection, bus_caller(getObject()));
        } catch (const sdbus::Error& error) {
            return reply.error(Error{.kind = ErrorKind::lost,
                                     .error_number = 0,
                                     .context = "the bus does not watch the caller: " + std::string(error.what()),
                                     .advice = {},
                                     .undone = {}});
        }
    }
    const Permit permit{.action = Action::snapshot,
                        .options = {"deadline_ms", "member_limit_ms", "prepare_limit_ms", "foreign_freeze", "relinquish_journal", "providers", "store", "bind"}};
    when_permitted(context_, getObject(), reply, options, permit,
                   [&context = context_, reply, volumes = std::move(volumes), wanted = wanted->set, binding](const Caller& caller) {
        auto set_options = wanted;
        set_options.owner = {.user = caller.user, .connection = caller.connection, .bound = binding != nullptr};
        context.worker.post([&context, reply, volumes, set_options, binding] {
            const auto set = context.manager.create(volumes, set_options);
            if (!set) return reply.error(set.error());
            const auto id = (*set)->id();
            if (binding) {
                binding->attach(*set);
                context.keep_binding(id, binding);
            }
            // Behind the event that puts the new object on the bus.
            context.events.post([reply, id] { reply.values(sdbus::ObjectPath(set_path(id))); });
        });
    });
}

void ManagerObject::Plan(sdbus::Result<Dict>&& result, std::vector<std::string> volumes, Dict options) {
    const Reply<Dict> reply(std::move(result));
    const auto wanted = read_plan_options(options, context_.manager.defaults());
    if (!wanted) return reply.error(wanted.error());
    when_permitted(context_, getObject(), reply, options, {.action = Action::inspect, .options = {"sample_ms", "providers", "store"}},
                   [&context = context_, reply, volumes = std::move(volumes), wanted = *wanted](const Caller&) {
        const auto started = context.plans.start([&manager = context.manager, reply, volumes, wanted](const std::stop_token& stop) {
            const auto report = manager.plan(volumes, wanted, stop);
            if (!report) return reply.error(report.error());
            reply.values(plan_to_dict(*report));
        });
        if (!started) reply.error(started.error());
    });
}

void ManagerObject::MatchDisks(sdbus::Result<std::vector<Dict>>&& result, std::vector<Dict> disks, Dict options) {
    const Reply<std::vector<Dict>> reply(std::move(result));
    const auto wanted = read_match_options(options);
    if (!wanted) return reply.error(wanted.error());
    auto claims = read_disk_claims(disks);
    if (!claims) return reply.error(claims.error());
    const Permit permit{.action = wanted->remember ? Action::configure : Action::inspect, .options = {"remember", "forget"}};
    when_permitted(context_, getObject(), reply, options, permit,
                   [&context = context_, reply, claims = std::move(*claims), wanted = *wanted](const Caller&) {
        context.worker.post([&manager = context.manager, reply, claims, wanted] {
            const auto report = manager.match(claims, wanted);
            if (!report) return reply.error(report.error());
            reply.values(matches_to_dicts(*report));
        });
    });
}

void ManagerObject::ListPlugins(sdbus::Result<std::vector<sdbus::ObjectPath>>&& result, Dict options) {
    const Reply<std::vector<sdbus::ObjectPath>> reply(std::move(result));
    const auto wanted = Options(options).get("refresh", true);
    if (!wanted) return reply.error(wanted.error());
    when_permitted(context_, getObject(), reply, options, {.action = Action::inspect, .options = {"refresh"}, .owner = {}},
                   [&context = context_, reply, refresh = *wanted](const Caller&) {
        const auto started = context.plans.start([&context, reply, refresh](const std::stop_token&) {
            const auto names = context.plugins.names();
            if (refresh) {
                const auto inventory = context.manager.inventory();
                if (!inventory) return reply.error(inventory.error());
                context.plugins.ask(names, *inventory);
            }
            context.events.post([&context, reply, names] {
                try {
                    context.publish_plugins(names);
                } catch (const sdbus::Error&) {
                    return; // The connection is lost; the loop says so.
                }
                std::vector<sdbus::ObjectPath> paths;
                for (const auto& name : names) paths.emplace_back(plugin_path(name));
                reply.values(paths);
            });
        });
        if (!started) reply.error(started.error());
    });
}

void ManagerObject::ListWriters(sdbus::Result<std::vector<Dict>>&& result, Dict options) {
    const Reply<std::vector<Dict>> reply(std::move(result));
    when_permitted(context_, getObject(), reply, options, {.action = Action::inspect}, [&context = context_, reply](const Caller&) {
        context.worker.post([&manager = context.manager, reply] {
            std::vector<Dict> writers;
            for (const auto& status : manager.writers()) writers.push_back(writer_to_dict(status));
            reply.values(writers);
        });
    });
}

void ManagerObject::ListSets(sdbus::Result<std::vector<sdbus::ObjectPath>>&& result, Dict options) {
    const Reply<std::vector<sdbus::ObjectPath>> reply(std::move(result));
    when_permitted(context_, getObject(), reply, options, {.action = Action::inspect}, [&manager = context_.manager, reply](const Caller&) {
        std::vector<sdbus::ObjectPath> paths;
        for (const auto& set : manager.sets()) paths.emplace_back(set_path(set->id()));
        reply.values(paths);
    });
}

void ManagerObject::ListLeases(sdbus::Result<std::vector<Dict>>&& result, Dict options) {
    const Reply<std::vector<Dict>> reply(std::move(result));
    when_permitted(context_, getObject(), reply, options, {.action = Action::inspect}, [&context = context_, reply](const Caller&) {
        std::vector<Dict> leases;
        for (const auto& set : context.manager.sets()) {
            const auto lease = set->lease();
            if (!is_final(lease.state)) leases.push_back(lease_to_dict(set->id(), lease, context.holds.held(set->id())));
        }
        reply.values(leases);
    });
}

void ManagerObject::ListJobs(sdbus::Result<std::vector<sdbus::ObjectPath>>&& result, Dict options) {
    const Reply<std::vector<sdbus::ObjectPath>> reply(std::move(result));
    when_permitted(context_, getObject(), reply, options, {.action = Action::inspect}, [&context = context_, reply](const Caller&) {
        context.events.post([&context, reply] { reply.values(context.jobs == nullptr ? std::vector<sdbus::ObjectPath>() : context.jobs->paths()); });
    });
}

void ManagerObject::Reload(sdbus::Result<>&& result, Dict options) {
    const Reply<> reply(std::move(result));
    when_permitted(context_, getObject(), reply, options, {.action = Action::configure}, [&context = context_, reply](const Caller&) {
        if (!context.reload) return reply.error(Error{.kind = ErrorKind::unsupported, .error_number = 0, .context = "there is no configuration to reload", .advice = {}, .undone = {}});
        context.worker.post([&reload = context.reload, reply] {
            const auto done = reload();
            done ? reply.values() : reply.error(done.error());
        });
    });
}

} // namespace quiesced
