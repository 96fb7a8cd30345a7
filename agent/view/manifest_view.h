// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace quiesced {

/// Where a member was mounted, and what of it was seen there ("/" for all of it).
struct MountView {
    std::string path, root;
};

/// What is shown of a member. Times in ms; absent until measured.
struct MemberView {
    std::string volume, file_system, placement, provider, snapshot, device, consistency, error, revert;
    std::optional<double> revert_percent;
    std::vector<MountView> mounts;
    std::optional<double> flush_ms; ///< last pre-flush pass
    std::optional<double> freeze_ms, hold_ms, thaw_ms;
    std::optional<double> frozen_at_ms; ///< return of its FIFREEZE, from the start of the window
};

/// A step of the sequence; 0 is the start of the window.
struct SpanView {
    std::string what;
    double start_ms = 0;
    double length_ms = 0;
};

/// What is shown of a manifest (the JSON of Describe and Take).
struct ManifestView {
    std::string id, state, consistency, created, error;
    std::vector<std::string> stuck; ///< volumes that may still be frozen
    std::vector<std::string> notes; ///< what an admin should know of it: a sentence each
    std::optional<double> window_ms;
    std::vector<MemberView> members;
    std::vector<SpanView> timeline;
};

/// A revert has put back some of its volumes and not others, which were left to an admin.
bool revert_interrupted(const ManifestView& set);

/// A key that is missing or of another type is left empty: a newer daemon is no reason to show nothing. Errors: io for
/// what is no JSON object.
Result<ManifestView> view_manifest(const std::string& json);

} // namespace quiesced
