// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/child.h"
#include "bench/window.d/contestant.h"

namespace quiesced::bench {
namespace {

Result<void> run_fsfreeze(const char* option, const LoopVolume& volume) {
    // A descriptor that was just checked to be on the bench's own loop device keeps the mount while the program opens its path.
    const auto own = volume.member();
    if (!own) return tl::unexpected<Error>(own.error());
    const auto outcome = run_child({"fsfreeze", option, volume.mount_point()});
    if (!outcome) return tl::unexpected<Error>(outcome.error());
    if (outcome->exit_status != 0) return fail(ErrorKind::kernel, "fsfreeze failed: " + outcome->errors);
    return {};
}

} // namespace

Result<void> FsfreezeContestant::prepare(const Volumes& volumes) {
    volumes_ = volumes;
    return {};
}

Result<void> FsfreezeContestant::pass_window() {
    for (const auto* volume : volumes_)
        if (auto frozen = run_fsfreeze("--freeze", *volume); !frozen) return frozen;
    for (const auto* volume : volumes_)
        if (auto thawed = run_fsfreeze("--unfreeze", *volume); !thawed) return thawed;
    return {};
}

} // namespace quiesced::bench
