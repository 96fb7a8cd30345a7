# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writers of the type unit, by the real systemd: frozen or stopped for the window, as they were after it."""
import contextlib
import os
import signal

import databases
from harness import case, create, delete_all_sets, describe, expect, final_state, main_pid, step, wait_for, wait_for_new_daemon
from storage import run

FOLDER = "/srv/ext4"
UNIT = "test-unit.service"
FILE = f"/run/systemd/system/{UNIT}"
GATE = "/run/test-unit-may-start"


def shown(name):
    return run("systemctl", "show", "--value", "-p", name, UNIT).strip()


def units_writer(manifest):
    return next(writer for writer in manifest["writers"] if writer["name"] == "app")


@contextlib.contextmanager
def unit(method):
    """An application that writes all the time, declared as a writer; it starts only while GATE is there."""
    with open(FILE, "w", encoding="ascii") as file:
        file.write(f"[Service]\nExecStartPre=/usr/bin/test -e {GATE}\nExecStart=/bin/sh -c 'while sleep 0.1; do echo >>{FOLDER}/ticks; done'\n"
                   f"ExecStopPost=/bin/sh -c 'echo stopped >>{FOLDER}/ticks.end'\n")
    with open(GATE, "w", encoding="ascii"):
        pass
    run("systemctl", "daemon-reload")
    run("systemctl", "start", UNIT)
    try:
        with databases.declared("app", f"type = unit\nunit = {UNIT}\nmethod = {method}\nvolumes = {FOLDER}\nlimit = 60s\n"):
            yield
    finally:
        run("systemctl", "stop", UNIT, check=False)
        run("systemctl", "reset-failed", UNIT, check=False)
        for path in (FILE, GATE):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        run("systemctl", "daemon-reload")


def frozen_set():
    path = create(FOLDER)
    for method in ("Prepare", "Freeze"):
        step(path, method)
    return path


def finished(path):
    for method in ("Snapshot", "Thaw", "Finish"):
        step(path, method)
    return describe(path)


@case("A unit stands still for the window and goes on after it, with the same process; its volume stays filesystem")
def writers_unit_freeze():
    with unit("freeze"):
        process = shown("MainPID")
        path = frozen_set()
        expect(shown("FreezerState") == "frozen", f"it is {shown('FreezerState')} in the window")
        manifest = finished(path)
        expect(shown("FreezerState") == "running" and shown("MainPID") == process, f"{shown('FreezerState')}, process {shown('MainPID')} after {process}")
        expect(units_writer(manifest)["quiesced"] and manifest["consistency"] == "filesystem", f"{manifest['consistency']}: {manifest['writers']}")
        # Somebody else's thaw in the middle: it was not held.
        path = frozen_set()
        run("systemctl", "thaw", UNIT)
        writer = units_writer(finished(path))
        expect(not writer["quiesced"] and "somebody else had thawed" in writer["error"], f"{writer}")
    delete_all_sets()


@case("A unit is stopped for the window and started after it, also when its daemon is lost; its volume is worth application")
def writers_unit_stop():
    with unit("stop"):
        process = shown("MainPID")
        path = frozen_set()
        expect(shown("ActiveState") == "inactive", f"it is {shown('ActiveState')} in the window")
        manifest = finished(path)
        expect(shown("ActiveState") == "active" and shown("MainPID") != process, f"{shown('ActiveState')}, process {shown('MainPID')}")
        expect(units_writer(manifest)["quiesced"] and manifest["consistency"] == "application", f"{manifest['consistency']}: {manifest['writers']}")
        frozen_set()
        old = main_pid()
        os.kill(old, signal.SIGKILL)
        wait_for_new_daemon(old)
        wait_for("the unit's start", lambda: shown("ActiveState") == "active")
    delete_all_sets()


@case("A stopped unit that does not start again is told of, and costs its volume the word application; one that did not run is left alone")
def writers_unit_does_not_start():
    with unit("stop"):
        path = frozen_set()
        os.unlink(GATE)
        manifest = finished(path)
        writer = units_writer(manifest)
        expect(final_state(path) == "complete" and manifest["consistency"] == "filesystem", f"{manifest['consistency']}")
        expect(not writer["quiesced"] and "its job ended with 'failed'" in writer["error"] and f"systemctl start {UNIT}" in writer["error"], f"{writer}")
        print(f"  {writer['error']}")
        run("systemctl", "reset-failed", UNIT)
        with open(GATE, "w", encoding="ascii"):
            pass
        path = frozen_set()
        finished(path)
        expect(shown("ActiveState") == "inactive", "it was started")
    delete_all_sets()
