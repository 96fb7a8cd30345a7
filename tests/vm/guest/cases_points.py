# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 of the freezer, the daemon, or both at each point of the window: writers run again and nothing is left behind."""
import contextlib
import os
import signal
import time

from harness import (Background, DemoError, case, create, delete_all_sets, expect, final_state, leaks, main_pid, step, wait_for_new_daemon,
                     writable_all)
from points_freezer import let_go, points_freezer, stop_at, wait_reached
from storage import run

NAMES = ["/srv/ext4", "/srv/xfs"]  # thick, thin
INNER = "/srv/ext4/inner"          # in a loop file on the first: a level of its own

# Those that device-mapper has a part in, in the order of the window; True: something is frozen there. All points of the
# window, without device-mapper: tests/native/points_test.cc.
POINTS = {
    "half-primed": False,
    "all-frozen": True,
    "fire": True,
    "suspended": True,
    "cut": True,
    "fired": True,
    # Of a set that is given up while frozen.
    "unprime": False,
    "half-unprimed": False,
}


@contextlib.contextmanager
def inner_file_system():
    os.makedirs(INNER, exist_ok=True)
    run("truncate", "-s", "16M", f"{INNER}.img")
    run("mkfs.ext4", "-q", f"{INNER}.img")
    run("mount", "-o", "loop", f"{INNER}.img", INNER)
    try:
        yield
    finally:
        run("umount", INNER)
        os.unlink(f"{INNER}.img")


def whole_window(path):
    step(path, "Take")


def given_up(path):
    step(path, "Prepare")
    step(path, "Freeze")
    step(path, "Abort")


def wait_stopped(pid):
    deadline = time.monotonic() + 5
    while True:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            if file.read().rpartition(") ")[2][0] == "T":
                return
        expect(time.monotonic() < deadline, f"process {pid} does not stop")
        time.sleep(0.01)


def kill(lost, freezer, daemon):
    if lost == "both":
        os.kill(daemon, signal.SIGSTOP)  # it must not notice the end of its freezer
        wait_stopped(daemon)
    if lost != "daemon":
        os.kill(freezer, signal.SIGKILL)
    if lost != "freezer":
        os.kill(daemon, signal.SIGKILL)
    let_go()


def wait_clean(seconds=30):
    """What the next daemon removes takes it a moment."""
    deadline = time.monotonic() + seconds
    while True:
        found = leaks()
        if not found:
            return
        expect(time.monotonic() < deadline, "; ".join(found))
        time.sleep(0.2)


def lose_at(point, lost):
    """Returns how long the writers waited, in seconds."""
    daemon = main_pid()
    stop_at(point)
    path = create(*NAMES, deadline_ms=60000)
    caller = Background(given_up if "unprime" in point else whole_window, path)
    freezer = wait_reached(point)
    if POINTS[point]:
        expect(not writable_all([*NAMES, INNER], 0.4), "nothing is frozen: the point proves nothing")
    begun = time.monotonic()
    kill(lost, freezer, daemon)
    expect(writable_all([*NAMES, INNER], 15), "something is still frozen after 15 s")
    waited = time.monotonic() - begun
    if lost == "freezer":
        with contextlib.suppress(DemoError):  # it may fail, and after the cut it may succeed
            caller.result(60)
        final_state(path)
        delete_all_sets()
    else:
        wait_for_new_daemon(daemon)
        caller.end(30)
    wait_clean()
    return waited


def lose_everywhere(lost):
    longest, at = 0.0, ""
    with points_freezer(), inner_file_system():
        for point in POINTS:
            try:
                waited = lose_at(point, lost)
            except DemoError as error:
                raise DemoError(f"at '{point}': {error}") from error
            if waited > longest:
                longest, at = waited, point
    print(f"  {len(POINTS)} points; the writers waited at most {longest:.1f} s, after '{at}'")


@case("kill -9 of the freezer at each point of the window leaves nothing behind")
def points_freezer_killed():
    lose_everywhere("freezer")


@case("kill -9 of the daemon at each point of the window leaves nothing behind")
def points_daemon_killed():
    lose_everywhere("daemon")


@case("kill -9 of both at each point of the window leaves nothing behind")
def points_both_killed():
    lose_everywhere("both")
