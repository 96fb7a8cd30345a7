// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/timeline.h"

#include <algorithm>

namespace quiesced {

std::vector<ManifestSpan> Timeline::relative_to(Monotonic::time_point zero) const {
    auto all = spans();
    std::stable_sort(all.begin(), all.end(), [](const Span& a, const Span& b) { return a.start < b.start; });
    std::vector<ManifestSpan> relative;
    relative.reserve(all.size());
    for (auto& span : all)
        relative.push_back({.what = std::move(span.what), .start_ms = to_ms(span.start - zero), .length_ms = to_ms(span.end - span.start)});
    return relative;
}

} // namespace quiesced
