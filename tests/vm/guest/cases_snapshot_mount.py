# SPDX-License-Identifier: LGPL-2.1-or-later
"""quiescectl mount and umount: every member's snapshot read-only in one tree, the origins mounted and written to beside it."""
import json
import os
import time

from storage import run

from harness import case, describe, expect

TREE = "/run/tree"
ALL = ("/srv/ext4", "/srv/lun", "/srv/xfs", "/srv/btrfs")


def put(text):
    for folder in ALL:
        with open(f"{folder}/mounted", "w", encoding="utf-8") as file:
            file.write(text)
    run("sync")


def seen(folder):
    with open(f"{TREE}{folder}/mounted", encoding="utf-8") as file:
        return file.read()


def take(*volumes):
    """The id of a new set."""
    return json.loads(run("quiescectl", "snapshot", "--json", *volumes))["id"]


def checksum(device):
    # Where superblocks and logs are; around the cache, which a mount does not share.
    return run("sh", "-c", f"dd if={device} iflag=direct bs=1M count=8 status=none | md5sum")


def layers():
    return [name for name in run("dmsetup", "info", "-c", "--noheadings", "-o", "name").split() if name.startswith("quiesced-")]


@case("all snapshots of a set are mounted read-only in one tree with their old contents, and the snapshots stay as they were cut")
def snapshot_mount_shows_old_contents():
    put("old")
    set_id = take(*ALL)
    put("new")
    os.makedirs(TREE, exist_ok=True)
    before = {member["device"]: checksum(member["device"]) for member in describe(f"/org/quiesced1/set/{set_id}")["members"]}
    try:
        mounted = json.loads(run("quiescectl", "mount", "--json", set_id, TREE))
        expect({mount["volume"]: mount["path"] for mount in mounted} == {folder: TREE + folder for folder in ALL}, f"{mounted}")
        for folder in ALL:
            expect(seen(folder) == "old", f"{folder}: {seen(folder)}")
            with open(f"{folder}/mounted", encoding="utf-8") as file:
                expect(file.read() == "new", f"the origin {folder} shows its snapshot")
            done = run("touch", f"{TREE}{folder}/write", check=False)
            expect("Read-only" in done.stderr, f"{folder} can be written to: {done.stderr}")
        expect(sorted(os.listdir(f"{TREE}/srv")) == ["btrfs", "ext4", "lun", "xfs"], f"{os.listdir(f'{TREE}/srv')}")
        again = run("quiescectl", "mount", set_id, TREE, check=False)
        expect("mounted already" in again.stderr, f"it is mounted twice: {again.stdout}{again.stderr}")
        busy = run("quiescectl", "delete", set_id, check=False)
        expect("Error.Busy" in busy.stderr, f"a mounted set was deleted: {busy.stdout}{busy.stderr}")
    finally:
        unmounted = json.loads(run("quiescectl", "umount", "--json", set_id))
    expect([entry["set"] for entry in unmounted] == [set_id] and set(unmounted[0]["paths"]) == {TREE, *(TREE + folder for folder in ALL)}, f"{unmounted}")
    expect(layers() == [], f"left: {layers()}")
    expect(os.listdir(TREE) == [], f"left in the folder: {os.listdir(TREE)}")
    for device, sum_before in before.items():
        expect(checksum(device) == sum_before, f"{device} was written to")
    expect("deleted" in run("quiescectl", "delete", set_id), "it is not deleted")


@case("a mount that fails half-way leaves nothing mounted")
def snapshot_mount_half_way():
    set_id = take("/srv/ext4", "/srv/btrfs")
    os.makedirs(TREE, exist_ok=True)
    os.rename("/usr/bin/btrfstune", "/usr/bin/btrfstune.away")
    try:
        done = run("quiescectl", "mount", set_id, TREE, check=False)
    finally:
        os.rename("/usr/bin/btrfstune.away", "/usr/bin/btrfstune")
    expect("Install btrfs-progs" in done.stderr, f"{done.stdout}{done.stderr}")
    expect(layers() == [] and os.listdir(TREE) == [], f"left: {layers()} {os.listdir(TREE)}")
    run("quiescectl", "delete", set_id)


@case("a set whose manifest is lost is rebuilt from its logical volumes when the daemon starts, and can be mounted and deleted")
def snapshot_mount_rebuilt():
    put("old")
    set_id = take("/srv/ext4", "/srv/xfs")
    thin = next(member["snapshot"] for member in describe(f"/org/quiesced1/set/{set_id}")["members"] if member["volume"] == "/srv/xfs")
    put("new")
    run("systemctl", "stop", "quiesced")
    os.unlink(f"/var/lib/quiesced/sets/{set_id}.json")
    # As after a reboot: LVM leaves thin snapshots inactive.
    run("lvchange", "-qq", "-an", thin)
    run("systemctl", "start", "quiesced")
    deadline = time.monotonic() + 120
    while set_id not in run("quiescectl", "sets"):
        expect(time.monotonic() < deadline, "it is not rebuilt")
        time.sleep(0.5)
    manifest = describe(f"/org/quiesced1/set/{set_id}")
    expect(manifest["consistency"] == "crash" and "lost" in manifest["notes"][0], f"{manifest}")
    os.makedirs(TREE, exist_ok=True)
    try:
        run("quiescectl", "mount", set_id, TREE)
        for folder in ("/srv/ext4", "/srv/xfs"):
            expect(seen(folder) == "old", f"{folder}: {seen(folder)}")
    finally:
        run("quiescectl", "umount", set_id)
    run("quiescectl", "delete", set_id)
