# SPDX-License-Identifier: LGPL-2.1-or-later
"""A volume group that a test may ruin: on a device of its own, whose writes can be made to fail."""
import contextlib
import os

from storage import run

DISK = "/dev/disk/by-id/virtio-spare"
DEVICE = "/dev/mapper/faulty"
FILTER = "/etc/lvm/lvmlocal.conf"
GROUP = "faulty"
FOLDER = "/srv/faulty"
SECOND = "/srv/faulty2"  # for a second file system, and a third
THIRD = "/srv/faulty3"


class Device:
    """A dm device over the spare disk; `fail_writes` and `heal` at any time."""
    def __init__(self):
        self._sectors = run("blockdev", "--getsz", DISK).strip()

    def make(self):
        run("dmsetup", "create", "faulty", "--table", f"0 {self._sectors} linear {DISK} 0")

    def _replace(self, table):
        run("dmsetup", "load", "faulty", "--table", table)
        run("dmsetup", "resume", "faulty")

    def fail_writes(self):
        """Down all the time; reads go on."""
        self._replace(f"0 {self._sectors} flakey {DISK} 0 0 1 1 error_writes")

    def heal(self):
        self._replace(f"0 {self._sectors} linear {DISK} 0")


@contextlib.contextmanager
def faulty_device():
    # LVM would see each physical volume twice.
    with open(FILTER, "w", encoding="ascii") as file:
        file.write(f'devices {{ global_filter = [ "r|virtio-spare|", "r|^{os.path.realpath(DISK)}$|" ] }}\n')
    device = Device()
    device.make()
    try:
        yield device
    finally:
        device.heal()
        run("vgremove", "-qq", "-ff", "-y", GROUP, check=False)
        run("pvremove", "-qq", "-ff", "-y", DEVICE, check=False)
        run("udevadm", "settle")
        run("dmsetup", "remove", "--retry", "faulty")
        os.unlink(FILTER)
        run("wipefs", "-q", "-a", DISK)


@contextlib.contextmanager
def group(*extent):
    """The volume group, empty, on the healthy device; ends with all of it unmounted and gone."""
    with faulty_device() as device:
        run("vgcreate", "-qq", *extent, GROUP, DEVICE)
        try:
            yield device
        finally:
            device.heal()
            for folder in (FOLDER, SECOND, THIRD):
                unmount(folder)


def make_file_system(volume, *options, folder=FOLDER):
    run("mkfs.ext4", "-q", "-E", "nodiscard", *options, f"/dev/{GROUP}/{volume}")
    os.makedirs(folder, exist_ok=True)
    run("mount", f"/dev/{GROUP}/{volume}", folder)


def unmount(folder=FOLDER):
    if os.path.ismount(folder):
        run("umount", folder)


def check_file_system(volume, folder=FOLDER):
    """What an admin does after errors; the file system is mounted again."""
    unmount(folder)
    run("e2fsck", "-fy", f"/dev/{GROUP}/{volume}", check=False)
    run("e2fsck", "-fn", f"/dev/{GROUP}/{volume}")
    run("mount", f"/dev/{GROUP}/{volume}", folder)
