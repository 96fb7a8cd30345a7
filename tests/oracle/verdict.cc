// SPDX-License-Identifier: LGPL-2.1-or-later
#include "oracle/verdict.h"

#include <nlohmann/json.hpp>

namespace quiesced::oracle {

Result<Verdict> judge(const std::vector<Record>& records) {
    if (records.size() < 2) {
        return fail(ErrorKind::invalid_argument, "one volume is always consistent with itself",
                    "Name two or more directories.");
    }
    Verdict verdict;
    for (std::size_t k = 0; k < records.size(); ++k) {
        const Record& record = records[k];
        const std::string which = "the record of directory " + std::to_string(k + 1);
        if (record.run != records.front().run) {
            return fail(ErrorKind::io, which + " was left by another run of the writer than the first one");
        }
        if (record.volumes != records.size()) {
            return fail(ErrorKind::io, which + " belongs to a run over " + std::to_string(record.volumes) +
                                           " volumes, not " + std::to_string(records.size()));
        }
        if (record.volume != k) {
            return fail(ErrorKind::io, which + " was written as number " + std::to_string(record.volume + 1),
                        "Name the directories in the writer's order.");
        }
        verdict.numbers.push_back(record.sequence);
    }
    for (std::size_t k = 0; k + 1 < verdict.numbers.size(); ++k) {
        const std::uint64_t before = verdict.numbers[k];
        const std::uint64_t after = verdict.numbers[k + 1];
        if (after > before) {
            verdict.violations.push_back("volume " + std::to_string(k + 2) + " has number " + std::to_string(after) +
                                         ", but volume " + std::to_string(k + 1) + ", written before it, only " +
                                         std::to_string(before));
        }
    }
    const std::uint64_t first = verdict.numbers.front();
    const std::uint64_t last = verdict.numbers.back();
    if (first > last && first - last > 1) {
        verdict.violations.push_back("volume 1 has number " + std::to_string(first) + ", but volume " +
                                     std::to_string(records.size()) + " only " + std::to_string(last));
    }
    return verdict;
}

std::string to_json(const Verdict& verdict) {
    const nlohmann::json json = {
        {"numbers", verdict.numbers}, {"violations", verdict.violations}, {"consistent", verdict.consistent()}};
    return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

} // namespace quiesced::oracle
