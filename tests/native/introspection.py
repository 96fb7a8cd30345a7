#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the daemon says of its interfaces is what dbus/*.xml says, and what the golden file keeps: signatures never change.

Arguments: the bus's address, the path of a set, that of a job, the file of org.quiesced1(5), which has to describe the same.
With --write the golden file is made from dbus/*.xml.
"""
import os
import subprocess
import sys
import xml.etree.ElementTree as tree

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
GOLDEN = os.path.join(ROOT, "tests", "native", "interfaces.golden")
EMITS = "org.freedesktop.DBus.Property.EmitsChangedSignal"


def lines_of(xml):
    """A line for each member of our interfaces."""
    for interface in tree.fromstring(xml).iter("interface"):
        name = interface.get("name")
        if not name.startswith("org.quiesced1."):
            continue
        for member in interface:
            annotations = {entry.get("name"): entry.get("value") for entry in member.findall("annotation")}
            if member.tag == "property":
                yield f"{name} property {member.get('name')} {member.get('type')} {member.get('access')} emits={annotations.get(EMITS, 'true')}"
            elif member.tag in ("method", "signal"):
                types = {way: "".join(arg.get("type") for arg in member.findall("arg") if arg.get("direction", other) == way)
                         for way, other in (("in", "in" if member.tag == "method" else "out"), ("out", "out"))}
                yield f"{name} {member.tag} {member.get('name')} in={types['in']} out={types['out']}"


def lines_of_page(path):
    """The same of the manual page."""
    interface = ""
    with open(path, encoding="utf-8") as file:
        lines = file.read().replace("\\-", "-").splitlines()
    for line, following in zip(lines, lines[1:]):
        if line.startswith(".SH "):
            interface = line.removeprefix(".SH INTERFACE ")
        if not line.startswith(".SS "):
            continue
        kind, name = line.removeprefix(".SS ").split()
        words = [part.split() for part in following.removeprefix(f"{name}: ").split(", ")]
        if kind == "Property":
            yield f"{interface} property {name} {words[0][0]} {words[1][0]} emits={words[2][1]}"
        else:
            types = {way: "".join(word[1] for word in words if word[0] == way) for way in ("in", "out")}
            yield f"{interface} {kind.lower()} {name} in={types['in']} out={types['out']}"


def introspect(address, path):
    done = subprocess.run(["gdbus", "introspect", "--address", address, "--dest", "org.quiesced1", "--object-path", path, "--xml"],
                          check=True, capture_output=True, text=True)
    return done.stdout


def main():
    written = set()
    for name in ("Job", "Manager", "Plugin", "SnapshotSet"):
        with open(os.path.join(ROOT, "dbus", f"org.quiesced1.{name}.xml"), encoding="utf-8") as file:
            written |= set(lines_of(file.read()))
    if sys.argv[1:] == ["--write"]:
        with open(GOLDEN, "w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in sorted(written))
        return 0
    said = {line for path in ("/org/quiesced1", *sys.argv[2:4]) for line in lines_of(introspect(sys.argv[1], path))}
    # A simulated guest has no plugin's object.
    said |= {line for line in written if line.startswith("org.quiesced1.Plugin ")}
    page = set(lines_of_page(sys.argv[4]))
    with open(GOLDEN, encoding="utf-8") as file:
        golden = set(file.read().splitlines())
    for what, lines in (("the daemon lacks", written - said), ("not in dbus/*.xml", said - written),
                        ("gone from or changed in the interface, which breaks clients", golden - written),
                        ("org.quiesced1(5) lacks", said - page), ("org.quiesced1(5) describes what is not there", page - said),
                        (f"new: add it by {os.path.basename(__file__)} --write", written - golden)):
        for line in sorted(lines):
            print(f"{what}: {line}")
    return 0 if written == said == golden == page else 1


sys.exit(main())
