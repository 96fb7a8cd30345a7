// SPDX-License-Identifier: LGPL-2.1-or-later
#include "sequence/foreign_freeze.h"

#include <utility>

namespace quiesced {
namespace {

constexpr std::chrono::seconds kLimit{2};       ///< for the window: it is thawed as soon as all have answered
constexpr std::chrono::seconds kFlushLimit{10}; ///< what is dirty must not be written inside of it

} // namespace

std::optional<Error> find_foreign_freeze(const SetId& set, const SetPlan& plan, const MountOpener& opener,
                                         std::unique_ptr<FreezerLauncher> launcher, WindowKernel kernel,
                                         const FreezerClient::Options& options) {
    auto freeze = make_freeze_plan(set, plan, {}, opener);
    if (!freeze) return std::nullopt; // the error that is there already says more
    auto client = FreezerClient::start(std::move(*freeze), std::move(launcher), std::move(kernel), options, {});
    if (!client) return std::nullopt;
    // A frozen file system is clean: its syncfs does not wait.
    if (auto flushed = (*client)->flush(kFlushLimit); !flushed) return std::nullopt;
    auto frozen = (*client)->freeze(kLimit);
    static_cast<void>((*client)->thaw());
    if (frozen || frozen.error().kind != ErrorKind::foreign_freeze) return std::nullopt;
    return std::move(frozen.error());
}

} // namespace quiesced
