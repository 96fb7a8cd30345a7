// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace quiesced {

/// How an admin's programs are run: by systemd, each as a unit of its own, so that what the daemon's unit is forbidden (systemd/HARDENING.md) is
/// not forbidden to them.
class Outside {
public:
    /// `runner` is systemd-run's full path; empty: they are plain children.
    explicit Outside(std::string runner = {}) : runner_(std::move(runner)) {}

    [[nodiscard]] bool active() const { return !runner_.empty(); }

    /// What to run for `argv` with `environment` ("NAME=VALUE" each): standard input, output and error are ours, the exit status is the
    /// program's. After `limit` (0: none) systemd ends it, and at its end whatever it left behind.
    [[nodiscard]] std::vector<std::string> wrap(const std::vector<std::string>& argv, const std::vector<std::string>& environment, const std::string& unit,
                                                std::chrono::milliseconds limit) const;
    /// Kills what is left of such a unit, and what it may still begin, and waits for its end; for one that did not end when it should. At most 10 s.
    void kill(const std::string& unit) const;

private:
    std::string runner_;
};

/// A unit's name of these parts: "quiesced-writer-6560000000000001-10_2dflush-freeze".
std::string outside_unit(const std::string& set, const std::string& writer, const std::string& step);

} // namespace quiesced
