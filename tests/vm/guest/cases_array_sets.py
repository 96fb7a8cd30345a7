# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sets over real LUNs by the plugin targetd: iSCSI with CHAP over two portals, multipath, partitions and LVM on top; the array is
asked itself what it holds."""
import json
import os

from harness import case, delete_all_sets, expect, wait_for
from san import PASSWORD, POOL, SAN, VOLUMES, write
from storage import run

TEXT = "written before the cut\n"


def check_plugin(*names, only=""):
    """Whole sets over these LUNs by the conformance suite, or its checks with this text; the program is the installed one."""
    folder = "/run/san-check"
    os.makedirs(f"{folder}/credentials", exist_ok=True)
    write(f"{folder}/credentials/box", PASSWORD)
    done = run("env", f"CREDENTIALS_DIRECTORY={folder}/credentials", "quiesced-plugin-check", "--stderr", f"{folder}/errors",
               *(["--only", only] if only else []), *(word for name in names for word in ("--wwid", SAN.luns[name])), "--",
               "/usr/libexec/quiesced/quiesced-plugin-targetd", f"--runtime-directory={folder}", check=False)
    lines = done.stdout.splitlines()
    for line in lines:
        if not line.startswith("ok "):
            print(f"  {line}")
    expect(done.returncode == 0, next((line for line in lines if line.startswith("not ok")), f"{done}"))


def mark(volume):
    with open(f"{volume}/mark", "w", encoding="ascii") as file:
        file.write(TEXT)


def check_mounted(device, file_system, folder="/run/san-view"):
    """The snapshot is a file system in order, with what was there."""
    os.makedirs(folder, exist_ok=True)
    run("mount", "-o", "ro,nouuid" if file_system == "xfs" else "ro", device, folder)
    try:
        with open(f"{folder}/mark", encoding="ascii") as file:
            expect(file.read() == TEXT, "it is not what was written before the cut")
    finally:
        run("umount", folder)
    # XFS after its log was replayed by the mount: a frozen XFS has what it needs for that in its log.
    run(*{"ext4": ("e2fsck", "-f", "-n", device), "xfs": ("xfs_repair", "-n", device)}[file_system])


def multipath_of(wwid):
    """(/dev/dm-N, number of paths) of a LUN."""
    for name in os.listdir("/sys/block"):
        uuid = f"/sys/block/{name}/dm/uuid"
        if os.path.exists(uuid) and open(uuid, encoding="ascii").read().strip() == f"mpath-3{wwid.removeprefix('naa.')}":
            return f"/dev/{name}", len(os.listdir(f"/sys/block/{name}/slaves"))
    return "", 0


@case("The SAN of the guest: CHAP, two portals, multipath, a partition, LVM on a partition")
def array_set_up():
    SAN.set_up()
    for name in ("part", "lvm"):
        print(f"  {name}: {SAN.luns[name]} as {SAN.device(name)} over {SAN.paths(name)}")


@case("A set over LUNs comes back as LUNs with WWIDs of their own, is mounted and checked, and leaves nothing")
def array_set():
    for volume in VOLUMES:
        mark(volume)
    manifest = json.loads(run("quiescectl", "snapshot", "--json", *VOLUMES))
    members = {member["volume"]: member for member in manifest["members"]}
    expect(manifest["consistency"] == "filesystem", "it is not consistent")
    expect({member["provider"] for member in members.values()} == {"targetd"}, f"{members}")
    snapshots = {volume: json.loads(members[volume]["reference"])["snapshots"][0] for volume in VOLUMES}
    wwids = {entry["wwid"] for entry in snapshots.values()}
    expect(len(wwids) == 2 and not wwids & set(SAN.luns.values()), f"{wwids}")
    expect(len(SAN.copies()) == 4, f"not two volumes and two exports: {SAN.copies()}")
    for wwid in wwids:
        wait_for("second path of a snapshot", lambda wwid=wwid: multipath_of(wwid)[1] == 2)
    check_mounted(members[VOLUMES[0]]["device"], "ext4")
    # Behind LVM there is no path to mount: the group has its origin's name and must be given another.
    expect(members[VOLUMES[1]]["device"] == "", f"{members}")
    run("kpartx", "-a", "-s", multipath_of(snapshots[VOLUMES[1]]["wwid"])[0])
    run("vgimportclone", "-n", "sancopy", f"/dev/disk/by-id/wwn-0x{snapshots[VOLUMES[1]]['wwid'].removeprefix('naa.')}-part1")
    run("vgchange", "-qq", "-ay", "sancopy")
    check_mounted("/dev/sancopy/data", "xfs")
    # It is in use: nothing of the set may go.
    refused = run("quiescectl", "delete", manifest["id"], check=False)
    expect(refused.returncode == 1 and "is in use: sancopy-data lies on it" in refused.stderr, f"{refused}")
    expect(len(SAN.copies()) == 4, f"something of it is gone: {SAN.copies()}")
    run("vgchange", "-qq", "-an", "sancopy")
    delete_all_sets()
    expect(SAN.copies() == [], f"left on the array: {SAN.copies()}")
    wait_for("an end of the snapshots' multipath devices", lambda: not any(multipath_of(wwid)[0] for wwid in wwids))


@case("quiescectl plugins: version, capabilities, LUNs and the last latency of each method")
def array_plugins():
    plugins = {plugin["Name"]: plugin for plugin in json.loads(run("quiescectl", "plugins", "--json"))}
    print(run("quiescectl", "plugins", "--known"))
    plugin = plugins["targetd"]
    expect(plugin["State"] == "ready" and plugin["Version"] and "map" in plugin["Capabilities"], f"{plugin}")
    expect({(lun["wwid"], lun["array_volume"]) for lun in plugin["Luns"]} == {(SAN.luns[name], f"box:{POOL}/{name}") for name in ("part", "lvm")}, f"{plugin}")
    took = {entry["method"]: entry["took_us"] for entry in plugin["Calls"]}
    expect({"describe", "claim", "prepare", "commit", "finish", "delete"} <= took.keys() and all(took.values()), f"{took}")
    expect([lun["array_volume"] for lun in plugins["exec"]["Luns"]] == ["lun0"], f"{plugins['exec']}")


@case("The conformance suite's checks of whole sets pass over LUNs of LVM and LIO, and leave nothing")
def array_conformance():
    # One LUN: each copy is an lvcreate in this guest, and commit has five seconds. All 30 checks take it four minutes.
    check_plugin("part", only="set")
    expect(SAN.copies() == [], f"left on the array: {SAN.copies()}")
