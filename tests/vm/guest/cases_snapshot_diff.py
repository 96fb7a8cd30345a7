# SPDX-License-Identifier: LGPL-2.1-or-later
"""quiescectl diff: the ranges that were written between two sets, and a backup that copies them."""
import json
import os

from storage import run

from harness import case, describe, expect
from own_group import own_group

KIB, MIB = 1 << 10, 1 << 20
FILE_SYSTEM = 16 * MIB  # which writes to itself when it is frozen; behind it, only this test writes to the device
# (offset, length) in bytes.
BETWEEN = [(17 * MIB, 4 * KIB), (18 * MIB + 4 * KIB, 8 * KIB), (22 * MIB + 512, 512), (40 * MIB, 3 * MIB), (64 * MIB - 4 * KIB, 4 * KIB)]
LATER = [(18 * MIB, 4 * KIB), (26 * MIB, 4 * KIB), (40 * MIB, 4 * KIB)]
SAME = (30 * MIB, 64 * KIB)


def write(device, offset, length):
    with open(device, "r+b", buffering=0) as file:
        file.seek(offset)
        file.write(os.urandom(length))
        os.fsync(file.fileno())


def rewrite(device, offset, length):
    """The same bytes once more, which the snapshots copy all the same."""
    with open(device, "r+b", buffering=0) as file:
        file.seek(offset)
        old = file.read(length)
        file.seek(offset)
        file.write(old)
        os.fsync(file.fileno())


def rounded(ranges, chunk):
    """In whole chunks, sorted, merged."""
    chunks = sorted({number for offset, length in ranges for number in range(offset // chunk, (offset + length - 1) // chunk + 1)})
    merged = []
    for number in chunks:
        if merged and merged[-1][0] + merged[-1][1] == number * chunk:
            merged[-1][1] += chunk
        else:
            merged.append([number * chunk, chunk])
    return merged


def diff(*words):
    answer = json.loads(run("quiescectl", "diff", *words))
    return answer, [[entry["start"], entry["length"]] for entry in answer["ranges"] if entry["start"] >= FILE_SYSTEM]


def take(volumes):
    return json.loads(run("quiescectl", "snapshot", "--json", *volumes.all))


def check_backup(answer):
    """The first snapshot's image with the ranges of the second one is the second one."""
    image = "/var/tmp/diff.img"
    try:
        run("dd", f"if={answer['device1']}", f"of={image}", "bs=1M", "status=none")
        with open(image, "r+b") as copy, open(answer["device2"], "rb") as newer:
            for entry in answer["ranges"]:
                for file in (copy, newer):
                    file.seek(entry["start"])
                copy.write(newer.read(entry["length"]))
        run("cmp", image, answer["device2"])
    finally:
        os.unlink(image)


@case("diff names exactly the chunks that were written between two sets, of a thick and of a thin volume, and a copy by it is complete")
def snapshot_diff_ranges():
    with own_group(thick="64M", thin="64M", pool="256M") as volumes:
        volumes.unmount()
        devices = [volumes.device(folder) for folder in volumes.all]
        for device in devices:
            write(device, FILE_SYSTEM, 48 * MIB)
            run("mkfs.ext4", "-q", "-F", "-E", "nodiscard", device, str(FILE_SYSTEM // KIB))
        volumes.mount()
        first = take(volumes)
        for device in devices:
            for entry in BETWEEN:
                write(device, *entry)
            rewrite(device, *SAME)
        second = take(volumes)
        for device in devices:
            for entry in LATER:
                write(device, *entry)
        for name in volumes.all:
            answer, found = diff(first["id"], second["id"], name)
            expect(answer["size"] == 64 * MIB and answer["chunk"] in (4 * KIB, 64 * KIB), f"{answer['size']} {answer['chunk']}")
            expect(found == rounded(BETWEEN, answer["chunk"]), f"{name}: {found} and not {rounded(BETWEEN, answer['chunk'])}")
            check_backup(answer)
            expect(diff(second["id"], first["id"], name)[1] == found, "the other way round it is something else")
            candidates = diff("--no-compare", first["id"], second["id"], name)[1]
            expect([SAME[0], SAME[1]] in candidates, f"{name}: {candidates}")
            live = diff(first["id"], "-", name)[1]
            expect(live == rounded(BETWEEN + LATER, answer["chunk"]), f"{name}: {live}")
        refused = run("quiescectl", "diff", first["id"], second["id"], "/srv/nonesuch", check=False)
        expect("is no volume of the set" in refused.stderr, refused.stderr)
        pool = next(line for line in run("dmsetup", "status", "--target", "thin-pool").splitlines() if line.startswith(f"{volumes.group}-pool"))
        expect(pool.split()[7] == "-", f"the snapshot of the pool's metadata is left: {pool}")
        for manifest in (first, second):
            expect(describe(f"/org/quiesced1/set/{manifest['id']}")["state"] == "complete", "a set suffered")
            run("quiescectl", "delete", manifest["id"])
