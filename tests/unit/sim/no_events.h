// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include "sequence/set_manager.h"

namespace quiesced {

/// Nobody listens to the sets.
class NoEvents final : public SetEvents {
public:
    void set_added(const std::shared_ptr<SnapshotSet>& /*set*/) override {}
    void set_removed(const SetId& /*set*/) override {}
    void state_changed(const SetId& /*set*/, State /*state*/, const std::string& /*consistency*/, const std::string& /*error*/) override {}
};

} // namespace quiesced
