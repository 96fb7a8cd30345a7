# SPDX-License-Identifier: LGPL-2.1-or-later
"""A SIGKILL that hits the thaw of a btrfs turns it read-only (kernel 6.1 and later): the kill of everything does not, and what it was is said.

The thaw reads the superblock again. Here that takes long, so that there is a thaw to hit.
"""
import contextlib
import glob
import os
import signal
import time

from harness import (MANAGER, Background, Missing, call, case, delete_all_sets, describe, expect, final_state, main_pid, pid_of, read_only, step,
                     wait_for, wait_for_new_daemon, writable)
from storage import run

VOLUME, NAME, MOUNT = "/dev/vg/slow-store", "slow", "/srv/slow"
READ_MS = 3000  # longer than a recovery waits before it says so


def table(read_ms):
    sectors = run("blockdev", "--getsz", VOLUME).strip()
    return f"0 {sectors} delay {VOLUME} 0 {read_ms} {VOLUME} 0 0"


def slow_down(read_ms):
    # It must not freeze what is frozen, nor wait for udev, which reads the device.
    run("dmsetup", "suspend", "--nolockfs", "--noudevsync", NAME)
    run("dmsetup", "load", NAME, "--table", table(read_ms))
    run("dmsetup", "resume", "--noudevsync", NAME)


def turned_read_only():
    return any(MOUNT in sentence for sentence in read_only([MOUNT]))


def waits_for_disk(pid):
    """Whether one of its threads is in the kernel for a disk."""
    for path in glob.glob(f"/proc/{pid}/task/*/stat"):
        with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
            if file.read().rpartition(") ")[2][0] == "D":
                return True
    return False


@contextlib.contextmanager
def frozen_btrfs():
    """A set over a btrfs that is frozen and whose disk then takes its time to read; its path."""
    run("lvcreate", "-qq", "-y", "-n", "slow-store", "-L", "160M", "vg")
    run("dmsetup", "create", NAME, "--table", table(0))
    run("mkfs.btrfs", "-q", "-K", f"/dev/mapper/{NAME}")
    os.makedirs(MOUNT, exist_ok=True)
    run("mount", f"/dev/mapper/{NAME}", MOUNT)
    try:
        path = call(*MANAGER[1:], "CreateSet", "asa{sv}", "1", MOUNT, "2", "deadline_ms", "u", "60000", "providers", "a{ss}", "1", MOUNT, "host")[0]
        step(path, "Prepare")
        step(path, "Freeze")
        expect(not writable(MOUNT), "nothing is frozen: the case proves nothing")
        slow_down(READ_MS)
        yield path
    finally:
        slow_down(0)
        run("umount", MOUNT)
        # udev and the daemon may have begun to read it while it was slow.
        wait_for("the end of its readers", lambda: run("dmsetup", "remove", NAME, check=False).returncode == 0)
        run("lvremove", "-qq", "-y", "vg/slow-store")


@case("kill -9 of the whole control group over a btrfs whose thaw reads slowly: it is thawed and can be written to")
def btrfs_group_killed():
    with frozen_btrfs():
        old, freezer = main_pid(), pid_of("quiesced-freeze")[0]
        # The daemon first, as systemd does it; its end alone makes the freezer thaw.
        begun = time.monotonic()
        os.kill(old, signal.SIGKILL)
        time.sleep(0.005)
        with contextlib.suppress(ProcessLookupError):
            os.kill(freezer, signal.SIGKILL)
        late = time.monotonic() - begun > 0.025
        deadline = time.monotonic() + 20
        while not writable(MOUNT, 5):
            if turned_read_only() and late:
                raise Missing("a machine that is less busy: the second kill came late")
            expect(not turned_read_only(), "a thaw was hit: it is read-only")
            expect(time.monotonic() < deadline, "it is still frozen after 20 s")
        wait_for_new_daemon(old)


@case("kill -9 of the freezer in its thaw of a btrfs: the set says that it is read-only now and what to do, and a mount brings it back")
def btrfs_thaw_killed():
    with frozen_btrfs() as path:
        freezer = pid_of("quiesced-freeze")[0]
        thaw = Background(step, path, "Abort")
        wait_for("the thaw", lambda: waits_for_disk(freezer))
        os.kill(freezer, signal.SIGKILL)
        thaw.end(30)
        final_state(path)
        expect(turned_read_only(), "the kernel did not mind: what the agent does against it is of no use here")
        said = str(describe(path))
        expect("read-only in its thaw" in said and "mount it again" in said, said)
        slow_down(0)
        run("umount", MOUNT)
        run("mount", f"/dev/mapper/{NAME}", MOUNT)
        expect(writable(MOUNT, 5), "a mount does not help")
        delete_all_sets()
