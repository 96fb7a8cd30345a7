# SPDX-License-Identifier: LGPL-2.1-or-later
"""What goes wrong with an array: thawed in time, the reason with the LUN for the admin, and nothing left on the array, which is
asked itself. What a misbehaving plugin or a slow array does stands in tests/native/plugin_faults_test.cc and
plugin_targetd_test.cc."""
import contextlib
import os
import time

from harness import Background, case, create, delete_all_sets, describe, expect, final_state, refuse, state, step, writable_all, wait_for
from san import CHAP, LVM_LOCAL, NO_COPY_IN_A_FULL_POOL, PASSWORD, POOL, SAN, TARGET_ADDRESSES, VOLUMES, dropped, write
from storage import DemoError, run

PART = VOLUMES[0]
DEADLINE_MS = 30000


def frozen_set(*volumes):
    path = create(*(volumes or VOLUMES), deadline_ms=DEADLINE_MS)
    step(path, "Prepare")
    step(path, "Freeze")
    return path


def fails(path, method, *words):
    """The step fails with these words, and with the LUN."""
    try:
        step(path, method)
    except DemoError as error:
        print(f"  {error}")
        for word in (*words, SAN.luns["part"]):
            expect(word in str(error), f"'{word}' is not said: {error}")
        return
    raise DemoError(f"{method} succeeded")


def expect_failed(path):
    expect(state(path) == "failed", f"the set is {state(path)}")
    window = describe(path)["window_ms"] or 0
    expect(window < DEADLINE_MS, f"it was frozen for {window} ms")
    expect(writable_all(VOLUMES, 5), "something is still frozen")


def expect_clean(seconds=60):
    wait_for("an array without snapshots", lambda: not SAN.copies(), seconds)
    delete_all_sets()


def all_paths():
    return run("multipathd", "show", "paths", "format", "%m %t %o").count("active running") >= 4


@case("A portal that goes down in the window: the set is cut over the other one, and complete")
def array_portal_down():
    path = frozen_set()
    with dropped(TARGET_ADDRESSES[1]):
        wait_for("a failed path", lambda: not all_paths())
        step(path, "Snapshot")
        step(path, "Thaw")
        expect(writable_all(VOLUMES, 10), "a volume does not take writes over one path")
    wait_for("paths", all_paths, 60)
    step(path, "Finish")
    expect(describe(path)["consistency"] == "filesystem", "it is not consistent")
    delete_all_sets()
    expect(SAN.copies() == [], f"left on the array: {SAN.copies()}")


@case("Paths that flap while everything is frozen: thawed within the deadline, nothing left")
def array_paths_flap():
    def flap():
        for address in TARGET_ADDRESSES:
            with dropped(address):
                wait_for("a failed path", lambda: not all_paths())
                time.sleep(1)
    path = frozen_set()
    flapping = Background(flap)
    try:
        step(path, "Snapshot")
        step(path, "Thaw")
    except DemoError as error:  # a commit that takes longer than its budget fails the set; nothing else may
        said = str(error).rpartition("Call failed:")[2]
        expect("time" in said, f"it fails for another reason: {error}")
        print(f"  {said}")
    expect(writable_all(VOLUMES, 20), "a volume does not take writes")
    flapping.result(60)
    wait_for("paths", all_paths, 60)
    print(f"  the set is {final_state(path)}")
    expect(describe(path)["window_ms"] < DEADLINE_MS, f"{describe(path)['window_ms']}")
    delete_all_sets()
    expect_clean()


@case("An array that is unreachable before the freeze, with a wrong password or a wrong certificate: refused, nothing is frozen")
def array_refused():
    try:
        SAN.configure(password="wrong-password")
        refuse("PluginFailed", PART, says=["it refuses user admin", SAN.luns["part"]])
        SAN.configure(ca_file="")
        refuse("PluginFailed", PART, says=["its certificate is not trusted", SAN.luns["part"]])
    finally:
        SAN.configure()
    SAN.silence()
    try:
        refuse("PluginFailed", PART, says=["array box: cannot list its pools", SAN.luns["part"]])
    finally:
        SAN.serve()
    expect(SAN.copies() == [], f"left on the array: {SAN.copies()}")
    journal = run("journalctl", "-q", "-b", "-u", "quiesced*")
    for secret in (PASSWORD, "wrong-password", CHAP[1]):
        expect(secret not in journal, "a secret is in the journal")


@case("A LUN of another array is none of this plugin's")
def array_foreign_lun():
    run("systemctl", "stop", "quiesced-plugin-exec.socket")
    os.unlink("/run/quiesced/plugins/exec.sock")  # one that nobody listens on could be the LUN's
    try:
        refuse("NoProvider", "/srv/lun", says=["that no plugin knows (asked: targetd)", "naa.6001405a77a7"])
    finally:
        run("systemctl", "start", "quiesced-plugin-exec.socket")


@case("A snapshot of the set's name that is on the array already: the set fails, and what bears its name is removed with it")
def array_snapshot_exists():
    path = create(PART, deadline_ms=DEADLINE_MS)
    step(path, "Prepare")
    other = f"part-q{path.rsplit('/', 1)[1]}"
    # As a commit leaves it whose answer was lost: a set's id is nobody else's.
    SAN.ask("vol_copy", pool=POOL, vol_orig="part", vol_new=other)
    step(path, "Freeze")
    fails(path, "Snapshot", "commit", "array box:", "exists")
    expect_failed(path)
    expect_clean()


@case("A commit that succeeds after its budget: the set is not consistent, and its snapshot is removed")
def array_slow_commit():
    path = frozen_set(PART)
    SAN.fault(vol_copy={"delay_ms": 8000})
    try:
        fails(path, "Snapshot", "commit")
    finally:
        SAN.fault()
    expect_failed(path)
    expect_clean()


@case("A pool without the room that the configuration asks for is refused before anything is frozen")
def array_pool_full():
    SAN.configure(least_free_percent=99)
    try:
        refuse("NoSpace", PART, says=["sanbox/thin", SAN.luns["part"]])
    finally:
        SAN.configure()
    expect(SAN.copies() == [], f"left on the array: {SAN.copies()}")


@case("A pool that gets full between the freeze and the copy: the array refuses it, thawed in time, with LUN and reason; full, it takes no set at all")
def array_pool_filled():
    SAN.configure(least_free_percent=0)
    try:
        with SAN.filler() as fill:
            fill(leave=512)  # the kernel writes inode tables of a fresh ext4 in its own time
            path = frozen_set(PART)
            write(LVM_LOCAL, NO_COPY_IN_A_FULL_POOL, 0o644)
            fill(leave=0)
            percent = run("lvs", "--noheadings", "-o", "data_percent", POOL).strip()
            expect(percent == "100.00", f"the pool is {percent} % full: the case proves nothing")
            fails(path, "Snapshot", "commit", "array box: cannot snapshot volume", POOL, "reached threshold")
            expect_failed(path)
            expect(SAN.copies() == [], f"left on the array: {SAN.copies()}")
            SAN.configure()
            refuse("NoSpace", PART, says=[POOL, SAN.luns["part"]])
            expect(SAN.copies() == [], f"left on the array: {SAN.copies()}")
    finally:
        SAN.configure()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(LVM_LOCAL)
    expect_clean()


@case("An array that goes away in the window: thawed, and clean once it is back")
def array_lost_in_the_window():
    path = frozen_set(PART)
    with dropped("127.0.0.1", SAN.port):
        fails(path, "Snapshot", "commit", "array box: cannot snapshot volume")
        expect_failed(path)
    expect_clean()


@case("An array that goes away after the cut: the set fails, and the array is clean once it is back")
def array_lost_after_the_window():
    path = frozen_set(PART)
    step(path, "Snapshot")
    step(path, "Thaw")
    SAN.silence()
    try:
        fails(path, "Finish", "array box: cannot list", "may be left on the array")
        expect_failed(path)
    finally:
        SAN.serve()
    expect_clean()


@case("The SAN of the guest is gone again")
def array_torn_down():
    SAN.tear_down()
