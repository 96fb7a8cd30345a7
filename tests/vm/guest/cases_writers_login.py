# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sessions that log in with a password, which systemd hands to the daemon (LoadCredential)."""
import contextlib
import glob
import json
import os

import databases
from harness import case, create, delete_all_sets, describe, expect, main_pid, step, wait_for
from storage import run

FOLDER = "/srv/ext4"
SECRET, WRONG = "correct-horse-battery", "wrong-horse"
FILE = "/etc/quiesced/credentials/db"
DROP_IN = "/etc/systemd/system/quiesced.service.d/50-credential.conf"


def give(password):
    """The daemon anew, with this password."""
    os.makedirs(os.path.dirname(FILE), mode=0o700, exist_ok=True)
    with open(FILE, "w", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(password + "\n")
    os.makedirs(os.path.dirname(DROP_IN), exist_ok=True)
    with open(DROP_IN, "w", encoding="ascii") as file:
        file.write(f"[Service]\nLoadCredential=db:{FILE}\n")
    restart()


def restart():
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "quiesced")
    wait_for("the daemon", main_pid)


def make_role(server):
    """A user of the database's own, with this password and no more rights than the manual page names; returns the session's command."""
    program = server.command().split(" = ", 1)[1].split()
    if isinstance(server, databases.Postgresql):
        server.ask(f"CREATE ROLE agent LOGIN PASSWORD '{SECRET}'")
        server.ask("GRANT EXECUTE ON FUNCTION pg_backup_start(text, boolean) TO agent; GRANT EXECUTE ON FUNCTION pg_backup_stop(boolean) TO agent")
        with open(f"{server.data}/pg_hba.conf", encoding="ascii") as file:
            rules = file.read()
        with open(f"{server.data}/pg_hba.conf", "w", encoding="ascii") as file:
            file.write("local all agent scram-sha-256\n" + rules)
        server.ask("SELECT pg_reload_conf()")
        return f"{program[0]} --user agent --dbname postgres --credential db"
    if isinstance(server, databases.Mariadb):
        server.ask(f"CREATE USER agent@localhost IDENTIFIED BY '{SECRET}'; GRANT RELOAD, BINLOG MONITOR ON *.* TO agent@localhost")
        return f"{program[0]} --user agent --credential db"
    server.ask("ACL", "SETUSER", "agent", "on", f">{SECRET}", "~*", "&*", "+@all")
    return f"{' '.join(program)} --user agent --credential db"


def shown_secrets():
    """Processes that anybody could read the password of."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/environ"):
        with contextlib.suppress(OSError), open(path, "rb") as file:
            if SECRET.encode() in file.read():
                found.append(path)
    return found


def refused(server):
    give(WRONG)
    done = run("quiescectl", "snapshot", FOLDER, check=False)
    expect(done.returncode == 1 and ("cannot connect" in done.stderr or "Redis refused AUTH" in done.stderr), f"with a wrong password: {done.returncode}: {done.stderr}{done.stdout}")
    expect(WRONG not in done.stderr + run("journalctl", "-q", "-b", "-u", "quiesced*"), "the password is told")
    print(f"  {server.NAME}: {done.stderr.strip()}")


def held(server):
    give(SECRET)
    path = create(FOLDER)
    step(path, "Prepare")
    found = shown_secrets()
    for method in ("Freeze", "Snapshot", "Thaw", "Finish"):
        step(path, method)
    manifest = describe(path)
    expect(not found, f"the password is in {found}")
    expect(manifest["consistency"] == "application", f"{manifest['consistency']}: {json.dumps(manifest['writers'])}")
    expect(SECRET not in json.dumps(manifest) + run("journalctl", "-q", "-b", "-u", "quiesced*"), "the password is told")
    expect(server.is_free(), "the server is still held")


def logs_in(kind):
    server = kind(FOLDER)
    server.start()
    try:
        command = make_role(server)
        with databases.declared(server.NAME, f"type = session\ncommand = {command}\nvolumes = {server.data}\nlimit = 60s\n"):
            refused(server)
            held(server)
    finally:
        server.stop()
        run("rm", "-rf", server.data)
        for path in (FILE, DROP_IN):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        restart()
    delete_all_sets()


@case("PostgreSQL's session logs in with the password that systemd hands over, which nobody else sees; a wrong one fails the set")
def writers_login_postgresql():
    logs_in(databases.Postgresql)


@case("MariaDB's session logs in with the password that systemd hands over; a wrong one fails the set")
def writers_login_mariadb():
    logs_in(databases.Mariadb)


@case("Redis' session logs in with the password that systemd hands over; a wrong one fails the set")
def writers_login_redis():
    logs_in(databases.Redis)
