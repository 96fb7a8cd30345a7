// SPDX-License-Identifier: LGPL-2.1-or-later
#include "freeze/freezer_keeper.h"

#include <algorithm>

namespace quiesced {

FreezerKeeper::~FreezerKeeper() {
    std::map<const FreezerClient*, Leftover> ended;
    {
        const std::lock_guard lock(state_->mutex);
        ended.swap(state_->leftovers);
    }
}

void FreezerKeeper::keep(const std::string& set, std::shared_ptr<FreezerClient> client, Members members) {
    auto* const raw = client.get();
    {
        const std::lock_guard lock(state_->mutex);
        state_->leftovers[raw] = {.set = set, .client = std::move(client), .members = std::move(members)};
    }
    raw->let_go([state = state_, raw] {
        Leftover ended;
        {
            const std::lock_guard lock(state->mutex);
            const auto found = state->leftovers.find(raw);
            if (found == state->leftovers.end()) return;
            ended = std::move(found->second);
            state->leftovers.erase(found);
        }
        // Not from its own thread, which the end waits for.
        std::thread([last = std::move(ended.client)]() mutable { last.reset(); }).detach();
    });
}

std::optional<std::string> FreezerKeeper::stuck_in(DeviceNumber superblock) const {
    const std::lock_guard lock(state_->mutex);
    for (const auto& [key, leftover] : state_->leftovers) {
        const auto stuck = leftover.client->stuck();
        for (const auto& [name, number] : leftover.members)
            if (number == superblock && std::find(stuck.begin(), stuck.end(), name) != stuck.end()) return leftover.set;
    }
    return std::nullopt;
}

std::size_t FreezerKeeper::count() const {
    const std::lock_guard lock(state_->mutex);
    return state_->leftovers.size();
}

} // namespace quiesced
