# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guest's part of tests/bench/snapshot: volumes, contestants, figures."""
import argparse
import json
import os
import platform
import statistics
import time

from installation import install
from storage import DemoError, run

import origin_cost

GROUP = "bench"
DISKS = ("/dev/disk/by-id/virtio-bench1", "/dev/disk/by-id/virtio-bench2")
SIZE_MIB = 96
DIRTY_MIB = 4


def make_volumes(count):
    """Half of them thick, half of them thin; the first 8 have 4 of each. Returns their mount points."""
    run("vgcreate", "-qq", GROUP, *DISKS)
    run("lvcreate", "-qq", "-y", "--type", "thin-pool", "-L", "2G", "-n", "pool", GROUP)
    folders = []
    for index in range(count):
        kind = ["--type", "thin", "--thinpool", "pool", "-V"] if index % 2 else ["-L"]
        run("lvcreate", "-qq", "-y", "-n", f"v{index}", *kind, f"{SIZE_MIB}M", GROUP)
        run("mkfs.ext4", "-q", "-E", "nodiscard,lazy_itable_init=0", f"/dev/{GROUP}/v{index}")
        folders.append(f"/srv/v{index}")
        os.makedirs(folders[-1])
        run("mount", f"/dev/{GROUP}/v{index}", folders[-1])
    return folders


def make_dirty(folders):
    """New data in each, not yet on its disk."""
    for folder in folders:
        with open(f"{folder}/data", "wb") as file:
            file.write(os.urandom(DIRTY_MIB << 20))


def length(manifest, what):
    return sum(span["length_ms"] for span in manifest["timeline"] if span["what"] == what)


def quiesced(folders):
    make_dirty(folders)
    manifest = json.loads(run("quiescectl", "snapshot", "--json", *folders))
    if manifest["consistency"] != "filesystem":
        raise DemoError(f"a set is worth {manifest['consistency']}")
    run("quiescectl", "delete", manifest["id"])
    return {"window_ms": manifest["window_ms"], "fire_ms": length(manifest, "fire"), "freeze_ms": length(manifest, "freeze"),
            "thaw_ms": length(manifest, "thaw"), "arm_ms": length(manifest, "arm")}


def lvcreate(folders):
    """As an admin's script would: one after another. LVM freezes and flushes each by itself."""
    make_dirty(folders)
    names = [os.path.basename(folder) for folder in folders]
    begun = time.monotonic()
    for index, name in enumerate(names):
        run("lvcreate", "-qq", "-y", "-s", "-n", f"s-{name}", *([] if index % 2 else ["-L", "64M"]), f"{GROUP}/{name}")
    taken = (time.monotonic() - begun) * 1000
    run("lvremove", "-qq", "-y", *(f"{GROUP}/s-{name}" for name in names))
    return taken


SNAPM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "snapm", "bin", "snapm")


def snapm(folders):
    """It makes one lvcreate after another, too, each of which freezes and thaws by itself: all of it is what the volumes are apart."""
    make_dirty(folders)
    begun = time.monotonic()
    run(SNAPM, "snapset", "create", "bench", *folders)
    taken = (time.monotonic() - begun) * 1000
    run(SNAPM, "snapset", "delete", "bench")
    return taken


def medians(runs):
    return {key: round(statistics.median(each[key] for each in runs), 3) for key in runs[0]}


def say(text):
    print(text, flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("figures")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    count = 2 if options.quick else options.runs
    install()
    folders = make_volumes(32)
    few = folders[:8]
    say(f"8 logical volumes, 4 thick and 4 thin, ext4, {DIRTY_MIB} MiB dirty in each; medians of {count} runs")
    ours = [quiesced(few) for _ in range(count)]
    us = medians(ours)
    say(f"quiesced    window {us['window_ms']:8.1f} ms, of which freezing {us['freeze_ms']:.1f}, cutting {us['fire_ms']:.1f}, thawing {us['thaw_ms']:.1f}")
    theirs = [lvcreate(few) for _ in range(count)]
    lvm = round(statistics.median(theirs), 3)
    say(f"lvcreate -s        {lvm:8.1f} ms for all, one after another: {lvm / us['window_ms']:.1f} times as long")
    third = [snapm(few) for _ in range(count)] if os.path.exists(SNAPM) else None
    us_32 = medians([quiesced(folders) for _ in range(1 if options.quick else count)])
    figures = {
        "quiesced_ms": us["window_ms"], "fire_ms": us["fire_ms"], "lvcreate_ms": lvm, "ratio": round(lvm / us["window_ms"], 1),
        "volumes": len(few), "runs": count, "quiesced": us, "quiesced_all_ms": [each["window_ms"] for each in ours],
        "lvcreate_all_ms": [round(each, 3) for each in theirs],
        "quiesced_32_ms": us_32["window_ms"], "fire_32_ms": us_32["fire_ms"], "growth": round(us_32["window_ms"] / us["window_ms"], 2), "quiesced_32": us_32,
        "snapm_ms": round(statistics.median(third), 3) if third else None, "missing": [] if third else ["snapm"],
        "kernel": platform.release(), "machine": run("systemd-detect-virt", check=False).stdout.strip(),
        "lvm": run("lvm", "version").split("\n", 1)[0].split(":")[1].strip(),
    }
    say(f"snapm              {figures['snapm_ms']:8.1f} ms" if third else "snapm       is missing here: see --snapm")
    say(f"quiesced over 32   {us_32['window_ms']:8.1f} ms, {figures['growth']} times as long as over 8; cutting {us_32['fire_ms']:.1f}")
    run("umount", *folders)
    run("vgremove", "-qq", "-ff", "-y", GROUP)
    if not options.quick:
        figures["origin_write"] = origin_cost.measure(GROUP, DISKS, say)
    with open(options.figures, "w", encoding="ascii") as file:
        json.dump(figures, file, indent=2)
        file.write("\n")


if __name__ == "__main__":
    main()
