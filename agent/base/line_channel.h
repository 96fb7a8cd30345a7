// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/limit.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace quiesced {

/// Lines over a connected stream socket, in both directions. No call waits beyond its limit, whatever the other
/// side does. One thread at a time. Errors of all calls: deadline; wrong_state (it was called off); lost (the other side is gone);
/// limit (a line is too long); kernel. After an error the stream has no known position: close() it.
class LineChannel {
public:
    static constexpr std::size_t kLineLimit = 1U << 20U; ///< bytes of a line, with its newline

    explicit LineChannel(UniqueFd socket);

    /// Sends a line, which must end with its one newline.
    Result<void> write_line(std::string_view line, const Limit& limit);

    /// The next line without its newline; valid until the next call.
    Result<std::string_view> read_line(const Limit& limit);

    /// Whether bytes are there that nobody has read yet; false also when the other side is gone. Does not wait.
    [[nodiscard]] bool has_input() const;

    /// Whether the other side has closed its end and nothing is left to read. Does not wait.
    [[nodiscard]] bool is_closed() const;

    void close() { socket_.reset(); }
    [[nodiscard]] bool is_open() const { return static_cast<bool>(socket_); }

private:
    Result<void> wait(short events, const Limit& limit) const;
    Result<void> receive(const Limit& limit);

    UniqueFd socket_;
    std::string buffer_;        ///< its size is its capacity in use; allocated and touched by the constructor
    std::size_t start_ = 0;     ///< first byte that is not handed out
    std::size_t scanned_ = 0;   ///< no newline in [start_, scanned_)
    std::size_t end_ = 0;       ///< one behind the last byte received
};

} // namespace quiesced
