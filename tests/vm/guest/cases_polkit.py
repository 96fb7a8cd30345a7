# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may what on the real system bus with the real polkit: a user, a member of the group quiesced, root; by busctl, gdbus and Python."""
import json
import os
import subprocess

from harness import MANAGER, SET_INTERFACE, case, delete_all_sets, expect, state, writable
from storage import HERE, run

USER, MEMBER = "q-user", "q-member"
CREATE = ("CreateSet", "asa{sv}", "1", "/srv/ext4", "1", "deadline_ms", "u", "60000")


def make_users():
    run("groupadd", "--force", "--system", "quiesced")
    for name, groups in ((USER, ""), (MEMBER, "quiesced")):
        if run("id", name, check=False).returncode != 0:
            run("useradd", "--no-create-home", "--groups", groups, name)
    run("systemctl", "start", "polkit")


def call_as(user, path, interface, *words):
    words = ("busctl", "--json=short", "--timeout=60", "--allow-interactive-authorization=no", "call", "org.quiesced1", path, interface, *words)
    return run(*(() if user == "root" else ("runuser", "-u", user, "--")), *words, check=False)


def denied(done):
    expect(done.returncode != 0 and "may not" in done.stderr, f"not denied: {done.stdout}{done.stderr}")


def granted(done):
    expect(done.returncode == 0, f"{done.stdout}{done.stderr}")
    return json.loads(done.stdout)["data"] if done.stdout.strip() else []


@case("polkit: a user is denied everything, a member of the group takes and deletes but configures nothing, root may all")
def polkit_users():
    make_users()
    for words in (("ListVolumes", "a{sv}", "0"), CREATE, ("Reload", "a{sv}", "0")):
        done = call_as(USER, *MANAGER[1:], *words)
        denied(done)
    print(f"  {done.stderr.strip()}")
    denied(call_as(MEMBER, *MANAGER[1:], "Reload", "a{sv}", "0"))
    granted(call_as(MEMBER, *MANAGER[1:], "ListVolumes", "a{sv}", "0"))
    path = granted(call_as(MEMBER, *MANAGER[1:], *CREATE))[0]
    granted(call_as(MEMBER, path, SET_INTERFACE, "Take", "a{sv}", "0"))
    denied(call_as(USER, path, SET_INTERFACE, "Describe", "a{sv}", "0"))
    denied(call_as(USER, path, SET_INTERFACE, "Delete", "a{sv}", "0"))
    granted(call_as(MEMBER, path, SET_INTERFACE, "Delete", "a{sv}", "0"))
    granted(call_as("root", *MANAGER[1:], "Reload", "a{sv}", "0"))


@case("polkit: whoever made a set thaws it while polkit is stopped; nobody else does")
def polkit_owner():
    make_users()
    path = granted(call_as(MEMBER, *MANAGER[1:], *CREATE))[0]
    for step in ("Prepare", "Freeze"):
        granted(call_as(MEMBER, path, SET_INTERFACE, step, "a{sv}", "0"))
    expect(not writable("/srv/ext4"), "nothing is frozen: the case proves nothing")
    run("systemctl", "kill", "--signal=STOP", "polkit")
    try:
        granted(call_as(MEMBER, path, SET_INTERFACE, "KeepAlive", "a{sv}", "0"))
        granted(call_as(MEMBER, path, SET_INTERFACE, "Abort", "a{sv}", "0"))
        expect(writable("/srv/ext4", 5), "still frozen")
    finally:
        run("systemctl", "kill", "--signal=CONT", "polkit")
    denied(call_as(USER, path, SET_INTERFACE, "Abort", "a{sv}", "0"))
    delete_all_sets()


@case("gdbus reloads and takes a set; a Python client holds one by a handle, and its end thaws")
def polkit_clients():
    gdbus = ("gdbus", "call", "--system", "--dest", "org.quiesced1", "--object-path")
    run(*gdbus, "/org/quiesced1", "--method", "org.quiesced1.Manager.Reload", "{}")
    made = run(*gdbus, "/org/quiesced1", "--method", "org.quiesced1.Manager.CreateSet", "['/srv/ext4', '/srv/xfs']", "{'deadline_ms': <uint32 30000>}")
    path = made.split("'")[1]
    run(*gdbus, path, "--timeout", "120", "--method", "org.quiesced1.SnapshotSet.Take", "{}")
    expect(state(path) == "complete", state(path))
    held = subprocess.run(["python3", f"{HERE}/hold_client.py", "/srv/ext4"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    expect(held.returncode == 0 and "frozen" in held.stdout, f"{held.stdout}{held.stderr}")
    expect(writable("/srv/ext4", 10), "still frozen after the end of the client")
    print(f"  {held.stdout.strip()}")
    refused = run("quiescectl", "-M", "no-such-machine", "show", check=False)
    expect(refused.returncode == 3, f"exit status {refused.returncode}")
    while any(state(each) not in ("complete", "failed") for each in json.loads(run("busctl", "--json=short", "call", *MANAGER, "ListSets", "a{sv}", "0"))["data"][0]):
        pass
    delete_all_sets()


@case("polkit: everybody reads the state of a set, nobody reads more")
def polkit_properties():
    make_users()
    path = granted(call_as("root", *MANAGER[1:], *CREATE))[0]
    said = run("runuser", "-u", USER, "--", "busctl", "get-property", "org.quiesced1", path, SET_INTERFACE, "State")
    expect(said.strip() == 's "new"', said)
    refused = run("runuser", "-u", USER, "--", "busctl", "set-property", "org.quiesced1", path, SET_INTERFACE, "State", "s", "complete", check=False)
    expect(refused.returncode != 0, "a property was set")
    run("busctl", "call", "org.quiesced1", path, SET_INTERFACE, "Abort", "a{sv}", "0")
    delete_all_sets()
    os.sync()
