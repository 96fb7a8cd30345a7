# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guest's volumes: three on virtual disks, one on a LUN of the array, each with a file system of another kind."""
import dataclasses
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
DISKS = ("/dev/disk/by-id/virtio-data1", "/dev/disk/by-id/virtio-data2")
ARRAY_DISK = "/dev/disk/by-id/virtio-array"
LUN_MIB = 512


class DemoError(Exception):
    pass


def run(*argv, check=True, **options):
    """Runs a program; returns what it printed. What it said when it failed becomes the error."""
    options.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run(argv, capture_output=True, text=True, check=False, **options)
    if check and done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()
        raise DemoError(f"{' '.join(argv)}: exit status {done.returncode}: " + " / ".join(said[-4:]))
    return done.stdout if check else done


@dataclasses.dataclass(frozen=True)
class Volume:
    name: str         # mount point
    file_system: str
    kind: str         # for people
    snapshot_options: str

    @property
    def folder(self):
        return os.path.basename(self.name)


# In the order in which the oracle writes: neighbours never lie on the same kind of device, so that a set that is not cut
# as one shows at once.
VOLUMES = (
    Volume("/srv/ext4", "ext4", "thick LV", "ro"),
    Volume("/srv/lun", "xfs", "iSCSI LUN", "ro,nouuid"),
    Volume("/srv/xfs", "xfs", "thin LV", "ro,nouuid"),
    Volume("/srv/btrfs", "btrfs", "thick LV", "ro"),
)


def make_volumes():
    """Returns {mount point: device}."""
    # The array is busy with itself meanwhile, as an array would be.
    with subprocess.Popen([f"{HERE}/array-setup", ARRAY_DISK, str(LUN_MIB)], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as array:
        run("vgcreate", "-qq", "vg", *DISKS)
        run("lvcreate", "-qq", "-y", "-n", "ext4", "-L", "256M", "vg")
        run("lvcreate", "-qq", "-y", "-n", "btrfs", "-L", "512M", "vg")
        run("lvcreate", "-qq", "-y", "--type", "thin", "-L", "1G", "--thinpool", "vg/pool", "-V", "512M", "-n", "xfs")
        lun, errors = array.communicate(timeout=120)
        if array.returncode != 0:
            raise DemoError(errors.strip())
    devices = {"/srv/ext4": "/dev/vg/ext4", "/srv/xfs": "/dev/vg/xfs", "/srv/btrfs": "/dev/vg/btrfs", "/srv/lun": lun.strip()}
    make = {"ext4": ["mkfs.ext4", "-q", "-E", "nodiscard"], "xfs": ["mkfs.xfs", "-q", "-K"], "btrfs": ["mkfs.btrfs", "-q", "-K"]}
    for volume in VOLUMES:
        run(*make[volume.file_system], devices[volume.name])
        os.makedirs(volume.name, exist_ok=True)
        run("mount", "-t", volume.file_system, devices[volume.name], volume.name)
    return devices, errors.strip()


# --- snapshots -----------------------------------------------------------------------------------------------------------


def view(volume):
    """Where a snapshot of the volume is mounted."""
    return f"/run/snapshots/{volume.folder}"


def mount_snapshots(devices, new_fsid=True):
    """Mounts a snapshot of each volume read-only; `devices` by mount point of the volume.

    A block copy of btrfs has the fsid of its origin, and Linux mounts no second file system of one fsid while the first is
    mounted. The copy is writable and gets a new one. That works for a copy of a frozen btrfs only: one that must replay
    its log is damaged by it (btrfs-progs 6.2), so without new_fsid the origin is to be unmounted.
    """
    for volume in VOLUMES:
        device = devices[volume.name]
        os.makedirs(view(volume), exist_ok=True)
        if volume.file_system == "btrfs":
            if new_fsid:
                run("btrfstune", "-f", "-m", device)
            else:
                run("btrfs", "device", "scan", "--forget")
        run("mount", "-t", volume.file_system, "-o", volume.snapshot_options, device, view(volume))


def unmount_snapshots():
    mounted = [view(volume) for volume in VOLUMES if os.path.ismount(view(volume))]
    if mounted:
        run("umount", *mounted)
