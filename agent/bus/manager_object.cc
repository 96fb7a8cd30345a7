// SPDX-License-Identifier: LGPL-2.1-or-later
#include "bus/manager_object.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

#include "bus/match_dict.h"
#include "bus/plan_dict.h"
#include "bus/plugin_object.h"
#include "bus/reply.h"
#include "bus/volume_dict.h"

namespace quiesced {
namespace {

constexpr std::uint32_t kShortestDeadline = 100; // ms
constexpr std::uint32_t kLongestDeadline = 600000;
constexpr std::uint32_t kLongestSample = 10000;

struct CreateOptions {
    SetOptions set;
    bool bind = false;
};

Result<StorePolicy> read_store(const Options& options) {
    const auto text = options.get<std::string>("store", "auto");
    if (!text) return tl::unexpected<Error>(text.error());
    return parse_store_policy(*text);
}

Result<CreateOptions> read_create_options(const Dict& dict) {
    const Options options(dict);
    if (auto known = options.only({"deadline_ms", "member_limit_ms", "prepare_limit_ms", "foreign_freeze", "relinquish_journal", "providers", "store", "bind"}); !known) return pass(known);
    CreateOptions read;
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
    const auto store = read_store(options);
    if (!store) return tl::unexpected<Error>(store.error());
    read.set.wishes.store = *store;
    const auto bind = options.get("bind", false);
    if (!bind) return tl::unexpected<Error>(bind.error());
    read.bind = *bind;
    return read;
}

Result<PlanOptions> read_plan_options(const Dict& dict) {
    const Options options(dict);
    if (auto known = options.only({"sample_ms", "providers", "store"}); !known) return pass(known);
    PlanOptions read;
    const auto sample = options.get<std::uint32_t>("sample_ms", static_cast<std::uint32_t>(read.sample.count()));
    if (!sample) return tl::unexpected<Error>(sample.error());
    if (*sample > kLongestSample)
        return fail(ErrorKind::invalid_argument, "sample_ms is " + std::to_string(*sample), "It must be from 0 to " + std::to_string(kLongestSample) + ".");
    read.sample = std::chrono::milliseconds(*sample);
    const auto providers = options.get("providers", read.providers);
    if (!providers) return tl::unexpected<Error>(providers.error());
    read.providers = *providers;
    const auto store = read_store(options);
    if (!store) return tl::unexpected<Error>(store.error());
    read.wishes.store = *store;
    return read;
}

} // namespace

ManagerObject::ManagerObject(BusContext& context)
    : AdaptorInterfaces(context.connection, sdbus::ObjectPath(kManagerPath)), context_(context) {
    registerAdaptor();
}

ManagerObject::~ManagerObject() { unregisterAdaptor(); }

void ManagerObject::ListVolumes(sdbus::Result<std::vector<Dict>>&& result, Dict options) {
    const Reply<std::vector<Dict>> reply(std::move(result));
    if (auto known = Options(options).only({}); !known) return reply.error(known.error());
    context_.worker.post([&manager = context_.manager, reply] {
        const auto inventory = manager.inventory();
        if (!inventory) return reply.error(inventory.error());
        std::vector<Dict> volumes;
        for (const auto& volume : inventory->volumes()) volumes.push_back(volume_to_dict(volume, *inventory));
        reply.values(volumes);
    });
}

void ManagerObject::CreateSet(sdbus::Result<sdbus::ObjectPath>&& result, std::vector<std::string> volumes, Dict options) {
    const Reply<sdbus::ObjectPath> reply(std::move(result));
    const auto wanted = read_create_options(options);
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
    if (auto allowed = context_.authority.may_change(getObject()); !allowed) return reply.error(allowed.error());

    context_.worker.post([&context = context_, reply, volumes = std::move(volumes), set_options = wanted->set, binding] {
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
}

void ManagerObject::Plan(sdbus::Result<Dict>&& result, std::vector<std::string> volumes, Dict options) {
    const Reply<Dict> reply(std::move(result));
    const auto wanted = read_plan_options(options);
    if (!wanted) return reply.error(wanted.error());
    const auto started = context_.plans.start([&manager = context_.manager, reply, volumes = std::move(volumes), wanted = *wanted](const std::stop_token& stop) {
        const auto report = manager.plan(volumes, wanted, stop);
        if (!report) return reply.error(report.error());
        reply.values(plan_to_dict(*report));
    });
    if (!started) reply.error(started.error());
}

void ManagerObject::MatchDisks(sdbus::Result<std::vector<Dict>>&& result, std::vector<Dict> disks, Dict options) {
    const Reply<std::vector<Dict>> reply(std::move(result));
    const auto wanted = read_match_options(options);
    if (!wanted) return reply.error(wanted.error());
    auto claims = read_disk_claims(disks);
    if (!claims) return reply.error(claims.error());
    if (wanted->remember)
        if (auto allowed = context_.authority.may_change(getObject()); !allowed) return reply.error(allowed.error());
    context_.worker.post([&manager = context_.manager, reply, claims = std::move(*claims), wanted = *wanted] {
        const auto report = manager.match(claims, wanted);
        if (!report) return reply.error(report.error());
        reply.values(matches_to_dicts(*report));
    });
}

void ManagerObject::ListPlugins(sdbus::Result<std::vector<sdbus::ObjectPath>>&& result, Dict options) {
    const Reply<std::vector<sdbus::ObjectPath>> reply(std::move(result));
    const Options read(options);
    if (auto known = read.only({"refresh"}); !known) return reply.error(known.error());
    const auto refresh = read.get("refresh", true);
    if (!refresh) return reply.error(refresh.error());
    const auto started = context_.plans.start([&context = context_, reply, refresh = *refresh](const std::stop_token&) {
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
}

std::vector<sdbus::ObjectPath> ManagerObject::ListSets(const Dict& options) {
    if (const auto known = Options(options).only({}); !known) throw to_bus_error(known.error());
    std::vector<sdbus::ObjectPath> paths;
    for (const auto& set : context_.manager.sets()) paths.emplace_back(set_path(set->id()));
    return paths;
}

} // namespace quiesced
