// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/foreign_freeze.h"

#include <utility>

namespace quiesced {
namespace {

constexpr std::chrono::seconds kLimit{2};       ///< for the window: it is thawed as soon as all have answered
constexpr std::chrono::seconds kFlushBound{10}; ///< what is dirty must not be written inside of it

} // namespace

Result<void> refuse_foreign_freeze(const SetId& set, const SetPlan& plan, const MountOpener& opener,
                                   std::unique_ptr<FreezerLauncher> launcher, WindowKernel kernel, const FreezerClient::Options& options,
                                   const std::function<void(std::shared_ptr<FreezerClient>)>& leave) {
    SetPlan concerned{.members = {}, .carried = {}, .inventory = plan.inventory};
    for (const auto& member : plan.members)
        if (member.provider->arm_needs_thawed()) concerned.members.push_back(member);
    auto freeze = make_freeze_plan(set, concerned, {}, opener);
    if (!freeze) return pass(freeze);
    auto client = FreezerClient::start(std::move(*freeze), std::move(launcher), std::move(kernel), options, {});
    if (!client) return pass(client);
    // A file system that is frozen is clean: its syncfs does not wait.
    auto tried = (*client)->flush(kFlushBound);
    if (tried) tried = (*client)->freeze(kLimit);
    auto thawed = (*client)->thaw();
    if (tried && thawed) return {};
    leave(std::move(*client));
    return tried ? thawed : tried;
}

} // namespace quiesced
