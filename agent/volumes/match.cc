// SPDX-License-Identifier: LGPL-2.1-or-later
#include "volumes/match.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/join.h"
#include "volumes/disk_probe.h"
#include "volumes/match_facts.h"

namespace quiesced {
namespace {

enum class Agreement { agrees, contradicts, unknown };

/// A disk of the guest, however many paths lead to it, with its facts made comparable.
struct Unit {
    std::vector<const Disk*> paths;
    const BlockNode* node = nullptr; ///< the multipath device if there is one, else the (first) disk's
    std::vector<std::pair<NormalWwid, std::string>> wwids; ///< and as the guest says them
    std::vector<PciAddress> pci;
    std::vector<ScsiAddress> hctl;
    bool qemu = false; ///< virtio-blk, or QEMU's SCSI or ATA disk: its serial may be cut

    [[nodiscard]] const Disk& first() const { return *paths.front(); }
    [[nodiscard]] std::string path() const { return node == nullptr ? "/dev/" + first().name : node->path(); }
};

/// Claims with their facts made comparable.
struct Wanted {
    const DiskClaim* claim = nullptr;
    NormalWwid wwid;
    std::optional<PciAddress> pci;
    std::optional<ScsiAddress> hctl;
};

/// One claim held against one disk.
struct Comparison {
    std::vector<std::string> names;     ///< agreeing wwid, serial, virtio_serial
    std::vector<std::string> addresses; ///< agreeing pci, hctl
    bool size = false;
    std::vector<std::string> unknown;
    std::vector<std::string> contradictions; ///< "its serial is a, not b"
};

/// How well it fits; 0 for not at all.
enum class Fit { none, size, address, name };

Fit fit_of(const Comparison& comparison) {
    if (!comparison.contradictions.empty()) return Fit::none;
    if (!comparison.names.empty()) return Fit::name;
    if (!comparison.addresses.empty()) return Fit::address;
    return comparison.size ? Fit::size : Fit::none;
}

std::string shown_fact(const std::string& text) {
    constexpr std::size_t most = 128;
    return text.size() <= most ? text : text.substr(0, most) + "...";
}

/// The evidence without what an earlier word of the hypervisor added to it.
std::vector<std::string> own_facts(const Disk& disk) {
    auto plain = disk;
    plain.said.reset();
    plain.wwid = plain.wwids.empty() ? std::string() : plain.wwids.front();
    judge_placement(plain);
    return plain.evidence;
}

class Comparer {
public:
    Comparer(const Wanted& wanted, const Unit& unit) : wanted_(wanted), claim_(*wanted.claim), unit_(unit) {}

    Comparison compare() {
        compare_wwid();
        compare_serial("serial", claim_.serial, true);
        compare_serial("virtio_serial", claim_.virtio_serial, unit_.qemu);
        compare_pci();
        compare_hctl();
        if (claim_.size) {
            const auto size = unit_.node == nullptr ? unit_.first().size : unit_.node->size;
            result_.size = size == *claim_.size;
            if (!result_.size)
                contradict("size", std::to_string(size.count), std::to_string(claim_.size->count));
        }
        return std::move(result_);
    }

private:
    void contradict(const std::string& what, const std::string& guest, const std::string& told) {
        result_.contradictions.push_back("its " + what + " is " + shown_fact(guest) + ", not " + shown_fact(told));
    }

    void compare_wwid() {
        if (claim_.wwid.empty()) return;
        bool comparable = false;
        for (const auto& [wwid, text] : unit_.wwids) {
            if (wwid == wanted_.wwid) {
                result_.names.push_back("wwid=" + text);
                return;
            }
            comparable = comparable || wwid.hexadecimal == wanted_.wwid.hexadecimal;
        }
        if (comparable) contradict("wwid", unit_.wwids.front().second, claim_.wwid);
        else result_.unknown.emplace_back("wwid");
    }

    void compare_serial(const char* what, const std::string& told, bool comparable) {
        if (told.empty()) return;
        const auto& shown = unit_.first().serial;
        if (same_serial(told, shown, unit_.qemu)) {
            result_.names.push_back(std::string(what) + "=" + shown);
            return;
        }
        // VMware calls a disk's UUID its serial, and shows it to the guest as its WWID, too.
        const auto as_wwid = normal_wwid(told);
        if (as_wwid.hexadecimal && as_wwid.text.size() >= 16)
            for (const auto& [wwid, text] : unit_.wwids)
                if (wwid == as_wwid) {
                    result_.names.push_back("wwid=" + text);
                    return;
                }
        if (comparable && !shown.empty()) contradict(what, shown, told);
        else result_.unknown.emplace_back(what);
    }

    void compare_pci() {
        if (!wanted_.pci) return;
        if (unit_.pci.empty()) {
            result_.unknown.emplace_back("pci");
        } else if (std::find(unit_.pci.begin(), unit_.pci.end(), *wanted_.pci) != unit_.pci.end()) {
            result_.addresses.push_back("pci=" + claim_.pci);
        } else {
            contradict("pci", unit_.first().pci, claim_.pci);
        }
    }

    void compare_hctl() {
        if (!wanted_.hctl) return;
        const auto fits = [&](const ScsiAddress& address) { return address.fits(*wanted_.hctl); };
        if (unit_.hctl.empty()) {
            result_.unknown.emplace_back("hctl");
        } else if (std::any_of(unit_.hctl.begin(), unit_.hctl.end(), fits)) {
            result_.addresses.push_back("hctl=" + claim_.hctl);
        } else {
            contradict("hctl", unit_.first().hctl, claim_.hctl);
        }
    }

    const Wanted& wanted_;
    const DiskClaim& claim_;
    const Unit& unit_;
    Comparison result_;
};

class Matcher {
public:
    explicit Matcher(const Inventory& inventory) : inventory_(inventory) { find_units(); }

    std::vector<DiskMatch> match(const std::vector<DiskClaim>& claims) {
        std::vector<DiskMatch> matches;
        for (const auto& claim : claims) matches.push_back(match_one(claim));
        settle_shared(matches);
        return matches;
    }

private:
    void find_units() {
        std::map<std::string, std::size_t> by_wwid; // disks that share it are paths to one
        for (const auto& [number, disk] : inventory_.disks()) {
            const auto* node = inventory_.graph().find(number);
            if (node == nullptr || node->kind != BlockNode::Kind::disk) continue;
            // Two virtual disks with one WWID are a mistake of their maker's, not paths.
            const auto wwid = disk.wwids.empty() ? std::string() : disk.wwids.front();
            const bool path = !wwid.empty() && (!disk.multipath.empty() || !disk.fabric.empty());
            if (const auto known = path ? by_wwid.find(wwid) : by_wwid.end(); known != by_wwid.end()) {
                units_.at(known->second).paths.push_back(&disk);
                continue;
            }
            if (path) by_wwid.emplace(wwid, units_.size());
            units_.push_back({.paths = {&disk}, .node = node, .wwids = {}, .pci = {}, .hctl = {}});
        }
        for (const auto& [number, node] : inventory_.graph().nodes())
            if (node.dm_uuid.starts_with("mpath-")) set_multipath(node);
        for (auto& unit : units_) add_facts(unit);
    }

    void set_multipath(const BlockNode& multipath) {
        for (auto& unit : units_)
            for (const auto* disk : unit.paths)
                if (std::find(multipath.lower.begin(), multipath.lower.end(), disk->number) != multipath.lower.end())
                    unit.node = &multipath;
    }

    static void add_facts(Unit& unit) {
        const auto add_wwid = [&](const std::string& text) {
            const auto wwid = normal_wwid(text);
            const auto same = [&](const auto& known) { return known.first == wwid; };
            if (!text.empty() && std::none_of(unit.wwids.begin(), unit.wwids.end(), same)) unit.wwids.emplace_back(wwid, text);
        };
        for (const auto* disk : unit.paths) {
            for (const auto& text : disk->wwids) add_wwid(text);
            if (const auto pci = parse_pci(disk->pci)) unit.pci.push_back(*pci);
            if (const auto hctl = parse_hctl(disk->hctl)) unit.hctl.push_back(*hctl);
            unit.qemu = unit.qemu || disk->transport == "virtio" || disk->vendor == "QEMU" || disk->model.starts_with("QEMU");
        }
    }

    DiskMatch match_one(const DiskClaim& claim) {
        DiskMatch match;
        match.id = claim.id;
        const Wanted wanted{.claim = &claim, .wwid = normal_wwid(claim.wwid), .pci = parse_pci(claim.pci), .hctl = parse_hctl(claim.hctl)};
        if (claim.wwid.empty() && claim.serial.empty() && claim.virtio_serial.empty() && claim.pci.empty() && claim.hctl.empty() && !claim.size) {
            match.reason = "Nothing was said of it that a disk could be known by.";
            return match;
        }
        auto best = Fit::none;
        std::vector<std::pair<const Unit*, Comparison>> fitting;
        for (const auto& unit : units_) {
            auto comparison = Comparer(wanted, unit).compare();
            // Something else than the address of a controller, which many disks share, must have led to this one.
            if (!comparison.contradictions.empty() && !comparison.names.empty())
                match.contradictions.push_back(unit.path() + " has its " + joined(comparison.names) + ", but " + joined(comparison.contradictions, " and "));
            const auto fit = fit_of(comparison);
            if (fit == Fit::none || fit < best) continue;
            if (fit > best) fitting.clear();
            best = fit;
            fitting.emplace_back(&unit, std::move(comparison));
        }
        if (fitting.empty()) {
            match.reason = match.contradictions.empty() ? "No disk of this guest agrees with what was said."
                                                        : "A disk agrees in part, but something contradicts it.";
            return match;
        }
        if (fitting.size() > 1) {
            match.outcome = DiskMatch::Outcome::ambiguous;
            for (const auto& [unit, comparison] : fitting) match.candidates.push_back(unit->path());
            match.reason = std::to_string(fitting.size()) + " disks fit" +
                           (best == Fit::size ? ": they have the same size, and nothing else tells them apart."
                            : best == Fit::address ? ": they have the same address. A serial or WWID tells them apart."
                                                   : ": they have the same serial or WWID.");
            return match;
        }
        settle(match, claim, *fitting.front().first, fitting.front().second, best);
        return match;
    }

    static void settle(DiskMatch& match, const DiskClaim& claim, const Unit& unit, const Comparison& comparison, Fit fit) {
        match.outcome = DiskMatch::Outcome::matched;
        match.weak = fit == Fit::size;
        if (match.weak) match.reason = "By its size alone, which no other disk that fits has: a weak match.";
        for (const auto* disk : unit.paths) match.paths.push_back(disk->number);
        match.device = unit.node == nullptr ? unit.first().number : unit.node->number;
        if (unit.paths.size() > 1 && unit.node != nullptr && unit.node->kind == BlockNode::Kind::disk)
            match.reason = std::to_string(unit.paths.size()) + " paths lead to it, and no multipath device holds them together.";
        match.matched_on = comparison.names;
        match.matched_on.insert(match.matched_on.end(), comparison.addresses.begin(), comparison.addresses.end());
        if (comparison.size) match.matched_on.push_back("size=" + std::to_string((unit.node == nullptr ? unit.first().size : unit.node->size).count));
        match.unknown = comparison.unknown;
        const auto& disk = unit.first();
        if (claim.type && *claim.type != disk.guess)
            match.contradictions.push_back("The hypervisor says " + std::string(placement_name(*claim.type)) + ", this guest's own facts say " +
                                           std::string(placement_name(disk.guess)) + " (" + joined(own_facts(disk)) + "): the hypervisor's word counts.");
    }

    /// Two claims cannot both be one disk.
    void settle_shared(std::vector<DiskMatch>& matches) const {
        std::map<DeviceNumber, std::vector<std::size_t>> by_device;
        for (std::size_t i = 0; i < matches.size(); ++i)
            if (matches[i].outcome == DiskMatch::Outcome::matched) by_device[matches[i].device].push_back(i);
        for (const auto& [device, all] : by_device) {
            if (all.size() < 2) continue;
            const auto* node = inventory_.graph().find(device);
            const auto path = node == nullptr ? device.text() : node->path();
            std::vector<std::size_t> strong;
            for (const auto i : all)
                if (!matches[i].weak) strong.push_back(i);
            for (const auto i : all) {
                // One that is named by more than its size is that disk; the others are not.
                if (strong.size() == 1 && !matches[i].weak) continue;
                const bool none = strong.size() == 1;
                std::vector<std::string> others;
                for (const auto other : none ? strong : all)
                    if (other != i) others.push_back(std::to_string(other));
                DiskMatch unmatched;
                unmatched.id = matches[i].id;
                unmatched.outcome = none ? DiskMatch::Outcome::none : DiskMatch::Outcome::ambiguous;
                unmatched.reason = none ? "The only disk of that size is " + path + ", and that is entry " + joined(others) + " of the request."
                                        : "So does entry " + joined(others) + " of the request (counted from 0) fit " + path + ".";
                if (!none) unmatched.candidates = {path};
                matches[i] = std::move(unmatched);
            }
        }
    }

    const Inventory& inventory_;
    std::vector<Unit> units_;
};

} // namespace

std::string_view outcome_name(DiskMatch::Outcome outcome) {
    switch (outcome) {
    case DiskMatch::Outcome::matched:
        return "matched";
    case DiskMatch::Outcome::none:
        return "none";
    case DiskMatch::Outcome::ambiguous:
        return "ambiguous";
    }
    return "none";
}

Result<void> check_claim(const DiskClaim& claim) {
    if (!claim.pci.empty() && !parse_pci(claim.pci))
        return fail(ErrorKind::invalid_argument, "pci is '" + shown_fact(claim.pci) + "', which is no PCI address",
                    "It must look like 0000:00:04.0 or 00:04.0.");
    if (!claim.hctl.empty() && !parse_hctl(claim.hctl))
        return fail(ErrorKind::invalid_argument, "hctl is '" + shown_fact(claim.hctl) + "', which is no SCSI address",
                    "It must look like 2:0:0:1, or *:0:0:1 where the host's number is not known.");
    return {};
}

std::vector<DiskMatch> match_disks(const std::vector<DiskClaim>& claims, const Inventory& inventory) {
    return Matcher(inventory).match(claims);
}

std::vector<std::string> volumes_on(const std::vector<DeviceNumber>& disks, const Inventory& inventory) {
    std::vector<std::string> names;
    std::set<DeviceNumber> seen;
    const auto add = [&](const Volume& volume) {
        if (seen.insert(volume.superblock).second) names.push_back(volume.name);
    };
    for (const auto& volume : inventory.volumes()) {
        const auto below = [&](DeviceNumber leaf) { return std::find(disks.begin(), disks.end(), leaf) != disks.end(); };
        if (std::none_of(volume.leaves.begin(), volume.leaves.end(), below)) continue;
        add(volume);
        if (const auto above = inventory.stacked_on(volume))
            for (const auto* upper : *above) add(*upper);
    }
    return names;
}

} // namespace quiesced
