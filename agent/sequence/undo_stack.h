// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace quiesced {

/// What undoes the steps done so far. Run in reverse; a step that fails does not stop the others.
class UndoStack {
public:
    void push(std::string name, std::function<Result<void>()> undo) { steps_.push_back({std::move(name), std::move(undo)}); }

    /// Runs and removes all, last first. Returns what failed, a sentence each.
    std::vector<std::string> unwind() {
        std::vector<std::string> failed;
        while (!steps_.empty()) {
            const auto step = std::move(steps_.back());
            steps_.pop_back();
            if (auto result = step.undo(); !result) failed.push_back(step.name + ": " + result.error().message());
        }
        return failed;
    }

    /// The sequence is complete: nothing is to be undone any more.
    void forget() { steps_.clear(); }

private:
    struct Entry {
        std::string name;
        std::function<Result<void>()> undo;
    };
    std::vector<Entry> steps_;
};

} // namespace quiesced
