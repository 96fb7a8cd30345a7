# SPDX-License-Identifier: LGPL-2.1-or-later
"""The plugin and the real targetd (https://github.com/open-iscsi/targetd), whose source QUIESCED_TARGETD names: Debian does not have it. What
tests/array answers in its place must be what it answers."""
import json
import os

from cases_array_sets import check_mounted, check_plugin, mark
from harness import Missing, case, delete_all_sets, expect
from san import SAN, TARGETD, VOLUMES
from storage import run


def needs_targetd(running=True):
    if not os.path.isdir(TARGETD):
        raise Missing("targetd; QUIESCED_TARGETD names its source")
    expect(not running or SAN.real, "targetd could not be set up")


@case("The real targetd: a set over its LUNs is mounted and checked, and leaves nothing")
def targetd_set():
    needs_targetd(running=False)
    SAN.set_up(real=True)
    for volume in VOLUMES:
        mark(volume)
    manifest = json.loads(run("quiescectl", "snapshot", "--json", *VOLUMES))
    expect(manifest["consistency"] == "filesystem", "it is not consistent")
    expect(len(SAN.copies()) == 4, f"not two volumes and two exports: {SAN.copies()}")
    member = next(member for member in manifest["members"] if member["volume"] == VOLUMES[0])
    check_mounted(member["device"], "ext4")
    plugin = next(plugin for plugin in json.loads(run("quiescectl", "plugins", "--json")) if plugin["Name"] == "targetd")
    print("  " + ", ".join(f"{call['method']} {call['took_us'] / 1000:.0f} ms" for call in plugin["Calls"]))
    delete_all_sets()
    expect(SAN.copies() == [], f"left on the array: {SAN.copies()}")


@case("The real targetd: the conformance suite passes")
def targetd_conformance():
    needs_targetd()
    check_plugin("part")
    expect(SAN.copies() == [], f"left on the array: {SAN.copies()}")


@case("The real targetd is gone again")
def targetd_torn_down():
    needs_targetd()
    SAN.tear_down()
