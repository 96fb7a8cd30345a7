# SPDX-License-Identifier: LGPL-2.1-or-later
"""Session writers against the real servers: held in the window, free after it and after every loss."""
import contextlib
import json
import os
import signal
import subprocess

import databases
from harness import case, create, delete_all_sets, describe, expect, main_pid, step, wait_for_new_daemon
from storage import run

FOLDER = "/srv/ext4"


def writer_of(manifest, name):
    return next(writer for writer in manifest["writers"] if writer["name"] == name)


def sound_set(server):
    """Held for a set, whose members are worth what their writers are; free after it. Returns what the manifest says of it."""
    manifest = json.loads(run("quiescectl", "snapshot", "--json", FOLDER, "/srv/xfs"))
    writer = writer_of(manifest, server.NAME)
    expect(writer["quiesced"] and writer["volumes"] == [FOLDER], f"{writer}")
    values = {member["volume"]: member["consistency"] for member in manifest["members"]}
    expect(values == {FOLDER: "application", "/srv/xfs": "filesystem"}, f"{values}")
    expect(server.is_free(), "the server is still held after the set")
    delete_all_sets()
    print(f"  a set: freeze {writer['freeze_ms']:.0f} ms, thaw {writer['thaw_ms']:.0f} ms")
    return writer["records"]


def session_alone(server):
    """By hand, without the agent: no file system is frozen, so that what it holds can be asked."""
    words = server.command().split(" = ", 1)[1].split()
    if isinstance(server, databases.Redis):
        words += ["--hold", "6"]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def tell(session, command):
    session.stdin.write(json.dumps({"version": 1, "command": command, "set": "6560000000000001", "volumes": [], "aborted": False, "limit_ms": 60000}) + "\n")
    session.stdin.flush()
    answer = json.loads(session.stdout.readline())
    expect(answer["ok"], f"{command}: {answer}")


def losses(server):
    """The shipped program: its server is held after freeze; free after a thaw, after the end of the input, and after a kill."""
    for how in ("thaw", "end of input", "kill"):
        session = session_alone(server)
        for command in ("prepare", "freeze"):
            tell(session, command)
        expect(server.is_held(), f"{server.NAME} is not held while its session is frozen")
        if how == "thaw":
            tell(session, "thaw")
        if how == "kill":
            session.kill()
        session.stdin.close()
        session.wait(30)
        databases.wait_until(server.is_free, f"{server.NAME} free after {how}", 30)


def database_dies(server):
    path = create(FOLDER, "/srv/xfs")
    step(path, "Prepare")
    step(path, "Freeze")
    server.kill()
    for method in ("Snapshot", "Thaw", "Finish"):
        step(path, method)
    manifest = describe(path)
    writer = writer_of(manifest, server.NAME)
    expect(not writer["quiesced"] and writer["error"], f"{writer}")
    expect(manifest["consistency"] == "filesystem", manifest["consistency"])
    print(f"  its death: {writer['error']}")
    server.stop()
    server.start()
    expect(server.is_free(), "the server is held after its restart")
    delete_all_sets()


def daemon_killed(server):
    """Beside the database, a unit and a script, which cannot see that the daemon is gone."""
    os.makedirs("/etc/quiesced/hooks.d", exist_ok=True)
    script = "/etc/quiesced/hooks.d/10-note"
    with open(script, "w", encoding="ascii") as file:
        file.write("#!/bin/sh\necho \"$1 $QUIESCED_ABORTED\" >>/run/lost-notes\n")
    os.chmod(script, 0o755)
    run("systemd-run", "-q", "--unit=test-app", "sleep", "1000")

    def freezer_state():
        return run("systemctl", "show", "--value", "-p", "FreezerState", "test-app").strip()
    try:
        with databases.declared("app", "type = unit\nunit = test-app.service\nvolumes = /srv/ext4\n"):
            path = create(FOLDER)
            step(path, "Prepare")
            step(path, "Freeze")
            expect(freezer_state() == "frozen", "the unit is not frozen")
            old = main_pid()
            os.kill(old, signal.SIGKILL)
            wait_for_new_daemon(old)
            databases.wait_until(server.is_free, f"{server.NAME} free after the daemon's death", 30)
            expect(freezer_state() == "running", "the unit is still frozen")
            with open("/run/lost-notes", encoding="ascii") as file:
                notes = file.read().splitlines()
            expect(notes == ["freeze 0", "thaw 1"], f"{notes}")
    finally:
        os.unlink(script)
        run("systemctl", "stop", "test-app", check=False)
        with contextlib.suppress(FileNotFoundError):
            os.unlink("/run/lost-notes")
    delete_all_sets()


@case("PostgreSQL is in backup mode for a set, which keeps the label, and leaves it when its session thaws, loses its agent or is killed")
def writers_postgresql():
    with databases.running(databases.Postgresql, FOLDER) as server:
        label = sound_set(server)["backup_label"]
        expect("START WAL LOCATION" in label and "LABEL: quiesced " in label, label)
        losses(server)


@case("MariaDB's commits are held for a set, and free when its session or the daemon is lost; its death while frozen costs the word application")
def writers_mariadb():
    with databases.running(databases.Mariadb, FOLDER) as server:
        records = sound_set(server)
        expect(records.get("binlog_file") and records.get("binlog_position"), f"{records}")
        losses(server)
        daemon_killed(server)
        database_dies(server)


@case("Redis has saved its data and lets nobody write for a set; its session's end, or else its own limit, lets writers go")
def writers_redis():
    with databases.running(databases.Redis, FOLDER) as server:
        sound_set(server)
        losses(server)
