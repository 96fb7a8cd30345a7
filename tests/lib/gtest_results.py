#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads what a GoogleTest program reported: gtest_results.py REPORT.xml LOG EXIT_STATUS

Prints one line for each test: pass, fail or skip, a tab, the test's name, a tab, the reason (\\n for its line ends).
Of the report formats only the XML one says why a test was skipped. A program that dies leaves no report: then the log
tells which tests had ended, and the one that was running has failed.
"""
import re
import sys
import xml.etree.ElementTree as ElementTree

WHOLE = "the program as a whole"  # for what fails outside of each test, as a check at the end does


def from_report(path):
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}".strip(".") or WHOLE
        failures = [f.text or f.get("message") or "" for f in case.findall("failure")]
        skip = case.find("skipped")
        if failures:
            yield "fail", name, "\n".join(failures)
        elif case.get("status") == "notrun":
            yield "skip", name, "disabled in its source"
        elif skip is not None or case.get("result") == "skipped":
            yield "skip", name, skip_reason((skip.text or skip.get("message") or "") if skip is not None else "")
        else:
            yield "pass", name, ""


def skip_reason(text):
    # The first line is the place in the source.
    lines = [line for line in text.strip().splitlines() if not re.match(r"^\S+:\d+(: Skipped)?$", line)]
    return " ".join(lines) or "no reason given"


def from_log(path, status):
    running, before = None, []
    with open(path, errors="replace") as log:
        for line in log:
            mark = re.match(r"^\[ +(RUN|OK|FAILED|SKIPPED) +\] ([^\s,()]+)", line)
            if not mark:
                before.append(line.rstrip("\n"))
            elif mark[1] == "RUN":
                running, before = mark[2], []
            elif mark[2] == running:
                result = {"OK": "pass", "FAILED": "fail", "SKIPPED": "skip"}[mark[1]]
                said = "\n".join(before)
                yield result, running, {"pass": "", "fail": said, "skip": skip_reason(said)}[result]
                running, before = None, []
    yield "fail", running or WHOLE, "\n".join(before[-30:] + [how_it_ended(status)])


def how_it_ended(status):
    if status in (124, 137):
        return "It was killed (exit status %d): it ran for too long." % status
    if status > 128:
        return f"It died by signal {status - 128}."
    return f"It ended with exit status {status}."


def main():
    report, log, status = sys.argv[1], sys.argv[2], int(sys.argv[3])
    try:
        results = list(from_report(report))
    except (OSError, ElementTree.ParseError):
        results = list(from_log(log, status))
    # A leak check at the end, or a sanitizer, fails the program and no test of it.
    if status != 0 and not any(result == "fail" for result, _, _ in results):
        with open(log, errors="replace") as text:
            end = "".join(text.readlines()[-30:])
        results.append(("fail", WHOLE, end + how_it_ended(status)))
    for result, name, reason in results:
        print(result, name, reason.strip().replace("\\", "\\\\").replace("\n", "\\n").replace("\t", " "), sep="\t")


main()
