# SPDX-License-Identifier: LGPL-2.1-or-later
"""The sequence, over the system bus."""
import json
import os

from harness import case, create, delete_all_sets, expect, state, step, wait_for_state, writable
from kernel_trace import KernelTrace
from storage import DemoError, VOLUMES, run

NAMES = [volume.name for volume in VOLUMES]


@case("busctl alone takes a set over three LVs and a LUN, step by step, and deletes it")
def busctl_alone():
    path = create(*NAMES)
    step(path, "Prepare")
    step(path, "Freeze")
    expect(state(path) == "frozen", f"the set is {state(path)}")
    blocked = [name for name in NAMES if not writable(name)]
    step(path, "Snapshot")
    step(path, "Thaw")
    step(path, "Finish")
    expect(blocked == NAMES, f"only {blocked} blocked writers while frozen")
    expect(all(writable(name, 5) for name in NAMES), "a volume is not writable after the thaw")
    manifest = json.loads(step(path, "Describe")[0])
    expect(manifest["state"] == "complete" and manifest["consistency"] == "filesystem", f"{manifest['state']}, {manifest['consistency']}")
    placements = {member["volume"]: member["placement"] for member in manifest["members"]}
    expect(placements["/srv/lun"] == "lun" and placements["/srv/ext4"] == "virtual", f"{placements}")
    step(path, "Delete")


@case("No lvm command runs between the first FIFREEZE and the last FITHAW")
def no_lvm_in_window():
    trace = KernelTrace()
    trace.start()
    try:
        manifest = json.loads(run("quiescectl", "snapshot", "--json", "/srv/ext4", "/srv/xfs", "/srv/btrfs"))
    finally:
        seen = trace.stop()
        delete_all_sets()
    expect(seen["freezes"] == 3 and seen["thaws"] == 3, f"{seen}")
    expect(seen["lvm"] > 0, "the trace saw no lvm command at all: it proves nothing")
    expect(seen["lvm_in_window"] == 0, f"{seen['programs_in_window']}")
    # udev's rules run dmsetup for the devices that prime has changed, in their own time.
    others = [path for path in seen["programs_in_window"] if os.path.basename(path) != "dmsetup"]
    expect(not others, f"{others}")
    print(f"  {seen['programs']} programs in all, {seen['lvm']} of them lvm; window {manifest['window_ms']:.1f} ms")


@case("The deadline thaws a set that nobody goes on with, and removes what was armed")
def deadline():
    path = create("/srv/ext4", "/srv/xfs", deadline_ms=1500)
    step(path, "Prepare")
    step(path, "Freeze")
    wait_for_state(path, "failed")
    expect("deadline" in json.loads(step(path, "Describe")[0])["error"], "the reason is not said")
    delete_all_sets()


@case("Abort while frozen thaws and undoes")
def abort():
    path = create("/srv/ext4", "/srv/xfs", "/srv/lun")
    step(path, "Prepare")
    step(path, "Freeze")
    step(path, "Abort")
    expect(state(path) == "failed", f"the set is {state(path)}")
    expect(all(writable(name, 5) for name in NAMES), "a volume is not writable after the abort")
    delete_all_sets()


@case("Two sets over the same volume: the second is refused while the first is unfinished")
def two_sets():
    path = create("/srv/ext4")
    try:
        create("/srv/xfs", "/srv/ext4")
    except DemoError as error:
        expect("unfinished set" in str(error), f"{error}")
    else:
        raise DemoError("a second set over the same volume was made")
    finally:
        step(path, "Abort")
    delete_all_sets()


@case("A file system that somebody else froze fails the set and stays frozen until he thaws it")
def foreign_freeze():
    path = create("/srv/ext4", "/srv/xfs")
    step(path, "Prepare")
    run("fsfreeze", "-f", "/srv/xfs")
    try:
        try:
            step(path, "Freeze")
        except DemoError as error:
            expect("/srv/xfs" in str(error) and "frozen by somebody else" in str(error), f"{error}")
        else:
            raise DemoError("Freeze took a file system that was frozen already")
        expect(not writable("/srv/xfs"), "it was thawed although its freeze was not ours")
        expect(writable("/srv/ext4", 5), "the other volume is still frozen")
    finally:
        run("fsfreeze", "-u", "/srv/xfs")
    wait_for_state(path, "failed")
    delete_all_sets()


@case("A file system in a loop file on a member is frozen along, and first")
def carried_loop():
    os.makedirs("/srv/ext4/inner", exist_ok=True)
    run("truncate", "-s", "16M", "/srv/ext4/inner.img")
    run("mkfs.ext4", "-q", "/srv/ext4/inner.img")
    run("mount", "-o", "loop", "/srv/ext4/inner.img", "/srv/ext4/inner")
    try:
        path = create("/srv/ext4")
        step(path, "Prepare")
        step(path, "Freeze")
        frozen = not writable("/srv/ext4/inner")
        for method in ("Snapshot", "Thaw", "Finish"):
            step(path, method)
        expect(frozen, "the inner file system was not frozen")
        expect(writable("/srv/ext4/inner", 5), "the inner file system is still frozen")
    finally:
        run("umount", "/srv/ext4/inner")
        os.unlink("/srv/ext4/inner.img")
    delete_all_sets()


@case("Hook scripts run before the freeze and after the thaw, and make the set application-consistent")
def hooks():
    os.makedirs("/etc/quiesced/hooks.d", exist_ok=True)
    script = "/etc/quiesced/hooks.d/10-note"
    with open(script, "w", encoding="ascii") as file:
        file.write("#!/bin/sh\necho \"$1 $(touch /srv/ext4/hook-probe && echo writable)\" >>/run/hook-notes\n")
    os.chmod(script, 0o755)
    try:
        manifest = json.loads(run("quiescectl", "snapshot", "--json", "/srv/ext4"))
    finally:
        os.unlink(script)
    with open("/run/hook-notes", encoding="ascii") as file:
        notes = file.read().splitlines()
    expect(notes == ["freeze writable", "thaw writable"], f"{notes}")
    expect(manifest["consistency"] == "application", manifest["consistency"])
    delete_all_sets()


@case("A mounted snapshot keeps its set from being deleted, and loses nothing")
def delete_mounted():
    manifest = json.loads(run("quiescectl", "snapshot", "--json", "/srv/ext4"))
    os.makedirs("/run/view", exist_ok=True)
    run("mount", "-o", "ro", manifest["members"][0]["device"], "/run/view")
    try:
        done = run("quiescectl", "delete", manifest["id"], check=False)
        expect(done.returncode == 1, "it was deleted under the mount")
    finally:
        run("umount", "/run/view")
    run("quiescectl", "delete", manifest["id"])


@case("The sets on disk are still there after a restart of the daemon, and can be deleted")
def restart():
    manifest = json.loads(run("quiescectl", "snapshot", "--json", "/srv/ext4", "/srv/lun"))
    run("systemctl", "restart", "quiesced")
    expect(manifest["id"] in run("quiescectl", "show"), "the set is not listed")
    run("quiescectl", "delete", manifest["id"])
