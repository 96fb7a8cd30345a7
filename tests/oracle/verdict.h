// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "oracle/record.h"

namespace quiesced::oracle {

/// What the records of all volumes together say.
struct Verdict {
    std::vector<std::uint64_t> numbers;  ///< sequence numbers in the writer's order
    std::vector<std::string> violations; ///< one sentence for each rule that is broken
    [[nodiscard]] bool consistent() const { return violations.empty(); }
};

/// Judges one record for each volume, in the writer's order.
///
/// The writer makes number n durable on volume k before it touches volume k + 1, and on the last volume before it goes
/// on to n + 1. So at every instant the numbers, read from the first volume to the last, never rise and the first is
/// at most 1 above the last. Snapshots that do not obey show no instant of the writer's life.
///
/// Errors (it cannot be judged): invalid_argument (fewer than two records), io (a record of another run, of another
/// number of volumes, or of another place in the order).
Result<Verdict> judge(const std::vector<Record>& records);

/// {"numbers": [...], "violations": [...], "consistent": true}
std::string to_json(const Verdict& verdict);

} // namespace quiesced::oracle
