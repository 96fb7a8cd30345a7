# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tests/bench/hook finds, as one object or for people."""
import json
import statistics
import time

from storage import run

SPANS = ("freeze_ms", "thaw_ms", "stall_ms")


def time_of(*words):
    """A program that does nothing: what starting it costs here, at best."""
    taken = []
    for _ in range(3):
        start = time.monotonic()
        run(*words)
        taken.append((time.monotonic() - start) * 1000)
    return min(taken)


def summarize(results):
    """Of {hook or not: its runs}: medians, and ours as a part of the plain ones."""
    figures = {}
    for key in SPANS:
        for hook in (True, False):
            figures[key if hook else f"plain_{key}"] = round(statistics.median(result[key] for result in results[hook]), 2)
    for span in ("freeze", "stall"):
        figures[f"{span}_ratio"] = round(figures[f"{span}_ms"] / figures[f"plain_{span}_ms"], 4)
    return figures


def show(figures, as_json):
    if as_json:
        print(json.dumps(figures))
        return
    print(f"script writers of 100 ms: one {figures['one_writer_ms']} ms, ten side by side {figures['ten_writers_ms']} ms; quiescectl starts in {figures['start_ms']} ms")
    print(f"{figures['systems']} file systems, {figures['dirty_mib']} MiB dirty each, median of {figures['runs']}{', emulated' if figures['emulated'] else ''}, ms:")
    for what, key in (("freeze answered after", "freeze_ms"), ("thaw answered after", "thaw_ms"), ("longest write", "stall_ms")):
        print(f"  {what:24} plain {figures[f'plain_{key}']:9.1f}   with our hook {figures[key]:9.1f}")
    print(f"  ours as a part of plain: freeze {figures['freeze_ratio']:.3f}, longest write {figures['stall_ratio']:.3f}")
