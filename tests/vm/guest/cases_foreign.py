# SPDX-License-Identifier: LGPL-2.1-or-later
"""File systems that an admin froze himself: refused or accepted, and never thawed by us."""
import contextlib
import json
import platform

from freeze_trace import calls, device_of, freeze_trace
from harness import DemoError, case, create, delete_all_sets, describe, expect, final_state, step, writable, writable_all
from storage import run

FREEZES_NEST = tuple(int(number) for number in platform.release().split(".")[:2]) >= (6, 8)  # device-mapper's within FIFREEZE's


@contextlib.contextmanager
def frozen_by_admin(folder):
    run("fsfreeze", "-f", folder)
    try:
        yield
        expect(not writable(folder), f"{folder} was thawed although its freeze was not ours")
    finally:
        run("fsfreeze", "-u", folder, check=False)
    expect(writable(folder, 5), f"{folder} cannot be written to after the admin's thaw")


def expect_refused(path, step_name, folder):
    try:
        step(path, step_name)
    except DemoError as error:
        expect(folder in str(error) and "frozen by somebody else" in str(error), f"{error}")
        print(f"  {error}")
    else:
        raise DemoError(f"{step_name} took a file system that was frozen already")
    expect(final_state(path) == "failed", "the set did not fail")


def expect_lvm_as_before(before):
    now = lvm_devices()
    expect(now == before, f"device-mapper was {before} and is {now}")
    run("vgck", "vg")


def lvm_devices():
    return sorted(line.split()[0] for line in run("dmsetup", "ls").splitlines() if line.startswith("vg-"))


@case("A thick volume that is frozen before Prepare is refused with its name, and LVM is as before")
def foreign_thick_before():
    before = lvm_devices()
    with frozen_by_admin("/srv/ext4"):
        path = create("/srv/ext4", "/srv/xfs")
        if FREEZES_NEST:  # then lvcreate does not mind, and our own FIFREEZE is the first to be refused
            step(path, "Prepare")
        expect_refused(path, "Freeze" if FREEZES_NEST else "Prepare", "/srv/ext4")
        expect(writable("/srv/xfs", 5), "the other volume is frozen")
    expect_lvm_as_before(before)
    expect(json.loads(run("quiescectl", "snapshot", "--json", "/srv/ext4", "/srv/xfs"))["consistency"] == "filesystem", "the next set suffers")
    delete_all_sets()


@case("A LUN that is frozen before Prepare is refused by Freeze")
def foreign_lun_before():
    with frozen_by_admin("/srv/lun"):
        path = create("/srv/lun", "/srv/xfs")
        step(path, "Prepare")
        expect_refused(path, "Freeze", "/srv/lun")
        expect(writable("/srv/xfs", 5), "the other volume is still frozen")
    delete_all_sets()


def expect_accepted(path, folder, device):
    """Takes the set that was made with the policy `accept` while somebody else holds the folder frozen."""
    with freeze_trace() as events:
        step(path, "Take")
    manifest = describe(path)
    members = {member["volume"]: member for member in manifest["members"]}
    expect(manifest["state"] == "complete" and manifest["consistency"] == "filesystem", f"{manifest}")
    expect([name for name, member in members.items() if member.get("foreign")] == [folder], f"foreign: {members}")
    expect(not calls(events, "thaw", device), f"we thawed it: {events}")


@case("A LUN that is frozen before Prepare is accepted where the caller says so, and stays frozen")
def foreign_lun_accepted():
    device = device_of("/srv/lun")
    with frozen_by_admin("/srv/lun"):
        path = create("/srv/lun", "/srv/xfs", foreign_freeze="accept")
        step(path, "Prepare")
        expect_accepted(path, "/srv/lun", device)
        expect(writable("/srv/xfs", 5), "the other volume is still frozen")
    delete_all_sets()


@case("A volume that is frozen after Prepare is accepted where the caller says so, and stays frozen")
def foreign_accepted_after():
    device = device_of("/srv/xfs")
    path = create("/srv/ext4", "/srv/xfs", foreign_freeze="accept")
    step(path, "Prepare")
    with frozen_by_admin("/srv/xfs"):
        expect_accepted(path, "/srv/xfs", device)
        expect(writable("/srv/ext4", 5), "the other volume is still frozen")
    delete_all_sets()


@case("An accepted volume that the admin thaws before the cut is not called consistent")
def foreign_thawed_early():
    path = create("/srv/ext4", "/srv/lun", foreign_freeze="accept")
    step(path, "Prepare")
    run("fsfreeze", "-f", "/srv/lun")
    step(path, "Freeze")
    run("fsfreeze", "-u", "/srv/lun")
    with contextlib.suppress(DemoError):
        for method in ("Snapshot", "Thaw", "Finish"):
            step(path, method)
    end, manifest = final_state(path), describe(path)
    print(f"  the set is {end}, consistency '{manifest['consistency']}'")
    expect(end == "failed" or manifest["consistency"] == "crash", f"{manifest}")
    expect(writable_all(["/srv/ext4", "/srv/lun"], 5), "something is still frozen")
    delete_all_sets()
