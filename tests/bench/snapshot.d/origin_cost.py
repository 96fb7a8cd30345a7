# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the writers of an origin pay while it has a snapshot: random 4 KiB writes by fio, O_DIRECT, on the block device."""
import json

from storage import run

SIZE_MIB = 512
STORE_MIB = 640
SECONDS = 6
CHUNKS_KIB = (4, 8, 16, 32, 64)


def write_rate(device):
    """Writes a second. Each 4 KiB block at most once: all of them are the first after the snapshot, which is what costs."""
    done = run("fio", "--name=w", f"--filename={device}", "--rw=randwrite", "--bs=4k", "--direct=1", "--ioengine=libaio", "--iodepth=16",
               f"--runtime={SECONDS}", "--randrepeat=1", "--output-format=json")
    return round(json.loads(done[done.index("{"):])["jobs"][0]["write"]["iops"])


def fill(device):
    """So that a thin volume has its blocks, and the image below both."""
    run("dd", "if=/dev/zero", f"of={device}", "bs=1M", f"count={SIZE_MIB}", "oflag=direct", "status=none")


def measure(group, disks, say):
    run("vgcreate", "-qq", group, *disks)
    run("lvcreate", "-qq", "-y", "-n", "thick", "-L", f"{SIZE_MIB}M", group, disks[0])
    run("lvcreate", "-qq", "-y", "--type", "thin", "--thinpool", "pool", "-L", f"{3 * SIZE_MIB}M", "-V", f"{SIZE_MIB}M", "-n", "thin", group, disks[1])
    for name in ("thick", "thin"):
        fill(f"/dev/{group}/{name}")
    rows = []

    def note(snapshot, chunk_kib, name):
        rows.append({"snapshot": snapshot, "chunk_kib": chunk_kib, "writes_per_s": write_rate(f"/dev/{group}/{name}")})
        say(f"random 4 KiB writes, {snapshot}{f', chunk {chunk_kib} KiB' if chunk_kib else ''}: {rows[-1]['writes_per_s']} a second")

    note("none, thick origin", None, "thick")
    for chunk in CHUNKS_KIB:
        run("lvcreate", "-qq", "-y", "-s", "-n", "s", "-L", f"{STORE_MIB}M", "-c", f"{chunk}k", f"{group}/thick", disks[1])
        note("thick", chunk, "thick")
        run("lvremove", "-qq", "-y", f"{group}/s")
    note("none, thin origin", None, "thin")
    run("lvcreate", "-qq", "-y", "-s", "-n", "s", f"{group}/thin")
    chunk = int(run("lvs", "--noheadings", "--nosuffix", "--units", "k", "-o", "chunk_size", f"{group}/pool").strip().split(".")[0])
    note("thin", chunk, "thin")
    run("vgremove", "-qq", "-ff", "-y", group)
    return rows
