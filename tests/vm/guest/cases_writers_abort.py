# SPDX-License-Identifier: LGPL-2.1-or-later
"""A set is given up while a writer is at work: each kind is ended in its way, and gets its undo."""
import contextlib
import os
import time

import databases
from harness import Background, case, create, delete_all_sets, expect, final_state, step, writable_all
from storage import run

FOLDER = "/srv/ext4"


def abort_under_way(name, text, begun):
    """Aborts a set whose writer is at its freeze when `begun()`; returns the seconds that Abort took."""
    with databases.declared(name, text):
        path = create(FOLDER)
        step(path, "Prepare")
        freeze = Background(step, path, "Freeze")
        databases.wait_until(begun, f"{name} at work", 60)
        start = time.monotonic()
        step(path, "Abort")
        took = time.monotonic() - start
        freeze.end(30)
        expect(freeze.error is not None, "Freeze succeeded")
        expect(final_state(path) == "failed" and writable_all([FOLDER], 10), "something is still frozen")
        step(path, "Delete")
    return took


@case("Abort does not wait for a script, a session or a unit that is under way: it ends them, and each gets its undo")
def writers_abort_under_way():
    begun, notes = "/run/abort-begun", "/run/abort-notes"
    script, session = "/etc/quiesced/abort-script", "/etc/quiesced/abort-session"
    with open(script, "w", encoding="ascii") as file:
        file.write(f"#!/bin/sh\necho $1 >>{notes}\n[ $1 = thaw ] || {{ : >{begun}; sleep 45; }}\n")
    with open(session, "w", encoding="ascii") as file:
        file.write(f"#!/bin/sh\nwhile read -r line; do\n    case $line in *'\"freeze\"'*) : >{begun}; sleep 45;; esac\n    echo '{{\"ok\":true}}'\ndone\n")
    for path in (script, session):
        os.chmod(path, 0o755)

    def at_work():
        return os.path.exists(begun)

    def left():
        return run("systemctl", "list-units", "--all", "--no-legend", "quiesced-writer-*").strip()
    try:
        took = {"script": abort_under_way("slow", f"type = script\ncommand = {script}\nlimit = 60s\n", at_work)}
        with open(notes, encoding="ascii") as file:
            expect(file.read().split() == ["freeze", "thaw"], "the script had no thaw")
        os.unlink(begun)
        took["session"] = abort_under_way("slow", f"type = session\ncommand = {session}\nlimit = 60s\n", at_work)
        expect(not left(), f"a unit is left: {left()}")
        # It takes its time to stop, and is started again when it has.
        run("systemd-run", "-q", "--unit=test-app", "-p", "TimeoutStopSec=60", "-p", f"ExecStop=/bin/sh -c ': >{begun}.unit; sleep 20'", "sleep", "1000")
        took["unit"] = abort_under_way("slow", "type = unit\nunit = test-app.service\nmethod = stop\nlimit = 60s\n", lambda: os.path.exists(f"{begun}.unit"))
        expect(all(seconds < 15 for seconds in took.values()), f"{took}")
        print("  Abort took " + ", ".join(f"{seconds:.1f} s ({kind})" for kind, seconds in took.items()))
    finally:
        run("systemctl", "stop", "test-app", check=False)
        for path in (begun, f"{begun}.unit", notes, script, session):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
    delete_all_sets()
