# SPDX-License-Identifier: LGPL-2.1-or-later
"""A FIFREEZE that does not return: the disk below a dirty file system does not answer any more."""
import contextlib
import json
import os
import subprocess
import time

from harness import (Background, DemoError, case, create, delete_all_sets, describe, expect, pid_of, state, step, wait_for_state, writable,
                     writable_all)
from points_freezer import let_go, points_freezer, stop_at, wait_reached
from storage import run

HANG = "/dev/mapper/hang"
OTHERS = ["/srv/ext4", "/srv/xfs"]
DEADLINE = 4.0  # seconds


@contextlib.contextmanager
def lun_that_can_hang():
    """/srv/lun, with a device between file system and LUN that can be suspended."""
    disk = run("findmnt", "-n", "-o", "SOURCE", "/srv/lun").strip()
    # LVM would read from it, and hang.
    with open("/etc/lvm/lvmlocal.conf", "w", encoding="ascii") as file:
        file.write('devices { global_filter = [ "r|/hang$|" ] }\n')
    run("umount", "/srv/lun")
    sectors = run("blockdev", "--getsz", disk).strip()
    run("dmsetup", "create", "hang", "--table", f"0 {sectors} linear {disk} 0")
    try:
        run("mount", HANG, "/srv/lun")
        yield
        run("umount", "/srv/lun")
    finally:
        run("dmsetup", "resume", "hang")
        if os.path.ismount("/srv/lun"):
            run("umount", "/srv/lun")
        run("udevadm", "settle")
        run("dmsetup", "remove", "--retry", "hang")
        run("mount", disk, "/srv/lun")
        os.unlink("/etc/lvm/lvmlocal.conf")


def hang():
    """Dirty pages, and nowhere to write them."""
    with open("/srv/lun/dirty", "wb") as file:
        file.write(os.urandom(1 << 20))
    run("dmsetup", "suspend", "--noflush", "--nolockfs", "hang")


def times_of_release(folders, since, seconds):
    """{folder: seconds from `since` until a file could be made there}."""
    probes = {folder: subprocess.Popen(["touch", f"{folder}/write-probe"], stdin=subprocess.DEVNULL) for folder in folders}
    ends = {}
    while len(ends) < len(probes) and time.monotonic() < since + seconds:
        for folder, probe in probes.items():
            if folder not in ends and probe.poll() is not None:
                ends[folder] = time.monotonic() - since
        time.sleep(0.02)
    expect(len(ends) == len(probes), f"only {list(ends)} were thawed within {seconds} s")
    return ends


@case("A FIFREEZE that hangs: the others are thawed at the deadline, the set names it, and it is thawed when it returns")
def stuck_freeze():
    with points_freezer(), lun_that_can_hang():
        stop_at("expedite")  # flushed, and nothing frozen yet
        path = create(*OTHERS, "/srv/lun", deadline_ms=int(DEADLINE * 1000))
        step(path, "Prepare")
        freeze = Background(step, path, "Freeze")
        wait_reached("expedite")
        hang()
        begun = time.monotonic()
        let_go()
        time.sleep(1)
        ends = times_of_release(OTHERS, begun, 30)
        expect(max(ends.values()) > DEADLINE - 0.5, f"they were not frozen until the deadline: {ends}")
        expect(max(ends.values()) < DEADLINE + 2.5, f"the stuck one delayed the thaw of the others: {ends}")
        try:
            freeze.result(120)
        except DemoError as error:
            expect("/srv/lun" in str(error), f"{error}")
            print(f"  {error}")
        else:
            raise DemoError("Freeze succeeded although one file system did not freeze")
        wait_for_state(path, "failed", 120)
        failed_after = time.monotonic() - begun
        expect(describe(path).get("stuck") == ["/srv/lun"], f"stuck: {describe(path).get('stuck')}")
        try:
            create("/srv/lun", *OTHERS)
        except DemoError as error:
            expect("/srv/lun" in str(error), f"{error}")
            print(f"  {error}")
        else:
            raise DemoError("a new set over the stuck volume was made")
        others = json.loads(run("quiescectl", "snapshot", "--json", *OTHERS))
        expect(others["consistency"] == "filesystem", others["consistency"])
        expect(not writable("/srv/lun"), "it does not hang: the case proves nothing")

        resumed = time.monotonic()
        run("dmsetup", "resume", "hang")
        expect(writable_all(["/srv/lun"], 20), "it was not thawed when its FIFREEZE returned")
        thawed_after = time.monotonic() - resumed
        deadline = time.monotonic() + 20
        while describe(path).get("stuck") or pid_of("quiesced-freeze"):
            expect(time.monotonic() < deadline, f"still stuck: {describe(path).get('stuck')}, freezers {pid_of('quiesced-freeze')}")
            time.sleep(0.1)
        again = json.loads(run("quiescectl", "snapshot", "--json", *OTHERS, "/srv/lun"))
        expect(again["consistency"] == "filesystem", again["consistency"])
        expect(state(path) == "failed", state(path))
        os.unlink("/srv/lun/dirty")
        delete_all_sets()
        print(f"  the others were thawed after {max(ends.values()):.1f} s with a deadline of {DEADLINE} s, the set failed after "
              f"{failed_after:.1f} s, the stuck one was thawed {thawed_after:.1f} s after the resume")


@case("A disk that does not answer already at the pre-flush freezes nothing, and the set fails in time")
def stuck_flush():
    with lun_that_can_hang():
        path = create(*OTHERS, "/srv/lun", deadline_ms=int(DEADLINE * 1000))
        step(path, "Prepare")
        hang()
        freeze = Background(step, path, "Freeze")
        time.sleep(3)
        expect(writable_all(OTHERS, 5), "the others are frozen although the pre-flush has not ended")
        begun = time.monotonic()
        freeze.end(200)
        print(f"  after {3 + time.monotonic() - begun:.0f} s: {freeze.error}")
        expect(isinstance(freeze.error, DemoError), "Freeze succeeded over a disk that does not answer")
        run("dmsetup", "resume", "hang")
        wait_for_state(path, "failed", 60)
        expect(writable_all([*OTHERS, "/srv/lun"], 10), "something is still frozen")
        os.unlink("/srv/lun/dirty")
        delete_all_sets()
