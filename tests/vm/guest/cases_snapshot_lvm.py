# SPDX-License-Identifier: LGPL-2.1-or-later
"""One set over every kind of logical volume that LVM takes snapshots of."""
import contextlib
import json
import os

from storage import run

from harness import case, expect

DISK = "/dev/disk/by-id/virtio-spare"
GROUP = "kinds"
TREE = "/run/tree"
SIZE = "48M"
# What lvcreate is told, by the name of the LV. raid6 and raid10 want more disks than there are kinds of them: partitions do.
THICK = {
    "linear": [],
    "striped": ["--stripes", "2"],
    "mirror": ["--type", "mirror", "--mirrors", "1", "--nosync"],
    "raid1": ["--type", "raid1", "--nosync"],
    "raid5": ["--type", "raid5", "--stripes", "2", "--nosync"],
    "raid6": ["--type", "raid6", "--stripes", "3"],
    "raid10": ["--type", "raid10", "--stripes", "2", "--nosync"],
    "cached": [],
}
THIN = ("thin1", "thin2", "external")


def lv(name):
    return f"/dev/{GROUP}/{name}"


@contextlib.contextmanager
def volumes():
    """Yields the mount points of a file system on each."""
    run("sh", "-c", f"(echo label: gpt; yes size=600M | head -n 6) | sfdisk -q {DISK}")
    run("udevadm", "settle")
    folders = [f"/srv/{name}" for name in (*THICK, *THIN)]
    try:
        run("vgcreate", "-qq", "-y", GROUP, *(f"{DISK}-part{number}" for number in range(1, 7)))
        for name, words in THICK.items():
            run("lvcreate", "-qq", "-y", "-n", name, "-L", SIZE, *words, GROUP)
        run("lvcreate", "-qq", "-y", "--type", "cache-pool", "-n", "fast", "-L", "16M", GROUP)
        run("lvconvert", "-qq", "-y", "--type", "cache", "--cachepool", f"{GROUP}/fast", f"{GROUP}/cached")
        for pool, thin in (("pool1", "thin1"), ("pool2", "thin2")):
            run("lvcreate", "-qq", "-y", "--type", "thin", "--thinpool", f"{GROUP}/{pool}", "-L", "64M", "-V", SIZE, "-n", thin)
        # A thin volume over an LV outside of its pool, which it only reads.
        run("lvcreate", "-qq", "-y", "-n", "base", "-L", SIZE, GROUP)
        run("mkfs.ext4", "-q", lv("base"))
        run("lvchange", "-qq", "-an", f"{GROUP}/base")
        run("lvchange", "-qq", "-pr", f"{GROUP}/base")
        run("lvcreate", "-qq", "-y", "-s", "--thinpool", f"{GROUP}/pool1", "-n", "external", f"{GROUP}/base")
        run("lvchange", "-qq", "-ay", "-K", f"{GROUP}/external")
        for folder in folders:
            name = os.path.basename(folder)
            if name != "external":
                run("mkfs.ext4", "-q", "-E", "nodiscard", lv(name))
            os.makedirs(folder, exist_ok=True)
            run("mount", lv(name), folder)
        yield folders
    finally:
        for folder in folders:
            run("umount", folder, check=False)
        run("vgremove", "-qq", "-ff", "-y", GROUP)
        run("pvremove", "-qq", "-y", *(f"{DISK}-part{number}" for number in range(1, 7)))
        run("wipefs", "-q", "-a", DISK)
        run("partx", "-d", DISK, check=False)


def put(folders, text):
    for folder in folders:
        with open(f"{folder}/content", "w", encoding="ascii") as file:
            file.write(text)


@case("one set over linear, striped, mirror, RAID 1, 5, 6, 10, cached, thin of two pools and with an external origin; what snapshots there were are kept")
def snapshot_lvm_kinds():
    with volumes() as folders:
        put(folders, "older")
        run("sync")
        run("lvcreate", "-qq", "-y", "-s", "-n", "older", "-L", "16M", f"{GROUP}/linear")
        run("lvcreate", "-qq", "-y", "-s", "-n", "olderthin", f"{GROUP}/thin1")
        run("lvchange", "-qq", "-ay", "-K", f"{GROUP}/olderthin")
        put(folders, "old")
        manifest = json.loads(run("quiescectl", "snapshot", "--store", "16M", "--json", *folders))
        expect(manifest["consistency"] == "filesystem", manifest["consistency"])
        put(folders, "new")
        os.makedirs(TREE, exist_ok=True)
        try:
            run("quiescectl", "mount", manifest["id"], TREE)
            for folder in folders:
                with open(f"{TREE}{folder}/content", encoding="ascii") as file:
                    expect((text := file.read()) == "old", f"{folder}: {text}")
            for name in ("older", "olderthin"):
                run("mount", "-o", "ro", lv(name), "/mnt")
                with open("/mnt/content", encoding="ascii") as file:
                    text = file.read()
                run("umount", "/mnt")
                expect(text == "older", f"{name}: {text}")
        finally:
            run("quiescectl", "umount", manifest["id"])
            run("quiescectl", "delete", manifest["id"])
        left = run("lvs", "--noheadings", "-o", "lv_name", "-S", "lv_tags=quiesced", GROUP).split()
        expect(left == [], f"left: {left}")
        state = run("lvs", "--noheadings", "-o", "lv_name", "-S", "lv_active=active", GROUP).split()
        expect(set(state) >= {*THICK, *THIN, "older", "olderthin"}, f"{state}")
