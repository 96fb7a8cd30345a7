// SPDX-License-Identifier: LGPL-2.1-or-later
#include "snapshot/dm_undo.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

#include "snapshot/dm_names.h"
#include "snapshot/dm_origin.h"

namespace quiesced {
namespace {

/// One step after another; what fails is kept, the first kind counts.
class Failures {
public:
    void add(Error error) {
        if (!first_) first_ = std::move(error);
        else first_->context += "; " + error.message();
    }
    [[nodiscard]] bool none() const { return !first_; }
    [[nodiscard]] Result<void> result() const {
        if (first_) return tl::unexpected<Error>(*first_);
        return {};
    }

private:
    std::optional<Error> first_;
};

bool is_gone(const Error& error) { return error.error_number == ENXIO; }

/// A device's tables, active and loaded.
struct Tables {
    DmDevice active;
    DmDevice loaded; ///< without targets where there is none
};

/// Nothing for a device that has gone meanwhile.
Result<std::optional<Tables>> tables_of(const DmDevices& devices, DeviceNumber number) {
    auto active = devices.table(number);
    if (!active && is_gone(active.error())) return std::nullopt;
    if (!active) return pass(active);
    Tables tables{.active = std::move(*active), .loaded = {}};
    if (!tables.active.inactive_table) return std::optional(std::move(tables));
    auto loaded = devices.inactive(number);
    if (!loaded && is_gone(loaded.error())) return std::nullopt;
    if (!loaded) return pass(loaded);
    tables.loaded = std::move(*loaded);
    return std::optional(std::move(tables));
}

bool lies_on(const DmDevice& table, DeviceNumber real, const char* type) {
    return single_target(table, type) != nullptr && data_device(table) == real;
}

struct Entry {
    DmEntry device;
    Tables tables;
};

/// All devices that are there, read once.
Result<std::vector<Entry>> read_all(const DmDevices& devices) {
    const auto listed = devices.list();
    if (!listed) return tl::unexpected<Error>(listed.error());
    std::vector<Entry> all;
    for (const auto& device : *listed) {
        auto tables = tables_of(devices, device.number);
        if (!tables) return pass(tables);
        if (*tables) all.push_back({.device = device, .tables = std::move(**tables)});
    }
    return all;
}

/// Gives an origin its own table back. It stays writable: the kernel exchanges the table between two writes.
Result<void> restore(DmDevices& devices, const Entry& origin, DeviceNumber real) {
    if (lies_on(origin.tables.active, real, "snapshot-origin")) {
        if (auto loaded = devices.load_copy(origin.device.number, real); !loaded) return loaded;
        return devices.activate(origin.device.number);
    }
    // It was armed and not fired.
    return devices.clear(origin.device.number);
}

/// Gives up a real device, unless snapshots of other sets lie on it.
Result<void> release(DmDevices& devices, const DmEntry& real, const std::vector<Entry>& all) {
    const auto on_it = [&real](const Entry& entry, const char* type) {
        return lies_on(entry.tables.active, real.number, type) || lies_on(entry.tables.loaded, real.number, type);
    };
    if (std::any_of(all.begin(), all.end(), [&](const Entry& entry) { return on_it(entry, "snapshot"); })) return {};
    for (const auto& origin : all) {
        if (!on_it(origin, "snapshot-origin")) continue;
        auto restored = restore(devices, origin, real.number);
        if (!restored && !is_gone(restored.error())) {
            restored.error().context = origin.device.name + " does not get its own table back: " + restored.error().context;
            return restored;
        }
    }
    return devices.remove(real.uuid);
}

Result<void> remove_snapshot(DmDevices& devices, const DmEntry& snapshot) {
    auto removed = devices.remove(snapshot.uuid);
    if (removed || removed.error().kind != ErrorKind::busy) return removed;
    return fail(ErrorKind::busy, "the snapshot " + snapshot.name + " is in use", "Unmount it (quiescectl umount), or end what has it open, and try again.");
}

} // namespace

Result<void> undo_dm_set(const SetId& set, DmDevices& devices, const LvmCommand& lvm) {
    Failures failures;
    const auto before = devices.list();
    if (!before) return tl::unexpected<Error>(before.error());
    for (const auto& entry : *before)
        if (const auto identity = dm_identity(entry.uuid); identity && identity->set == set && identity->part == DmPart::snapshot)
            if (auto removed = remove_snapshot(devices, entry); !removed) failures.add(removed.error());
    const auto after = read_all(devices);
    if (!after) return tl::unexpected<Error>(after.error());
    // Those of other sets, too: a set's snapshot may have been the last one on an origin whose first set is gone.
    for (const auto& [device, tables] : *after)
        if (const auto identity = dm_identity(device.uuid); identity && identity->part == DmPart::real)
            if (auto released = release(devices, device, *after); !released) failures.add(released.error());
    // lvremove of a store in use would fail, and say so in words of its own.
    if (!failures.none()) return failures.result();
    const auto tagged = lvm.list_tagged(lvm_set_tag(set));
    if (!tagged) return tl::unexpected<Error>(tagged.error());
    std::vector<std::string> stores;
    for (const auto& volume : *tagged)
        if (volume.has_tag(kDmStoreTag)) stores.push_back(volume.full_name());
    return lvm.remove(stores);
}

} // namespace quiesced
