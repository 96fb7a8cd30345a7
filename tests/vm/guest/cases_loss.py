# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lost processes while everything is frozen: all thawed and resumed, the RCU switch as before, nothing stays armed."""
import os
import signal
import time

from harness import MANAGER, call, case, create, delete_all_sets, expect, pid_of, state, step, wait_for_state, writable
from storage import run

NAMES = ["/srv/ext4", "/srv/xfs", "/srv/btrfs"]


def frozen_set(deadline_ms=60000):
    path = create(*NAMES, deadline_ms=deadline_ms)
    step(path, "Prepare")
    step(path, "Freeze")
    expect(not writable("/srv/ext4"), "nothing is frozen: the case proves nothing")
    return path


def expect_thawed_within(seconds):
    begun = time.monotonic()
    for name in NAMES:
        expect(writable(name, max(0.1, begun + seconds - time.monotonic())), f"{name} is still frozen after {seconds} s")


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


@case("A caller that leaves the bus takes its bound set with it")
def caller_gone():
    # busctl leaves the bus as soon as it has its answer.
    path = call(*MANAGER[1:], "CreateSet", "asa{sv}", "1", "/srv/ext4", "1", "bind", "b", "true")[0]
    wait_for_state(path, "failed")
    expect(state(path) == "failed", "the set outlived its caller")
    delete_all_sets()
