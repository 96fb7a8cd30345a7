# SPDX-License-Identifier: LGPL-2.1-or-later
"""The guest's real database servers, each with its data on a member volume, and how the tests look into them."""
import contextlib
import os
import time

from harness import expect
from storage import run

LIBEXEC = "/usr/libexec/quiesced"


def declare(name, text, folder="/etc/quiesced/writers.d"):
    """A file of writers.d; returns its path."""
    os.makedirs(folder, exist_ok=True)
    path = f"{folder}/{name}.conf"
    with open(path, "w", encoding="utf-8") as file:
        file.write("[writer]\n" + text)
    os.chmod(path, 0o644)
    return path


@contextlib.contextmanager
def declared(name, text):
    path = declare(name, text)
    try:
        yield
    finally:
        os.unlink(path)


def wait_until(question, what, seconds=60):
    deadline = time.monotonic() + seconds
    while not question():
        expect(time.monotonic() < deadline, f"{what} is not so after {seconds} s")
        time.sleep(0.2)


class Postgresql:
    """A cluster of its own below the folder, started without systemd's unit: its data are on that volume."""
    NAME, PROGRAM = "postgresql", "postgres"

    def __init__(self, folder):
        self.bin = sorted(os.path.join("/usr/lib/postgresql", version, "bin") for version in os.listdir("/usr/lib/postgresql"))[-1]
        self.data = f"{folder}/postgresql"

    def start(self):
        os.makedirs("/run/postgresql", exist_ok=True)
        run("chown", "postgres:postgres", "/run/postgresql")
        if not os.path.exists(f"{self.data}/PG_VERSION"):
            os.makedirs(self.data, exist_ok=True)
            run("chown", "postgres:postgres", self.data)
            self._as(f"{self.bin}/initdb", "-N", "-A", "peer", "-D", self.data)
        self._as(f"{self.bin}/pg_ctl", "-w", "-t", "120", "-l", f"{self.data}/log", "-D", self.data,
                 "-o", "-c shared_buffers=16MB -c listen_addresses='' -c unix_socket_directories=/run/postgresql", "start")

    def stop(self):
        self._as(f"{self.bin}/pg_ctl", "-m", "immediate", "-w", "-D", self.data, "stop", check=False)

    def kill(self):
        with open(f"{self.data}/postmaster.pid", encoding="ascii") as file:
            run("kill", "-KILL", file.readline().strip())

    @staticmethod
    def _as(*words, check=True):
        return run("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", *words, check=check, cwd="/")

    def ask(self, query):
        return self._as("psql", "-h", "/run/postgresql", "-AtX", "-c", query, "postgres").strip()

    def is_held(self):
        """By the server's own word: a session of ours that is in a backup."""
        return int(self.ask("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'quiesced' AND query LIKE '%backup_start%'")) > 0

    def is_free(self):
        """No connection of ours is left, and a commit goes through."""
        self.ask("CREATE TABLE IF NOT EXISTS probe (i int); INSERT INTO probe VALUES (1)")
        return self.ask("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'quiesced'") == "0"

    def holders(self):
        """The sessions in backup mode, by a query that reads memory alone: one process of the server each, which the mode ends with."""
        return self.ask("SELECT pid FROM pg_stat_activity WHERE query LIKE '%backup_start%' AND pid <> pg_backend_pid()").split()

    @staticmethod
    def command():
        return f"command = {LIBEXEC}/quiesced-session-postgresql --run-as postgres"


class Mariadb:
    NAME, PROGRAM = "mariadb", "mariadbd"

    def __init__(self, folder):
        self.data = f"{folder}/mysql"
        self.server = None

    def start(self):
        os.makedirs("/run/mysqld", exist_ok=True)
        run("chown", "mysql:mysql", "/run/mysqld")
        if not os.path.exists(f"{self.data}/mysql"):
            os.makedirs(self.data, exist_ok=True)
            run("chown", "mysql:mysql", self.data)
            run("mariadb-install-db", "--no-defaults", "--user=mysql", f"--datadir={self.data}", "--auth-root-authentication-method=socket", "--skip-test-db",
                "--innodb-log-file-size=8M")
        run("systemd-run", "-q", "--unit=test-mariadb", "-p", "Restart=no", "mariadbd", "--no-defaults", "--user=mysql", f"--datadir={self.data}",
            "--socket=/run/mysqld/mysqld.sock", "--skip-networking", "--log-bin", "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M",
            "--plugin-load-add=metadata_lock_info")
        wait_until(lambda: run("mariadb", "-u", "root", "-e", "SELECT 1", check=False).returncode == 0, "MariaDB answers", 120)

    def stop(self):
        run("systemctl", "stop", "test-mariadb", check=False)
        run("systemctl", "reset-failed", "test-mariadb", check=False)

    def kill(self):
        run("systemctl", "kill", "-s", "KILL", "test-mariadb")

    def ask(self, query):
        return run("mariadb", "-u", "root", "-NB", "-e", query).strip()

    def is_held(self):
        """A commit of another connection waits longer than a second."""
        done = run("mariadb", "-u", "root", "-e", "SET lock_wait_timeout = 1; CREATE DATABASE IF NOT EXISTS probe; USE probe; CREATE TABLE IF NOT EXISTS t (i INT)",
                   check=False)
        return done.returncode != 0 and "Lock wait timeout" in done.stderr

    def is_free(self):
        self.ask("SET lock_wait_timeout = 5; CREATE DATABASE IF NOT EXISTS probe; USE probe; CREATE TABLE IF NOT EXISTS t (i INT); INSERT INTO t VALUES (1)")
        return self.ask("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND USER = 'root'") == "0"

    def holders(self):
        """The locks of a backup, by a query that neither waits for one nor touches a file."""
        return self.ask("SELECT LOCK_MODE FROM information_schema.METADATA_LOCK_INFO WHERE LOCK_MODE LIKE 'MDL_BACKUP%'").split()

    @staticmethod
    def command():
        return f"command = {LIBEXEC}/quiesced-session-mariadb"


class Redis:
    NAME, PROGRAM = "redis", "redis-server"

    def __init__(self, folder):
        self.data = f"{folder}/redis"

    def start(self):
        os.makedirs(self.data, exist_ok=True)
        run("systemd-run", "-q", "--unit=test-redis", "-p", "Restart=no", "redis-server", "--dir", self.data, "--save", "", "--unixsocket", "/run/test-redis.sock")
        wait_until(lambda: run("redis-cli", "ping", check=False).stdout.strip() == "PONG", "Redis answers")

    def stop(self):
        run("systemctl", "kill", "-s", "KILL", "test-redis", check=False)
        run("systemctl", "stop", "test-redis", check=False)
        run("systemctl", "reset-failed", "test-redis", check=False)

    def kill(self):
        run("systemctl", "kill", "-s", "KILL", "test-redis")

    def ask(self, *words):
        return run("timeout", "5", "redis-cli", *words).strip()

    def is_held(self):
        """A write of another connection is not answered within a second."""
        return run("timeout", "1", "redis-cli", "set", "probe", "1", check=False).returncode == 124

    def is_free(self):
        return run("timeout", "5", "redis-cli", "set", "probe", "1", check=False).stdout.strip() == "OK"

    @staticmethod
    def command():
        return f"command = {LIBEXEC}/quiesced-session-redis --socket /run/test-redis.sock"


ALL = (Postgresql, Mariadb, Redis)


@contextlib.contextmanager
def running(kind, folder):
    """A server of that kind on the volume, declared as a writer of it."""
    server = kind(folder)
    server.start()
    try:
        with declared(server.NAME, f"type = session\n{server.command()}\nvolumes = {server.data}\nlimit = 60s\n"):
            yield server
    finally:
        server.stop()
        run("rm", "-rf", server.data)
