# SPDX-License-Identifier: LGPL-2.1-or-later
"""A volume group of a case's own, with a thick and a thin volume that it may do anything with."""
import contextlib
import os

from storage import run

DISK = "/dev/disk/by-id/virtio-roomy"
GROUP = "own"


class Volumes:
    group = GROUP
    thick = "/srv/own-thick"
    thin = "/srv/own-thin"
    all = (thick, thin)

    @staticmethod
    def device(folder):
        return f"/dev/{GROUP}/{folder.rsplit('-', 1)[1]}"

    def mount(self, *folders):
        for folder in folders or self.all:
            run("mount", self.device(folder), folder)

    def unmount(self, *folders):
        for folder in folders or self.all:
            run("umount", folder)


def write_file(path, size):
    """Bytes that no file system leaves out, on the disk when it returns."""
    run("dd", "if=/dev/urandom", f"of={path}", "bs=1M", f"count={max(1, size >> 20)}", "conv=fsync", "status=none")


@contextlib.contextmanager
def own_group(thick="160M", thin="160M", pool="128M"):
    """Both volumes have an ext4 and are mounted."""
    volumes = Volumes()
    try:
        run("vgcreate", "-qq", "-y", GROUP, DISK)
        run("lvcreate", "-qq", "-y", "-n", "thick", "-L", thick, GROUP)
        run("lvcreate", "-qq", "-y", "--type", "thin", "--thinpool", f"{GROUP}/pool", "-L", pool, "-V", thin, "-n", "thin")
        for folder in volumes.all:
            run("mkfs.ext4", "-q", "-E", "nodiscard", volumes.device(folder))
            os.makedirs(folder, exist_ok=True)
        volumes.mount()
        yield volumes
    finally:
        for folder in volumes.all:
            run("umount", folder, check=False)
        run("vgremove", "-qq", "-ff", "-y", GROUP, check=False)
        run("pvremove", "-qq", "-ff", "-y", DISK, check=False)
        run("wipefs", "-q", "-a", DISK, check=False)
