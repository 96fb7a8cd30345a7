# SPDX-License-Identifier: LGPL-2.1-or-later
"""A copy-on-write store that fills up under load: told of at its levels, and the set marked when it is lost."""
import json
import os
import time

from storage import run

from bus_signals import Signals
from harness import case, create, describe, expect, step
from own_group import own_group, write_file


@case("a store that fills up under load is told of at its levels; full, the set is lost, cannot be mounted, and can be deleted")
def snapshot_space_store_fills():
    set_id = json.loads(run("quiescectl", "snapshot", "--store", "32M", "--json", "/srv/ext4"))["id"]
    path = f"/org/quiesced1/set/{set_id}"
    store = int(run("lvs", "--noheadings", "--nosuffix", "--units", "m", "-o", "lv_size", describe(path)["members"][0]["snapshot"]).strip().split(".")[0])
    with Signals() as signals:
        # In steps that leave the watch time to see each level.
        for number in range(store // 4 + 2):
            run("dd", "if=/dev/urandom", f"of=/srv/ext4/fill-{number}", "bs=1M", "count=4", "conv=fsync", "status=none")
            time.sleep(1)
        signals.wait_for("SnapshotLost", 60)
        levels = signals.levels()
    expect(levels and levels == sorted(set(levels)) and set(levels) <= {80, 90, 95}, f"levels {levels}")
    manifest = describe(path)
    expect((manifest["consistency"], manifest["members"][0]["consistency"]) == ("lost", "lost"), f"{manifest['consistency']}")
    expect("full" in manifest["members"][0]["error"], manifest["members"][0]["error"])
    refused = run("quiescectl", "mount", set_id, "/mnt", check=False)
    expect("Error.NoSpace" in refused.stderr, f"{refused.stdout}{refused.stderr}")
    with open("/srv/ext4/still-writable", "w", encoding="ascii") as file:
        file.write("yes")
    run("quiescectl", "delete", set_id)
    for number in range(store // 4 + 2):
        os.unlink(f"/srv/ext4/fill-{number}")


CONFIG = "/etc/quiesced/quiesced.conf.d/50-space.conf"


class Extending:
    """The daemon extends what is fuller than 50 %, by 100 %."""
    def __enter__(self):
        os.makedirs(os.path.dirname(CONFIG), exist_ok=True)
        with open(CONFIG, "w", encoding="ascii") as file:
            file.write("[space]\nextend_at = 50\nextend_by = 100\n")
        run("quiescectl", "reload")

    def __exit__(self, *_):
        os.unlink(CONFIG)
        run("quiescectl", "reload")


def lv_size(name, field="lv_size"):
    return int(run("lvs", "--noheadings", "--nosuffix", "--units", "b", "-o", field, name))


@case("a store that would overflow under load is extended in time, and the set stays good")
def snapshot_space_extended_store():
    with open("/srv/ext4/before", "w", encoding="ascii") as file:
        file.write("old")
    set_id = json.loads(run("quiescectl", "snapshot", "--store", "32M", "--json", "/srv/ext4"))["id"]
    path = f"/org/quiesced1/set/{set_id}"
    snapshot = describe(path)["members"][0]["snapshot"]
    begun, steps = lv_size(snapshot), 24
    try:
        with Extending(), Signals() as signals:
            for number in range(steps):
                run("dd", "if=/dev/urandom", f"of=/srv/ext4/fill-{number}", "bs=1M", "count=4", "conv=fsync", "status=none")
                time.sleep(1)
            signals.wait_for("SpaceExtended", 10)
        told = [signal["payload"]["data"][1] for signal in signals.heard if signal["member"] == "SpaceExtended"]
        expect(told[0]["name"]["data"] == snapshot and told[0]["from"]["data"] == begun and told[0]["to"]["data"] == 2 * begun, f"{told[0]}")
        expect(lv_size(snapshot) >= 2 * begun and steps * (4 << 20) > begun, f"{lv_size(snapshot)} after {begun}")
        expect("SnapshotLost" not in [signal["member"] for signal in signals.heard], "it is lost")
        expect(describe(path)["consistency"] == "filesystem", describe(path)["consistency"])
        os.makedirs("/run/tree", exist_ok=True)
        run("quiescectl", "mount", set_id, "/run/tree")
        try:
            with open("/run/tree/srv/ext4/before", encoding="ascii") as file:
                expect(file.read() == "old", "the snapshot shows something else")
        finally:
            run("quiescectl", "umount", set_id)
        expect("is extended from" in run("journalctl", "-q", "-b", "-u", "quiesced", "-n", "200"), "the journal does not say it")
    finally:
        run("quiescectl", "delete", set_id)
        for number in range(steps):
            if os.path.exists(f"/srv/ext4/fill-{number}"):
                os.unlink(f"/srv/ext4/fill-{number}")


@case("a thin pool with a snapshot is extended under load; while a set is frozen it waits for the thaw")
def snapshot_space_extended_pool():
    with own_group(thin="256M") as volumes:
        pool = f"{volumes.group}/pool"
        set_id = json.loads(run("quiescectl", "snapshot", "--json", volumes.thin))["id"]
        begun = lv_size(pool)
        with Extending(), Signals() as signals:
            write_file(f"{volumes.thin}/first", begun * 6 // 10)
            signals.wait_for("SpaceExtended", 30)
            expect(lv_size(pool) == 2 * begun, f"{lv_size(pool)} after {begun}")
            other = create("/srv/ext4", deadline_ms=60000)
            try:
                step(other, "Prepare")
                step(other, "Freeze")
                write_file(f"{volumes.thin}/second", begun * 6 // 10)
                time.sleep(5)
                frozen = lv_size(pool)
            finally:
                step(other, "Abort")
            expect(frozen == 2 * begun, f"{frozen} while a set is frozen")
            deadline = time.monotonic() + 30
            while lv_size(pool) == 2 * begun:
                expect(time.monotonic() < deadline, "it is not extended after the thaw")
                time.sleep(0.5)
        expect(describe(f"/org/quiesced1/set/{set_id}")["consistency"] == "filesystem", "the set is no longer good")
        run("quiescectl", "delete", set_id)
