# SPDX-License-Identifier: LGPL-2.1-or-later
"""The real unit with the freezer that stops at a chosen point of the window (tests/native/freezer_points.cc)."""
import contextlib
import os
import shutil
import time

from harness import expect
from storage import HERE, run

FOLDER = "/run/points"
PROGRAM = f"{FOLDER}/quiesced-freezer-points"
POINT, REACHED = f"{PROGRAM}.point", f"{PROGRAM}.reached"
DROP_IN = "/run/systemd/system/quiesced.service.d"


@contextlib.contextmanager
def points_freezer():
    os.makedirs(FOLDER, exist_ok=True)
    shutil.copy(f"{HERE}/quiesced-freezer-points", PROGRAM)
    os.makedirs(DROP_IN, exist_ok=True)
    with open(f"{DROP_IN}/points.conf", "w", encoding="ascii") as file:
        # It is killed often here, and it may come back at once.
        file.write(f"[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=\nExecStart=/usr/sbin/quiesced --freezer {PROGRAM}\nRestartSec=100ms\n")
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "quiesced")
    try:
        yield
    finally:
        let_go()
        os.unlink(f"{DROP_IN}/points.conf")
        run("systemctl", "daemon-reload")
        run("systemctl", "restart", "quiesced")


def stop_at(point):
    """The next freezer that can cut stops there, not one that only looks for foreign freezes; call before Prepare."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(REACHED)
    with open(POINT, "w", encoding="ascii") as file:
        file.write(f"cut {point}")


def wait_reached(point, seconds=30):
    """Returns the freezer's process id."""
    deadline = time.monotonic() + seconds
    while not os.path.exists(REACHED):
        expect(time.monotonic() < deadline, f"the window does not come to '{point}'")
        time.sleep(0.02)
    with open(REACHED, encoding="ascii") as file:
        return int(file.read())


def let_go():
    with contextlib.suppress(FileNotFoundError):
        os.unlink(POINT)
