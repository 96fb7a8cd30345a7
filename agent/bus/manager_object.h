// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <string>
#include <vector>

#include "bus/bus_context.h"
#include "bus/dict.h"
#include "org.quiesced1.Manager.adaptor.h"

namespace quiesced {

/// org.quiesced1.Manager on /org/quiesced1. Created and destroyed on the events thread, or while no loop runs.
class ManagerObject final : public sdbus::AdaptorInterfaces<org::quiesced1::Manager_adaptor> {
public:
    explicit ManagerObject(BusContext& context);
    ~ManagerObject();
    ManagerObject(const ManagerObject&) = delete;
    ManagerObject& operator=(const ManagerObject&) = delete;

private:
    void ListVolumes(sdbus::Result<std::vector<Dict>>&& result, Dict options) override;
    void CreateSet(sdbus::Result<sdbus::ObjectPath>&& result, std::vector<std::string> volumes, Dict options) override;
    void Plan(sdbus::Result<Dict>&& result, std::vector<std::string> volumes, Dict options) override;
    void MatchDisks(sdbus::Result<std::vector<Dict>>&& result, std::vector<Dict> disks, Dict options) override;
    void ListPlugins(sdbus::Result<std::vector<sdbus::ObjectPath>>&& result, Dict options) override;
    void ListWriters(sdbus::Result<std::vector<Dict>>&& result, Dict options) override;
    void ListSets(sdbus::Result<std::vector<sdbus::ObjectPath>>&& result, Dict options) override;
    void ListLeases(sdbus::Result<std::vector<Dict>>&& result, Dict options) override;
    void ListJobs(sdbus::Result<std::vector<sdbus::ObjectPath>>&& result, Dict options) override;
    void Reload(sdbus::Result<>&& result, Dict options) override;
    std::string Version() override { return context_.version; }

    BusContext& context_;
};

} // namespace quiesced
