// SPDX-License-Identifier: LGPL-2.1-or-later
#include "dm_twin.h"

#include <algorithm>
#include <cerrno>

namespace quiesced {
namespace {

DmDevice redacted(DmDevice device) {
    for (auto& target : device.targets) target.text = without_keys(target.type, target.text);
    return device;
}

std::string line(const std::vector<DmTarget>& targets) {
    std::string text;
    for (const auto& target : targets)
        text += (text.empty() ? "" : "; ") + std::to_string(target.start) + " " + std::to_string(target.sectors) + " " + target.type + " " + target.text;
    return text;
}

bool names_device(const std::vector<DmTarget>& targets, DeviceNumber number) {
    return (" " + line(targets) + " ").find(" " + number.text() + " ") != std::string::npos;
}

} // namespace

Result<void> TwinDmDevices::change(const std::string& line) {
    changes.push_back(line);
    if (!fail_on.empty() && line.find(fail_on) != std::string::npos) return fail_errno(line + " fails", EIO);
    return {};
}

DmDevice* TwinDmDevices::find(DeviceNumber number) {
    for (auto& [key, device] : tables_->devices)
        if (device.number == number) return &device;
    return nullptr;
}

DmDevice* TwinDmDevices::find(const std::string& uuid) {
    const auto found = tables_->devices.find(uuid);
    return found == tables_->devices.end() ? nullptr : &found->second;
}

Result<DmDevice> TwinDmDevices::table(const std::string& uuid) const {
    const auto found = tables_->table(uuid);
    if (!found) return found;
    return table(found->number);
}

Result<DmDevice> TwinDmDevices::table(DeviceNumber number) const {
    auto found = tables_->table(number);
    if (!found) return found;
    found->inactive_table = loaded_.contains(number);
    return redacted(std::move(*found));
}

Result<DmDevice> TwinDmDevices::status(const std::string& uuid) const { return tables_->status(uuid); }

Result<std::vector<DmEntry>> TwinDmDevices::list() const {
    std::vector<DmEntry> entries;
    for (const auto& [key, device] : tables_->devices) entries.push_back({.number = device.number, .name = device.name, .uuid = device.uuid});
    return entries;
}

Result<DmDevice> TwinDmDevices::inactive(DeviceNumber device) const {
    auto found = table(device);
    if (!found) return found;
    const auto loaded = loaded_.find(device);
    found->targets = loaded == loaded_.end() ? std::vector<DmTarget>{} : loaded->second;
    return redacted(std::move(*found));
}

Result<bool> TwinDmDevices::same_table(DeviceNumber a, DeviceNumber b) const { return shown(a) == shown(b); }

Result<DeviceNumber> TwinDmDevices::make(const std::string& name, const std::string& uuid, const std::vector<DmTarget>& targets) {
    if (auto good = change("make " + name); !good) return pass(good);
    if (find(uuid) != nullptr) return fail_errno("there is a device " + uuid, EBUSY, ErrorKind::busy);
    return add(name, uuid, targets);
}

Result<DeviceNumber> TwinDmDevices::create(const std::string& name, const std::string& uuid, const DmTarget& target) { return make(name, uuid, {target}); }

Result<DeviceNumber> TwinDmDevices::copy(DeviceNumber from, const std::string& name, const std::string& uuid) {
    return make(name, uuid, find(from)->targets);
}

Result<void> TwinDmDevices::load(DeviceNumber device, const DmTarget& target, bool /*read_only*/) {
    if (auto good = change("load " + target.type + " " + find(device)->name); !good) return good;
    loaded_[device] = {target};
    return {};
}

Result<void> TwinDmDevices::load_copy(DeviceNumber device, DeviceNumber from) {
    if (auto good = change("load copy " + find(device)->name); !good) return good;
    loaded_[device] = find(from)->targets;
    return {};
}

Result<void> TwinDmDevices::activate(DeviceNumber device) {
    auto* const found = find(device);
    if (auto good = change("activate " + found->name); !good) return good;
    if (const auto loaded = loaded_.extract(device)) found->targets = loaded.mapped();
    found->suspended = false;
    return {};
}

Result<void> TwinDmDevices::clear(DeviceNumber device) {
    if (auto good = change("clear " + find(device)->name); !good) return good;
    loaded_.erase(device);
    return {};
}

bool TwinDmDevices::used(DeviceNumber number) const {
    const auto by = [&](const auto& entry) {
        const auto loaded = loaded_.find(entry.second.number);
        return names_device(entry.second.targets, number) || (loaded != loaded_.end() && names_device(loaded->second, number));
    };
    return std::any_of(tables_->devices.begin(), tables_->devices.end(), by);
}

Result<void> TwinDmDevices::remove(const std::string& uuid) {
    auto* const device = find(uuid);
    if (device == nullptr) return {};
    if (auto good = change("remove " + device->name); !good) return good;
    if (uuid == in_use || used(device->number)) return fail_errno(device->name + " is in use", EBUSY, ErrorKind::busy);
    loaded_.erase(device->number);
    tables_->devices.erase(uuid);
    return {};
}

DeviceNumber TwinDmDevices::add(const std::string& name, const std::string& uuid, const std::vector<DmTarget>& targets) {
    const DeviceNumber number{253, next_minor_++};
    auto& device = tables_->devices[uuid.empty() ? "#" + number.text() : uuid];
    device.number = number;
    device.name = name;
    device.uuid = uuid;
    device.targets = targets;
    return number;
}

bool TwinDmDevices::run(const std::vector<DmStep>& steps) {
    for (const auto& step : steps) {
        auto* const device = step.uuid.empty() ? find(step.number) : find(step.uuid);
        if (device == nullptr) return false;
        if (step.op == DmStep::Op::suspend) device->suspended = true;
        else if (step.op == DmStep::Op::clear) loaded_.erase(device->number);
        else if (step.op != DmStep::Op::resume || !activate(device->number)) return false;
    }
    return true;
}

std::string TwinDmDevices::shown(DeviceNumber device) const {
    const auto found = tables_->table(device);
    return found ? line(found->targets) : std::string();
}

std::vector<std::string> TwinDmDevices::names() const {
    std::vector<std::string> names;
    for (const auto& [key, device] : tables_->devices) names.push_back(device.name);
    return names;
}

void TwinDmDevices::reboot() {
    loaded_.clear();
    std::erase_if(tables_->devices, [](const auto& entry) { return !entry.first.starts_with("LVM-"); });
}

} // namespace quiesced
