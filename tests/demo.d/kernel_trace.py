# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernel's own record of a set: when file systems were frozen and thawed, and which programs were started."""
import os
import re

TRACING = "/sys/kernel/tracing"
FREEZER = "quiesced-freeze"  # the process name of quiesced-freezer, which Linux cuts at 15 letters
LINE = re.compile(r"^\s*(?P<name>.{1,16}?)-(?P<pid>\d+)\s+\[\d+\]\s+\S+\s+(?P<time>\d+\.\d+): (?P<event>\w+): (?P<text>.*)$")


def write(path, text, flags=os.O_TRUNC):
    # Not open(): for "a" it seeks, which these files refuse.
    file = os.open(f"{TRACING}/{path}", os.O_WRONLY | flags)
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)


def is_lvm(path):
    return os.path.basename(os.path.realpath(path)) in ("lvm", "lvmpolld", "fsadm", "lvmdump")


class KernelTrace:
    def __init__(self):
        write("tracing_on", "0")
        write("trace_clock", "mono")
        write("kprobe_events", "p:demo/frozen freeze_super\n", os.O_APPEND)
        write("kprobe_events", "r:demo/thawed thaw_super\n", os.O_APPEND)
        for event in ("demo/frozen", "demo/thawed", "sched/sched_process_exec"):
            write(f"events/{event}/enable", "1")

    def start(self):
        write("trace", "")
        write("tracing_on", "1")

    def stop(self):
        """Of what has happened since start(): {"windows", "programs", "programs_in_window", "lvm", "lvm_in_window"}, and of the
        last window {"freezes", "thaws", "window_ms"}. Before it there may be one that looks for foreign freezes."""
        write("tracing_on", "0")
        with open(f"{TRACING}/trace", encoding="ascii", errors="replace") as file:
            return digest(file.read())


def digest(text):
    calls, programs = [], []
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = LINE.match(line)
        if not match:
            if "LOST" in line:
                raise ValueError("the kernel's trace has lost events")
            continue
        moment = float(match["time"])
        if match["event"] in ("frozen", "thawed") and match["name"] == FREEZER:
            calls.append((moment, match["event"]))
        elif match["event"] == "sched_process_exec":
            programs.append((moment, re.match(r"filename=(.*) pid=\d+ old_pid=\d+$", match["text"])[1]))
    windows = windows_of(calls)
    if not windows:
        raise ValueError("the kernel's trace shows no freeze by quiesced-freezer")
    inside = [path for moment, path in programs if any(window[0][0] <= moment <= window[-1][0] for window in windows)]
    last = windows[-1]
    return {
        "windows": len(windows),
        "freezes": sum(event == "frozen" for _, event in last),
        "thaws": sum(event == "thawed" for _, event in last),
        "window_ms": (last[-1][0] - last[0][0]) * 1000,
        "programs": len(programs),
        "programs_in_window": inside,
        "lvm": sum(is_lvm(path) for _, path in programs),
        "lvm_in_window": sum(is_lvm(path) for path in inside),
    }


def windows_of(calls):
    """Lists of calls, each from a first freeze to the thaw of as many."""
    windows, held = [], 0
    for moment, event in sorted(calls):
        if held == 0:
            windows.append([])
        windows[-1].append((moment, event))
        held += 1 if event == "frozen" else -1
    if held != 0:
        raise ValueError(f"{held} more freezes than thaws in the kernel's trace")
    return windows
