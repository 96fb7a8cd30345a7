#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guest's side of tests/vm/power-cuts: brings a set to a point at which the power is cut, and looks after the next boot.

  power_cut.py setup            the volumes and the installation, once
  power_cut.py reach POINT      returns at the point, which stays as it is for some seconds
  power_cut.py check POINT      after the next boot: LVM activates, file systems check clean, nothing half-made is left
"""
import glob
import json
import os
import signal
import subprocess
import sys
import time

import storage
from installation import install
from storage import DemoError, run

from cases_points import wait_stopped
import half_merge
from harness import Background, create, describe, expect, main_pid, state, step, wait_for, wait_for_no_leaks
from own_group import write_file
from points_freezer import DROP_IN, PROGRAM, let_go, points_freezer, stop_at, wait_reached

GROUP = "vg"
TREE = "/run/tree"
CHECKS = {"ext4": ("e2fsck", "-fn"), "xfs": ("xfs_repair", "-n"), "btrfs": ("btrfs", "check", "--readonly")}
VOLUMES = [volume for volume in storage.VOLUMES if volume.name != "/srv/lun"]
NAMES = [volume.name for volume in VOLUMES]
SET_FILE = "/var/lib/power-cut-set"  # the id, over the power cut


def device(volume):
    return f"/dev/{GROUP}/{volume.folder}"


def mount_all(volumes=None):
    for volume in volumes or VOLUMES:
        os.makedirs(volume.name, exist_ok=True)
        run("mount", "-t", volume.file_system, device(volume), volume.name)


def put(text):
    for name in NAMES:
        with open(f"{name}/content", "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())


def content(folder):
    with open(f"{folder}/content", encoding="ascii") as file:
        return file.read()


def origins():
    """The volumes of the group, the snapshots of sets left out."""
    return sorted([volume.folder for volume in VOLUMES] + ["pool"])


def setup():
    run("vgcreate", "-qq", GROUP, *storage.DISKS)
    run("lvcreate", "-qq", "-y", "-n", "ext4", "-L", "256M", GROUP)
    run("lvcreate", "-qq", "-y", "-n", "btrfs", "-L", "512M", GROUP)
    run("lvcreate", "-qq", "-y", "--type", "thin", "-L", "1G", "--thinpool", f"{GROUP}/pool", "-V", "512M", "-n", "xfs")
    make = {"ext4": ["mkfs.ext4", "-q", "-E", "nodiscard"], "xfs": ["mkfs.xfs", "-q", "-K"], "btrfs": ["mkfs.btrfs", "-q", "-K"]}
    for volume in VOLUMES:
        run(*make[volume.file_system], device(volume))
    mount_all()
    install()


LEFT_OPEN = []  # context managers that are never left


# --- the points, in the order of a set's life -------------------------------------------------------------------------------


def keep_id(path):
    with open(SET_FILE, "w", encoding="ascii") as file:
        file.write(os.path.basename(path))
        file.flush()
        os.fsync(file.fileno())


def kept_path():
    with open(SET_FILE, encoding="ascii") as file:
        return f"/org/quiesced1/set/{file.read()}"


def armed():
    step(create(*NAMES), "Prepare")


def in_window(point, names=None):
    """The freezer stops at the point, and the program returns with it there: it goes on after 20 s only."""
    LEFT_OPEN.append(points_freezer())  # what it puts into /run goes with the power
    LEFT_OPEN[-1].__enter__()
    stop_at(point)
    path = create(*(names or NAMES), deadline_ms=60000)
    Background(step, path, "Take")
    wait_reached(point, 60)
    time.sleep(0.3)  # the other volumes' threads come as far as they can
    return path


def primed():
    in_window("expedited")


def suspended():
    in_window("suspended")


def one_fired():
    # Stops the thread of one of both before it suspends its volume; the other one is cut.
    in_window("fire", ["/srv/ext4", "/srv/xfs"])


def all_fired():
    in_window("first-thaw")


def before_manifest():
    """All is cut and thawed, and the daemon cannot go on to write it down."""
    in_window("last-thaw")
    daemon = main_pid()
    os.kill(daemon, signal.SIGSTOP)
    wait_stopped(daemon)
    let_go()
    time.sleep(1)


def complete():
    path = create(*NAMES)
    step(path, "Take")
    expect(state(path) == "complete", state(path))
    put("new")
    keep_id(path)


def snapshots_of(path):
    return run("lvs", "--noheadings", "-o", "lv_name", f"@quiesced.set={os.path.basename(path)}").split()


def deleting():
    path = create(*NAMES)
    step(path, "Take")
    before = len(snapshots_of(path))
    Background(step, path, "Delete")
    wait_for("the removal of a first snapshot", lambda: len(snapshots_of(path)) < before)


def begin_revert():
    path = create("/srv/ext4", "/srv/xfs")
    step(path, "Take")
    put("new")
    for name in ("/srv/ext4", "/srv/xfs"):
        write_file(f"{name}/more", 100 << 20)
    keep_id(path)
    run("umount", "/srv/ext4", "/srv/xfs")
    Background(run, "quiescectl", "revert", "--yes", os.path.basename(path))


def merging():
    begin_revert()
    wait_for("a merge under way", lambda: "snapshot-merge" in run("dmsetup", "table"))


def half_merging():
    """One volume is being merged, and LVM has not begun with the other."""
    half_merge.begin(1)
    begin_revert()
    half_merge.wait_reached()


POINTS = {"armed": armed, "primed": primed, "suspended": suspended, "one-fired": one_fired, "all-fired": all_fired, "before-manifest": before_manifest,
          "complete": complete, "delete": deleting, "merge": merging, "half-merge": half_merging}


def reach(point):
    put("old")
    POINTS[point]()
    os.sync()
    print(f"at '{point}'", flush=True)


# --- after the boot -----------------------------------------------------------------------------------------------------------


def volumes_now():
    report = json.loads(run("lvs", "--reportformat", "json", "-a", "-o", "lv_name,lv_active,lv_tags,lv_attr", GROUP))
    return [row for row in report["report"][0]["lv"] if not row["lv_name"].startswith("[")]


def settled(wanted):
    """Whether the group has these volumes and nothing more, all of them active; thin snapshots are not, by LVM's own default."""
    rows = volumes_now()
    return sorted(row["lv_name"] for row in rows) == wanted and all(row["lv_active"] == "active" or row["lv_attr"].endswith("k") for row in rows)


def check_clean(wanted):
    """`wanted`: the names of the volumes that must be there in the end."""
    run("udevadm", "settle")
    wait_for("a daemon after the boot", lambda: run("systemctl", "is-active", "quiesced", check=False).stdout.strip() == "active", 120)
    try:
        wait_for("a clean group", lambda: settled(wanted), 120)
    except DemoError as error:
        said = run("journalctl", "-q", "-b", "-o", "cat", "-n", "30", "-u", "quiesced")
        raise DemoError(f"{error}: {volumes_now()}, wanted {wanted}; {said}") from error
    run("vgck", GROUP)
    for volume in VOLUMES:
        if not os.path.ismount(volume.name):
            mount_all([volume])  # its log is replayed, as after any power cut
        run("umount", volume.name)
        run(*CHECKS[volume.file_system], device(volume))
    mount_all()
    half_made = [name for name in run("dmsetup", "info", "-c", "--noheadings", "-o", "name").split()
                 if "--q" in name and not any(name.startswith(f"{GROUP}-{volume.replace('-', '--')}") for volume in wanted)]
    expect(not half_made, f"devices of snapshots that are no volumes: {half_made}")


def expect_contents(text, names=None):
    for name in names or NAMES:
        expect(content(name) == text, f"{name} has '{content(name)}' and not '{text}'")


def check(point):
    if point == "complete":
        check_complete()
        return
    check_clean(origins())
    expect_contents("old", ["/srv/ext4", "/srv/xfs"] if "merge" in point else None)  # the third was no member, and has the new
    if "merge" in point:
        members = wait_for("the end of the merges", lambda: all_done(describe(kept_path())["members"]), 120)
        expect(all(member["consistency"] == "reverted" for member in members), f"{members}")
        expect(not any(os.path.exists(f"{name}/more") for name in NAMES), "what was written after the window is still there")
        run("quiescectl", "delete", os.path.basename(kept_path()))
    wait_for_no_leaks(0)
    left = glob.glob("/var/lib/quiesced/sets/*.json")
    expect(not left, f"manifests of sets that are not there: {left}")


def all_done(members):
    return members if all(member["revert"] == "done" for member in members) else None


def check_complete():
    """The set outlives the power: it is listed, shown, mounted with its old contents, and deleted."""
    path = kept_path()
    set_id = os.path.basename(path)
    wait_for("a daemon after the boot", lambda: run("systemctl", "is-active", "quiesced", check=False).stdout.strip() == "active", 120)
    expect(set_id in run("quiescectl", "sets"), "the set is not listed")
    expect("/srv/btrfs" in run("quiescectl", "show", set_id), "the set is not shown")
    check_clean(sorted(origins() + snapshots_of(path)))
    expect_contents("new")
    os.makedirs(TREE, exist_ok=True)
    run("quiescectl", "mount", set_id, TREE)
    expect_contents("old", [f"{TREE}{name}" for name in NAMES])
    run("quiescectl", "umount", set_id)
    run("quiescectl", "delete", set_id)
    expect(settled(origins()), f"{volumes_now()}")
    wait_for_no_leaks(0)


# --- root on a thin volume ----------------------------------------------------------------------------------------------------

ROOT_GROUP = "sys"


def root_copy():
    """Copies the running root into a thin volume, from which `vm --root` boots then."""
    run("vgcreate", "-qq", ROOT_GROUP, "/dev/disk/by-id/virtio-data1")
    run("lvcreate", "-qq", "-y", "--type", "thin", "-L", "2900M", "--thinpool", f"{ROOT_GROUP}/pool", "-V", "2800M", "-n", "root", ROOT_GROUP)
    run("mkfs.ext4", "-q", "-E", "nodiscard", f"/dev/{ROOT_GROUP}/root")
    os.makedirs("/mnt/root", exist_ok=True)
    run("mount", f"/dev/{ROOT_GROUP}/root", "/mnt/root")
    run("cp", "-ax", "/.", "/mnt/root/")
    run("umount", "/mnt/root")
    os.sync()


def root_reach():
    """A set over the root file system that the machine runs from, then something new on it."""
    source = run("findmnt", "-no", "SOURCE", "/").strip()
    expect(source == f"/dev/mapper/{ROOT_GROUP}-root", f"root is {source}")
    run("vgextend", "-qq", ROOT_GROUP, "/dev/disk/by-id/virtio-data2")
    install()
    with open("/root/content", "w", encoding="ascii") as file:
        file.write("old")
    path = create("/")
    step(path, "Take")
    member = describe(path)["members"][0]
    expect(state(path) == "complete" and member["provider"] == "lvm", f"{state(path)} {member}")
    with open("/root/content", "w", encoding="ascii") as file:
        file.write("new")
    keep_id(path)
    os.sync()
    print("at 'root'", flush=True)


def root_check():
    path = kept_path()
    set_id = os.path.basename(path)
    wait_for("a daemon after the boot", lambda: run("systemctl", "is-active", "quiesced", check=False).stdout.strip() == "active", 120)
    expect(set_id in run("quiescectl", "sets"), "the set is not listed")
    os.makedirs(TREE, exist_ok=True)
    run("quiescectl", "mount", set_id, TREE)
    for folder, wanted in (("", "new"), (TREE, "old")):
        with open(f"{folder}/root/content", encoding="ascii") as file:
            expect(file.read() == wanted, f"{folder}/root/content is not '{wanted}'")
    run("quiescectl", "umount", set_id)
    device_name = describe(path)["members"][0]["device"]
    checked = subprocess.run(["e2fsck", "-fn", device_name], capture_output=True, text=True, check=False)
    expect(checked.returncode == 0, f"e2fsck -fn of root's snapshot: {checked.stdout[-400:]}")
    run("quiescectl", "delete", set_id)
    wait_for_no_leaks(0)


ROOT = {"copy": root_copy, "reach": root_reach, "check": root_check}


def main(what, *rest):
    if what == "setup":
        setup()
    elif what == "reach":
        reach(*rest)
    elif what == "check":
        check(*rest)
    else:
        ROOT[rest[0]]()


if __name__ == "__main__":
    assert DROP_IN.startswith("/run/") and PROGRAM.startswith("/run/")  # gone with the power
    try:
        main(*sys.argv[1:])
    except (DemoError, OSError, ValueError, KeyError) as failure:
        print(f"  {type(failure).__name__}: {failure}")
        print(run("journalctl", "-q", "-b", "-o", "short-monotonic", "-n", "20", "-u", "quiesced*", check=False).stdout)
        sys.stdout.flush()
        # Threads may wait for the daemon for good.
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)
