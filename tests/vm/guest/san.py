# SPDX-License-Identifier: LGPL-2.1-or-later
"""A SAN box in this guest, and this guest as its user: tests/array/targetd_server.py on LVM thin volumes and LIO, behind TLS;
two portals with CHAP; multipath over both; partitions, and LVM on one of them.

What uses the LUNs knows nothing of the volumes below: it gets there by iSCSI alone, as it would from another machine.
"""
import base64
import contextlib
import glob
import json
import os
import ssl
import subprocess
import time
import urllib.request

from harness import expect, wait_for
from storage import HERE, DemoError, run

DISK = "/dev/disk/by-id/virtio-san"
POOL = "sanbox/thin"
TARGET = "iqn.2026-11.org.quiesced:san"
TARGET_ADDRESSES = ("127.0.0.2", "127.0.0.3")
CHUNK = 64 << 10  # of the pool
PORTALS = tuple(f"{address}:3260" for address in TARGET_ADDRESSES)
INITIATOR = "iqn.1993-08.org.debian:01:guest"
FOLDER = "/run/san"
PASSWORD = "array-password-4711"
CHAP = ("guest", "chap-secret-4711")
FAULTS = f"{FOLDER}/faults"
ACTIVATE_COPIES = LVM_LOCAL = "/etc/lvm/lvmlocal.conf"
# dm-thin itself needs no room for a copy, whose first writes then hang; an array whose admin knows that has LVM refuse it.
NO_COPY_IN_A_FULL_POOL = "activation { thin_pool_autoextend_threshold = 99\nthin_pool_autoextend_percent = 0 }\n"
TARGETD = f"{HERE}/targetd"  # the source of the real one, if there is one
CONFIG = "/etc/quiesced/plugins/targetd.conf"
DROP_IN = "/etc/systemd/system/quiesced-plugin-targetd@.service.d/credential.conf"
VOLUMES = ("/srv/san-part", "/srv/san-lv")  # ext4 on a partition of LUN 1; xfs on LVM on a partition of LUN 2

MULTIPATH = """defaults {
    user_friendly_names yes
    find_multipaths yes
    polling_interval 1
    max_polling_interval 1
    fast_io_fail_tmo 2
    no_path_retry 60
}
"""


def write(path, text, mode=0o600):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    os.chmod(path, mode)


class San:
    server, port = None, 18700
    real = False  # the management server is targetd itself

    def __init__(self):
        self.luns = {}  # WWID by the array's volume

    # --- the array ---------------------------------------------------------------------------------------------------

    def serve(self):
        """Starts the management server, and waits until it listens."""
        if self.real:
            self._serve_targetd()
            return
        self.server = subprocess.Popen(
            ["python3", f"{HERE}/array/targetd_server.py", "--lvm", POOL, "--listen", f"127.0.0.1:{self.port}", "--password-file", f"{FOLDER}/password",
             "--cert", f"{FOLDER}/cert.pem", "--key", f"{FOLDER}/key.pem", "--faults", FAULTS, "--target", TARGET,
             *(word for portal in PORTALS for word in ("--portal", portal))],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        expect(self.server.stdout.readline().startswith("listening"), "the management server does not listen")

    def _serve_targetd(self):
        settings = {"block_pools": [POOL], "user": "admin", "password": PASSWORD, "target_name": TARGET, "portal_addresses": list(TARGET_ADDRESSES),
                    "ssl": True, "ssl_cert": f"{FOLDER}/cert.pem", "ssl_key": f"{FOLDER}/key.pem"}
        write("/etc/target/targetd.yaml", json.dumps(settings))  # JSON is YAML
        write(ACTIVATE_COPIES, "activation { auto_set_activation_skip = 0 }\n", 0o644)  # it exports a copy, but does not activate it
        for name in ("cert.pem", "key.pem"):
            os.chmod(f"{FOLDER}/{name}", 0o600)
        self.server = subprocess.Popen(["python3", f"{TARGETD}/scripts/targetd"], stdin=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": TARGETD})

        def listens():
            expect(self.server.poll() is None, "targetd has ended")
            with contextlib.suppress(OSError):
                self.ask("pool_list")
                return True
            return False
        wait_for("targetd", listens, 60)

    def silence(self):
        """Ends it, as a power cut of the management controller: the LUNs stay."""
        if self.server:
            self.server.kill()
            self.server.wait()
            self.server = None

    def ask(self, method, **params):
        """One call of the management API, by the array's own client: no part of what is tested."""
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.port}/targetrpc", json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode(),
            {"Authorization": "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()})
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=f"{FOLDER}/cert.pem"), timeout=60) as reply:
            answer = json.load(reply)
        if "error" in answer:
            raise DemoError(f"array: {method}: {answer['error']}")
        return answer["result"]

    def copies(self):
        """All that sets have left on the array: names of volumes, and of exports."""
        names = [volume["name"] for volume in self.ask("vol_list", pool=POOL)] + [entry["vol_name"] for entry in self.ask("export_list")]
        return sorted(name for name in names if "-q" in name)

    def _make_array(self):
        run("modprobe", "-a", "target_core_mod", "target_core_iblock", "iscsi_target_mod", "iscsi_tcp", "dm_thin_pool", "dm_multipath")
        if run("vgs", "sanbox", check=False).returncode == 0:
            run("vgremove", "-qq", "-f", "-y", "sanbox")
        run("vgcreate", "-qq", "sanbox", DISK)
        # No larger than a case can fill.
        run("lvcreate", "-qq", "--type", "thin-pool", "-L", "1536m", "-c", f"{CHUNK >> 10}k", "-n", "thin", "sanbox")
        write(f"{FOLDER}/password", PASSWORD + "\n")
        write(FAULTS, "{}")
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=san",
            "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{FOLDER}/key.pem", "-out", f"{FOLDER}/cert.pem")
        self.serve()
        for number, name in enumerate(("part", "lvm"), 1):
            self.ask("vol_create", pool=POOL, name=name, size=384 << 20)
            self.ask("export_create", pool=POOL, vol=name, initiator_wwn=INITIATOR, lun=number)
            volume = next(volume for volume in self.ask("vol_list", pool=POOL) if volume["name"] == name)
            digits = "".join(c for c in volume["uuid"].lower() if c in "0123456789abcdef")[:25]
            self.luns[name] = "naa.6001405" + digits.ljust(25, "0")
        self.ask("initiator_set_auth", initiator_wwn=INITIATOR, in_user=CHAP[0], in_pass=CHAP[1], out_user="", out_pass="")
        if self.real:  # targetd switches it off for the whole target at each export; the initiator's own goes first
            write(f"/sys/kernel/config/target/iscsi/{TARGET}/tpgt_1/acls/{INITIATOR}/attrib/authentication", "1")

    @contextlib.contextmanager
    def filler(self):
        """A volume of somebody else's; yields a function that has it take all of the pool but so many chunks."""
        run("lvcreate", "-qq", "-y", "-Wn", "-V", "2g", "--thinpool", "thin", "-n", "filler", "sanbox")
        taken = 0

        def fill(leave):
            nonlocal taken
            used, total = map(int, run("dmsetup", "status", "sanbox-thin-tpool").split()[5].split("/"))
            count = total - used - leave
            expect(count > 0, f"the pool has {total - used} chunks left")
            per_block = (4 << 20) // CHUNK
            for size, blocks, begin in ((CHUNK * per_block, count // per_block, 0), (CHUNK, count % per_block, count - count % per_block)):
                if blocks:
                    run("dd", "if=/dev/zero", "of=/dev/sanbox/filler", "status=none", "oflag=direct,seek_bytes", "conv=notrunc", f"bs={size}", f"count={blocks}",
                        f"seek={(taken + begin) * CHUNK}")
            taken += count
        try:
            yield fill
        finally:
            run("lvremove", "-qq", "-y", "sanbox/filler")

    # --- its user ----------------------------------------------------------------------------------------------------

    def node(self, portal, *words):
        return run("iscsiadm", "-m", "node", "-T", TARGET, "-p", portal, *words)

    def _log_in(self):
        run("systemctl", "start", "iscsid.socket")
        for portal in PORTALS:
            self.node(portal, "-o", "new")
            settings = {"node.session.auth.authmethod": "CHAP", "node.session.auth.username": CHAP[0], "node.session.auth.password": "wrong-secret",
                        "node.session.initial_login_retry_max": "1", "node.conn[0].timeo.noop_out_interval": "1",
                        "node.conn[0].timeo.noop_out_timeout": "1", "node.session.timeo.replacement_timeout": "2"}
            for name, value in settings.items():
                self.node(portal, "-o", "update", "-n", name, "-v", value)
        refused = run("iscsiadm", "-m", "node", "-T", TARGET, "-p", PORTALS[0], "--login", check=False)
        expect(refused.returncode != 0, "the array lets somebody in without the right CHAP secret")
        for portal in PORTALS:
            self.node(portal, "-o", "update", "-n", "node.session.auth.password", "-v", CHAP[1])
            self.node(portal, "--login")

    def device(self, name):
        """The multipath device of a volume's LUN, /dev/dm-N; empty while there is none."""
        wwid = self.luns[name].removeprefix("naa.")
        for uuid in glob.glob("/sys/block/dm-*/dm/uuid"):
            with open(uuid, encoding="ascii") as file:
                if file.read().strip() == f"mpath-3{wwid}":
                    return "/dev/" + uuid.split("/")[3]
        return ""

    def paths(self, name):
        """Kernel names of the paths to it."""
        return sorted(os.listdir(f"/sys/block/{os.path.basename(self.device(name))}/slaves"))

    def _partition(self, name):
        device = wait_for(f"multipath device of {name}", lambda: self.device(name))
        wait_for(f"second path of {name}", lambda: len(self.paths(name)) == len(PORTALS))
        run("sfdisk", "-q", device, input="label: gpt\nstart=1MiB\n", stdin=None)
        # By the name that udev's rules give: they would remove one of another name again, in their own time.
        # They may be at it already, and then this one fails.
        run("kpartx", "-a", "-s", "-p", "-part", device, check=False)
        run("udevadm", "settle")
        return wait_for("partition", lambda: next(iter(glob.glob(f"/dev/disk/by-id/wwn-0x{self.luns[name].removeprefix('naa.')}-part1")), ""))

    def _make_volumes(self):
        part = self._partition("part")
        run("mkfs.ext4", "-q", "-E", "nodiscard", part)
        physical = self._partition("lvm")
        run("vgcreate", "-qq", "lunvg", physical)
        run("lvcreate", "-qq", "-y", "-l", "80%FREE", "-n", "data", "lunvg")
        run("mkfs.xfs", "-q", "-K", "/dev/lunvg/data")
        for volume, device in zip(VOLUMES, (part, "/dev/lunvg/data")):
            os.makedirs(volume, exist_ok=True)
            run("mount", device, volume)

    def configure(self, password=PASSWORD, **changes):
        """targetd.conf and its credential; keys of the array's section may be changed."""
        keys = {"url": f"https://127.0.0.1:{self.port}/targetrpc", "ca_file": f"{FOLDER}/cert.pem", "pools": POOL, **{key: str(value) for key, value in changes.items()}}
        write(CONFIG, "[box]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items() if value))
        write(f"{FOLDER}/credential", password + "\n")
        if not os.path.exists(DROP_IN):
            write(DROP_IN, f"[Service]\nLoadCredential=box:{FOLDER}/credential\n", 0o644)
            run("systemctl", "daemon-reload")

    def fault(self, **faults):
        write(FAULTS, json.dumps(faults))

    def set_up(self, real=False):
        self.real, self.luns = real, {}
        write("/etc/multipath.conf", MULTIPATH, 0o644)
        run("systemctl", "start", "multipathd")
        self._make_array()
        self._log_in()
        self._make_volumes()
        self.configure()
        run("systemctl", "start", "quiesced-plugin-targetd.socket")

    def tear_down(self):
        """As far as it goes: what fails here shows as a leak of the last case."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(ACTIVATE_COPIES)
        run("systemctl", "stop", "quiesced-plugin-targetd.socket", check=False)
        run("umount", *VOLUMES, check=False)
        run("vgchange", "-qq", "-an", "lunvg", check=False)
        for name in self.luns:
            run("multipathd", "flush", "map", os.path.basename(self.device(name)), check=False)
        run("iscsiadm", "-m", "node", "-T", TARGET, "--logout", check=False)
        run("systemctl", "stop", "multipathd.service", "multipathd.socket", check=False)
        if self.server:
            for entry in self.ask("export_list"):
                self.ask("export_destroy", pool=entry["pool"], vol=entry["vol_name"], initiator_wwn=entry["initiator_wwn"])
        self.silence()


SAN = San()


@contextlib.contextmanager
def dropped(address, port=3260):
    """All that goes to this address and port is lost while it lasts."""
    run("nft", "add", "table", "inet", "san")
    run("nft", "add", "chain", "inet", "san", "lost", "{ type filter hook output priority 0 ; }")
    for rule in (f"ip daddr {address} tcp dport {port} drop", f"ip saddr {address} tcp sport {port} drop"):
        run("nft", "add", "rule", "inet", "san", "lost", *rule.split())
    try:
        yield
    finally:
        run("nft", "delete", "table", "inet", "san")
