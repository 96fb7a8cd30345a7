# SPDX-License-Identifier: LGPL-2.1-or-later
"""open-vm-tools: its script as vmbackup calls it, and its real sync driver (sync_driver.py) between the scripts' freeze and thaw.

vmtoolsd itself starts in a guest of VMware's only, and its vmbackup plugin on the word of its host.
"""
import os
import subprocess
import sys

from cases_hook_tools import LUN, newest_set, ours
from harness import case, delete_all_sets, describe, expect, final_state, state, writable, writable_all
from storage import HERE, run

SCRIPTS = "/etc/vmware-tools/backupScripts.d"


def vmbackup(operation):
    """As vmbackup does: every file by name, downwards for thaw and freezeFail, with the operation and an argument."""
    for name in sorted(os.listdir(SCRIPTS), reverse=operation != "freeze"):
        run(f"{SCRIPTS}/{name}", operation, "")


class SyncDriver:
    def __init__(self, folder):
        self.process = subprocess.Popen([sys.executable, f"{HERE}/sync_driver.py", folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.answer = self.process.stdout.readline().strip()

    def thaw(self):
        word = self.process.communicate("thaw\n", timeout=60)[0].strip()
        expect(self.process.returncode == 0 and word == "thawed", f"{word}, exit status {self.process.returncode}")

    def end(self):
        self.process.communicate(timeout=60)


@case("open-vm-tools' script freezes as the last one and thaws as the first one, and freezeFail gives the set up")
def hook_vmtools_scripts():
    run("quiescectl", "hook", "install", "open-vm-tools")
    try:
        with ours(60, LUN):
            for end, outcome in (("thaw", "complete"), ("freezeFail", "failed")):
                vmbackup("freeze")
                path = newest_set()
                expect(not writable(LUN[0]), "nothing is frozen")
                vmbackup(end)
                expect(final_state(path) == outcome, f"{state(path)} after {end}: {describe(path)['error']}")
                expect(writable_all(LUN, 10), "something is still frozen")
            expect("ignoreFrozenFileSystems=true" in run("quiescectl", "hook", "status", "open-vm-tools"), "the status does not say what is missing")
    finally:
        run("quiescectl", "hook", "remove", "open-vm-tools")
    delete_all_sets()


@case("open-vm-tools' real sync driver freezes by itself, refuses what we froze (12.2), and its freezeFail then leaves nothing frozen")
def hook_vmtools_sync_driver():
    tools = run("timeout", "60", "vmtoolsd", check=False)
    expect(tools.returncode == 1, f"vmtoolsd runs here: {tools}")
    run("quiescectl", "hook", "install", "open-vm-tools")
    try:
        alone = SyncDriver(LUN[0])
        blocked = not writable(LUN[0])
        alone.thaw()
        expect(alone.answer == "frozen" and blocked and writable_all(LUN, 10), f"the sync driver alone: {alone.answer}, frozen: {blocked}")
        with ours(60, LUN):
            vmbackup("freeze")
            path = newest_set()
            driver = SyncDriver(LUN[0])
            driver.end()
            expect(driver.answer == "refused", f"the sync driver over our freeze: {driver.answer}")
            expect(not writable(LUN[0]), "its failure has thawed what we hold")
            vmbackup("freezeFail")
            expect(final_state(path) == "failed" and writable_all(LUN, 10), f"{state(path)}")
    finally:
        run("quiescectl", "hook", "remove", "open-vm-tools")
    delete_all_sets()
