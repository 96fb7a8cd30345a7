# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host's snapshot fails while real databases are held for it: nothing stays frozen or locked, by the servers' own word."""
import contextlib
import os
import time

import databases
from harness import (MANAGER, call, case, delete_all_sets, describe, expect, final_state, give_up_all_sets, state, step, wait_for_state, writable,
                     writable_all)
from qemu_ga import Qga
from storage import run

DISK = "/dev/disk/by-id/virtio-spare"
MOUNT = "/srv/plain"  # the host's; the databases lie on it
CUT = "/srv/xfs"      # LVM's
BOTH = [MOUNT, CUT]
HOOK = "/etc/quiesced/hook.conf"


@contextlib.contextmanager
def servers():
    """Both, on a disk that only the host can snapshot."""
    run("mkfs.ext4", "-q", "-F", "-E", "nodiscard", DISK, "1G")
    os.makedirs(MOUNT, exist_ok=True)
    run("mount", DISK, MOUNT)
    try:
        with databases.running(databases.Postgresql, MOUNT) as postgresql, databases.running(databases.Mariadb, MOUNT) as mariadb:
            expect_free((postgresql, mariadb))
            try:
                yield postgresql, mariadb
            finally:
                give_up_all_sets()  # a server whose disk is frozen does not stop
    finally:
        run("umount", MOUNT)
        run("wipefs", "-q", "-a", DISK)


def expect_held(held):
    for server in held:
        expect(server.holders(), f"{server.NAME} is not held although the set is")
    blocked = [name for name in BOTH if not writable(name)]
    expect(blocked == BOTH, f"only {blocked} are frozen")


def expect_free(freed):
    """Asked of the servers: nobody is in a backup, no session of ours is left, and a commit goes through."""
    expect(writable_all(BOTH, 10), "something is still frozen")
    for server in freed:
        databases.wait_until(lambda server=server: not server.holders(), f"{server.NAME} out of its backup", 10)
        databases.wait_until(server.is_free, f"{server.NAME} free", 10)


def held_set(until, held, deadline_ms=60000):
    """A set of the host's disk and an LV, frozen or with all but the host's snapshot cut; both databases are seen to be held."""
    path = call(*MANAGER[1:], "CreateSet", "asa{sv}", "2", *BOTH, "2", "deadline_ms", "u", str(deadline_ms), "providers", "a{ss}", "1", MOUNT, "host")[0]
    for method in ("Prepare", "Freeze", "Snapshot"):
        if state(path) != until:
            step(path, method)
    expect(state(path) == until, state(path))
    expect_held(held)
    return path


def expect_failed(path, words):
    """And with the set all that had been cut beside the host's disk has gone."""
    manifest = describe(path)
    expect(manifest["state"] == "failed" and words in manifest["error"], f"{manifest['state']}: {manifest['error']}")
    expect(not run("lvs", "--noheadings", "-o", "lv_name", "@quiesced").strip(), "a snapshot is left")


def expect_unreported(path):
    """Complete, and it says that nothing is known of the host's part; the databases were quiesced for the rest all the same."""
    expect(final_state(path) == "complete", describe(path)["error"])
    manifest = describe(path)
    worth = {member["volume"]: member["consistency"] for member in manifest["members"]}
    expect((manifest["consistency"], worth) == ("unreported", {MOUNT: "unreported", CUT: "filesystem"}), f"{manifest['consistency']}, {worth}")
    writers = {writer["name"]: writer["quiesced"] for writer in manifest["writers"]}
    expect(writers == {"postgresql": True, "mariadb": True}, f"{writers}")


@case("The host's snapshot fails and the requestor aborts, or nobody says a word up to the deadline: PostgreSQL and MariaDB, held before, are free by their own word")
def writers_host_fails():
    with servers() as both:
        for until in ("frozen", "snapshotted"):
            path = held_set(until, both)
            step(path, "Abort")
            expect_free(both)
            expect_failed(path, "abort")
            delete_all_sets()
        # The hypervisor hangs: only the deadline is left.
        path = held_set("frozen", both, deadline_ms=20000)
        wait_for_state(path, "failed", 40)
        expect_free(both)
        expect_failed(path, "deadline")
        print(f"  silence while frozen: {describe(path)['error']}")
        path = held_set("snapshotted", both, deadline_ms=20000)
        expect_unreported(path)
        expect_free(both)
        delete_all_sets()


@case("The host's snapshot fails and its qemu-ga thaws, gives up, or never speaks again: PostgreSQL and MariaDB, held before, are free by their own word")
def writers_host_fails_hook():
    def newest_set():
        return call(*MANAGER[1:], "ListSets", "a{sv}", "0")[0][-1]

    def configure(deadline):
        with open(HOOK, "w", encoding="utf-8") as file:
            file.write(f"[hook]\ndeadline = {deadline}s\nvolumes = {MOUNT} {CUT}\nin_guest = {CUT}\n")
    try:
        with servers() as both, Qga() as agent:
            configure(60)
            agent.freeze(BOTH)
            expect_held(both)
            agent.thaw()  # all that a host does, whether it has a snapshot or not
            expect_unreported(newest_set())
            expect_free(both)
            delete_all_sets()
            run("quiescectl", "hook", "freeze", "qemu-ga")
            expect_held(both)
            path = newest_set()
            run("quiescectl", "hook", "abort", "qemu-ga")
            expect_free(both)
            expect_failed(path, "abort")
            configure(20)
            agent.freeze(BOTH)
            begun = time.monotonic()
            expect_held(both)
            expect_unreported(newest_set())
            print(f"  over {time.monotonic() - begun:.1f} s after the freeze, by the deadline of 20 s")
            expect_free(both)
            agent.thaw()  # late, for nothing
            expect_free(both)
            delete_all_sets()
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(HOOK)
