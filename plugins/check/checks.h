// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "plugins/check/subject.h"

namespace quiesced {

/// One rule of the protocol and how it is tried.
struct Check {
    enum class Needs { nothing, disks, list };
    const char* sentence; ///< what holds when it passes
    Needs needs;          ///< disks that the plugin claims; and also its `list`
    std::function<void(Subject&)> run; ///< throws Broken
};

/// Lines, ids, errors, sizes, ends: needs no disk.
std::vector<Check> protocol_checks();
/// A set from prepare to delete: order, repeats, times.
std::vector<Check> set_checks();
/// An instance that is killed, a connection that is lost, an abort that comes at any time.
std::vector<Check> loss_checks();

} // namespace quiesced
