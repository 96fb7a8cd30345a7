// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace quiesced {

/// The system's journal, which must not block on a file system that is frozen: while the one it lies on is a member, it is
/// kept in /run. Thread-safe.
class Journal {
public:
    virtual ~Journal() = default;
    /// The mount that it lies on for good; nothing while it is in /run anyway, or not there.
    [[nodiscard]] virtual std::optional<std::uint64_t> mount() const = 0;
    virtual Result<void> relinquish() = 0; ///< as journalctl --relinquish-var
    virtual Result<void> flush() = 0;      ///< as journalctl --flush
};

/// systemd-journald by its own socket (varlink, systemd 243): what journalctl does, without a process.
class VarlinkJournal final : public Journal {
public:
    struct Paths {
        std::string socket = "/run/systemd/journal/io.systemd.journal";
        std::string flushed = "/run/systemd/journal/flushed"; ///< there once journald has left /run
        std::string persistent = "/var/log/journal";
    };
    VarlinkJournal() : VarlinkJournal(Paths{}) {}
    explicit VarlinkJournal(Paths paths, std::chrono::milliseconds limit = std::chrono::seconds(10))
        : paths_(std::move(paths)), limit_(limit) {}
    [[nodiscard]] std::optional<std::uint64_t> mount() const override;
    Result<void> relinquish() override { return call("io.systemd.Journal.RelinquishVar"); }
    Result<void> flush() override { return call("io.systemd.Journal.FlushToVar"); }

private:
    [[nodiscard]] Result<void> call(const std::string& method) const;
    Paths paths_;
    std::chrono::milliseconds limit_;
};

} // namespace quiesced
