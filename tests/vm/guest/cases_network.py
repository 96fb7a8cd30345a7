# SPDX-License-Identifier: LGPL-2.1-or-later
"""An NFS server that does not answer: the inventory, a plan and a set go on without it."""
import contextlib
import json
import os
import subprocess
import time

from harness import case, delete_all_sets, expect, main_pid, wait_for_new_daemon
from storage import run

EXPORT, MOUNT = "/run/export", "/run/nfs"


@contextlib.contextmanager
def nfs_mount():
    """This guest's own NFS server, mounted so that whoever asks a dead one waits for ever."""
    os.makedirs(EXPORT, exist_ok=True)
    os.makedirs(MOUNT, exist_ok=True)
    run("modprobe", "-a", "nfs", "nfsd")
    run("mount", "-t", "nfsd", "nfsd", "/proc/fs/nfsd", check=False)
    run("systemctl", "start", "nfs-server")
    run("exportfs", "-o", "rw,no_root_squash,insecure,fsid=1", f"127.0.0.1:{EXPORT}")
    try:
        run("mount", "-t", "nfs4", "-o", "vers=4.2,hard,timeo=50", f"127.0.0.1:{EXPORT}", MOUNT)
        yield
    finally:
        run("umount", "-f", "-l", MOUNT, check=False)
        run("exportfs", "-ua")
        run("systemctl", "stop", "nfs-server", "nfs-idmapd", "nfsdcld", "rpcbind.socket", "rpcbind", check=False)


@contextlib.contextmanager
def unreachable():
    """Nobody answers on NFS's port; iSCSI's, on the same interface, goes on."""
    run("nft", "add table inet dead; add chain inet dead in { type filter hook input priority 0; }; add rule inet dead in tcp dport 2049 drop")
    try:
        yield
    finally:
        run("nft", "delete", "table", "inet", "dead")


def waits_for_ever(folder):
    """Whether it hangs to look at the folder: in a process of its own, which is killed."""
    probe = subprocess.Popen(["stat", "-f", folder], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        probe.wait(2)
        return False
    except subprocess.TimeoutExpired:
        probe.kill()
        return True


@case("A dead NFS server delays neither the list of volumes, nor a start, a plan or a set")
def network_dead_nfs():
    with nfs_mount():
        begun = time.monotonic()
        run("quiescectl", "volumes", "--json")
        alive = time.monotonic() - begun
        with unreachable():
            expect(waits_for_ever(MOUNT), "the server answers: the case proves nothing")
            begun = time.monotonic()
            rows = json.loads(run("quiescectl", "volumes", "--json", timeout=60))
            dead = time.monotonic() - begun
            row = next(row for row in rows if MOUNT in row["mount_points"])
            expect(row["placement"] == "network", f"{row}")
            old = main_pid()
            run("systemctl", "restart", "quiesced", timeout=60)
            wait_for_new_daemon(old)
            plan = json.loads(run("quiescectl", "plan", "--json", "--sample", "0", "/srv/ext4", "/srv/lun", timeout=60))
            expect(plan["feasible"], f"{plan}")
            made = json.loads(run("quiescectl", "snapshot", "--json", "/srv/ext4", "/srv/lun", timeout=120))
            expect(made["consistency"] == "filesystem", made["consistency"])
            delete_all_sets()
            print(f"  volumes are listed in {dead:.2f} s; with a server that answers in {alive:.2f} s")
