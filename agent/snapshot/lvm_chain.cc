// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/lvm_chain.h"

#include <sstream>

namespace quiesced {
namespace {

tl::unexpected<Error> strange(const std::string& what, const DmDevice& device) {
    const auto table = device.targets.empty()
                           ? std::string("no table")
                           : "'" + device.targets.front().type + " " + device.targets.front().text + "'";
    return fail(ErrorKind::lvm_failed, "the device-mapper table of " + what + " is not LVM's usual one, but " + table,
                "Another LVM command or dmsetup may be at work on it: look at `dmsetup table " + device.name + "`.");
}

bool is_single(const DmDevice& device, const char* type) {
    return device.targets.size() == 1 && device.targets.front().start == 0 && device.targets.front().type == type;
}

/// Somebody else's suspend would count with ours, and end with our resume.
Result<DmDevice> read_origin(const DmTables& tables, const LogicalVolume& origin) {
    auto device = tables.table(origin.dm_uuid());
    if (device && device->suspended)
        return fail(ErrorKind::busy, origin.full_name() + " is suspended by somebody else",
                    "Wait for the LVM command that is at work on it; `dmsetup resume " + device->name +
                        "` if it was left behind by one that died.");
    return device;
}

DmStep make_step(DmStep::Op op, const std::string& uuid) {
    DmStep step;
    step.op = op;
    step.uuid = uuid;
    return step;
}

DmStep suspend(const std::string& uuid) { return make_step(DmStep::Op::suspend, uuid); }
DmStep resume(const std::string& uuid) { return make_step(DmStep::Op::resume, uuid); }

DmStep message(const std::string& uuid, std::string text) {
    auto step = make_step(DmStep::Op::message, uuid);
    step.text = std::move(text);
    return step;
}

DmStep load(const DmDevice& device, const std::string& target, std::string text) {
    auto step = make_step(DmStep::Op::load, device.uuid);
    step.target = target;
    step.sectors = device.targets.front().sectors;
    step.text = std::move(text);
    step.read_only = device.read_only;
    return step;
}

/// udev makes no other link for LVM's inner devices.
DmStep zero(DeviceNumber number) {
    auto step = make_step(DmStep::Op::zero, "");
    step.path = "/dev/dm-" + std::to_string(number.minor);
    return step;
}

Result<DmChain> thick_chain(const DmTables& tables, const LogicalVolume& origin, const LogicalVolume& snapshot) {
    const auto origin_device = read_origin(tables, origin);
    if (!origin_device) return tl::unexpected<Error>(origin_device.error());
    if (!is_single(*origin_device, "snapshot-origin")) return strange(origin.full_name(), *origin_device);

    const auto device = tables.table(snapshot.dm_uuid());
    if (!device) return tl::unexpected<Error>(device.error());
    if (!is_single(*device, "snapshot") || device->suspended || device->inactive_table)
        return strange(snapshot.full_name(), *device);
    const auto& target = device->targets.front();

    // The store's number is checked, since zeroing another device is fatal.
    const auto table = parse_snapshot_table(target.text);
    if (!table) return strange(snapshot.full_name(), *device);
    const auto store = tables.table(table->store);
    if (!store) return tl::unexpected<Error>(store.error());
    if (store->uuid != snapshot.dm_uuid() + "-cow")
        return fail(ErrorKind::lvm_failed, "the snapshot " + snapshot.full_name() + " writes to " + store->name +
                                               ", which is not its own copy-on-write store");

    const auto uuid = snapshot.dm_uuid();
    const auto load_snapshot = load(*device, "snapshot", target.text);
    DmChain chain;
    chain.name = origin.full_name();
    // `error` first: the kernel hands the exceptions of a live snapshot on to a new table with the same store.
    chain.prime = {load(*device, "error", ""), resume(uuid), zero(table->store), load_snapshot};
    chain.fire = {suspend(origin_device->uuid), resume(uuid), resume(origin_device->uuid)};
    // From whatever prime had reached. `error` here clears an inactive snapshot table: with that in place, the kernel
    // refuses a second one on the same store with EINVAL ("cow pairing for exception table handover failed", 6.1).
    chain.unprime = {load(*device, "error", ""), load_snapshot, resume(uuid)};
    return chain;
}

Result<DmChain> thin_chain(const DmTables& tables, const LogicalVolume& origin, const LogicalVolume& snapshot) {
    const auto origin_device = read_origin(tables, origin);
    if (!origin_device) return tl::unexpected<Error>(origin_device.error());
    if (!is_single(*origin_device, "thin")) return strange(origin.full_name(), *origin_device);

    // "<pool> <id> [<external origin>]"
    std::istringstream words(origin_device->targets.front().text);
    std::string pool_number;
    std::uint32_t id = 0;
    words >> pool_number >> id;
    const auto number = DeviceNumber::parse(pool_number);
    if (!number || words.fail() || id != origin.thin_id) return strange(origin.full_name(), *origin_device);
    if (!snapshot.thin_id || *snapshot.thin_id == id || snapshot.pool != origin.pool)
        return fail(ErrorKind::lvm_failed,
                    snapshot.full_name() + " is no thin snapshot in the pool of " + origin.full_name());
    const auto pool = tables.table(*number);
    if (!pool) return tl::unexpected<Error>(pool.error());
    if (!is_single(*pool, "thin-pool")) return strange("the pool of " + origin.full_name(), *pool);

    const auto snapshot_id = std::to_string(*snapshot.thin_id);
    DmChain chain;
    chain.name = origin.full_name();
    chain.group = pool->uuid;
    chain.prime = {message(pool->uuid, "delete " + snapshot_id)};
    chain.fire = {suspend(origin_device->uuid),
                  message(pool->uuid, "create_snap " + snapshot_id + " " + std::to_string(id)),
                  resume(origin_device->uuid)};
    // No unprime: lvremove copes with a thin device that is gone from its pool.
    return chain;
}

} // namespace

Result<DmChain> lvm_chain(const DmTables& tables, const LogicalVolume& origin, const LogicalVolume& snapshot) {
    return origin.kind() == LogicalVolume::Kind::thin ? thin_chain(tables, origin, snapshot)
                                                      : thick_chain(tables, origin, snapshot);
}

std::string thick_snapshot_problem(const DmDevice& status) {
    if (!is_single(status, "snapshot"))
        return "it was not made: its device has " +
               (status.targets.empty() ? std::string("no table") : "the table '" + status.targets.front().type + "'");
    const auto& text = status.targets.front().text;
    // dm-snap.c, snapshot_status(): "<used>/<total> <metadata>" when all is well.
    if (text == "Invalid" || text == "Overflow") return "its copy-on-write store is full, and with that it is lost";
    if (text.find('/') == std::string::npos) return "the kernel says: " + text;
    if (status.inactive_table) return "its table was loaded, but not activated";
    return {};
}

} // namespace quiesced
