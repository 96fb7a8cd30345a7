# SPDX-License-Identifier: LGPL-2.1-or-later
"""What every guest test uses: cases named by sentences, the bus, the shared leak check."""
import contextlib
import json
import re
import subprocess
import sys
import threading
import time

from storage import HERE, VOLUMES, DemoError, run

CASES = []
SNAPSHOT_DEVICE = re.compile("--q[0-9a-f]{16}(-cow)?$")
REPORTED = set()
MANAGER = ("org.quiesced1", "/org/quiesced1", "org.quiesced1.Manager")
SET_INTERFACE = "org.quiesced1.SnapshotSet"


class Missing(Exception):
    """Raised by a case that needs what is not there: it is skipped, and counted as such."""


def case(sentence):
    """Registers a test; it fails by raising."""
    def register(function):
        CASES.append((sentence, function))
        return function
    return register


def expect(condition, message):
    if not condition:
        raise DemoError(message)


def wait_for(what, found, seconds=30):
    deadline = time.monotonic() + seconds
    while not (result := found()):
        expect(time.monotonic() < deadline, f"{what} did not come within {seconds} s")
        time.sleep(0.05)
    return result


def call(path, interface, method, *arguments):
    """busctl call; returns the answer's values. The message of a D-Bus error becomes the error."""
    answer = run("busctl", "--json=short", "--timeout=300", "call", "org.quiesced1", path, interface, method, *arguments)
    return json.loads(answer)["data"] if answer.strip() else []


def create(*volumes, deadline_ms=30000, **options):
    """CreateSet; an option of the bus whose value is a string goes into `options`."""
    words = ["deadline_ms", "u", str(deadline_ms)]
    for name, value in options.items():
        words += [name, "s", value]
    return call(*MANAGER[1:], "CreateSet", "asa{sv}", str(len(volumes)), *volumes, str(len(words) // 3), *words)[0]


def step(path, method):
    return call(path, SET_INTERFACE, method, "a{sv}", "0")


def describe(path):
    return json.loads(step(path, "Describe")[0])


def state(path):
    return json.loads(run("busctl", "--json=short", "get-property", "org.quiesced1", path, SET_INTERFACE, "State"))["data"]


def wait_for_state(path, wanted, seconds=30):
    deadline = time.monotonic() + seconds
    while state(path) != wanted:
        expect(time.monotonic() < deadline, f"the set is {state(path)} and not {wanted} after {seconds} s")
        time.sleep(0.1)


def final_state(path, seconds=60):
    """Waits for the end of a set, good or bad."""
    deadline = time.monotonic() + seconds
    while (now := state(path)) not in ("complete", "failed"):
        expect(time.monotonic() < deadline, f"the set is still {now} after {seconds} s")
        time.sleep(0.1)
    return now


class Background:
    """A function in a thread of its own."""
    def __init__(self, function, *arguments):
        self.error, self._value = None, None

        def body():
            try:
                self._value = function(*arguments)
            except (DemoError, OSError, ValueError, subprocess.SubprocessError) as error:
                self.error = error
        self._thread = threading.Thread(target=body, daemon=True)
        self._thread.start()

    def is_over(self):
        return not self._thread.is_alive()

    def end(self, seconds):
        """Waits for its end, whatever that is."""
        self._thread.join(seconds)
        expect(not self._thread.is_alive(), f"it goes on after {seconds} s")

    def result(self, seconds):
        """What it returned; what it raised, raises."""
        self.end(seconds)
        if self.error is not None:
            raise self.error
        return self._value


def refuse(error, *volumes, says=()):
    """quiescectl snapshot must fail with this error's name, and with a sentence that has these words."""
    done = run("quiescectl", "snapshot", *volumes, check=False)
    expect(done.returncode == 1, f"exit status {done.returncode}: {done.stdout}{done.stderr}")
    expect(f"org.quiesced1.Error.{error}" in done.stderr, f"not {error}: {done.stderr.strip()}")
    for words in says:
        expect(words in done.stderr, f"'{words}' is not said: {done.stderr.strip()}")
    print(f"  {done.stderr.strip()}")


def writable(folder, seconds=0.3):
    """Whether a file can be made in the folder within the time. The attempt is a process of its own: it may block."""
    probe = subprocess.Popen(["touch", f"{folder}/write-probe"], stdin=subprocess.DEVNULL)
    try:
        return probe.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        return False


def writable_all(folders, seconds):
    """Whether files can be made in all folders within the time; all are tried at once."""
    probes = [subprocess.Popen(["touch", f"{folder}/write-probe"], stdin=subprocess.DEVNULL) for folder in folders]
    deadline = time.monotonic() + seconds
    good = True
    for probe in probes:
        try:
            good = probe.wait(max(0.0, deadline - time.monotonic())) == 0 and good
        except subprocess.TimeoutExpired:
            good = False
    return good


def main_pid():
    """Of the daemon that systemd runs; 0 when there is none."""
    return int(run("systemctl", "show", "--value", "-p", "MainPID", "quiesced"))


def wait_for_new_daemon(old, seconds=30):
    """Waits until another process than `old` serves the bus."""
    deadline = time.monotonic() + seconds
    while main_pid() in (0, old) or run("systemctl", "is-active", "quiesced", check=False).stdout.strip() != "active":
        expect(time.monotonic() < deadline, f"no new daemon after {seconds} s")
        time.sleep(0.1)


def pid_of(name):
    return [int(pid) for pid in run("pgrep", "-x", name, check=False).stdout.split()]


def delete_all_sets():
    for path in call(*MANAGER[1:], "ListSets", "a{sv}", "0")[0]:
        if state(path) in ("complete", "failed"):
            step(path, "Delete")


def give_up_all_sets():
    """What a case that failed has left open would make all later ones fail."""
    with contextlib.suppress(DemoError, ValueError):
        for path in call(*MANAGER[1:], "ListSets", "a{sv}", "0")[0]:
            with contextlib.suppress(DemoError):
                if state(path) not in ("complete", "failed"):
                    step(path, "Abort")
                step(path, "Delete")


def leaks():
    """What the shared leak check finds: frozen, suspended, armed, stray, left switched; and devices of snapshots without their LV."""
    done = run(f"{HERE}/quiesced-leak-check", check=False)
    found = done.stderr.strip().splitlines() if done.returncode else []
    if found:
        return found  # of a snapshot that is left, its devices are, too
    names = run("dmsetup", "info", "-c", "--noheadings", "-o", "name").split()
    orphans = [f"device-mapper device {name} is left" for name in names if SNAPSHOT_DEVICE.search(name)]
    return [orphan for orphan in orphans if orphan not in REPORTED]


def wait_for_no_leaks(seconds):
    """What is undone is undone by then."""
    deadline = time.monotonic() + seconds
    while found := leaks():
        expect(time.monotonic() < deadline, f"left after {seconds} s: {found}")
        time.sleep(0.5)


def read_only(names=tuple(volume.name for volume in VOLUMES)):
    """The file systems at these mount points that the kernel has turned read-only, which a failed write does not tell from frozen ones."""
    with open("/proc/self/mounts", encoding="utf-8") as file:
        mounts = [line.split() for line in file]
    return [f"{mount[1]} has become read-only" for mount in mounts if mount[1] in names and "ro" in mount[3].split(",")]


def run_cases(cases, only):
    failed = False
    for sentence, function in cases:
        if only and not any(part in function.__name__ for part in only):
            continue
        begun = time.monotonic()
        problems, missing = [], ""
        try:
            function()
        except Missing as tool:
            missing = str(tool)
        except (DemoError, OSError, ValueError, KeyError, IndexError, subprocess.SubprocessError) as error:
            problems.append(f"{type(error).__name__}: {error}")
            if isinstance(error.__context__, DemoError):  # what came first; the one above is of the clearing up
                problems.append(f"before that: {error.__context__}")
        left = leaks()
        problems += [f"left behind: {leak}" for leak in left + read_only()]
        REPORTED.update(left)  # a device that nobody removes is not the next case's fault
        for problem in problems:
            print(f"  {problem}")
        if problems:
            failed = True
            give_up_all_sets()
            said = run("journalctl", "-q", "-b", "-o", "short-monotonic", "-n", "25", "-u", "quiesced*", check=False).stdout
            said += run("journalctl", "-q", "-b", "-k", "-o", "short-monotonic", "-n", "15", "-p", "warning", check=False).stdout
            for line in said.splitlines():
                print(f"  | {line}")
        if missing and not problems:
            print(f"skip - {sentence} (missing: {missing})", flush=True)
            continue
        print(f"{'not ok' if problems else 'ok'} - {sentence} ({time.monotonic() - begun:.1f} s)", flush=True)
    sys.exit(1 if failed else 0)
