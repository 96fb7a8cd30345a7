# SPDX-License-Identifier: LGPL-2.1-or-later
"""A storage array of Linux's own parts: LIO exports thin volumes of a pool as iSCSI LUNs.

It stands for a machine of its own: what uses its LUNs knows nothing of its volumes. The pool and the first volume are
LVM's; snapshots are volumes of the same pool that only the array knows, cut by one message to the pool.
"""
import fcntl
import json
import os
import struct
import time

CORE = "/sys/kernel/config/target/core/iblock_0"
TARGET = "iqn.2026-11.org.quiesced:array"
PORTAL = "127.0.0.1:3260"
GROUP = "/sys/kernel/config/target/iscsi/" + TARGET + "/tpgt_1"
STATE = "/run/array"  # in memory: the array must not wait for a disk that it serves
POOL = "sanvg-pool-tpool"
FIRST_SNAPSHOT_ID = 1 << 20  # thin volumes below belong to LVM


class ArrayError(Exception):
    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


def run(*argv):
    import subprocess  # pylint: disable=import-outside-toplevel  (commit does without it, and loads faster)

    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines() or [f"exit status {done.returncode}"]
        raise ArrayError("internal", f"{' '.join(argv[:2])}: {lines[-1]}")
    return done.stdout


def read(path):
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read().strip()


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def entries(folder, prefix):
    """Paths in the folder whose names begin so; none when it is not there. (Importing glob costs more than all else.)"""
    try:
        return sorted(f"{folder}/{name}" for name in os.listdir(folder) if name.startswith(prefix))
    except FileNotFoundError:
        return []


def wait_for(what, found, seconds=20):
    deadline = time.monotonic() + seconds
    while True:
        result = found()
        if result:
            return result
        if time.monotonic() > deadline:
            raise ArrayError("timeout", f"{what} did not come within {seconds} s")
        time.sleep(0.02)


# --- device-mapper -------------------------------------------------------------------------------------------------------


class DeviceMapper:
    """The ioctls that a cut needs, on a descriptor that is open beforehand: no program is started for it."""

    HEADER = struct.Struct("=3I5i2IQ128s129s7x")  # struct dm_ioctl
    SUSPEND, MESSAGE = 6, 14
    SUSPEND_FLAG, SKIP_LOCKFS = 1 << 1, 1 << 10

    def __init__(self):
        self.control = os.open("/dev/mapper/control", os.O_RDWR | os.O_CLOEXEC)

    def call(self, command, name, flags=0, data=b""):
        start = self.HEADER.size
        size = max(start + len(data), 512)
        header = self.HEADER.pack(4, 0, 0, size, start, 0, 0, flags, 0, 0, 0, name.encode(), b"")
        fcntl.ioctl(self.control, 3 << 30 | start << 16 | 0xFD << 8 | command, bytearray((header + data).ljust(size, b"\0")))

    def suspend(self, name):
        # The file system on the LUN is its user's to freeze; there is none of this machine's own to lock.
        self.call(self.SUSPEND, name, self.SUSPEND_FLAG | self.SKIP_LOCKFS)

    def resume(self, name):
        self.call(self.SUSPEND, name)

    def message(self, name, text):
        self.call(self.MESSAGE, name, data=struct.pack("=Q", 0) + text.encode() + b"\0")


def thin_id(number):
    """The pool's number of a snapshot."""
    return FIRST_SNAPSHOT_ID + number


def pool_fill():
    """Blocks of the pool that are used, and all: from "0 SECTORS thin-pool ID META/META DATA/DATA ..."."""
    used, total = run("dmsetup", "status", "--target", "thin-pool", POOL).split()[5].split("/")
    return int(used), int(total)


def activate(name, number, sectors):
    """Makes /dev/mapper/NAME of a thin volume."""
    if not os.path.exists(f"/dev/mapper/{name}"):
        run("dmsetup", "create", name, "--table", f"0 {sectors} thin /dev/mapper/{POOL} {number}")


def deactivate(name):
    if os.path.exists(f"/dev/mapper/{name}"):
        run("dmsetup", "remove", "--retry", name)


# --- LIO and the initiator -----------------------------------------------------------------------------------------------


def wwid_of(serial):
    """LIO makes its NAA from a unit's serial number: 6001405, then its first 25 hexadecimal digits."""
    digits = "".join(c for c in serial.lower() if c in "0123456789abcdef")[:25]
    return "naa.6001405" + digits.ljust(25, "0")


def export(name, device, serial, lun):
    """Makes the device a LUN of the target."""
    store, slot = f"{CORE}/{name}", f"{GROUP}/lun/lun_{lun}"
    os.makedirs(store, exist_ok=True)
    if read(f"{store}/enable") != "1":
        write(f"{store}/control", f"udev_path={device}")
        write(f"{store}/udev_path", device)
        write(f"{store}/wwn/vpd_unit_serial", serial)
        write(f"{store}/enable", "1")
    os.makedirs(slot, exist_ok=True)
    if not os.path.lexists(f"{slot}/{name}"):
        os.symlink(store, f"{slot}/{name}")


def unexport(name, lun):
    """What of it is there is removed; nothing there is no error."""
    store, slot = f"{CORE}/{name}", f"{GROUP}/lun/lun_{lun}"
    if os.path.lexists(f"{slot}/{name}"):
        os.unlink(f"{slot}/{name}")
    if os.path.isdir(slot):
        os.rmdir(slot)
    if os.path.isdir(store):
        os.rmdir(store)


def initiator_host():
    """Folder of the SCSI host of the session with this target."""
    for session in entries("/sys/class/iscsi_session", "session"):
        if read(f"{session}/targetname") == TARGET:
            device = os.path.realpath(f"{session}/device")
            return entries(f"{os.path.dirname(device)}/scsi_host", "host")[0]
    raise ArrayError("unreachable", f"there is no iSCSI session with {TARGET}: log in with iscsiadm")


def initiator_disk(wwid):
    """Folder in /sys/block of the LUN as its user sees it, or None."""
    for disk in entries("/sys/block", "sd"):
        try:
            if read(f"{disk}/device/wwid") == wwid:
                return disk
        except OSError:
            continue  # it went away meanwhile
    return None


def attach(wwid, lun):
    """Lets the initiator find the LUN; returns its path by WWID."""
    write(f"{initiator_host()}/scan", f"0 0 {lun}")
    wait_for(f"LUN {lun}", lambda: initiator_disk(wwid))
    link = "/dev/disk/by-id/wwn-0x" + wwid.removeprefix("naa.")
    wait_for(link, lambda: os.path.exists(link))
    return link


def detach(wwid):
    disk = initiator_disk(wwid)
    if disk:
        write(f"{disk}/device/delete", "1")


# --- what the array knows of its volumes ---------------------------------------------------------------------------------


def volumes():
    """{WWID: {"name", "mapper" (its dm device), "thin_id", "sectors"}} of the LUNs that can be snapshotted."""
    with open(f"{STATE}/volumes.json", encoding="ascii") as file:
        return json.load(file)


def save(path, value):
    os.makedirs(STATE, mode=0o700, exist_ok=True)
    with open(path + ".new", "w", encoding="ascii") as file:
        json.dump(value, file)
    os.rename(path + ".new", path)


def set_path(set_id):
    return f"{STATE}/set-{set_id}.json"


def load_set(set_id):
    """The entries of a set; none when the array knows nothing of it."""
    try:
        with open(set_path(set_id), encoding="ascii") as file:
            return json.load(file)
    except FileNotFoundError:
        return []


def set_ids():
    return [os.path.basename(path)[4:-5] for path in entries(STATE, "set-") if path.endswith(".json")]


def free_numbers(count):
    """The lowest numbers that no set has: thin volume FIRST_SNAPSHOT_ID + number, LUN 1 + number."""
    used = {entry["number"] for set_id in set_ids() for entry in load_set(set_id)}
    return [number for number in range(255) if number not in used][:count]
