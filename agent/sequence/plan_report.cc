// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/plan_report.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>

#include "sequence/shared_space.h"
#include "sequence/write_rate.h"

namespace quiesced {
namespace {

bool same(const Volume& a, const Volume& b) { return a.superblock == b.superblock && a.name == b.name; }

/// Counts the writes from its construction on, while others plan.
class WriteCount {
public:
    WriteCount(std::string diskstats, std::chrono::milliseconds length) : diskstats_(std::move(diskstats)), length_(length) {
        if (length_.count() > 0)
            if (auto sample = sample_writes(diskstats_)) first_ = std::move(*sample);
    }

    /// Waits for the rest of the sample.
    void finish(const std::stop_token& stop) {
        if (!first_) return;
        std::mutex mutex;
        std::condition_variable_any never;
        std::unique_lock lock(mutex);
        never.wait_until(lock, stop, first_->taken + length_, [] { return false; });
        const auto second = sample_writes(diskstats_);
        if (!second) return;
        length_measured_ = std::chrono::duration_cast<std::chrono::milliseconds>(second->taken - first_->taken);
        rates_ = write_rates(*first_, *second);
    }

    [[nodiscard]] std::chrono::milliseconds length() const { return length_measured_; }
    [[nodiscard]] std::optional<std::uint64_t> rate(const Volume& volume) const {
        std::optional<std::uint64_t> sum;
        for (const auto device : volume.devices)
            if (const auto rate = rates_.find(device); rate != rates_.end()) sum = sum.value_or(0) + rate->second;
        return sum;
    }

private:
    std::string diskstats_;
    std::chrono::milliseconds length_;
    std::chrono::milliseconds length_measured_{0};
    std::optional<WriteSample> first_;
    std::map<DeviceNumber, std::uint64_t> rates_;
};

class Reporter {
public:
    Reporter(const PlanSources& sources, SetPlan plan, const SnapshotWishes& wishes) : sources_(sources), plan_(std::move(plan)), wishes_(wishes) { report_.inventory = sources.inventory; }

    /// Moves what cannot be a member to the skipped ones; what is carried is neither.
    void skip_impossible() {
        for (auto& member : plan_.members) {
            if (!member.error) continue;
            const auto is_it = [&member](const PlannedVolume& carried) { return same(carried.volume, member.volume); };
            if (std::none_of(plan_.carried.begin(), plan_.carried.end(), is_it)) report_.skipped.push_back(member);
        }
        std::erase_if(plan_.members, [](const PlannedVolume& member) { return member.error.has_value(); });
    }

    Result<void> ask_providers() {
        auto id = SetId::generate();
        if (!id) return pass(id);
        for (const auto& provider : sources_.providers) {
            ReportedProvider entry{.name = provider->name(), .volumes = {}, .error = {}};
            std::vector<const Volume*> volumes;
            for (const auto& member : plan_.members) {
                if (member.provider != provider || member.error) continue;
                volumes.push_back(&member.volume);
                entry.volumes.push_back(member.volume.name);
            }
            if (!volumes.empty()) estimate(*provider, *id, volumes, entry);
            report_.providers.push_back(std::move(entry));
        }
        refuse_shared_shortage();
        return {};
    }

    void list_writers() {
        if (!sources_.writers) return;
        std::vector<std::string> names;
        for (const auto& member : plan_.members)
            if (!member.error) names.push_back(member.volume.name);
        if (auto list = sources_.writers->list(names, *sources_.inventory)) report_.writers = std::move(*list);
        else report_.writers_error = list.error();
    }

    PlanReport finish(const WriteCount& count) {
        report_.host = read_host_facts(sources_.host, *sources_.inventory);
        report_.sampled = count.length();
        report_.graph = make_plan_graph(plan_);
        add_levels();
        warn(count);
        report_.carried = std::move(plan_.carried);
        const auto good = [](const ReportedMember& member) { return !member.planned.error; };
        const auto arms = [](const ReportedProvider& provider) { return !provider.error; };
        const auto fits = [](const ReportedSpace& space) { return !space.need.refusal; };
        report_.feasible = !report_.members.empty() && !report_.writers_error && std::all_of(report_.members.begin(), report_.members.end(), good) &&
                           std::all_of(report_.providers.begin(), report_.providers.end(), arms) &&
                           std::all_of(report_.space.begin(), report_.space.end(), fits);
        return std::move(report_);
    }

private:
    /// Said of each that takes part in it.
    void refuse_shared_shortage() {
        std::vector<SpaceNeed> needs;
        for (const auto& space : report_.space) needs.push_back(space.need);
        const auto shortage = shared_shortage(needs);
        if (!shortage) return;
        for (auto& space : report_.space)
            if (space.need.kind == shortage->kind && space.need.name == shortage->name) space.need.refusal = shortage->error;
    }

    void estimate(Provider& provider, const SetId& id, const std::vector<const Volume*>& volumes, ReportedProvider& entry) {
        auto session = provider.begin(id, volumes, *sources_.inventory, wishes_);
        if (!session) {
            entry.error = session.error();
            return;
        }
        auto estimate = (*session)->estimate();
        if (!estimate) {
            entry.error = estimate.error();
            return;
        }
        for (auto& need : estimate->space) report_.space.push_back({.provider = entry.name, .need = std::move(need)});
        stores_.merge(estimate->stores);
    }

    void add_levels() {
        const auto add = [this](const PlannedVolume& entry) {
            if (entry.error) return;
            const auto level = static_cast<std::size_t>(entry.level);
            if (report_.levels.size() <= level) report_.levels.resize(level + 1);
            report_.levels[level].push_back(entry.volume.name);
        };
        for (const auto& member : plan_.members) add(member);
        for (const auto& carried : plan_.carried) add(carried);
    }

    void warn(const WriteCount& count) {
        std::vector<const Volume*> frozen;
        std::vector<StoreForecast> forecasts;
        for (auto& planned : plan_.members) {
            ReportedMember member;
            member.write_rate = count.rate(planned.volume);
            if (const auto store = stores_.find(planned.volume.name); store != stores_.end()) member.store = store->second;
            if (member.store && member.write_rate.value_or(0) > 0) {
                member.fills_in = std::chrono::seconds(member.store->count / *member.write_rate);
                forecasts.push_back({.volume = planned.volume.name, .store = *member.store, .write_rate = *member.write_rate, .fills_in = *member.fills_in});
            }
            for (const auto& carried : plan_.carried)
                if (carried.inside == planned.volume.name) member.carries.push_back(carried.volume.name);
            member.planned = planned;
            if (!planned.error) frozen.push_back(&planned.volume);
            report_.members.push_back(std::move(member));
        }
        for (const auto& carried : plan_.carried) frozen.push_back(&carried.volume);
        std::vector<SpaceNeed> needs;
        for (const auto& space : report_.space) needs.push_back(space.need);
        report_.warnings = make_warnings(report_.host, frozen, *sources_.inventory, needs, forecasts);
    }

    const PlanSources& sources_;
    SetPlan plan_;
    const SnapshotWishes& wishes_;
    PlanReport report_;
    std::map<std::string, Bytes> stores_;
};

void note_held(std::vector<PlannedVolume>& members, const std::function<std::optional<Error>(const Volume&)>& held) {
    if (!held) return;
    for (auto& member : members)
        if (!member.error) member.error = held(member.volume);
}

} // namespace

Result<PlanReport> make_plan_report(const std::vector<std::string>& names, const PlanSources& sources,
                                    const PlanOptions& options, const std::stop_token& stop) {
    if (auto few = check_count(names.size()); !few && !names.empty()) return pass(few);
    if (auto good = check_choice(names, options.providers); !good && !names.empty()) return pass(good);
    WriteCount count(sources.host.diskstats, options.sample);
    auto plan = names.empty() ? plan_all(sources.inventory, sources.providers, options.providers)
                              : plan_volumes(names, sources.inventory, sources.providers, options.providers);
    note_held(plan.members, sources.held);
    Reporter reporter(sources, std::move(plan), options.wishes);
    if (names.empty()) reporter.skip_impossible();
    if (auto asked = reporter.ask_providers(); !asked) return pass(asked);
    reporter.list_writers();
    count.finish(stop);
    return reporter.finish(count);
}

} // namespace quiesced
