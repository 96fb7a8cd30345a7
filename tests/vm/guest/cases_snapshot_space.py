# SPDX-License-Identifier: LGPL-2.1-or-later
"""A copy-on-write store that fills up under load: told of at its levels, and the set marked when it is lost."""
import json
import os
import subprocess
import time

from storage import run

from harness import SET_INTERFACE, case, describe, expect


class Signals:
    """What a set says on the bus, heard by busctl."""
    def __enter__(self):
        self._monitor = subprocess.Popen(["busctl", "monitor", "--json=short", f"--match=type='signal',interface='{SET_INTERFACE}'"],
                                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        os.set_blocking(self._monitor.stdout.fileno(), False)
        self.heard = []
        time.sleep(1)
        return self

    def __exit__(self, *_):
        self._monitor.kill()
        self._monitor.wait()

    def wait_for(self, member, seconds):
        deadline = time.monotonic() + seconds
        while member not in [signal["member"] for signal in self.heard]:
            expect(time.monotonic() < deadline, f"no {member} within {seconds} s, but {[signal['member'] for signal in self.heard]}")
            line = self._monitor.stdout.readline()
            if line.startswith("{"):
                self.heard.append(json.loads(line))
            elif not line:
                time.sleep(0.1)

    def levels(self):
        return [signal["payload"]["data"][1] for signal in self.heard if signal["member"] == "SpaceLow"]


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
