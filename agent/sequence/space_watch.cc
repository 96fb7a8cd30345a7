// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/space_watch.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace quiesced {
namespace {

constexpr std::array kLevels{80U, 90U, 95U};
constexpr double kSlack = 5; ///< percent that a place has to fall below a level before that is told of again
constexpr std::chrono::milliseconds kShortestPause{1000};
constexpr std::chrono::milliseconds kLongestPause{60000};
constexpr std::chrono::milliseconds kLongestPauseToExtend{2000};

unsigned level_of(double percent) {
    unsigned level = 0;
    for (const auto each : kLevels)
        if (percent >= each) level = each;
    return level;
}

/// The next one above, or full.
double next_level(double percent, std::optional<unsigned> extend_at) {
    double next = 100;
    if (extend_at && percent < *extend_at) next = *extend_at;
    for (const auto each : kLevels)
        if (percent < each) return std::min<double>(each, next);
    return next;
}

} // namespace

std::vector<SpaceLevel> FillLevels::update(const SetId& set, const std::vector<Fill>& fills, Monotonic::time_point now) {
    auto& before = places_[set];
    std::map<Key, Place> after;
    std::vector<SpaceLevel> reached;
    for (const auto& fill : fills) {
        const Key key{fill.kind, fill.name};
        if (after.contains(key)) continue; // another member in the same pool
        Place place{.percent = fill.percent, .per_second = 0, .level = level_of(fill.percent), .seen = now};
        unsigned told = 0;
        if (const auto last = before.find(key); last != before.end()) {
            const auto seconds = std::chrono::duration<double>(now - last->second.seen).count();
            if (seconds > 0) place.per_second = std::max(0.0, (fill.percent - last->second.percent) / seconds);
            told = last->second.level;
            // A pool's metadata go up and down within a transaction: that is the same level, still.
            if (place.level < told && fill.percent > told - kSlack) place.level = told;
        }
        if (place.level > told) reached.push_back({.fill = fill, .level = place.level});
        after.emplace(key, place);
    }
    before = std::move(after);
    return reached;
}

void FillLevels::forget(const SetId& set) { places_.erase(set); }

std::optional<std::chrono::milliseconds> FillLevels::pause(std::optional<unsigned> extend_at) const {
    const auto longest = extend_at ? kLongestPauseToExtend : kLongestPause;
    std::optional<std::chrono::milliseconds> pause;
    for (const auto& [set, places] : places_)
        for (const auto& [key, place] : places) {
            if (place.percent >= 100) continue; // nothing more to tell of
            auto wait = longest;
            if (place.per_second > 0) {
                const auto half = (next_level(place.percent, extend_at) - place.percent) / place.per_second / 2 * 1000;
                if (half < static_cast<double>(wait.count())) wait = std::chrono::milliseconds(std::llround(half));
            }
            pause = std::min(pause.value_or(longest), std::max(wait, kShortestPause));
        }
    return pause;
}

SpaceWatch::SpaceWatch(Hooks hooks, std::unique_ptr<DmEvents> events) : hooks_(std::move(hooks)), events_(std::move(events)) {
    thread_ = std::jthread([this](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            events_->arm(); // before the look: what happens after it is not missed
            check();
            if (!stop.stop_requested()) events_->wait(soon_ ? kShortestPause : levels_.pause(extend_at_));
        }
    });
}

SpaceWatch::~SpaceWatch() {
    thread_.request_stop();
    events_->wake();
}

/// A pool that serves several members, or several sets, is extended once a look.
void SpaceWatch::extend_full(const SetId& set, const std::vector<Fill>& fills) {
    if (!extend_at_ || !hooks_.extend) return;
    for (const auto& fill : fills)
        if (fill.lost.empty() && fill.percent >= *extend_at_ && extended_.emplace(fill.kind, fill.name).second) soon_ = hooks_.extend(set, fill) || soon_;
}

void SpaceWatch::check() {
    soon_ = false;
    extended_.clear();
    extend_at_ = hooks_.extend_at ? hooks_.extend_at() : std::nullopt;
    const auto sets = hooks_.fills();
    const auto now = Monotonic::now();
    for (const auto& id : known_)
        if (!sets.contains(id)) levels_.forget(id);
    known_.clear();
    // Before anybody is told: what can be mended must not wait.
    for (const auto& [id, fills] : sets) extend_full(id, fills);
    for (const auto& [id, fills] : sets) {
        known_.push_back(id);
        for (const auto& level : levels_.update(id, fills, now)) hooks_.low(id, level);
        for (const auto& fill : fills)
            if (!fill.lost.empty()) hooks_.lost(id, fill);
    }
}

} // namespace quiesced
