// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "native/loop_volume.h"

namespace quiesced::bench {

using Volumes = std::vector<const LoopVolume*>;

/// One way to freeze several file systems and to thaw them again.
class Contestant {
public:
    virtual ~Contestant() = default;
    [[nodiscard]] virtual std::string name() const = 0; ///< in the JSON object, and in the table
    /// What can be done before the application is disturbed: programs that run all the time are started.
    virtual Result<void> prepare(const Volumes& volumes) = 0;
    /// Freezes all and thaws all. This is what is measured. May leave some frozen when it fails.
    virtual Result<void> pass_window() = 0;
    /// After a window; ends what prepare() began. Not for an end after an error: then the destructor has to do.
    virtual Result<void> finish() = 0;
};

/// quiesced's own freezer process, asked as the daemon asks it: pre-flush, freeze, thaw.
class QuiescedContestant final : public Contestant {
public:
    /// `folder`: where the window's record goes, for what is /run/quiesced in the product.
    QuiescedContestant(std::string freezer, std::string folder, bool expedite);
    ~QuiescedContestant() override;
    [[nodiscard]] std::string name() const override { return expedite_ ? "quiesced" : "unexpedited"; }
    Result<void> prepare(const Volumes& volumes) override;
    Result<void> pass_window() override;
    Result<void> finish() override;

    /// Freezes without a thaw: for one that is to be killed.
    Result<void> flush_and_freeze();
    [[nodiscard]] std::uint64_t peak_rss_kib() const { return peak_rss_kib_; } ///< of the freezer, in the last window
    /// One line: how long the freezer needed for what, in the last window.
    [[nodiscard]] const std::string& phases() const { return phases_; }
    [[nodiscard]] std::int64_t window_started() const { return window_started_; } ///< Monotonic, ns; of the last window
    /// From the first FIFREEZE to the last FITHAW of the last window.
    [[nodiscard]] std::chrono::nanoseconds window_length() const { return window_length_; }

private:
    struct Window;
    std::string freezer_;
    std::string folder_;
    bool expedite_;
    std::unique_ptr<Window> window_;
    std::uint64_t peak_rss_kib_ = 0;
    std::string phases_;
    std::int64_t window_started_ = 0;
    std::chrono::nanoseconds window_length_{0};
};

/// `fsfreeze --freeze` of one after another, then `fsfreeze --unfreeze`.
class FsfreezeContestant final : public Contestant {
public:
    [[nodiscard]] std::string name() const override { return "fsfreeze"; }
    Result<void> prepare(const Volumes& volumes) override;
    Result<void> pass_window() override;
    Result<void> finish() override { return {}; }

private:
    Volumes volumes_;
};

} // namespace quiesced::bench
