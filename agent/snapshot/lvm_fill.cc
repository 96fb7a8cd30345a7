// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/lvm_fill.h"

#include <cstdint>
#include <optional>
#include <sstream>

#include "snapshot/lvm_chain.h"

namespace quiesced {
namespace {

/// "3/128" as percent.
std::optional<double> percent_of(const std::string& fraction) {
    std::istringstream words(fraction);
    std::uint64_t used = 0;
    std::uint64_t total = 0;
    char slash = 0;
    if (!(words >> used >> slash >> total) || slash != '/' || total == 0) return std::nullopt;
    return 100.0 * static_cast<double>(used) / static_cast<double>(total);
}

std::vector<Fill> store_fill(const DmTables& tables, const std::string& volume, const LvmReference& reference) {
    const auto status = tables.status(reference.dm_uuid);
    // Another table, or none: LVM is at work on it, to remove or to merge it. That is no full store.
    if (!status || status->targets.size() != 1 || status->targets.front().type != "snapshot") return {};
    Fill fill{.volume = volume, .kind = "store", .name = reference.group + "/" + reference.name, .percent = 0, .lost = thick_snapshot_problem(*status)};
    if (!fill.lost.empty()) {
        fill.percent = 100;
        return {fill};
    }
    // dm-snap.c, snapshot_status(): "<used>/<total> <metadata>" in sectors.
    const auto percent = percent_of(status->targets.front().text);
    if (!percent) return {};
    fill.percent = *percent;
    return {fill};
}

std::vector<Fill> pool_fills(const DmTables& tables, const std::string& volume, const LvmReference& reference) {
    const auto thin = tables.table(reference.dm_uuid);
    if (!thin || thin->targets.size() != 1 || thin->targets.front().type != "thin") return {};
    const auto& table = thin->targets.front().text; // "<pool> <id>"
    const auto number = DeviceNumber::parse(table.substr(0, table.find(' ')));
    if (!number) return {};
    const auto pool = tables.table(*number);
    if (!pool) return {};
    const auto status = tables.status(pool->uuid);
    if (!status || status->targets.size() != 1) return {};
    const auto name = reference.group + "/" + reference.pool;
    // dm-thin.c, pool_status(): "<transaction> <metadata used>/<total> <data used>/<total> <held root> <mode> ...", or "Fail".
    std::istringstream words(status->targets.front().text);
    std::string transaction;
    std::string metadata;
    std::string data;
    words >> transaction >> metadata >> data;
    if (transaction == "Fail") return {Fill{.volume = volume, .kind = "pool-data", .name = name, .percent = 100, .lost = "its thin pool " + name + " has failed"}};
    std::vector<Fill> fills;
    if (const auto percent = percent_of(data)) fills.push_back({.volume = volume, .kind = "pool-data", .name = name, .percent = *percent, .lost = {}});
    if (const auto percent = percent_of(metadata)) fills.push_back({.volume = volume, .kind = "pool-metadata", .name = name, .percent = *percent, .lost = {}});
    return fills;
}

} // namespace

std::vector<Fill> lvm_fills(const DmTables& tables, const std::string& volume, const LvmReference& reference) {
    if (reference.dm_uuid.empty()) return {};
    return reference.kind == "thin" ? pool_fills(tables, volume, reference) : store_fill(tables, volume, reference);
}

} // namespace quiesced
