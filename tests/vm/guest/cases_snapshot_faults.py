# SPDX-License-Identifier: LGPL-2.1-or-later
"""What snapshots live on fails or is full: writes that give errors, a thin pool without room, an armed store."""
import contextlib
import json
import os
import time

from storage import run

from bus_signals import Signals
from faulty_group import FOLDER, GROUP, SECOND, THIRD, check_file_system, group, make_file_system
from harness import DemoError, case, create, delete_all_sets, describe, expect, final_state, give_up_all_sets, refuse, step, wait_for_no_leaks, writable_all
from pool_metadata import PoolMetadata

TREE = "/run/tree"


def write(path, mebibytes, folder=FOLDER):
    run("dd", "if=/dev/urandom", f"of={folder}/{path}", "bs=1M", f"count={mebibytes}", "conv=fsync,notrunc", "status=none")


def fill_up(name, step_mib, most_mib, pause):
    """Writes until the kernel says that there is no room; returns how much it took."""
    for written in range(0, most_mib, step_mib):
        with_error = run("dd", "if=/dev/urandom", f"of={FOLDER}/{name}", "bs=1M", f"count={step_mib}", f"seek={written}", "conv=fsync,notrunc", "status=none",
                         check=False)
        if with_error.returncode:
            return written
        time.sleep(pause)
    raise DemoError(f"{most_mib} MiB went in: nothing is full, the case proves nothing")


def checksum(path):
    return run("md5sum", path).split()[0]


def take(*volumes):
    return json.loads(run("quiescectl", "snapshot", "--json", *volumes))["id"]


def expect_old(set_id, name, wanted):
    os.makedirs(TREE, exist_ok=True)
    run("quiescectl", "mount", set_id, TREE)
    try:
        expect(checksum(f"{TREE}{FOLDER}/{name}") == wanted, "the snapshot is not what was cut")
    finally:
        run("quiescectl", "umount", set_id)


def expect_not_complete(path):
    """From its freeze on."""
    try:
        for method in ("Freeze", "Snapshot", "Thaw", "Finish"):
            step(path, method)
    except DemoError as error:
        print(f"  {method}: {error}")
        return
    raise DemoError(f"the set is complete: {describe(path)}")


@case("An origin whose writes fail spoils its set, which says so; the others are thawed, and what could not be undone is undone when writes go again")
def snapshot_fault_io_errors():
    with group() as device:
        run("lvcreate", "-qq", "-y", "-n", "thick", "-L", "128M", GROUP)
        make_file_system("thick")
        path = create("/srv/ext4", FOLDER, "/srv/xfs", deadline_ms=20000)
        step(path, "Prepare")
        with open(f"{FOLDER}/dirty", "wb") as file:
            file.write(os.urandom(4 << 20))
        device.fail_writes()
        expect_not_complete(path)
        expect(writable_all(["/srv/ext4", "/srv/xfs"], 5), "the good ones are still frozen")
        expect(final_state(path) == "failed", "the set did not fail")
        left = run("lvs", "--noheadings", "-o", "lv_full_name", "@quiesced", check=False).stdout.split()
        print(f"  left for now: {left}")
        device.heal()
        wait_for_no_leaks(90)
        check_file_system("thick")
        again = json.loads(run("quiescectl", "snapshot", "--store", "64M", "--json", "/srv/ext4", FOLDER))
        expect(again["consistency"] == "filesystem", again["consistency"])
        delete_all_sets()


@case("A store whose writes fail loses its set, which is told of, and can be deleted when writes go again")
def snapshot_fault_store_errors():
    with group() as device:
        run("lvcreate", "-qq", "-y", "-n", "thick", "-L", "128M", GROUP)
        make_file_system("thick")
        write("old", 8)
        set_id = take(FOLDER)
        with Signals() as signals:
            device.fail_writes()
            run("dd", "if=/dev/urandom", f"of={FOLDER}/old", "bs=1M", "count=8", "conv=fsync,notrunc", "status=none", check=False)
            signals.wait_for("SnapshotLost", 70)
        expect(describe(f"/org/quiesced1/set/{set_id}")["consistency"] == "lost", "the set is not marked")
        done = run("quiescectl", "delete", set_id, check=False)
        print(f"  while writes fail: {done.stderr.strip() or 'deleted'}")
        device.heal()
        if done.returncode:
            run("quiescectl", "delete", set_id)
        check_file_system("thick")
        write("new", 4)


@case("An armed store that overflows before the freeze is emptied by prime, and the set is good")
def snapshot_fault_armed_overflow():
    with group():
        run("lvcreate", "-qq", "-y", "-n", "thick", "-L", "256M", GROUP)
        # Inode tables that ext4 writes later, by itself, would fill the store again.
        make_file_system("thick", "-E", "nodiscard,lazy_itable_init=0")
        path = create(FOLDER, store="8M")
        step(path, "Prepare")
        write("armed", 24)
        run("sync")
        status = run("dmsetup", "status", "--target", "snapshot")
        expect("Invalid" in status or "Overflow" in status, f"it is not full, the case proves nothing: {status}")
        for method in ("Freeze", "Snapshot", "Thaw", "Finish"):
            step(path, method)
        expect(describe(path)["consistency"] == "filesystem", describe(path)["consistency"])
        expect_old(os.path.basename(path), "armed", checksum(f"{FOLDER}/armed"))
        delete_all_sets()


@case("A thin pool that fills up under load is told of; the set keeps what it cut, no other is begun, and Delete makes room for the origin")
def snapshot_fault_pool_full():
    with group():
        run("lvcreate", "-qq", "-y", "--type", "thin", "--thinpool", f"{GROUP}/pool", "-L", "96M", "--errorwhenfull", "y", "-V", "512M", "-n", "thin", GROUP)
        run("lvcreate", "-qq", "-y", "--type", "thin", "-V", "64M", "-n", "other", "--thinpool", "pool", GROUP)
        make_file_system("thin", "-J", "size=4")
        make_file_system("other", "-J", "size=4", folder=SECOND)
        write("old", 24)
        before = checksum(f"{FOLDER}/old")
        set_id = take(FOLDER)
        write("old", 24)  # the snapshot alone has what was there
        with Signals() as signals:
            written = fill_up("fill", 2, 128, 0.5)
            signals.wait_for("SpaceLow", 70)
        kinds = {signal["payload"]["data"][2]["kind"]["data"] for signal in signals.heard if signal["member"] == "SpaceLow"}
        expect(kinds == {"pool-data"}, f"what is low: {kinds}")
        print(f"  full after {written} MiB, told of at {signals.levels()} %")
        expect_old(set_id, "old", before)
        refuse("NoSpace", SECOND, says=(f"{GROUP}/pool",))
        run("quiescectl", "delete", set_id)
        check_file_system("thin")
        write("new", 8)
        delete_all_sets()


@contextlib.contextmanager
def sets_given_up():
    """What is armed or frozen would keep the group from being removed."""
    try:
        yield
    finally:
        give_up_all_sets()


def changes_of_groups():
    """What every change of a group's metadata counts up."""
    return run("vgs", "--noheadings", "-o", "vg_name,vg_seqno")


@case("A thin pool whose metadata fill up is told of; no set is begun then, what was armed is complete or fails clean, and extended it serves as before")
def snapshot_fault_pool_metadata_full():
    with group("-s", "1M"), sets_given_up():
        run("lvcreate", "-qq", "-y", "--type", "thin", "--thinpool", f"{GROUP}/pool", "-L", "256M", "--poolmetadatasize", "2M", "--chunksize", "64k", "-V", "128M", "-n", "thin")
        for name in ("other", "third"):
            run("lvcreate", "-qq", "-y", "--type", "thin", "-V", "64M", "-n", name, "--thinpool", "pool", GROUP)
        make_file_system("thin", "-J", "size=4")
        make_file_system("other", "-J", "size=4", folder=SECOND)
        make_file_system("third", "-J", "size=4", folder=THIRD)
        write("old", 24)
        before = checksum(f"{FOLDER}/old")
        metadata = PoolMetadata(f"{GROUP}-pool-tpool")
        first = take(FOLDER)
        begun = time.monotonic()
        metadata.fill_to(70)
        # Armed while LVM still makes snapshots; the pool goes on filling below them.
        lucky, late = create(FOLDER, "/srv/ext4", deadline_ms=60000), create(SECOND, "/srv/btrfs", deadline_ms=60000)
        for path in (lucky, late):
            step(path, "Prepare")
        with Signals() as signals:
            metadata.fill_to(76)
            made = changes_of_groups()
            refuse("NoSpace", THIRD, "/srv/xfs", says=(f"{GROUP}/pool", "metadata", "--poolmetadatasize"))
            expect(changes_of_groups() == made, "something was made before it was refused")
            for level in (80, 90, 95):
                metadata.fill_to(level + 1)
                signals.wait_until(f"not told of {level} %", lambda level=level: level in signals.levels(), 70)
            told = [signal["payload"]["data"][2]["kind"]["data"] for signal in signals.heard if signal["member"] == "SpaceLow"]
            expect(signals.levels() == [80, 90, 95] and set(told) == {"pool-metadata"}, f"{signals.levels()} of {told}")
        for method in ("Freeze", "Snapshot", "Thaw", "Finish"):
            step(lucky, method)
        expect(describe(lucky)["consistency"] == "filesystem", describe(lucky)["consistency"])
        expect(not metadata.fill_to(101), "it takes more than there is room for")
        print(f"  full after {time.monotonic() - begun:.1f} s: {run('dmsetup', 'status', f'{GROUP}-pool-tpool').strip()}")
        refuse("NoSpace", THIRD, "/srv/xfs", says=(f"{GROUP}/pool is read-only", "metadata", "--poolmetadatasize"))
        expect_not_complete(late)
        expect(final_state(late) == "failed" and writable_all(["/srv/btrfs", "/srv/ext4"], 10), "something is still frozen")
        expect_old(first, "old", before)
        done = run("quiescectl", "delete", first, check=False)
        print(f"  while it is full: {done.stderr.strip() or 'deleted'}")
        run("lvextend", "-qq", "--poolmetadatasize", "+4M", f"{GROUP}/pool")
        if done.returncode:
            run("quiescectl", "delete", first)
        expect_old(os.path.basename(lucky), "old", before)
        delete_all_sets()
        wait_for_no_leaks(90)
        check_file_system("thin")
        check_file_system("other", folder=SECOND)
        write("new", 4)
        again = json.loads(run("quiescectl", "snapshot", "--json", FOLDER, SECOND))
        expect(again["consistency"] == "filesystem", again["consistency"])
        delete_all_sets()
