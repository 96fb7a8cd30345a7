// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/inventory_cache.h"

#include <functional>
#include <string_view>

#include "volumes/mount_namespaces.h"

namespace quiesced {
namespace {

/// Changes when a namespace, the process that shows it, or a mount in it does. A descriptor to poll would be cheaper, but
/// would keep a container's mounts alive after the container.
std::uint64_t hash_namespaces(const std::string& proc) {
    std::uint64_t hash = 0;
    const auto add = [&hash](std::uint64_t part) { hash = (hash ^ part) * 0x9e3779b97f4a7c15U + (hash >> 29U); };
    std::vector<std::string> problems;
    scan_mount_namespaces(
        proc,
        [&](const MountProcess& process, std::string_view table) {
            add(static_cast<std::uint64_t>(process.pid));
            add(std::hash<std::string_view>{}(process.command));
            add(std::hash<std::string_view>{}(table));
        },
        problems);
    for (const auto& problem : problems) add(std::hash<std::string_view>{}(problem));
    return hash;
}

} // namespace

InventoryCache::InventoryCache(SystemPaths paths, std::unique_ptr<ChangeWatch> watch, LoopProbe probe)
    : proc_(paths.proc), reader_([paths = std::move(paths), probe = std::move(probe)] { return Inventory::read(paths, probe); }),
      watch_(std::move(watch)) {}

InventoryCache::InventoryCache(std::function<Result<Inventory>()> reader) : reader_(std::move(reader)) {}

Result<std::shared_ptr<const Inventory>> InventoryCache::get() {
    const std::lock_guard lock(mutex_);
    // The watch is asked even if there is nothing to keep: what it has seen before the reading below is in it.
    const bool changed = !watch_ || watch_->changed();
    if (!changed && inventory_ && hash_namespaces(proc_) == namespaces_) return inventory_;
    return read_locked();
}

Result<std::shared_ptr<const Inventory>> InventoryCache::read() {
    const std::lock_guard lock(mutex_);
    if (watch_) watch_->changed();
    return read_locked();
}

Result<std::shared_ptr<const Inventory>> InventoryCache::read_locked() {
    // A change during the reading shows at the next get(): the hash and the watch were asked before.
    inventory_.reset();
    if (watch_) namespaces_ = hash_namespaces(proc_);
    auto inventory = reader_();
    if (!inventory) return pass(inventory);
    auto shared = std::make_shared<const Inventory>(std::move(*inventory));
    if (watch_) inventory_ = shared;
    return shared;
}

} // namespace quiesced
