// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "ctl/client.h"

namespace quiesced {

/// How far a set is, a line for each member, from what the daemon tells of it.
class ProgressBoard {
public:
    explicit ProgressBoard(std::string set) : set_(std::move(set)) {}

    /// Whether it looks different now. News of other sets are none.
    bool note(const SetNews& news);

    /// The set's state, then the members in the order in which they were first told of: at most `rows` lines of at most `width`
    /// columns, each with a line break. Where there are too many, those that are furthest are left out, and counted.
    [[nodiscard]] std::string render(std::size_t width, std::size_t rows) const;

private:
    struct Member {
        std::string name;
        std::size_t steps = 0; ///< how many it went through
        std::string step;
    };
    Member& member(const std::string& name);

    std::string set_;
    std::string state_ = "new";
    std::vector<Member> members_;
    std::vector<std::string> warnings_;
};

} // namespace quiesced
