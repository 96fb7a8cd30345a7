// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "base/unique_fd.h"
#include "bench/window.d/contestant.h"

namespace quiesced::bench {

/// Debian's qemu-ga over its own socket protocol: guest-fsfreeze-freeze-list, guest-fsfreeze-thaw.
///
/// It knows a command that freezes every file system of the machine, so it never gets to see one: it runs in a mount
/// namespace of its own, whose root is a tmpfs with its program and libraries, and in which nothing else is mounted but
/// /proc and the volumes. It is not started when anything else is.
class QemuGaContestant final : public Contestant {
public:
    /// Where qemu-ga is, or the empty string.
    static std::string find_program();
    /// Starts it with all `volumes` in view; `folder` is where its root is made. Errors: kernel, io.
    static Result<std::unique_ptr<QemuGaContestant>> start(const std::string& program, const std::string& folder, const Volumes& volumes);
    ~QemuGaContestant() override;
    QemuGaContestant(const QemuGaContestant&) = delete;
    QemuGaContestant& operator=(const QemuGaContestant&) = delete;

    [[nodiscard]] std::string name() const override { return "qemu_ga"; }
    Result<void> prepare(const Volumes& volumes) override; ///< some of those that it was started with
    Result<void> pass_window() override;
    Result<void> finish() override { return {}; }

private:
    QemuGaContestant() = default;
    Result<void> make_root(const std::string& program, const Volumes& volumes);
    Result<void> launch();
    Result<void> connect_to();
    /// The value of "return". Errors: io (no JSON, or its error), deadline.
    Result<nlohmann::json> call(const nlohmann::json& request);

    std::string root_;
    Volumes all_;
    pid_t pid_ = -1;
    UniqueFd socket_;
    std::string received_;
    std::vector<std::string> mount_points_; ///< in its namespace, of the next window
};

} // namespace quiesced::bench
