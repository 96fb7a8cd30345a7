# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hypervisors' guest tools drive us: the real qemu-ga by its protocol, the scripts of others."""
import contextlib
import os
import signal
import time

from harness import Background, DemoError, MANAGER, call, case, delete_all_sets, describe, expect, final_state, state, writable, writable_all, wait_for
from qemu_ga import HOOKS, Qga
from storage import VOLUMES, run

NAMES = [volume.name for volume in VOLUMES]
LUN = ["/srv/lun"]  # its snapshot takes the least time
CONFIG = "/etc/quiesced/hook.conf"


@contextlib.contextmanager
def configured(text):
    with open(CONFIG, "w", encoding="utf-8") as file:
        file.write("[hook]\n" + text)
    try:
        yield
    finally:
        os.unlink(CONFIG)


def ours(deadline, names):
    """What lies on virtual disks is cut by LVM, so that nothing of the set depends on a host."""
    in_guest = [name for name in names if name not in LUN]
    return configured(f"deadline = {deadline}s\nvolumes = {' '.join(names)}\n" + (f"in_guest = {' '.join(in_guest)}\n" if in_guest else ""))


def newest_set():
    return call(*MANAGER[1:], "ListSets", "a{sv}", "0")[0][-1]


@case("qemu-ga freezes and thaws everything through us: LVs and a LUN are cut meanwhile, its own freeze finds nothing left to do")
def hook_qemu_ga():
    with ours(60, NAMES), Qga() as agent:
        frozen_by_itself = agent.freeze(NAMES)
        path = newest_set()
        now, blocked = state(path), [name for name in NAMES if not writable(name)]
        thawed = agent.thaw()
        expect(frozen_by_itself == 0, f"qemu-ga froze {frozen_by_itself} file systems itself")
        expect(now == "snapshotted", f"the set was {now} when the freeze had been answered")
        expect(blocked == NAMES, f"only {blocked} were frozen")
        expect(final_state(path) == "complete", f"{describe(path)['error']}")
        expect(writable_all(NAMES, 10), "something is still frozen")
        manifest = describe(path)
        expect(manifest["consistency"] == "filesystem", f"{manifest['consistency']}: {manifest['error']}")
        expect(all(member["snapshot"] for member in manifest["members"]), "a member has no snapshot")
        print(f"  qemu-ga thawed {thawed} that we had frozen; the set is {manifest['state']}")
    delete_all_sets()


@case("A thaw that comes twice, or without a freeze, is answered and does nothing")
def hook_qemu_ga_thaws():
    with ours(60, LUN), Qga() as agent:
        agent.thaw()
        agent.freeze(LUN)
        agent.thaw()
        agent.thaw()
        expect(final_state(newest_set()) == "complete", "the set is not complete")
        expect(writable_all(LUN, 10), "something is still frozen")
    delete_all_sets()


@case("A thaw that never comes is made by the deadline, also when qemu-ga is killed while frozen")
def hook_qemu_ga_killed():
    with ours(5, LUN), Qga() as agent:
        agent.freeze(LUN)
        path = newest_set()
        os.kill(agent.process.pid, signal.SIGKILL)
        expect(writable_all(LUN, 30), "something is still frozen")
        # All was cut before the deadline: the set is good, and finished.
        expect(final_state(path) == "complete", describe(path)["error"])
    delete_all_sets()


@case("A freeze that we refuse is an error of qemu-ga's, and the hooks of fsfreeze-hook.d get their thaw")
def hook_qemu_ga_refused():
    note = "/etc/qemu/fsfreeze-hook.d/10-note"
    with open(note, "w", encoding="ascii") as file:
        file.write("#!/bin/sh\necho $1 >>/run/qga-hook-notes\n")
    os.chmod(note, 0o755)
    os.makedirs("/etc/quiesced/hooks.d", exist_ok=True)
    script = "/etc/quiesced/hooks.d/10-refuses"
    with open(script, "w", encoding="ascii") as file:
        file.write("#!/bin/sh\ntest $1 = thaw\n")
    os.chmod(script, 0o755)
    try:
        with ours(60, LUN), Qga() as agent:
            try:
                agent.freeze(LUN)
            except DemoError as error:
                print(f"  {error}")
            else:
                raise DemoError("the freeze succeeded")
            expect(writable_all(LUN, 10), "something is frozen")
            os.unlink(script)
            agent.freeze(LUN)
            agent.thaw()
            expect(final_state(newest_set()) == "complete", "the next set suffers")
        with open("/run/qga-hook-notes", encoding="ascii") as file:
            notes = file.read().split()
        expect(notes == ["freeze", "thaw", "freeze", "thaw"], f"{notes}")
    finally:
        for path in (note, script, "/run/qga-hook-notes"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
    delete_all_sets()


@case("A thaw that comes before the freeze has ended ends it at once, with the writer that is at work; the freeze is an error")
def hook_early_thaw():
    os.makedirs("/etc/quiesced/hooks.d", exist_ok=True)
    script, note = "/etc/quiesced/hooks.d/10-slow", "/run/slow-hook-note"
    with open(script, "w", encoding="ascii") as file:
        file.write(f"#!/bin/sh\ncase $1 in freeze) : >{note}; sleep 45;; thaw) echo $QUIESCED_ABORTED >{note};; esac\n")
    os.chmod(script, 0o755)
    try:
        with ours(60, LUN):
            freeze = Background(run, "quiescectl", "hook", "freeze", "qemu-ga")
            wait_for("the slow writer", lambda: os.path.exists(note))
            path = newest_set()
            begun = time.monotonic()
            thaw = run("quiescectl", "hook", "thaw", "qemu-ga", check=False)
            took = time.monotonic() - begun
            freeze.end(30)
            expect(freeze.error is not None, "the freeze was called good")
            expect(thaw.returncode == 1 and "when the thaw came" in thaw.stderr, f"{thaw}")
            expect(took < 20, f"the thaw took {took:.1f} s")
            expect(final_state(path) == "failed" and writable_all(LUN, 10), "something is still frozen")
            with open(note, encoding="ascii") as file:
                expect(file.read() == "1\n", "the writer had no thaw")
            units = run("systemctl", "list-units", "--all", "--no-legend", "quiesced-writer-*")
            expect(not units.strip(), f"its unit is left: {units}")
            print(f"  ended after {took:.1f} s: {thaw.stderr.strip()}")
    finally:
        for name in (script, note):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
    delete_all_sets()


@case("quiescectl hook install has the system's qemu-ga call us, twice as well as once, and remove undoes it")
def hook_install():
    drop_in = "/etc/systemd/system/qemu-guest-agent.service.d/50-quiesced.conf"
    run("quiescectl", "hook", "install", "qemu-ga")
    expect("installed already" in run("quiescectl", "hook", "install", "qemu-ga"), "the second installation did something")
    run("systemctl", "daemon-reload")
    expect(f"{HOOKS}/qemu-ga/fsfreeze-hook" in run("systemctl", "show", "-p", "ExecStart", "qemu-guest-agent"), "systemd does not see it")
    run("quiescectl", "hook", "remove", "qemu-ga")
    run("systemctl", "daemon-reload")
    expect(not os.path.exists(drop_in), "it is still there")
    for tool in ("azure", "google", "nutanix"):
        run("quiescectl", "hook", "install", tool)
        with ours(60, LUN):
            freeze, thaw = {"azure": ("/etc/azure/quiesced-pre.sh", "/etc/azure/quiesced-post.sh"),
                            "google": ("/etc/google/snapshots/pre.sh", "/etc/google/snapshots/post.sh"),
                            "nutanix": ("/usr/local/sbin/pre_freeze", "/usr/local/sbin/post_thaw")}[tool]
            run(freeze, "sda,sdb")
            path = newest_set()
            expect(state(path) == "snapshotted", state(path))
            run(thaw)
            expect(final_state(path) == "complete", describe(path)["error"])
        run("quiescectl", "hook", "remove", tool)
        expect(not os.path.exists(freeze) and not os.path.exists(thaw), f"{tool}: files are left")
    delete_all_sets()
