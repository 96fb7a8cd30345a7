// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diff/snapshot_diff.h"

#include "diff/device.h"
#include "diff/exception_store.h"
#include "diff/thin_delta.h"
#include "snapshot/dm_table.h"

namespace quiesced {
namespace {

/// A device with the one line of its table.
struct Side {
    Device device;
    DmTarget target;
};

Result<Side> open_side(const KernelDmTables& tables, const std::string& path) {
    auto device = Device::open(path);
    if (!device) return pass(device);
    const auto table = tables.table(device->number());
    if (!table) return tl::unexpected<Error>(table.error());
    if (table->targets.size() != 1)
        return fail(ErrorKind::unsupported, path + " is made of " + std::to_string(table->targets.size()) + " parts and no snapshot with a store or in a thin pool");
    return Side{.device = std::move(*device), .target = table->targets.front()};
}

tl::unexpected<Error> not_alike(const Side& older, const Side& newer) {
    return fail(ErrorKind::invalid_argument, older.device.path() + " and " + newer.device.path() + " are not of one volume");
}

ReadAt reader(const Device& device) {
    return [&device](std::uint64_t offset, std::span<std::byte> into) { return device.read(offset, into); };
}

/// The older snapshot's store has every chunk that was written since it was cut: those of the newer one are among them.
Result<SnapshotDiff> thick_candidates(const Side& older, const Side& newer) {
    const auto table = parse_snapshot_table(older.target.text);
    if (!table || !table->persistent) return fail(ErrorKind::unsupported, older.device.path() + " has no persistent store: '" + older.target.text + "'");
    const auto others = DeviceNumber::parse(newer.target.text.substr(0, newer.target.text.find(' '))); // of either type
    if ((newer.target.type != "snapshot" && newer.target.type != "snapshot-origin") || !others || *others != table->origin || newer.device.size() != older.device.size())
        return not_alike(older, newer);
    const auto device = Device::open("/dev/dm-" + std::to_string(table->store.minor));
    if (!device) return tl::unexpected<Error>(device.error());
    auto store = read_exception_store(reader(*device), device->size(), older.device.size());
    if (!store) {
        store.error().context = "the copy-on-write store of " + older.device.path() + " cannot be read: " + store.error().context;
        return pass(store);
    }
    return SnapshotDiff{.size = older.device.size(), .chunk = store->chunk, .ranges = std::move(store->changed)};
}

Result<SnapshotDiff> thin_candidates(const KernelDmTables& tables, const Side& older, const Side& newer) {
    const auto one = parse_thin_table(older.target.text);
    if (!one) return tl::unexpected<Error>(one.error());
    if (newer.target.type != "thin" || newer.device.size() != older.device.size()) return not_alike(older, newer);
    const auto other = parse_thin_table(newer.target.text);
    if (!other) return tl::unexpected<Error>(other.error());
    if (one->pool != other->pool) return not_alike(older, newer);
    const auto pool = tables.table(one->pool);
    if (!pool) return tl::unexpected<Error>(pool.error());
    if (pool->targets.size() != 1 || pool->targets.front().type != "thin-pool") return fail(ErrorKind::unsupported, pool->name + " is no thin pool");
    const auto table = parse_pool_table(pool->targets.front().text);
    if (!table) return tl::unexpected<Error>(table.error());
    auto ranges = thin_changes(one->pool, *table, one->id, other->id, older.device.size());
    if (!ranges) return pass(ranges);
    return SnapshotDiff{.size = older.device.size(), .chunk = table->block, .ranges = std::move(*ranges)};
}

} // namespace

Result<SnapshotDiff> diff_snapshots(const std::string& older, const std::string& newer, const DiffOptions& options) {
    const KernelDmTables tables;
    const auto one = open_side(tables, older);
    if (!one) return tl::unexpected<Error>(one.error());
    const auto other = open_side(tables, newer);
    if (!other) return tl::unexpected<Error>(other.error());
    auto diff = [&]() -> Result<SnapshotDiff> {
        if (one->target.type == "snapshot") return thick_candidates(*one, *other);
        if (one->target.type == "thin") return thin_candidates(tables, *one, *other);
        return fail(ErrorKind::unsupported, older + " is no snapshot with a store, nor in a thin pool, but of the type " + one->target.type);
    }();
    if (!diff || !options.compare) return diff;
    auto exact = differing(reader(one->device), reader(other->device), diff->ranges, diff->chunk, diff->size);
    if (!exact) return pass(exact);
    diff->ranges = std::move(*exact);
    return diff;
}

} // namespace quiesced
