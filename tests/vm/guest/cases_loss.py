# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lost processes while everything is frozen: all thawed and resumed, the RCU switch as before, nothing stays armed."""
import os
import signal
import subprocess
import time

from harness import (MANAGER, call, case, create, delete_all_sets, describe, expect, main_pid, pid_of, state, step, wait_for_new_daemon,
                     wait_for_state, writable, writable_all)
from storage import run

NAMES = ["/srv/ext4", "/srv/xfs", "/srv/btrfs"]


def frozen_set(deadline_ms=60000):
    path = create(*NAMES, deadline_ms=deadline_ms)
    step(path, "Prepare")
    step(path, "Freeze")
    expect(not writable("/srv/ext4"), "nothing is frozen: the case proves nothing")
    expect(rcu() == "1", "the switch is not on: the case does not show that it is put back")
    return path


def rcu():
    with open("/sys/kernel/rcu_expedited", encoding="ascii") as file:
        return file.read().strip()


def expect_thawed_within(seconds):
    begun = time.monotonic()
    for name in NAMES:
        expect(writable(name, max(0.1, begun + seconds - time.monotonic())), f"{name} is still frozen after {seconds} s")
    while rcu() != "0":
        expect(time.monotonic() < begun + seconds, f"/sys/kernel/rcu_expedited is {rcu()}")
        time.sleep(0.05)


def wait_for_daemon():
    deadline = time.monotonic() + 30
    while run("systemctl", "is-active", "quiesced", check=False).stdout.strip() != "active":
        expect(time.monotonic() < deadline, "the daemon did not come back")
        time.sleep(0.2)
    deadline = time.monotonic() + 30
    # What the lost daemon had armed is removed after the start.
    while run("lvs", "--noheadings", "-o", "lv_name", "@quiesced").strip():
        expect(time.monotonic() < deadline, "armed snapshots of a lost set are still there")
        time.sleep(0.5)


@case("kill -9 of the freezer: the daemon thaws, the set fails and is undone")
def freezer_killed():
    path = frozen_set()
    for pid in pid_of("quiesced-freeze"):
        os.kill(pid, signal.SIGKILL)
    expect_thawed_within(5)
    wait_for_state(path, "failed")
    delete_all_sets()


@case("kill -9 of the daemon: the freezer thaws, the next start removes what was armed")
def daemon_killed():
    frozen_set()
    for pid in pid_of("quiesced"):
        os.kill(pid, signal.SIGKILL)
    expect_thawed_within(5)
    wait_for_daemon()


@case("kill -9 of the whole control group: the recovery thaws")
def group_killed():
    frozen_set()
    run("systemctl", "kill", "--kill-whom=all", "--signal=SIGKILL", "quiesced")
    expect_thawed_within(20)
    wait_for_daemon()


@case("systemctl stop while frozen thaws and undoes")
def stopped():
    frozen_set()
    run("systemctl", "stop", "quiesced")
    expect_thawed_within(5)
    run("systemctl", "start", "quiesced")


@case("systemctl restart while frozen thaws and undoes, and the new daemon takes the next set")
def restarted():
    frozen_set()
    old = main_pid()
    run("systemctl", "restart", "quiesced")
    expect_thawed_within(5)
    expect(main_pid() not in (0, old), "it was not restarted")
    run("quiescectl", "snapshot", *NAMES)
    delete_all_sets()


def wait_for_end(process, seconds):
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return None


@case("A machine that runs out of memory while frozen kills neither of us, and the set completes")
def out_of_memory():
    path = frozen_set(deadline_ms=150000)
    both = {main_pid(), *pid_of("quiesced-freeze")}
    # As a service, so that it does not inherit what protects the tests from being chosen.
    hog = subprocess.Popen(["systemd-run", "-q", "--wait", "--collect", "-p", "OOMPolicy=continue", "python3", "-c",
                            # Populated by the kernel at once: quicker than what else runs is pushed out of memory.
                            "import mmap\na = []\nwhile True: a.append(mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x8000))"],
                           stdin=subprocess.DEVNULL)
    expect(wait_for_end(hog, 120) not in (None, 0), "the machine did not run out of memory")
    killed = [line for line in run("journalctl", "-k", "-q", "-b", "-o", "cat", "-n", "300").splitlines() if "Out of memory: Killed process" in line]
    expect(killed, "the kernel says nothing of a lack of memory")
    expect("python3" in killed[-1], killed[-1])
    expect(both == {main_pid(), *pid_of("quiesced-freeze")}, f"it was one of us: {killed}")
    for method in ("Snapshot", "Thaw", "Finish"):
        step(path, method)
    expect_thawed_within(5)
    expect(describe(path)["consistency"] == "filesystem", "the set suffered")
    delete_all_sets()


@case("A service that the kernel kills for its memory while frozen leaves nothing frozen")
def out_of_own_memory():
    frozen_set()
    old, limit = main_pid(), 24
    try:
        # What is locked cannot be taken back: the kernel kills in our control group until the rest fits. Not one byte lower than
        # that: whoever then thaws needs memory in the kernel, and btrfs turns read-only when there is none.
        while main_pid() == old and pid_of("quiesced-freeze"):
            expect(limit > 0, "nothing was killed")
            run("systemctl", "set-property", "--runtime", "quiesced", f"MemoryMax={limit}M")
            limit -= 1
            time.sleep(0.2)
    finally:
        run("systemctl", "set-property", "--runtime", "quiesced", "MemoryMax=infinity")
    print(f"  killed with MemoryMax={limit + 1}M")
    expect(writable_all(NAMES, 20), "something is still frozen")
    expect_thawed_within(5)
    wait_for_new_daemon(old)
    wait_for_daemon()
    run("systemctl", "revert", "quiesced")


@case("A caller that leaves the bus takes its bound set with it")
def caller_gone():
    # busctl leaves the bus as soon as it has its answer.
    path = call(*MANAGER[1:], "CreateSet", "asa{sv}", "1", "/srv/ext4", "1", "bind", "b", "true")[0]
    wait_for_state(path, "failed")
    expect(state(path) == "failed", "the set outlived its caller")
    delete_all_sets()
