# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host takes the snapshot while the guest holds the freeze. The host is simulated: it copies the disk's blocks from below."""
import contextlib
import os

from storage import DemoError, run

from harness import MANAGER, SET_INTERFACE, Background, call, case, describe, expect, refuse, step, writable

DISK = "/dev/disk/by-id/virtio-spare"
MOUNT = "/srv/plain"
COPY = "/run/host-copy"


@contextlib.contextmanager
def plain_disk():
    """A file system on a virtual disk without LVM."""
    run("mkfs.ext4", "-q", "-F", DISK, "32M")
    os.makedirs(MOUNT, exist_ok=True)
    run("mount", DISK, MOUNT)
    try:
        yield
    finally:
        run("umount", MOUNT)
        run("wipefs", "-q", "-a", DISK)


def create_for_host(*others):
    volumes = (MOUNT, *others)
    return call(*MANAGER[1:], "CreateSet", "asa{sv}", str(len(volumes)), *volumes, "1", "providers", "a{ss}", "1", MOUNT, "host")[0]


def report(path, reference):
    call(path, SET_INTERFACE, "ReportHostSnapshot", "ssa{sv}", MOUNT, reference, "0")


@case("a plain disk is refused with the word that the host may take it, and nobody chooses the host by itself")
def snapshot_host_is_only_chosen():
    with plain_disk():
        refuse("NoProvider", MOUNT, says=("'host'",))


@case("the host's copy of a frozen disk is clean beside an LVM snapshot of the same moment, and its reference is in the manifest")
def snapshot_host_copies_while_frozen():
    with plain_disk():
        path = create_for_host("/srv/ext4")
        step(path, "Prepare")
        for folder in (MOUNT, "/srv/ext4"):
            with open(f"{folder}/before", "w", encoding="utf-8") as file:
                file.write("before the freeze")
        step(path, "Freeze")
        late = Background(writable, MOUNT, 60)
        run("dd", f"if={DISK}", f"of={COPY}", "bs=1M", "count=32", "iflag=direct")
        report(path, "vm-snapshot-42")
        for method in ("Snapshot", "Thaw", "Finish"):
            step(path, method)
        expect(late.result(60), "nobody could write after the thaw")
        manifest = describe(path)
        expect(manifest["consistency"] == "filesystem", f"consistency {manifest['consistency']}")
        member = manifest["members"][0]
        expect((member["provider"], member["snapshot"], member["device"]) == ("host", "vm-snapshot-42", ""), f"{member}")
        run("e2fsck", "-fn", COPY)
        found = run("debugfs", "-R", "ls -p /", COPY)
        expect("before" in found, "what was written before the freeze is not in the copy")
        expect("write-probe" not in found, "what was written after the freeze is in the copy")
        os.unlink(COPY)
        step(path, "Delete")


@case("without the host's report by Thaw the set is complete and worth 'unreported', and a late report is refused")
def snapshot_host_says_nothing():
    with plain_disk():
        path = create_for_host()
        for method in ("Prepare", "Freeze", "Snapshot", "Thaw", "Finish"):
            step(path, method)
        manifest = describe(path)
        expect((manifest["state"], manifest["consistency"]) == ("complete", "unreported"), f"{manifest['state']} {manifest['consistency']}")
        try:
            report(path, "too-late")
        except DemoError as error:
            expect("complete" in str(error), f"{error}")
        else:
            expect(False, "a report after Thaw was taken")
        run("quiescectl", "delete", path.rsplit("/", 1)[1])
