# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernel's own record of which file systems were frozen and thawed, by whom and in which order."""
import contextlib
import dataclasses
import os
import re

TRACING = "/sys/kernel/tracing"
INSTANCE = f"{TRACING}/instances/supers"  # a buffer of its own, beside that of the other traces
# struct super_block begins with a list_head; s_dev is behind it (Linux 6.1 and 6.12).
PROBES = "p:supers/freeze freeze_super dev=+16(%di):u32\np:supers/thaw thaw_super dev=+16(%di):u32\n"
LINE = re.compile(r"^\s*(?P<name>.{1,16}?)-\d+\s+\[\d+\]\s+\S+\s+(?P<time>\d+\.\d+): (?P<what>freeze|thaw): .*dev=(?P<dev>\d+)")


@dataclasses.dataclass(frozen=True)
class Event:
    time: float
    name: str    # of the process, cut at 15 letters
    what: str    # freeze or thaw: the call of freeze_super or thaw_super
    device: int  # as st_dev


def _write(path, text, append=False):
    file = os.open(path, os.O_WRONLY | (os.O_APPEND if append else os.O_TRUNC))
    try:
        os.write(file, text.encode())
    finally:
        os.close(file)


def _read():
    events = []
    with open(f"{INSTANCE}/trace", encoding="ascii", errors="replace") as file:
        for line in file:
            match = LINE.match(line)
            if match:
                number = int(match["dev"])  # the kernel's own form: 20 bits for the minor number
                events.append(Event(float(match["time"]), match["name"], match["what"], os.makedev(number >> 20, number & 0xfffff)))
    return events


@contextlib.contextmanager
def freeze_trace():
    """The body's `with` variable is a list, filled with the events when the body ends."""
    os.makedirs(INSTANCE, exist_ok=True)
    if not os.path.isdir(f"{INSTANCE}/events/supers"):
        for probe in PROBES.splitlines():
            _write(f"{TRACING}/kprobe_events", probe + "\n", append=True)
    _write(f"{INSTANCE}/trace_clock", "mono")
    _write(f"{INSTANCE}/trace", "")
    for what in ("freeze", "thaw"):
        _write(f"{INSTANCE}/events/supers/{what}/enable", "1")
    events = []
    try:
        yield events
    finally:
        for what in ("freeze", "thaw"):
            _write(f"{INSTANCE}/events/supers/{what}/enable", "0")
        events.extend(_read())


def device_of(mount_point):
    return os.stat(mount_point).st_dev


def calls(events, what, mount_point_or_device):
    device = mount_point_or_device if isinstance(mount_point_or_device, int) else device_of(mount_point_or_device)
    return [event for event in events if event.what == what and event.device == device]


def last_window(events, name):
    """The process's calls of its last window, [(what, device)]. On kernels where arming fails on a frozen file system another window,
    which looks for that, comes before it."""
    calls_made, held, begun = [(event.what, event.device) for event in events if event.name == name], 0, 0
    for at, (what, _) in enumerate(calls_made):
        if held == 0:
            begun = at
        held += 1 if what == "freeze" else -1
    return calls_made[begun:]
