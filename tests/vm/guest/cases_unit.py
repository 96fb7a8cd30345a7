# SPDX-License-Identifier: LGPL-2.1-or-later
"""The unit as it is installed: its sandbox, what the doctor says, the journal's entries and the metrics."""
import json
import os
import re
import shutil
import time

from harness import case, delete_all_sets, expect, main_pid
from storage import run

HOOK = "/etc/quiesced/hooks.d/90-needs"


def exposure(unit, *words):
    said = run("systemd-analyze", "--no-pager", "security", *words, unit, check=False).stdout
    found = re.search(r"exposure level for .*?: ([0-9.]+)", said)
    expect(found, f"{unit} is not rated: {said}")
    return float(found.group(1))


@case("systemd-analyze security: the daemon at most 4.0, the plugins' units as shipped at most 1.5")
def unit_exposure():
    rated = exposure("quiesced.service")
    print(f"  quiesced.service: {rated}")
    expect(rated <= 4.0, f"{rated}")
    os.makedirs("/run/as-shipped", exist_ok=True)
    for name in ("exec", "targetd"):
        # Elsewhere: this guest's own drop-in for exec would count, too.
        unit = shutil.copy(f"/lib/systemd/system/quiesced-plugin-{name}@.service", f"/run/as-shipped/shipped-{name}@.service")
        rated = exposure(unit, "--offline=true")
        print(f"  quiesced-plugin-{name}@.service: {rated}")
        expect(rated <= 1.5, f"{name}: {rated}")


@case("The daemon has the mount namespace of everybody else, and no network")
def unit_namespaces():
    pid = main_pid()
    expect(os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/1/ns/mnt"), "a mount namespace of its own")
    expect(os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/1/ns/net"), "everybody's network")
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        print("  " + " ".join(line.split()[1] for line in file if line.startswith(("CapBnd", "CapEff"))))


@case("A hook script has none of the daemon's limits, and its set the usual end")
def unit_hooks_outside():
    os.makedirs(os.path.dirname(HOOK), exist_ok=True)
    with open(HOOK, "w", encoding="ascii") as file:
        file.write("#!/bin/sh\n"
                   "cat /proc/self/cgroup > /run/hook-$1\n"
                   "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status >> /run/hook-$1\n"
                   "echo \"$QUIESCED_VOLUMES\" >> /run/hook-$1\n")
    os.chmod(HOOK, 0o755)
    try:
        manifest = json.loads(run("quiescectl", "snapshot", "--json", "/srv/ext4", "/srv/xfs"))
        for step in ("freeze", "thaw"):
            with open(f"/run/hook-{step}", encoding="ascii") as file:
                said = file.read()
            expect(f"quiesced-writer-{manifest['id']}-" in said and f"-{step}.service" in said, f"{step}: no unit of its own: {said}")
            expect("NoNewPrivs:\t0" in said and "Seccomp:\t0" in said and "CapEff:\t000001ffffffffff" in said, f"{step}: it is limited: {said}")
            expect("/srv/ext4\n/srv/xfs" in said, f"{step}: its environment: {said}")
        took = next(writer for writer in manifest["writers"] if writer["name"] == "90-needs")
        print(f"  freeze {took['freeze_ms']:.0f} ms, thaw {took['thaw_ms']:.0f} ms")
        with open(HOOK, "a", encoding="ascii") as file:
            file.write("test $1 = thaw || { echo the database said no >&2; exit 3; }\n")
        refused = run("quiescectl", "snapshot", "/srv/ext4", check=False)
        expect(refused.returncode == 1 and "exit status 3: the database said no" in refused.stderr, refused.stderr)
        units = run("systemctl", "list-units", "--all", "--plain", "--no-legend", "quiesced-writer-*")
        expect(not units.strip(), f"units are left: {units}")
    finally:
        os.unlink(HOOK)
        delete_all_sets()


@case("The inventory follows a new file system, and a relabelled one, without udev's events")
def unit_inventory_follows():
    run("lvcreate", "-qq", "-y", "-L", "64M", "-n", "fresh", "vg")
    try:
        run("mkfs.ext4", "-q", "-L", "first", "/dev/vg/fresh")
        run("udevadm", "settle")
        for label in ("second", "third"):
            volumes = json.loads(run("quiescectl", "volumes", "--all", "--json"))
            run("e2label", "/dev/vg/fresh", label)
            run("udevadm", "settle")
            volumes = json.loads(run("quiescectl", "volumes", "--all", "--json"))
            expect(label in [volume["label"] for volume in volumes], f"{label} is not seen")
    finally:
        run("lvremove", "-qq", "-y", "vg/fresh")


@case("quiescectl doctor: the installation is good, a fault is named, the loop probe leaves nothing")
def unit_doctor():
    run("systemctl", "start", "quiesced")
    done = run("quiescectl", "doctor", "--json", check=False)
    found = {entry["check"]: entry for entry in json.loads(done.stdout)}
    for line in run("quiescectl", "doctor", check=False).stdout.splitlines():
        print(f"  {line}")
    for check in ("files", "unit", "bus", "polkit", "freeze", "plugin exec"):
        expect(found[check]["health"] == "good", f"{found[check]}")
    expect(done.returncode == 0, f"exit status {done.returncode}")
    expect(not run("losetup", "--list", "--noheadings").count("quiesced-doctor"), "a loop device is left")
    expect("quiesced-doctor" not in run("findmnt"), "a mount is left")
    shutil.move("/usr/share/polkit-1/actions/org.quiesced1.policy", "/run/org.quiesced1.policy")
    try:
        done = run("quiescectl", "doctor", check=False)
        expect(done.returncode == 1 and "polkit does not know the actions" in done.stdout, done.stdout)
    finally:
        shutil.move("/run/org.quiesced1.policy", "/usr/share/polkit-1/actions/org.quiesced1.policy")


@case("The journal has each event with its id, set and state, and explains it; the metrics are up to date")
def unit_journal():
    run("journalctl", "--update-catalog")
    manifest = json.loads(run("quiescectl", "snapshot", "--json", "/srv/ext4"))
    time.sleep(0.5)
    lines = [json.loads(line) for line in run("journalctl", "-o", "json", f"QUIESCED_SET={manifest['id']}").splitlines()]
    states = [line["QUIESCED_STATE"] for line in lines if "QUIESCED_STATE" in line]
    expect(states[0] == "new" and states[-1] == "complete" and "frozen" in states, f"{states}")
    expect(all(len(line.get("MESSAGE_ID", "")) == 32 and line["_SYSTEMD_UNIT"] == "quiesced.service" for line in lines), f"{lines[0]}")
    explained = run("journalctl", "-x", "-n", "1", f"QUIESCED_SET={manifest['id']}")
    expect("A snapshot set has another state" in explained and f"quiescectl timeline {manifest['id']}" in explained, explained)
    with open("/run/quiesced/metrics.prom", encoding="ascii") as file:
        metrics = file.read()
    expect('quiesced_sets{state="complete"} 1\n' in metrics and metrics.endswith("# EOF\n"), metrics)
    expect(f"quiesced_window_seconds {manifest['window_ms'] / 1000:.6f}"[:28] in metrics, metrics)
    delete_all_sets()
