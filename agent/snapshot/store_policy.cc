// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/store_policy.h"

#include <charconv>

namespace quiesced {
namespace {

constexpr std::uint64_t kMostPercent = 1000;

/// The factor of a size's unit, 0 for none.
std::uint64_t factor(const std::string& unit) {
    if (unit == "K") return 1ULL << 10U;
    if (unit == "M") return 1ULL << 20U;
    if (unit == "G") return 1ULL << 30U;
    return unit == "T" ? 1ULL << 40U : 0;
}

} // namespace

Result<StorePolicy> parse_store_policy(const std::string& text) {
    const auto refused = fail(ErrorKind::invalid_argument, "'" + text + "' is no size of a copy-on-write store",
                              "It is auto, a size as 512M or 2G, or 1 to 1000 percent as 20%SIZE, 200%USED or 50%FREE (at most 100).");
    if (text == "auto") return StorePolicy{};
    StorePolicy policy;
    const auto* const last = text.data() + text.size();
    const auto [end, problem] = std::from_chars(text.data(), last, policy.value);
    if (problem != std::errc() || policy.value == 0) return refused;
    const std::string unit(end, last);
    if (const auto by = factor(unit); by != 0) {
        if (policy.value > UINT64_MAX / by) return refused;
        policy.base = StorePolicy::Base::bytes;
        policy.value *= by;
        return policy;
    }
    if (unit == "%SIZE") policy.base = StorePolicy::Base::size;
    else if (unit == "%USED") policy.base = StorePolicy::Base::used;
    else if (unit == "%FREE") policy.base = StorePolicy::Base::free;
    else return refused;
    if (policy.value > (policy.base == StorePolicy::Base::free ? 100 : kMostPercent)) return refused;
    return policy;
}

} // namespace quiesced
