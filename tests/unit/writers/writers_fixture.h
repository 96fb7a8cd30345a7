// SPDX-License-Identifier: LGPL-2.1-or-later
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "hooks_fixture.h"
#include "volumes/inventory.h"
#include "writers/configured_writers.h"

namespace quiesced {

/// A service manager in memory.
class FakeUnits : public Units {
public:
    std::map<std::string, std::string> active;  ///< unit: ActiveState
    std::map<std::string, std::string> freezer; ///< unit: FreezerState
    std::vector<std::string> calls;
    std::string refuse; ///< "freeze app.service": this call fails
    int refusals = 1000; ///< as often
    std::string hang;   ///< likewise, takes its whole limit

    Result<std::string> state(const std::string& unit, const Limit& /*limit*/) override {
        const std::lock_guard lock(mutex_);
        if (!active.contains(unit)) return fail(ErrorKind::io, "there is no unit " + unit);
        return active.at(unit);
    }
    Result<std::string> freezer_state(const std::string& unit, const Limit& /*limit*/) override {
        const std::lock_guard lock(mutex_);
        return freezer.contains(unit) ? freezer.at(unit) : "running";
    }
    Result<void> freeze(const std::string& unit, const Limit& limit) override { return act("freeze", unit, limit, freezer, "frozen"); }
    Result<void> thaw(const std::string& unit, const Limit& limit) override { return act("thaw", unit, limit, freezer, "running"); }
    Result<void> stop(const std::string& unit, const Limit& limit) override { return act("stop", unit, limit, active, "inactive"); }
    Result<void> start(const std::string& unit, const Limit& limit) override { return act("start", unit, limit, active, "active"); }
    /// Whether a call of this name has come.
    bool called(const std::string& call) {
        const std::lock_guard lock(mutex_);
        return std::find(calls.begin(), calls.end(), call) != calls.end();
    }

private:
    Result<void> act(const std::string& what, const std::string& unit, const Limit& limit, std::map<std::string, std::string>& states, const std::string& after) {
        std::unique_lock lock(mutex_);
        calls.push_back(what + " " + unit);
        if (calls.back() == hang) {
            lock.unlock();
            pollfd called_off{.fd = limit.fd(), .events = POLLIN, .revents = 0};
            ::poll(&called_off, 1, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(limit.until - Monotonic::now()).count()));
            if (limit.interrupted()) return fail(ErrorKind::wrong_state, "called off");
            return fail(ErrorKind::deadline, "systemd took too long");
        }
        if (calls.back() == refuse && refusals-- > 0) return fail(ErrorKind::writer_failed, "systemd said no");
        states[unit] = after;
        return {};
    }
    std::mutex mutex_;
};

/// Writers of writers.d beside hooks.d, over two volumes that are folders of the temporary one.
class WritersFixture : public HooksFixture {
protected:
    WritersFixture() {
        writers_ = root_ + "/writers.d";
        for (const auto& folder : {writers_, root_ + "/a", root_ + "/b", root_ + "/elsewhere"}) {
            std::filesystem::create_directory(folder);
            ::chmod(folder.c_str(), 0755);
        }
        context_.set = "6560000000000001";
        context_.volumes = {root_ + "/a", root_ + "/b"};
    }

    /// A file of writers.d; `text` stands below [writer].
    void declare(const std::string& name, const std::string& text, mode_t mode = 0644) const {
        const auto path = writers_ + "/" + name + ".conf";
        std::ofstream(path) << "[writer]\n" << text;
        ::chmod(path.c_str(), mode);
    }
    /// A writer of the type script that logs "NAME freeze" and "NAME thaw".
    void declare_logging(const std::string& name, const std::string& keys, const std::string& then = "") const {
        const auto program = script(root_ + "/" + name, "echo \"" + name + " $1\" >> $here/log\n" + then);
        declare(name, "type = script\ncommand = " + program + "\n" + keys);
    }
    [[nodiscard]] Inventory inventory() const {
        std::vector<Volume> volumes;
        std::uint32_t minor = 0;
        for (const auto& path : {std::string("/"), root_ + "/a", root_ + "/b"}) {
            Volume volume;
            volume.name = path;
            volume.superblock = {253, ++minor};
            volume.file_system = "ext4";
            volume.devices = {volume.superblock};
            volume.mounts = {{.path = path, .mount_id = minor, .root = "/", .read_only = false}};
            volumes.push_back(volume);
        }
        return {volumes, BlockGraph{}, {}};
    }
    [[nodiscard]] std::unique_ptr<Writers> make(std::chrono::milliseconds limit = std::chrono::seconds(20)) const {
        return make_configured_writers({.hooks_directory = hooks_, .writers_directory = writers_, .record_directory = root_ + "/run", .limit = limit, .units = units_});
    }
    [[nodiscard]] Result<std::size_t> freeze(Writers& writers) const {
        if (auto prepared = writers.prepare(context_, inventory()); !prepared) return pass(prepared);
        return writers.freeze(context_);
    }
    /// The log's lines, sorted: for what runs side by side.
    [[nodiscard]] std::vector<std::string> sorted_log() const {
        std::vector<std::string> lines;
        std::istringstream text(log());
        for (std::string line; std::getline(text, line);) lines.push_back(line);
        std::sort(lines.begin(), lines.end());
        return lines;
    }
    [[nodiscard]] bool has_record() const { return std::filesystem::exists(root_ + "/run/" + context_.set + ".writers"); }

    std::string writers_;
    std::shared_ptr<FakeUnits> units_ = std::make_shared<FakeUnits>();
    WriterContext context_;
};

} // namespace quiesced
