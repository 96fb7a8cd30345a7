# SPDX-License-Identifier: LGPL-2.1-or-later
"""quiescectl as an admin uses it: its table, plan, timeline, thaw and abort, on real volumes and the system bus."""
import fcntl
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import termios
import time

from harness import Missing, case, create, delete_all_sets, expect, main_pid, step, wait_for_state, writable, writable_all, wait_for
from storage import run

NAMES = ["/srv/ext4", "/srv/xfs", "/srv/btrfs", "/srv/lun"]


def ctl(*words, status=0):
    done = run("quiescectl", *words, check=False)
    expect(done.returncode == status, f"quiescectl {' '.join(words)}: exit status {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout if status == 0 else done.stdout + done.stderr


def on_terminal(columns, *words):
    """What quiescectl writes to a terminal so wide."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(["quiescectl", *words], stdout=theirs, stdin=subprocess.DEVNULL, env=environment) as process:
        os.close(theirs)
        text = b""
        try:
            while piece := os.read(ours, 65536):
                text += piece
        except OSError:  # the other end is closed
            pass
        expect(process.wait(30) == 0, f"exit status {process.returncode}")
    os.close(ours)
    return text.decode()


def frozen_set():
    path = create(*NAMES[:2], deadline_ms=60000)
    step(path, "Prepare")
    step(path, "Freeze")
    expect(not writable("/srv/ext4"), "nothing is frozen: the case proves nothing")
    return path


@case("quiescectl volumes: 80 columns, colours on a terminal only, the same facts as its JSON")
def ctl_volumes():
    table = ctl("volumes")
    expect(all(len(line) <= 80 for line in table.splitlines()), f"a line is too long:\n{table}")
    expect("\x1b" not in table, "colours in a pipe")
    volumes = {volume["name"]: volume for volume in json.loads(ctl("volumes", "--json"))}
    for name in NAMES:
        line = next((line for line in table.splitlines() if line.split()[0] == name), "")
        expect(volumes[name]["placement"] in line and volumes[name]["file_system"] in line, f"{name} is not in the table:\n{table}")
    print("  " + "\n  ".join(table.splitlines()))
    colourful = on_terminal(132, "volumes", "-o", "+EVIDENCE,UUID")
    expect("\x1b[" in colourful, "no colours on a terminal")
    expect(any(len(line) > 80 for line in colourful.splitlines()), "the terminal's width is not used")
    expect(volumes["/srv/xfs"]["uuid"] in colourful, "no UUID")


@case("quiescectl plan: levels, providers and room, then the set does the same")
def ctl_plan():
    text = ctl("plan", "--sample", "200", *NAMES)
    expect("can be taken" in text and "FREEZE" in text and "SPACE" in text, text)
    expect(all(len(line) <= 80 for line in text.splitlines()), f"a line is too long:\n{text}")
    print("  " + "\n  ".join(text.splitlines()))
    plan = json.loads(ctl("plan", "--sample", "0", "--json", *NAMES))
    manifest = json.loads(ctl("snapshot", "--json", *NAMES))
    expect({member["name"]: member["provider"] for member in plan["members"]} ==
           {member["volume"]: member["provider"] for member in manifest["members"]}, "the set has other providers than the plan")
    ctl("delete", manifest["id"])
    refused = ctl("plan", "--sample", "0", "/srv/ext4", "/nowhere", status=1)
    expect("REFUSED" in refused and "/nowhere" in refused, refused)


@case("quiescectl timeline: flush, freeze, hold and thaw of each file system")
def ctl_timeline():
    manifest = json.loads(ctl("snapshot", "--json", *NAMES))
    text = ctl("timeline", manifest["id"])
    print("  " + "\n  ".join(text.splitlines()))
    for words in ("SEQUENCE", "WINDOW", "VOLUME", "FLUSH", "THAW"):
        expect(words in text, f"no {words}:\n{text}")
    rows = [line.split() for line in text[text.index("VOLUME"):].splitlines()[1:]]
    expect(sorted(row[0] for row in rows) == sorted(NAMES), f"rows: {rows}")
    expect(all("-" not in row for row in rows), f"a time is missing: {rows}")
    drawn = run("quiescectl", "timeline", manifest["id"], "--svg", "/run/timeline.svg", check=False)
    expect(drawn.returncode == 0 or "libgvc6" in drawn.stderr, f"it does not say what is missing: {drawn.stderr}")
    expect(drawn.returncode != 0 or os.path.getsize("/run/timeline.svg") > 0, "an empty drawing")
    expect(drawn.returncode == 0 or not os.path.exists("/run/timeline.svg"), "half a drawing")
    ctl("delete", manifest["id"])


@case("quiescectl thaw and abort end a set that was frozen step by step")
def ctl_thaw_abort():
    path = frozen_set()
    ctl("abort", os.path.basename(path))
    expect(writable_all(NAMES[:2], 5), "still frozen after abort")
    wait_for_state(path, "failed")
    path = frozen_set()
    step(path, "Snapshot")
    ctl("thaw", os.path.basename(path))
    expect(writable_all(NAMES[:2], 5), "still frozen after thaw")
    wait_for_state(path, "complete", 60)
    delete_all_sets()


@case("quiescectl thaw --emergency thaws without the bus, and while the daemon hangs")
def ctl_emergency():
    path = frozen_set()
    daemon = main_pid()
    os.kill(daemon, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        done = run("quiescectl", "--bus", "unix:path=/nowhere", "thaw", "--emergency", check=False)
        expect(writable_all(NAMES[:2], 5), f"still frozen: {done.stdout}{done.stderr}")
        print(f"  {time.monotonic() - begun:.1f} s: {done.stderr.strip()}")
        expect(done.returncode == 0 and "thawed /srv/ext4" in done.stderr, f"exit status {done.returncode}: {done.stderr}")
    finally:
        os.kill(daemon, signal.SIGCONT)
    # Its snapshots were never cut, so that the set comes to nothing.
    run("quiescectl", "abort", os.path.basename(path), check=False)
    wait_for_state(path, "failed", 60)
    delete_all_sets()


@case("quiescectl -H drives the daemon of another machine over ssh, and says so when that machine cannot be reached")
def ctl_other_host():
    keys = "/run/other-host"
    os.makedirs(keys, mode=0o700, exist_ok=True)
    os.makedirs("/run/sshd", exist_ok=True)
    os.makedirs("/root/.ssh", mode=0o700, exist_ok=True)
    for name in ("host", "user"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{keys}/{name}")
    server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-p", "22", "-o", "ListenAddress=127.0.0.1", "-o", f"HostKey={keys}/host", "-o", "StrictModes=no",
                               "-o", f"AuthorizedKeysFile={keys}/user.pub", "-o", "UsePAM=no"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with open("/root/.ssh/config", "w", encoding="ascii") as file:
            file.write(f"Host 127.0.0.1\nIdentityFile {keys}/user\nStrictHostKeyChecking accept-new\nUserKnownHostsFile {keys}/known\n")
        os.chmod("/root/.ssh/config", 0o600)
        # sshd needs a moment.
        wait_for("an answer by ssh", lambda: run("ssh", "127.0.0.1", "true", check=False).returncode == 0)
        here = {path for volume in json.loads(ctl("volumes", "--json")) for path in volume.get("mount_points", [])}
        there = {path for volume in json.loads(ctl("-H", "root@127.0.0.1", "volumes", "--json")) for path in volume.get("mount_points", [])}
        expect(here == there and "/srv/ext4" in there, f"{here} here, {there} by ssh")
        manifest = json.loads(ctl("-H", "root@127.0.0.1", "snapshot", "--json", "/srv/ext4", "/srv/lun"))
        expect(manifest["state"] == "complete", f"{manifest}")
    finally:
        server.terminate()
        server.wait()
    said = ctl("-H", "root@127.0.0.1", "volumes", status=3)
    print(f"  {said.strip().splitlines()[-1]}")
    os.unlink("/root/.ssh/config")
    delete_all_sets()


MACHINE, MACHINE_ROOT, MACHINE_BUS = "inside", "/run/machine-root", "unix:path=/run/dbus/system_bus_socket"


def in_machine(*words):
    """busctl on the container's system bus; whether that did."""
    return run("busctl", f"--machine={MACHINE}", *words, check=False)


@case("quiescectl -M drives the daemon of a container that systemd-machined knows, and says so when it knows none of that name")
def ctl_machine():
    if not shutil.which("systemd-nspawn"):
        raise Missing("systemd-nspawn")
    # This guest's own root once more, without what is mounted on it; what the container writes is in memory.
    os.makedirs(MACHINE_ROOT, exist_ok=True)
    run("mount", "--bind", "/", MACHINE_ROOT)
    with open("/run/machine.log", "wb") as log:
        container = subprocess.Popen(["systemd-nspawn", "--boot", "--console=pipe", f"--directory={MACHINE_ROOT}", "--volatile=overlay", f"--machine={MACHINE}",
                                      "systemd.unit=basic.target"], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    try:
        def boots():
            expect(container.poll() is None, "the container has ended: " + run("tail", "-n", "5", "/run/machine.log"))
            return in_machine("list", "--no-pager").returncode == 0
        wait_for("the container's bus", boots, 180)
        # Its daemon serves a simulated guest: what it says can only come from there. It is told the bus by its address, since it is the container's.
        run("systemd-run", "-q", f"--machine={MACHINE}", "--unit=quiesced-sim", "/usr/sbin/quiesced", "--sim", "--bus", MACHINE_BUS,
            "--state-directory", "/run/sim/state", "--run-directory", "/run/sim/run")
        owned = ("call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner", "s", "org.quiesced1")
        wait_for("the container's daemon", lambda: "true" in in_machine(*owned).stdout, 60)
        here = {volume["name"] for volume in json.loads(ctl("volumes", "--json"))}
        there = {volume["name"] for volume in json.loads(ctl("-M", MACHINE, "volumes", "--json"))}
        expect("/srv/data" in there and "/srv/ext4" not in there and "/srv/ext4" in here and "/srv/data" not in here, f"{sorted(here)} here, {sorted(there)} there")
        manifest = json.loads(ctl("-M", MACHINE, "snapshot", "--json", "/srv/data"))
        expect(manifest["state"] == "complete", f"{manifest}")
        listed = ctl("-M", MACHINE, "sets")
        print(f"  {listed.splitlines()[-1]}")
        expect(manifest["id"] in listed and manifest["id"] not in ctl("sets"), f"{listed} there, {ctl('sets')} here")
        said = ctl("-M", "nowhere", "volumes", status=3)
        print(f"  {said.strip().splitlines()[0]}")
        expect("of the machine 'nowhere'" in said, said)
    finally:
        run("machinectl", "terminate", MACHINE, check=False)
        try:
            container.wait(60)
        except subprocess.TimeoutExpired:
            container.kill()
            container.wait()
        run("umount", MACHINE_ROOT)
