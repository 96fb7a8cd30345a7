# SPDX-License-Identifier: LGPL-2.1-or-later
"""Snapshots of device-mapper devices that are not LVM's: linear, LUKS, a partition that kpartx made."""
import contextlib
import json
import os
import subprocess
import time

from storage import DemoError, run

from bus_signals import Signals
from cases_snapshot_diff import check_backup, diff
from harness import (Background, case, create, delete_all_sets, describe, expect, final_state, main_pid, refuse, step, wait_for_no_leaks,
                     wait_for_new_daemon, wait_for_state, writable_all)
from own_group import write_file
from points_freezer import points_freezer, stop_at, wait_reached
import cases_points

DISK = "/dev/disk/by-id/virtio-spare"
GROUP = "stores"
TREE = "/run/tree"
SETTINGS = "/etc/quiesced/quiesced.conf.d/50-dm.conf"
LINEAR, LUKS, PARTITION, PLAIN = "/srv/dm-linear", "/srv/dm-luks", "/srv/dm-part", "/srv/dm-plain"
ALL = [LINEAR, LUKS, PARTITION]
ORIGINS = {LINEAR: "dmlinear", LUKS: "dmluks", PARTITION: "dmwhole-part1"}
PASS = b"a passphrase for a throw-away guest"
# In the order of the window. Chains of these devices alone have nothing to prime.
POINTS = ["all-frozen", "fire", "suspended", "cut", "fired", "unprime"]


def part(number):
    return f"{DISK}-part{number}"


def configure(group, more=""):
    os.makedirs(os.path.dirname(SETTINGS), exist_ok=True)
    with open(SETTINGS, "w", encoding="ascii") as file:
        file.write(f"[dm]\nstore_group = {group}\n{more}")
    run("systemctl", "reload", "quiesced")


def luks(*words):
    done = subprocess.run(["cryptsetup", "-q", "--key-file", "-", *words], input=PASS, capture_output=True, check=False)
    expect(done.returncode == 0, f"cryptsetup {words}: {done.stderr.decode()}")


def make_origins(luks_type):
    run("sh", "-c", f"printf 'label: gpt\nsize=1000M\nsize=64M\nsize=96M\nsize=200M\nsize=64M\n' | sfdisk -q {DISK}")
    run("udevadm", "settle")
    run("vgcreate", "-qq", "-y", GROUP, part(1))
    sectors = {number: int(run("blockdev", "--getsz", part(number))) for number in (2, 4)}
    run("dmsetup", "create", "dmlinear", "--table", f"0 {sectors[2]} linear {os.path.realpath(part(2))} 0")
    if luks_type == "luks1":
        luks("luksFormat", "--type", "luks1", "--pbkdf-force-iterations", "1000", part(3))
    else:
        luks("luksFormat", "--type", "luks2", "--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", part(3))
    luks("open", part(3), "dmluks")
    run("dmsetup", "create", "dmwhole", "--table", f"0 {sectors[4]} linear {os.path.realpath(part(4))} 0")
    run("sh", "-c", "printf 'label: gpt\nsize=64M\n' | sfdisk -q /dev/mapper/dmwhole")
    run("kpartx", "-a", "-s", "-p", "-part", "/dev/mapper/dmwhole")
    run("udevadm", "settle")


def remove_origins():
    for folder in (*ALL, PLAIN):
        run("umount", folder, check=False)
    run("kpartx", "-d", "-p", "-part", "/dev/mapper/dmwhole", check=False)
    run("cryptsetup", "close", "dmluks", check=False)
    for name in ("dmwhole-part1", "dmwhole", "dmlinear"):
        run("dmsetup", "remove", "--retry", name, check=False)
    run("vgremove", "-qq", "-ff", "-y", GROUP, check=False)
    run("pvremove", "-qq", "-y", part(1), check=False)
    run("wipefs", "-q", "-a", *(part(number) for number in range(1, 6)), check=False)
    run("wipefs", "-q", "-a", DISK)
    run("partx", "-d", DISK, check=False)


@contextlib.contextmanager
def origins(luks_type="luks1"):
    """Yields the tables of the origins, to be the same again at the end."""
    try:
        make_origins(luks_type)
        for folder, name in ORIGINS.items():
            run("mkfs.ext4", "-q", "-E", "nodiscard", f"/dev/mapper/{name}")
            os.makedirs(folder, exist_ok=True)
            run("mount", f"/dev/mapper/{name}", folder)
        configure(GROUP)
        before = tables()
        yield before
        expect_untouched(before)
    finally:
        delete_all_sets()
        run("rm", "-f", SETTINGS)
        run("systemctl", "reload", "quiesced")
        remove_origins()


def links(name):
    """Under which names udev shows a device."""
    return sorted(word for word in run("udevadm", "info", "--query", "symlink", f"/sys/class/block/{kernel_name(name)}").split() if os.path.exists(f"/dev/{word}"))


def kernel_name(name):
    return "dm-" + run("dmsetup", "info", "-c", "--noheadings", "-o", "minor", name).strip()


def tables():
    """The origins' own tables, key and all, and their names."""
    return {name: run("dmsetup", "table", "--showkeys", name) for name in ORIGINS.values()} | {f"{name} in /dev": links(name) for name in ORIGINS.values()}


def left():
    """What is there and would not be, had there never been a set."""
    listed = run("dmsetup", "info", "-c", "--noheadings", "--separator", " ", "-o", "name,uuid,attr", check=False)
    if listed.returncode != 0:
        return ["a device that has gone while dmsetup looked at it"]
    found = [line for line in listed.stdout.splitlines() if "QUIESCED-dm-" in line or "I" in line.rsplit(" ", 1)[1]]
    return found + run("lvs", "--noheadings", "-o", "vg_name,lv_name", "@quiesced").split("\n")[:-1]


def expect_untouched(before):
    expect(not left(), f"left: {left()}")
    expect(tables() == before, "an origin has not got its own table back")


def wait_untouched(before, seconds=30):
    """What the next daemon removes takes it a moment."""
    deadline = time.monotonic() + seconds
    while left() or tables() != before:
        expect(time.monotonic() < deadline, f"left: {left()}; {[name for name, table in tables().items() if table != before[name]]} has another table")
        time.sleep(0.2)


def put(folders, text):
    for folder in folders:
        with open(f"{folder}/content", "w", encoding="ascii") as file:
            file.write(text)
    run("sync")


def take(*folders, store="32M"):
    manifest = json.loads(run("quiescectl", "snapshot", "--store", store, "--json", *folders))
    expect(manifest["consistency"] == "filesystem", manifest["consistency"])
    return manifest


@contextlib.contextmanager
def mounted(set_id):
    os.makedirs(TREE, exist_ok=True)
    run("quiescectl", "mount", set_id, TREE)
    try:
        yield
    finally:
        run("quiescectl", "umount", set_id)


def seen(folder, name="content"):
    with open(f"{TREE}{folder}/{name}", encoding="ascii") as file:
        return file.read()


class Counter:
    """Writes 1, 2, ... into every folder, one folder after another: what is of one moment differs by one at most."""
    BODY = """
import itertools, os, sys
for number in itertools.count(1):
    for folder in sys.argv[1:]:
        fd = os.open(folder + "/counter", os.O_WRONLY | os.O_CREAT)
        os.pwrite(fd, b"%08d" % number, 0)
        os.fsync(fd)
        os.close(fd)
"""

    def __init__(self, folders):
        self._folders = folders

    def __enter__(self):
        self._writer = subprocess.Popen(["python3", "-c", self.BODY, *self._folders], stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not all(os.path.exists(f"{folder}/counter") for folder in self._folders):
            expect(time.monotonic() < deadline, "the writer does not begin")
            time.sleep(0.05)

    def __exit__(self, *_):
        self._writer.kill()
        self._writer.wait()


def expect_key_nowhere():
    key = run("dmsetup", "table", "--showkeys", real_of("dmluks") or "dmluks").split()[4]
    expect(len(key) >= 64 and set(key) <= set("0123456789abcdef"), "that is no key: the search proves nothing")
    found = run("grep", "-rlF", key, "/var/lib/quiesced", "/run/quiesced", "/run/udev", "/run/lvm", "/etc/lvm", "/etc/quiesced", check=False).stdout
    expect(not found, f"the key is in {found}")
    expect(key not in run("journalctl", "-q", "-b", "--no-pager"), "the key is in the journal")
    return key


def real_of(name):
    """The device that has the table of an origin with snapshots."""
    words = run("dmsetup", "table", name).split()
    if words[2] != "snapshot-origin":
        return None
    with open(f"/sys/dev/block/{words[3]}/dm/name", encoding="ascii") as file:
        return file.read().strip()


@case("one set over a linear device, LUKS, a partition by kpartx and a thick LV: one moment, the key nowhere, and the tables are back after Delete")
def snapshot_dm_kinds():
    folders = [*ALL, "/srv/ext4"]
    with origins() as before:
        put(folders, "old")
        with Counter(folders):
            time.sleep(1)
            manifest = take(*folders)
        providers = {member["volume"]: member["provider"] for member in manifest["members"]}
        expect(providers == {LINEAR: "dm", LUKS: "dm", PARTITION: "dm", "/srv/ext4": "lvm"}, f"{providers}")
        put(folders, "new")
        for name in ORIGINS.values():
            expect(run("dmsetup", "table", "--showkeys", real_of(name)) == before[name], f"{name}: its own table is not that of the device below")
        key = expect_key_nowhere()
        expect(key not in json.dumps(manifest), "the key is in the manifest")
        with mounted(manifest["id"]):
            counts = [int(seen(folder, "counter")) for folder in folders]
            expect(counts[0] - 1 <= counts[-1] and counts == sorted(counts, reverse=True), f"not of one moment: {counts}")
            for folder in folders:
                expect(seen(folder) == "old", f"{folder}: {seen(folder)}")
            refused = run("quiescectl", "delete", manifest["id"], check=False)
            expect(refused.returncode != 0 and "Busy" in refused.stderr, f"{refused.stdout}{refused.stderr}")
        links = run("sh", "-c", "ls -l /dev/disk/by-uuid /dev/disk/by-label /dev/disk/by-partuuid 2>/dev/null || true")
        for member in manifest["members"][:3]:
            expect("/" + os.path.basename(os.path.realpath(member["device"])) + "\n" not in links, f"{member['device']} took the place of its origin in /dev/disk")
        run("quiescectl", "delete", manifest["id"])
        expect_untouched(before)
        expect_key_nowhere()
        for folder in ALL:
            with open(f"{folder}/content", encoding="ascii") as file:
                expect(file.read() == "new", "the origin lost something")


@case("a set over device-mapper devices that is aborted in any state gives the tables back")
def snapshot_dm_aborted():
    with origins() as before:
        for steps in ([], ["Prepare"], ["Prepare", "Freeze"], ["Prepare", "Freeze", "Snapshot"]):
            path = create(*ALL, store="32M")
            for method in steps:
                step(path, method)
            step(path, "Abort")
            wait_for_state(path, "failed")
            wait_untouched(before)
            expect(writable_all(ALL, 5), f"frozen after an abort after {steps}")
            delete_all_sets()


def lose_at(point, lost, before):
    daemon = main_pid()
    stop_at(point)
    path = create(*ALL, deadline_ms=60000, store="32M")
    caller = Background(cases_points.given_up if point == "unprime" else cases_points.whole_window, path)
    freezer = wait_reached(point)
    cases_points.kill(lost, freezer, daemon)
    expect(writable_all(ALL, 15), "something is still frozen or suspended after 15 s")
    if lost == "freezer":
        with contextlib.suppress(DemoError):  # it may fail, and after the cut it may succeed
            caller.result(60)
        if final_state(path) == "complete":
            expect(describe(path)["consistency"] == "filesystem", "a set that was not cut as a whole is complete")
        delete_all_sets()
    else:
        wait_for_new_daemon(daemon)
        caller.end(30)
    wait_untouched(before)


def lose_everywhere(lost):
    with origins() as before, points_freezer():
        for point in POINTS:
            try:
                lose_at(point, lost, before)
            except DemoError as error:
                raise DemoError(f"at '{point}': {error}") from error


@case("kill -9 of the freezer at each point of a window over device-mapper devices leaves nothing behind")
def snapshot_dm_freezer_killed():
    lose_everywhere("freezer")


@case("kill -9 of the daemon at each point of a window over device-mapper devices leaves nothing behind")
def snapshot_dm_daemon_killed():
    lose_everywhere("daemon")


@case("kill -9 of both at each point of a window over device-mapper devices leaves nothing behind")
def snapshot_dm_both_killed():
    lose_everywhere("both")


@case("kill -9 of the daemon while a set is prepared: the next one removes what was armed, and drops what was loaded")
def snapshot_dm_daemon_killed_prepared():
    with origins() as before:
        path = create(*ALL, store="32M")
        step(path, "Prepare")
        expect(left() and tables() == before, "nothing is armed: the case proves nothing")
        daemon = main_pid()
        os.kill(daemon, 9)
        wait_for_new_daemon(daemon)
        wait_untouched(before)


@case("two sets over the same devices: each shows its own moment, also after the first is deleted")
def snapshot_dm_two_sets():
    with origins() as before:
        put(ALL, "one")
        first = take(*ALL)
        put(ALL, "two")
        second = take(*ALL)
        put(ALL, "three")
        for manifest, text in ((first, "one"), (second, "two")):
            with mounted(manifest["id"]):
                expect([seen(folder) for folder in ALL] == [text] * 3, f"{text}: {[seen(folder) for folder in ALL]}")
        run("quiescectl", "delete", first["id"])
        put(ALL, "four")
        with mounted(second["id"]):
            expect([seen(folder) for folder in ALL] == ["two"] * 3, f"after the first is gone: {[seen(folder) for folder in ALL]}")
        run("quiescectl", "delete", second["id"])
        expect_untouched(before)


@case("a table that is exchanged while the set is prepared fails the set and stays")
def snapshot_dm_table_exchanged():
    with origins() as before:
        path = create(LINEAR, store="32M")
        step(path, "Prepare")
        changed = before["dmlinear"].strip()
        run("dmsetup", "reload", "dmlinear", "--table", changed)
        run("dmsetup", "resume", "dmlinear")
        try:
            step(path, "Take")
        except DemoError as error:
            expect("another table" in str(error), f"{error}")
        else:
            expect(False, "the set is complete, and nothing goes through its snapshot")
        wait_untouched(before)


@case("a store that is full loses the snapshot alone: the set says so, the origin goes on, and Delete gives its table back")
def snapshot_dm_store_full():
    with origins() as before:
        manifest = take(LINEAR, store="8M")
        run("dd", "if=/dev/urandom", f"of={LINEAR}/fill", "bs=1M", "count=20", "conv=fsync", "status=none")
        path = f"/org/quiesced1/set/{manifest['id']}"
        deadline = time.monotonic() + 90
        while describe(path)["consistency"] != "lost":
            expect(time.monotonic() < deadline, "the set does not say that it is lost")
            time.sleep(0.5)
        refused = run("quiescectl", "mount", manifest["id"], "/mnt", check=False)
        expect("Error.NoSpace" in refused.stderr, f"{refused.stdout}{refused.stderr}")
        run("quiescectl", "delete", manifest["id"])
        os.unlink(f"{LINEAR}/fill")
        expect_untouched(before)


@case("a store of a device-mapper device that would overflow is extended in time, and diff names what was written between two sets; both in chunks as configured")
def snapshot_dm_extended():
    with origins():
        configure(GROUP, "[space]\nchunk_size = 16K\nextend_at = 50\nextend_by = 100\n")
        put([LINEAR], "old")
        first = take(LINEAR, "/srv/ext4", store="16M")
        expect(run("dmsetup", "table", os.path.basename(first["members"][0]["device"])).split()[-2:] == ["P", "32"], "the store of the dm provider has other chunks")
        expect(run("lvs", "--noheadings", "-o", "chunk_size", "--units", "k", first["members"][1]["snapshot"]).strip() == "16.00k", "LVM's store has other chunks")
        run("quiescectl", "delete", first["id"])
        first = take(LINEAR, store="16M")
        with Signals() as signals:
            write_file(f"{LINEAR}/first", 10 << 20)  # more than half of the store
            signals.wait_for("SpaceExtended", 30)
            write_file(f"{LINEAR}/second", 14 << 20)  # and with that more than all of what it was
            step(f"/org/quiesced1/set/{first['id']}", "Map")  # a store that overflowed is refused
        expect("SnapshotLost" not in [signal["member"] for signal in signals.heard], "it is lost")
        second = take(LINEAR, store="16M")
        put([LINEAR], "new")
        for one, other in ((first["id"], second["id"]), (second["id"], "-")):
            answer, found = diff(one, other, LINEAR)
            expect(answer["chunk"] == 16384 and answer["ranges"] and all(start % 16384 == 0 and length % 16384 == 0 for start, length in found), f"{answer}")
            if other != "-":
                expect(sum(entry["length"] for entry in answer["ranges"]) >= 24 << 20, f"less than was written: {answer}")
                check_backup(answer)
        with mounted(first["id"]):
            expect(seen(LINEAR) == "old" and not os.path.exists(f"{TREE}{LINEAR}/first"), "the snapshot shows something else")
        for manifest in (second, first):
            run("quiescectl", "delete", manifest["id"])


@case("what device-mapper cannot do is refused with the reason and what to do: no group, no room, a plain partition, a key in a keyring")
def snapshot_dm_refusals():
    with origins("luks2") as before:
        refuse("NoProvider", LUKS, says=("keyring", "cryptsetup refresh --disable-keyring dmluks", "'host'"))
        run("mkfs.ext4", "-q", part(5))
        os.makedirs(PLAIN, exist_ok=True)
        run("mount", part(5), PLAIN)
        refuse("NoProvider", PLAIN, says=("a plain partition", "'host'"))
        run("lvcreate", "-qq", "-y", "-n", "hog", "-l", "100%FREE", GROUP)
        refuse("NoSpace", LINEAR, PARTITION, says=(GROUP, "dmlinear, dmwhole-part1"))
        run("lvremove", "-qq", "-y", f"{GROUP}/hog")
        configure("")
        refuse("NoProvider", LINEAR, says=("store_group", "'host'"))
        configure("nowhere")
        refuse("LvmFailed", LINEAR, says=("nowhere",))
        configure(GROUP)
        expect_untouched(before)
        # And what it says to do helps.
        luks("refresh", "--disable-keyring", "dmluks")
        before.update(tables())
        put([LUKS], "old")
        manifest = take(LUKS)
        put([LUKS], "new")
        with mounted(manifest["id"]):
            expect(seen(LUKS) == "old", seen(LUKS))
        expect_key_nowhere()
        reverted = run("quiescectl", "revert", "--yes", manifest["id"], check=False)
        expect(reverted.returncode != 0 and "a merge that a reboot cuts off could not go on" in reverted.stderr, f"{reverted.stdout}{reverted.stderr}")
        run("quiescectl", "delete", manifest["id"])
        wait_for_no_leaks(0)
