# SPDX-License-Identifier: LGPL-2.1-or-later
"""What every guest test uses: cases named by sentences, the bus, the shared leak check."""
import json
import os
import subprocess
import sys
import time

from storage import HERE, DemoError, run

CASES = []
MANAGER = ("org.quiesced1", "/org/quiesced1", "org.quiesced1.Manager")
SET_INTERFACE = "org.quiesced1.SnapshotSet"


def case(sentence):
    """Registers a test; it fails by raising."""
    def register(function):
        CASES.append((sentence, function))
        return function
    return register


def expect(condition, message):
    if not condition:
        raise DemoError(message)


def call(path, interface, method, *arguments):
    """busctl call; returns the answer's values. The message of a D-Bus error becomes the error."""
    answer = run("busctl", "--json=short", "--timeout=300", "call", "org.quiesced1", path, interface, method, *arguments)
    return json.loads(answer)["data"] if answer.strip() else []


def create(*volumes, deadline_ms=30000):
    return call(*MANAGER[1:], "CreateSet", "asa{sv}", str(len(volumes)), *volumes, "1", "deadline_ms", "u", str(deadline_ms))[0]


def step(path, method):
    return call(path, SET_INTERFACE, method, "a{sv}", "0")


def state(path):
    return json.loads(run("busctl", "--json=short", "get-property", "org.quiesced1", path, SET_INTERFACE, "State"))["data"]


def wait_for_state(path, wanted, seconds=30):
    deadline = time.monotonic() + seconds
    while state(path) != wanted:
        expect(time.monotonic() < deadline, f"the set is {state(path)} and not {wanted} after {seconds} s")
        time.sleep(0.1)


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


def pid_of(name):
    return [int(pid) for pid in run("pgrep", "-x", name, check=False).stdout.split()]


def delete_all_sets():
    for path in call(*MANAGER[1:], "ListSets", "a{sv}", "0")[0]:
        if state(path) in ("complete", "failed"):
            step(path, "Delete")


def leaks():
    """What the shared leak check finds: frozen, suspended, armed, stray, left switched."""
    done = run(f"{HERE}/quiesced-leak-check", check=False)
    return done.stderr.strip().splitlines() if done.returncode else []


def run_cases(only):
    failed = False
    for sentence, function in CASES:
        if only and only not in function.__name__:
            continue
        begun = time.monotonic()
        problems = []
        try:
            function()
        except (DemoError, OSError, ValueError, KeyError, IndexError, subprocess.SubprocessError) as error:
            problems.append(f"{type(error).__name__}: {error}")
        problems += [f"left behind: {leak}" for leak in leaks()]
        for problem in problems:
            print(f"  {problem}")
        if problems:
            failed = True
            for line in run("journalctl", "-q", "-b", "-o", "short-monotonic", "-n", "25", "-u", "quiesced*", check=False).stdout.splitlines():
                print(f"  | {line}")
        print(f"{'not ok' if problems else 'ok'} - {sentence} ({time.monotonic() - begun:.1f} s)", flush=True)
    sys.exit(1 if failed else 0)
