# SPDX-License-Identifier: LGPL-2.1-or-later
"""LVM as others use it beside us: an admin who removes and deactivates, a lock that is held, sets over the same volumes."""
import json
import os
import subprocess
import time

from storage import run

from faulty_group import FOLDER, GROUP, SECOND, group, make_file_system, unmount
from harness import Background, DemoError, case, create, delete_all_sets, describe, expect, final_state, state, step, writable_all

TREE = "/run/tree"
PAIR = ("/srv/ext4", "/srv/xfs")  # thick, thin
LOCK = "/run/lock/lvm/V_vg"


def put(text, *folders):
    for folder in folders:
        with open(f"{folder}/content", "w", encoding="ascii") as file:
            file.write(text)


def take(*volumes):
    """The manifest of a new set."""
    return json.loads(run("quiescectl", "snapshot", "--store", "64M", "--json", *volumes))


def snapshots(manifest):
    """{volume: "vg/lv"}"""
    return {member["volume"]: member["snapshot"] for member in manifest["members"]}


def expect_content(set_id, text, *folders):
    os.makedirs(TREE, exist_ok=True)
    run("quiescectl", "mount", set_id, TREE)
    try:
        for folder in folders:
            with open(f"{TREE}{folder}/content", encoding="ascii") as file:
                expect((seen := file.read()) == text, f"{folder} in the set {set_id}: '{seen}' and not '{text}'")
    finally:
        run("quiescectl", "umount", set_id)


def expect_no_snapshots(lvm_group="vg"):
    left = run("lvs", "--noheadings", "-o", "lv_name", "-S", "lv_tags=quiesced", lvm_group).split()
    expect(left == [], f"left: {left}")


@case("A snapshot that an admin removed is missed by mount, which names it, and the rest of its set can be deleted")
def snapshot_admin_removes_one():
    for gone in PAIR:
        put("old", *PAIR)
        manifest = take(*PAIR)
        run("lvremove", "-qq", "-y", snapshots(manifest)[gone])
        os.makedirs(TREE, exist_ok=True)
        done = run("quiescectl", "mount", manifest["id"], TREE, check=False)
        expect(done.returncode != 0 and snapshots(manifest)[gone] in done.stderr, f"{done.stdout}{done.stderr}")
        expect(os.listdir(TREE) == [], f"left in the tree: {os.listdir(TREE)}")
        print(f"  {done.stderr.strip()}")
        run("quiescectl", "delete", manifest["id"])
        expect_no_snapshots()


def remove_armed(path, gone):
    """Prepares the set, has an admin remove the armed snapshot of a volume, and goes on with the set."""
    step(path, "Prepare")
    name = f"vg/{os.path.basename(gone)}-q{os.path.basename(path)}"
    removed = run("lvremove", "-qq", "-y", name, check=False)
    print(f"  lvremove of that of {gone}: {removed.stderr.strip().splitlines()[-1] if removed.returncode else 'done'}")
    try:
        for method in ("Freeze", "Snapshot", "Thaw", "Finish"):
            step(path, method)
    except DemoError as error:
        print(f"  {method}: {error}")
        expect("vg/" in str(error) or gone in str(error), "it does not say which")
    else:
        raise DemoError(f"a set without one snapshot is complete: {describe(path)['consistency']}")


@case("An armed snapshot that an admin removes, or tries to, fails its set with its name; everything is undone and the next set is good")
def snapshot_admin_removes_armed():
    for gone in PAIR:
        path = create(*PAIR, store="64M")
        try:
            remove_armed(path, gone)
        finally:
            if state(path) not in ("failed", "complete"):
                step(path, "Abort")
        expect(final_state(path) == "failed", "the set did not fail")
        expect(writable_all(PAIR, 5), "something is still frozen")
        expect_no_snapshots()
        run("vgck", "vg")
        delete_all_sets()
        # What LVM's own half lvremove leaves when the store is in use: nothing of it is in its metadata any more.
        run("dmsetup", "remove", "--retry", f"vg-{os.path.basename(gone)}--q{os.path.basename(path)}-cow", check=False)
    expect(take(*PAIR)["consistency"] == "filesystem", "the next set suffers")
    delete_all_sets()


@case("A group that an admin deactivated comes back for mount with what was cut; one that he removed leaves a set that can be deleted")
def snapshot_admin_deactivates():
    with group():
        run("lvcreate", "-qq", "-y", "-n", "thick", "-L", "128M", GROUP)
        run("lvcreate", "-qq", "-y", "--type", "thin", "--thinpool", f"{GROUP}/pool", "-L", "128M", "-V", "128M", "-n", "thin")
        make_file_system("thick")
        make_file_system("thin", folder=SECOND)
        both = (FOLDER, SECOND)
        put("old", *both)
        manifest = take(*both)
        put("new", *both)
        for folder in both:
            unmount(folder)
        run("vgchange", "-qq", "-an", GROUP)
        expect("lost" not in describe(f"/org/quiesced1/set/{manifest['id']}")["consistency"], "a set is called lost for being inactive")
        expect_content(manifest["id"], "old", *both)
        run("vgremove", "-qq", "-ff", "-y", GROUP)
        run("quiescectl", "delete", manifest["id"])
        expect(manifest["id"] not in run("quiescectl", "sets"), "it is not deleted")


@case("While another LVM command holds the group's lock a set waits before its freeze, and is then as short as ever")
def snapshot_lock_held():
    os.makedirs(os.path.dirname(LOCK), exist_ok=True)
    held = 8
    with subprocess.Popen(["flock", LOCK, "sleep", str(held)], stdin=subprocess.DEVNULL):
        time.sleep(0.5)
        begun = time.monotonic()
        taking = Background(take, *PAIR)
        time.sleep(held / 2)
        expect(writable_all(PAIR, 2), "the volumes are frozen while LVM's lock is waited for")
        manifest = taking.result(120)
        waited = time.monotonic() - begun
    expect(waited > held - 1, f"it did not wait for the lock, but took {waited:.1f} s: the case proves nothing")
    expect(manifest["consistency"] == "filesystem", manifest["consistency"])
    print(f"  the set took {waited:.1f} s, its window {manifest['window_ms']:.0f} ms")
    delete_all_sets()


@case("Two sets over the same volumes, one after the other, keep what each has cut, also when the first is deleted")
def snapshot_twice():
    put("first", *PAIR)
    first = take(*PAIR)["id"]
    put("second", *PAIR)
    second = take(*PAIR)["id"]
    put("third", *PAIR)
    expect_content(first, "first", *PAIR)
    expect_content(second, "second", *PAIR)
    run("quiescectl", "delete", first)
    put("fourth", *PAIR)
    expect_content(second, "second", *PAIR)
    run("quiescectl", "delete", second)
    expect_no_snapshots()


@case("Two sets at once: over the same volume the second is refused, over two volumes of one group both are good")
def snapshot_at_once():
    path = create("/srv/ext4", "/srv/xfs")
    step(path, "Prepare")
    refused = run("quiescectl", "snapshot", "/srv/ext4", check=False)
    expect("Error.Busy" in refused.stderr and "/srv/ext4" in refused.stderr, f"{refused.stdout}{refused.stderr}")
    print(f"  {refused.stderr.strip()}")
    step(path, "Abort")
    takes = [Background(take, volume) for volume in ("/srv/ext4", "/srv/btrfs", "/srv/xfs")]
    for each in takes:
        expect(each.result(180)["consistency"] == "filesystem", "one of them suffered")
    delete_all_sets()
    expect_no_snapshots()
