# SPDX-License-Identifier: LGPL-2.1-or-later
"""A machine in the machine for tests/bench/hook: namespaces in which nothing can be frozen but what the bench made.

The root is a tmpfs, /usr and /etc are overlays of the machine's and of what is installed: FIFREEZE refuses all of these (EOPNOTSUPP). The only file
systems that can be frozen lie on loop devices on files that the bench made. The daemon refuses volumes in loop files, as it should; so sysfs shows
these devices as a hypervisor's disks here."""
import contextlib
import ctypes
import fcntl
import os
import re
import stat
import subprocess
import time

FITHAW = 0xC0045878
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 4096, 16384, 1 << 18
MNT_DETACH = 2
SYS_PIVOT_ROOT = 155  # x86_64
LOOPS = 64
LOOP_MAJOR = 7  # admin-guide/devices.txt
MIB = 1 << 20
PLACE = "kernel/debug"  # of sysfs: a folder that is there to be mounted on
MARKER = "/run/quiesced/hook-marker"
# What the kernel has no freeze for, or what has nothing to write.
UNFREEZABLE = {"tmpfs", "devtmpfs", "proc", "sysfs", "overlay", "devpts", "mqueue", "hugetlbfs", "cgroup", "cgroup2", "securityfs", "debugfs", "tracefs", "bpf", "pstore", "configfs", "fusectl"}
TYPES = (("ext4", ["mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"]), ("xfs", ["mkfs.xfs", "-q"]), ("btrfs", ["mkfs.btrfs", "-q"]))
libc = ctypes.CDLL(None, use_errno=True)


class BenchError(Exception):
    pass


def checked(status, what):
    if status < 0:
        raise BenchError(f"{what}: {os.strerror(ctypes.get_errno())}")


def run(*words):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"{' '.join(words)}: exit status {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def mount(source, target, kind=None, flags=0, options=None):
    os.makedirs(target, exist_ok=True)
    encoded = [None if word is None else word.encode() for word in (source, target, kind, options)]
    checked(libc.mount(*encoded[:3], flags, encoded[3]), f"cannot mount {target}")


def mounts():
    """(mount point, type, source) of each mount that can be seen, in their order."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            words = line.split()
            kind, source = words[words.index("-") + 1:][:2]
            yield re.sub(r"\\(\d{3})", lambda match: chr(int(match[1], 8)), words[4]), kind, source


def backing_of(device):
    try:
        with open(f"/sys/block/{os.path.basename(device)}/loop/backing_file", encoding="utf-8") as file:
            return file.read().rstrip("\n")
    except FileNotFoundError:
        return None


def loops_on(folder):
    """Loop devices on files in a folder of this name, whoever sees it where."""
    names = (f"/dev/{name}" for name in os.listdir("/sys/block") if name.startswith("loop"))
    return [name for name in names if os.path.dirname(backing_of(name) or "") == folder]


RCU_EXPEDITED = "/sys/kernel/rcu_expedited"


def rcu_expedited():
    with open(RCU_EXPEDITED, encoding="ascii") as file:
        return file.read()


def mend(folder, rcu):
    """What a run that was killed has left frozen keeps its loop device, and its writers with all else that is inside: mounted again it is thawed, and let go of.
    Returns what there was. `rcu`: what the switch was before, which whoever was killed cannot restore."""
    left = loops_on(folder)
    if left:
        left += loops_on(os.path.dirname(MARKER))
        with open(RCU_EXPEDITED, "w", encoding="ascii") as file:
            file.write(rcu)
    for device in left:
        subprocess.run(["unshare", "--mount", "--", "python3", "-c", MEND, device], stdin=subprocess.DEVNULL, check=False, timeout=60)
    return left


MEND = f"""
import fcntl, os, subprocess, sys, tempfile
folder = tempfile.mkdtemp()
# As it is mounted yet, or the kernel refuses; the marker is read-only.
if any(subprocess.run(["mount", "-o", how, sys.argv[1], folder], check=False, stderr=subprocess.DEVNULL).returncode == 0 for how in ("rw", "ro")):
    top = os.open(folder, os.O_RDONLY)
    try:
        fcntl.ioctl(top, {FITHAW}, 0)
    except OSError:
        pass
    os.close(top)
    subprocess.run(["umount", folder], check=False)
os.rmdir(folder)
"""


class System:
    """A file system on a loop device on a sparse file."""
    def __init__(self, images, index, mebibytes, folder):
        self.kind, mkfs = TYPES[index % len(TYPES)]
        self.folder, self.image = folder, f"{images}/{index}.img"
        with open(self.image, "xb") as file:
            file.truncate(mebibytes * MIB)
        run(*mkfs, self.image)
        self.device = run("losetup", "--find", "--show", self.image).strip()
        try:
            self.show_as_disk(index)
            mount(self.device, folder, self.kind)
        finally:
            run("losetup", "--detach", self.device)  # when it is mounted: with the last mount

    def show_as_disk(self, index):
        """As the disk of a hypervisor: by its place and name in sysfs alone, what stands there is the loop device's."""
        name = f"vd{chr(ord('b') + index)}"
        place = f"{PLACE}/virtio{index + 1}/block/{name}"
        mount(f"/sys/block/{os.path.basename(self.device)}", f"/sys/{place}", None, MS_BIND)
        number = os.stat(self.device).st_rdev
        link = f"/sys/dev/block/{os.major(number)}:{os.minor(number)}"
        os.unlink(link)
        os.symlink(f"../../{place}", link)

    def check_own(self):
        """That its folder is on this loop device, and this on its file."""
        status = os.stat(self.device)
        on_it = (self.folder, self.kind, self.device) in set(mounts())
        if not stat.S_ISBLK(status.st_mode) or os.major(status.st_rdev) != LOOP_MAJOR or backing_of(self.device) != self.image or not on_it:
            raise BenchError(f"refused: {self.folder} is not the bench's own {self.device}")

    @contextlib.contextmanager
    def top(self):
        self.check_own()
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield folder
        finally:
            os.close(folder)

    def flush(self):
        """It alone: sync would be one of the whole machine."""
        with self.top() as folder:
            checked(libc.syncfs(folder), f"cannot flush {self.folder}")

    def thaw(self):
        with self.top() as folder, contextlib.suppress(OSError):  # EINVAL: it was not frozen
            fcntl.ioctl(folder, FITHAW, 0)


def check_only_own(systems):
    """Nothing else that can be frozen may be in sight, for anybody in these namespaces."""
    for system in systems:
        system.check_own()
    own = {system.folder for system in systems}
    for point, kind, source in mounts():
        if kind not in UNFREEZABLE and point not in own and not (point == MARKER and source.startswith("/dev/loop")):
            raise BenchError(f"refused: {point} ({kind} on {source}) could be frozen, and is not the bench's own")


def show_devices(sysfs):
    """Makes room for disks that sysfs does not have. What comes later is there as well: the hook's own loop device."""
    links = {name: os.readlink(f"{sysfs}/dev/block/{name}") for name in os.listdir(f"{sysfs}/dev/block")}
    links |= {f"{LOOP_MAJOR}:{number}": f"../../devices/virtual/block/loop{number}" for number in range(LOOPS)}
    for folder in (f"{sysfs}/dev/block", f"{sysfs}/{PLACE}"):
        mount("tmpfs", folder, "tmpfs", 0, "mode=755")
    for name, target in links.items():
        os.symlink(target, f"{sysfs}/dev/block/{name}")


def enter(tree, root):
    """Makes `tree`, an installation, this process's machine, with its root mounted at the folder `root`. Called as the first process of a PID namespace, in a
    mount namespace of its own."""
    checked(libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None), "cannot make the mounts private")
    mount("tmpfs", root, "tmpfs", 0, "mode=755")
    for part in ("usr", "etc"):
        mount("overlay", f"{root}/{part}", "overlay", MS_RDONLY, f"lowerdir={tree}/{part}:/{part}")
    for part in ("bin", "sbin", "lib", "lib64", "lib32", "libx32"):
        if os.path.islink(f"/{part}"):
            os.symlink(os.readlink(f"/{part}"), f"{root}/{part}")
    for part in ("dev", "sys"):
        mount(f"/{part}", f"{root}/{part}", None, MS_BIND | MS_REC)
    mount("proc", f"{root}/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    show_devices(f"{root}/sys")
    for folder in ("run/dbus", "run/lock", "var/lib", "var/log", "tmp", "root", "srv", "old"):
        os.makedirs(f"{root}/{folder}")
    os.chdir(root)
    checked(libc.syscall(SYS_PIVOT_ROOT, b".", b"old"), "cannot change the root")
    os.chdir("/")
    checked(libc.umount2(b"/old", MNT_DETACH), "cannot let go of the old root")
    os.rmdir("/old")
