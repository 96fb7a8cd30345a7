# SPDX-License-Identifier: LGPL-2.1-or-later
"""The root file system as a member: journal, logger and bus go on while it is frozen, and nothing that was logged is lost."""
import contextlib
import os
import subprocess
import threading
import time
from collections import Counter

from harness import DemoError, MANAGER, call, case, delete_all_sets, describe, expect, state, step, writable, writable_all
from storage import run

HOLD = 20        # seconds
RATE = 5000      # lines a second
TAG = "frozen-root"
DROP_IN = "/run/systemd/journald.conf.d/all.conf"


@contextlib.contextmanager
def journal_that_keeps_all():
    """No limit of rate, and room for every line in /run, too."""
    os.makedirs(os.path.dirname(DROP_IN), exist_ok=True)
    with open(DROP_IN, "w", encoding="ascii") as file:
        file.write("[Journal]\nRateLimitBurst=0\nRuntimeMaxUse=240M\nRuntimeKeepFree=1M\nSystemMaxUse=1G\nSystemKeepFree=1M\n")
    run("systemctl", "restart", "systemd-journald")
    try:
        yield
    finally:
        os.unlink(DROP_IN)
        run("systemctl", "restart", "systemd-journald")


class Logging(threading.Thread):
    """`logger` with numbered lines, so many a second as it takes and RATE at the most."""
    def __init__(self):
        super().__init__(daemon=True)
        self.sent = 0
        self._going = True
        self._logger = subprocess.Popen(["logger", "-t", TAG], stdin=subprocess.PIPE)
        self.start()

    def run(self):
        begun = time.monotonic()
        while self._going:
            # What is behind is made up for bit by bit: one write of it all would take longer each time.
            due = min(int((time.monotonic() - begun) * RATE), self.sent + RATE // 10)
            lines = "".join(f"line {number}\n" for number in range(self.sent, due))
            self._logger.stdin.write(lines.encode())  # waits while the journal does
            self._logger.stdin.flush()
            self.sent = max(self.sent, due)
            time.sleep(0.01)

    def stop(self):
        self._going = False
        self.join(60)
        expect(not self.is_alive(), "logger takes no more lines: journald waits for the frozen file system")
        self._logger.stdin.close()
        expect(self._logger.wait(60) == 0, "logger failed")
        return self.sent


class Polling(threading.Thread):
    """Asks the daemon for a property again and again; notes the longest answer."""
    def __init__(self, path):
        super().__init__(daemon=True)
        self.answers, self.longest, self.errors = 0, 0.0, []
        self._path, self._going = path, True
        self.start()

    def run(self):
        while self._going:
            begun = time.monotonic()
            try:
                state(self._path)
            except (DemoError, ValueError) as error:
                self.errors.append(str(error))
            self.answers += 1
            self.longest = max(self.longest, time.monotonic() - begun)
            time.sleep(0.1)

    def stop(self):
        self._going = False
        self.join(30)
        expect(not self.is_alive(), "a call to the daemon does not return")


def lines_in_journal(wanted, seconds):
    """Each line with the moment at which journald got it, once all have come or the time is over. One that journald has stored twice, with
    one and the same moment, is one line."""
    deadline = time.monotonic() + seconds
    while True:
        lines = sorted(set(run("journalctl", "-q", "-b", "-o", "short-monotonic", "--no-hostname", "-t", TAG).splitlines()))
        if len(lines) >= wanted or time.monotonic() > deadline:
            return lines
        time.sleep(2)


def expect_each_once(sent, lines):
    logged = Counter(line.partition("]: ")[2] for line in lines)
    missing = [f"line {number}" for number in range(sent) if f"line {number}" not in logged]
    expect(not missing, f"{len(missing)} of {sent} lines are lost: {missing[:5]}")
    more = [line for line in lines if logged[line.partition("]: ")[2]] > 1]
    expect(len(lines) == sent, f"{len(lines) - sent} lines more than the {sent} that were sent: {more[:6]}")


def frozen_while_logging(path):
    """Freezes, holds for HOLD seconds and thaws; returns (lines sent, the Polling)."""
    step(path, "Prepare")
    logging, polling = Logging(), None
    try:
        step(path, "Freeze")
        begun = time.monotonic()
        polling = Polling(path)
        expect(not writable("/root", 1), "the root file system is not frozen: the case proves nothing")
        while time.monotonic() < begun + HOLD:
            time.sleep(0.2)
        expect(state(path) == "frozen", f"after {HOLD} s the set is {state(path)}")
        step(path, "Snapshot")
        call(path, "org.quiesced1.SnapshotSet", "ReportHostSnapshot", "ssa{sv}", "/", "host-snapshot-1", "0")
        step(path, "Thaw")
    finally:
        if polling:
            polling.stop()
        sent = logging.stop()
    return sent, polling


@case("The root file system is frozen for 20 s under 5,000 log lines a second and a client on the bus: all is thawed, all lines are there")
def root_frozen():
    with journal_that_keeps_all():
        words = ["asa{sv}", "2", "/", "/srv/ext4", "2", "deadline_ms", "u", "60000", "providers", "a{ss}", "1", "/", "host"]
        path = call(*MANAGER[1:], "CreateSet", *words)[0]
        sent, polling = frozen_while_logging(path)
        expect(writable_all(["/root", "/srv/ext4"], 10), "something is still frozen")
        os.unlink("/root/write-probe")
        expect_each_once(sent, lines_in_journal(sent, 120))
        expect(not polling.errors, f"{polling.errors[:3]}")
        step(path, "Finish")
        manifest = describe(path)
        expect(manifest["consistency"] == "filesystem", f"{manifest}")
        print(f"  {sent} lines, {polling.answers} answers of the bus, the longest after {polling.longest:.2f} s")
    delete_all_sets()
