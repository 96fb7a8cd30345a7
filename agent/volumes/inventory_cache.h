// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "volumes/change_watch.h"
#include "volumes/inventory.h"

namespace quiesced {

/// The inventory of this guest, read again only after something has changed. Thread-safe. Nothing runs while nobody asks.
class InventoryCache {
public:
    /// Without a watch every get() reads afresh. `probe` as in Inventory::read().
    explicit InventoryCache(SystemPaths paths = {}, std::unique_ptr<ChangeWatch> watch = nullptr, LoopProbe probe = {});

    /// Of another origin than this machine's kernel: `reader` is called at each use, by one thread at a time.
    explicit InventoryCache(std::function<Result<Inventory>()> reader);

    /// What Inventory::read() would find now, as far as the kernel tells of changes: it is silent about attributes that
    /// do not concern the list of volumes (a device made read-only). Errors: as of Inventory::read().
    [[nodiscard]] Result<std::shared_ptr<const Inventory>> get();
    /// Reads in any case. Errors: as of Inventory::read().
    [[nodiscard]] Result<std::shared_ptr<const Inventory>> read();

private:
    Result<std::shared_ptr<const Inventory>> read_locked();

    const std::string proc_; ///< where the mount namespaces are
    const std::function<Result<Inventory>()> reader_;
    std::mutex mutex_;
    std::unique_ptr<ChangeWatch> watch_;
    std::shared_ptr<const Inventory> inventory_;
    std::uint64_t namespaces_ = 0; ///< what was mounted in other namespaces, as a hash
};

} // namespace quiesced
