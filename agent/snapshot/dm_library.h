// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <libdevmapper.h>

#include <memory>
#include <mutex>

namespace quiesced {

struct DmTaskDestroyer {
    void operator()(dm_task* task) const { dm_task_destroy(task); }
};
using DmTask = std::unique_ptr<dm_task, DmTaskDestroyer>;

/// Nobody else is in libdevmapper as long as one of these lives: it keeps its control descriptor and more in static variables.
/// Tasks are made and run meanwhile; what was read into one may be used after.
class DmLibrary {
public:
    DmLibrary();
    ~DmLibrary();
    DmLibrary(const DmLibrary&) = delete;
    DmLibrary& operator=(const DmLibrary&) = delete;

private:
    std::lock_guard<std::mutex> lock_;
};

} // namespace quiesced
