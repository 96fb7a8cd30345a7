#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests/libvirt/run asks of its guest: see the functions. Every failure is a sentence on standard output, and exit status 1."""
import contextlib
import json
import os
import shutil
import subprocess
import sys

from harness import MANAGER, call, describe, expect, final_state, leaks, state, wait_for, writable, writable_all
from storage import HERE, DemoError, run

DATA = "/srv/data"
FOLDERS = ["/root", DATA]  # on the root file system, and on the data disk
NO_THAW = 50000  # ms; a little less than the deadline of hook.conf
OTHER = "/run/other-qga"
PROGRAM = "/usr/sbin/qemu-ga"
PORT = "/dev/virtio-ports/org.qemu.guest_agent.0"


def sets():
    return call(*MANAGER[1:], "ListSets", "a{sv}", "0")[0]


def setup():
    """Our build, installed as an admin would; qemu-ga's hook by the command that the manual names; the distribution's own unit of qemu-ga."""
    disk = "/dev/disk/by-id/virtio-data"
    run("mkfs.ext4", "-q", disk)
    os.makedirs(DATA, exist_ok=True)
    run("mount", disk, DATA)
    run("tar", "-C", "/", "-xf", "/mnt/in/installed.tar", "--no-same-owner", "--no-overwrite-dir", "--keep-directory-symlink")
    run("systemctl", "daemon-reload")
    run("busctl", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "ReloadConfig")
    run("systemctl", "-q", "enable", "--now", "quiesced.service")
    print(run("quiescectl", "hook", "install", "qemu-ga").strip())
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "qemu-guest-agent")


@contextlib.contextmanager
def other_image():
    """The root file system of the other release, read-only."""
    mount = "/run/other-image"
    os.makedirs(mount, exist_ok=True)
    run("mount", "-o", "ro,noload", "/dev/disk/by-id/virtio-other", mount)
    try:
        yield mount
    finally:
        run("umount", "--recursive", mount)


def other():
    """The other release's qemu-ga in the place of this one's: its program and its libraries, on our kernel, with our unit and hook."""
    with other_image() as mount:
        os.makedirs(OTHER, exist_ok=True)
        loader = os.path.realpath(f"{mount}/lib64/ld-linux-x86-64.so.2")
        libraries = f"{mount}/usr/lib/x86_64-linux-gnu"
        for line in run(loader, "--library-path", libraries, "--list", f"{mount}{PROGRAM}").splitlines():
            path = line.split(" => ")[-1].split(" (")[0].strip()
            if path.startswith(mount):
                shutil.copy(path, OTHER)
        shutil.copy(loader, f"{OTHER}/loader")
        shutil.copy(f"{mount}{PROGRAM}", f"{OTHER}/qemu-ga")
    wrapper = f"{OTHER}/wrapper"
    with open(wrapper, "w", encoding="ascii") as file:
        file.write(f'#!/bin/sh\nexec {OTHER}/loader --library-path {OTHER} {OTHER}/qemu-ga "$@"\n')
    os.chmod(wrapper, 0o755)
    run("mount", "--bind", wrapper, PROGRAM)
    run("systemctl", "restart", "qemu-guest-agent")


def sync_driver():
    """The other release's open-vm-tools, as vmbackup does: the scripts' freeze, its sync driver, the scripts' end. Without and with
    ignoreFrozenFileSystems."""
    script = "/etc/vmware-tools/backupScripts.d/90-quiesced"
    run("quiescectl", "hook", "install", "open-vm-tools")
    with other_image() as mount:
        run("mount", "-t", "tmpfs", "tmpfs", f"{mount}/tmp")
        shutil.copy(f"{HERE}/sync_driver.py", f"{mount}/tmp")
        run("mount", "--bind", DATA, f"{mount}/mnt")
        for word, answer, end, outcome in (("", "refused", "freezeFail", "failed"), ("ignore", "frozen", "thaw", "complete")):
            run(script, "freeze", "")
            frozen()
            driver = subprocess.Popen(["chroot", mount, "python3", "/tmp/sync_driver.py", "/mnt", word], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            said = driver.stdout.readline().strip()
            rest = driver.communicate("thaw\n", timeout=60)[0].strip()
            expect(said == answer and rest in ("", "thawed"), f"{word or 'by default'}: {said}, {rest}")
            expect(not writable(DATA), "it has thawed what we hold")
            run(script, end, "")
            expect(final_state(sets()[-1]) == outcome, f"{word or 'by default'}: {describe(sets()[-1])['error']}")
            clean()
            print(f"{word or 'by default'}: {said}; {end}: the set is {outcome}")
    run("quiescectl", "hook", "remove", "open-vm-tools")


def agent():
    """Waits for qemu-ga, with our hook, on its virtio-serial port; prints how it was started."""
    wait_for("qemu-ga", lambda: run("systemctl", "is-active", "qemu-guest-agent", check=False).stdout.strip() == "active", 60)
    pid = run("systemctl", "show", "--value", "-p", "MainPID", "qemu-guest-agent").strip()
    with open(f"/proc/{pid}/cmdline", encoding="ascii") as file:
        words = file.read().split("\0")
    held = {os.path.realpath(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
    expect(os.path.realpath(PORT) in held, "it does not hold the virtio-serial port")
    expect(any(word.startswith("-F/usr/share/quiesced/hooks/qemu-ga/") for word in words), f"it runs without our hook: {words}")
    print(" ".join(words).strip())


def stamp(text):
    """Written and not flushed: only a freeze brings it to the disk."""
    with open(f"{DATA}/stamp", "w", encoding="ascii") as file:
        file.write(text + "\n")


def count():
    print(len(sets()))


def frozen():
    path = sets()[-1]
    expect(state(path) == "snapshotted", f"the set is {state(path)}")
    for folder in FOLDERS:
        expect(not writable(folder), f"{folder} can be written to")
    print(f"{path.rsplit('/', 1)[1]} holds both file systems")


def settled(before):
    """One set more than `before`, complete, all of it the host's; nothing frozen, nothing left."""
    paths = sets()
    expect(len(paths) == int(before) + 1, f"{len(paths)} sets, {before} before")
    expect(final_state(paths[-1]) == "complete", f"{state(paths[-1])}: {describe(paths[-1])['error']}")
    manifest = describe(paths[-1])
    members = {member["volume"]: member["provider"] for member in manifest["members"]}
    expect(members == {"/": "host", DATA: "host"}, f"{members}")
    expect(manifest["consistency"] == "unreported", manifest["consistency"])
    expect(manifest["window_ms"] < NO_THAW, f"frozen for {manifest['window_ms']:.0f} ms: the deadline thawed, and nobody else")
    clean()
    print(f"{manifest['id']} complete, {manifest['consistency']}: {members}, frozen for {manifest['window_ms']:.0f} ms")


def clean():
    """Nothing is frozen, nothing is left."""
    expect(not os.path.exists("/run/quiesced/hook-marker"), "the marker is still there")
    expect(writable_all(FOLDERS, 20), "something is still frozen")
    found = leaks()
    expect(not found, f"left behind: {found}")
    held = json.loads(run("quiescectl", "leases", "--json"))
    expect(not held, f"held: {held}")


try:
    {function.__name__: function for function in (setup, other, agent, stamp, count, frozen, settled, clean, sync_driver)}[sys.argv[1]](*sys.argv[2:])
except (DemoError, OSError, ValueError, KeyError, IndexError, subprocess.SubprocessError) as error:
    print(f"{type(error).__name__}: {error}")
    sys.exit(1)
