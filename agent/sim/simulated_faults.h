// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace quiesced {

/// The calls of a provider and its session that can fail. Prime and fire are the simulated kernel's (SimWorld::point()).
enum class ProviderCall { claim, begin, estimate, arm, commit, finish, disarm, map, extend, check_revert, revert, merges, list, remove, abandon };

inline constexpr std::array kProviderCalls{ProviderCall::claim, ProviderCall::begin, ProviderCall::estimate, ProviderCall::arm, ProviderCall::commit,
                                           ProviderCall::finish, ProviderCall::disarm, ProviderCall::map, ProviderCall::extend, ProviderCall::check_revert,
                                           ProviderCall::revert, ProviderCall::merges, ProviderCall::list, ProviderCall::remove, ProviderCall::abandon};
inline constexpr std::array<std::string_view, kProviderCalls.size()> kProviderCallNames{
    "claim", "begin", "estimate", "arm", "commit", "finish", "disarm", "map", "extend", "check_revert", "revert", "merges", "list", "remove", "abandon"};

/// What simulated providers are to fail at, and what they were asked. Thread-safe.
class ProviderFaults {
public:
    /// From now on that call of that provider fails so; no error: it succeeds again.
    void fail_at(const std::string& provider, ProviderCall call, std::optional<Error> error) {
        const std::lock_guard lock(mutex_);
        if (error) errors_.insert_or_assign({provider, call}, std::move(*error));
        else errors_.erase({provider, call});
    }
    /// From now on a revert begins with so many members and then fails, as when LVM is killed in the midst of it; none: with all.
    void revert_only(std::optional<std::size_t> members) {
        const std::lock_guard lock(mutex_);
        revert_only_ = members;
    }
    [[nodiscard]] std::optional<std::size_t> revert_only() const {
        const std::lock_guard lock(mutex_);
        return revert_only_;
    }
    /// Somebody has a volume open, or no longer.
    void use(const std::string& volume, bool in_use) {
        const std::lock_guard lock(mutex_);
        if (in_use) in_use_.insert(volume);
        else in_use_.erase(volume);
    }
    [[nodiscard]] bool in_use(const std::string& volume) const {
        const std::lock_guard lock(mutex_);
        return in_use_.contains(volume);
    }
    /// Notes the call; what it is to fail with.
    std::optional<Error> meet(const std::string& provider, ProviderCall call) {
        const std::lock_guard lock(mutex_);
        log_.push_back(provider + " " + std::string(kProviderCallNames[static_cast<std::size_t>(call)]));
        const auto found = errors_.find({provider, call});
        if (found == errors_.end()) return std::nullopt;
        return found->second;
    }
    /// "simulated-lvm arm", in their order.
    [[nodiscard]] std::vector<std::string> log() const {
        const std::lock_guard lock(mutex_);
        return log_;
    }

private:
    mutable std::mutex mutex_;
    std::map<std::pair<std::string, ProviderCall>, Error> errors_;
    std::vector<std::string> log_;
    std::optional<std::size_t> revert_only_;
    std::set<std::string> in_use_;
};

} // namespace quiesced
