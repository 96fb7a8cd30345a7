# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real array: LVM thin volumes, exported by LIO (by configfs), with an ACL for each initiator."""
import json
import os
import subprocess
import threading

from array_error import ArrayError, COMMAND_FAILED, INVALID_POOL, NAME_CONFLICT, NOT_FOUND_EXPORT, NOT_FOUND_VOLUME

CORE = "/sys/kernel/config/target/core/iblock_0"
# This machine's LVM must not look into the volumes, which are somebody else's disks.
CONFIG = "devices{scan_lvs=0}"


def lvm(*argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"})
    if done.returncode != 0:
        raise ArrayError(COMMAND_FAILED, (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1].strip())
    return done.stdout


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def read(path):
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read().strip()


class LvmArray:
    def __init__(self, pools, target, portals):
        self.pools = pools
        self.group = f"/sys/kernel/config/target/iscsi/{target}/tpgt_1"
        self.portals = portals or ["127.0.0.1:3260"]
        self.lio = threading.Lock()  # configfs is read and changed in several steps

    def _split(self, pool):
        if pool not in self.pools:
            raise ArrayError(INVALID_POOL, f"Invalid pool ({pool})")
        return pool.split("/")

    def _report(self, group, columns, select):
        text = lvm("lvs", "--config", CONFIG, "--reportformat", "json", "--units", "b", "--nosuffix", "-o", columns, "-S", select, group)
        return json.loads(text)["report"][0]["lv"]

    def _volumes(self, pool):
        group, thin_pool = self._split(pool)
        return {row["lv_name"]: row for row in self._report(group, "lv_name,lv_size,lv_uuid", f"pool_lv={thin_pool}")}

    def _volume(self, pool, name):
        volume = self._volumes(pool).get(name)
        if not volume:
            raise ArrayError(NOT_FOUND_VOLUME, f"Volume {name} not found in pool {pool}")
        return volume

    def pool_list(self):
        pools = []
        for pool in self.pools:
            group, thin_pool = pool.split("/")
            row = self._report(group, "lv_size,data_percent,lv_uuid", f"lv_name={thin_pool}")[0]
            size = int(row["lv_size"])
            pools.append({"name": pool, "size": size, "free_size": int(size * (1 - float(row["data_percent"] or 0) / 100)), "type": "block", "uuid": row["lv_uuid"]})
        return pools

    def vol_list(self, pool):
        return [{"name": name, "size": int(row["lv_size"]), "uuid": row["lv_uuid"]} for name, row in self._volumes(pool).items()]

    def vol_create(self, pool, name, size):
        group, thin_pool = self._split(pool)
        lvm("lvcreate", "-qq", "--config", CONFIG, "-y", "-Wn", "-V", f"{int(size)}b", "--thinpool", thin_pool, "-n", name, group)

    def vol_copy(self, pool, vol_orig, vol_new, size=None):
        group, _ = self._split(pool)
        if size:
            raise ArrayError(COMMAND_FAILED, "this array does not resize")
        try:
            lvm("lvcreate", "-qq", "--config", CONFIG, "-s", "-kn", "-n", vol_new, f"{group}/{vol_orig}")
        except ArrayError as error:
            if "already exists" in str(error):
                raise ArrayError(NAME_CONFLICT, "Volume with that name exists") from error
            if "Failed to find logical volume" in str(error):
                raise ArrayError(NOT_FOUND_VOLUME, f"Volume {vol_orig} not found in pool {pool}") from error
            raise

    def vol_destroy(self, pool, name):
        group, _ = self._split(pool)
        self._volume(pool, name)
        if os.path.isdir(self._store(pool, name)):
            raise ArrayError(COMMAND_FAILED, f"Volume '{name}' cannot be removed while exported")
        lvm("lvremove", "-qq", "--config", CONFIG, "-y", f"{group}/{name}")

    def _store(self, pool, name):
        return f"{CORE}/{pool.split('/')[0]}:{name}"

    def _make_target(self):
        if os.path.isdir(self.group):
            return
        os.makedirs(self.group)
        for portal in self.portals:
            os.makedirs(f"{self.group}/np/{portal}", exist_ok=True)
        write(f"{self.group}/attrib/authentication", "0")
        write(f"{self.group}/enable", "1")

    def _mapped(self):
        """(initiator, LUN of the initiator, slot of the group, name of the store) of each mapping."""
        acls = f"{self.group}/acls"
        for initiator in sorted(os.listdir(acls)) if os.path.isdir(acls) else []:
            for mapping in sorted(os.listdir(f"{acls}/{initiator}")):
                folder = f"{acls}/{initiator}/{mapping}"
                if not mapping.startswith("lun_"):
                    continue
                for link in os.listdir(folder):
                    if os.path.islink(f"{folder}/{link}"):
                        slot = os.path.realpath(f"{folder}/{link}")
                        stores = [os.path.basename(os.path.realpath(f"{slot}/{entry}")) for entry in os.listdir(slot) if os.path.islink(f"{slot}/{entry}")]
                        yield initiator, int(mapping[4:]), slot, stores[0] if stores else ""

    def export_list(self):
        with self.lio:
            mapped = list(self._mapped())
        exports = []
        for pool in self.pools:
            group = pool.split("/")[0]
            volumes = self._volumes(pool)
            for initiator, lun, _, store in mapped:
                name = store.partition(":")[2]
                if store.startswith(group + ":") and name in volumes:
                    exports.append({"initiator_wwn": initiator, "lun": lun, "vol_name": name, "pool": pool,
                                    "vol_uuid": volumes[name]["lv_uuid"], "vol_size": int(volumes[name]["lv_size"])})
        return exports

    def export_create(self, pool, vol, initiator_wwn, lun):
        group, _ = self._split(pool)
        volume = self._volume(pool, vol)
        lvm("lvchange", "-qq", "--config", CONFIG, "-ay", "-K", f"{group}/{vol}")
        with self.lio:
            self._make_target()
            store = self._store(pool, vol)
            os.makedirs(store, exist_ok=True)
            if read(f"{store}/enable") != "1":
                device = f"/dev/{group}/{vol}"
                write(f"{store}/control", f"udev_path={device}")
                write(f"{store}/udev_path", device)
                write(f"{store}/wwn/vpd_unit_serial", volume["lv_uuid"])
                write(f"{store}/enable", "1")
            slot = self._slot(store)
            acl = f"{self.group}/acls/{initiator_wwn}"
            os.makedirs(acl, exist_ok=True)
            mapping = f"{acl}/lun_{int(lun)}"
            os.makedirs(mapping, exist_ok=True)
            if not any(os.path.islink(f"{mapping}/{entry}") for entry in os.listdir(mapping)):
                os.symlink(slot, f"{mapping}/default")
                write(f"{mapping}/write_protect", "0")

    def _slot(self, store):
        used = set()
        for name in os.listdir(f"{self.group}/lun"):
            used.add(int(name[4:]))
            slot = f"{self.group}/lun/{name}"
            if any(os.path.realpath(f"{slot}/{entry}") == os.path.realpath(store) for entry in os.listdir(slot) if os.path.islink(f"{slot}/{entry}")):
                return slot
        number = next(n for n in range(1, 1 << 16) if n not in used)
        slot = f"{self.group}/lun/lun_{number}"
        os.makedirs(slot)
        os.symlink(store, f"{slot}/store")
        return slot

    def export_destroy(self, pool, vol, initiator_wwn):
        group, _ = self._split(pool)
        with self.lio:
            found = [(lun, slot) for initiator, lun, slot, store in self._mapped() if initiator == initiator_wwn and store == f"{group}:{vol}"]
            if not found:
                raise ArrayError(NOT_FOUND_EXPORT, f"Volume '{vol}' not found in {initiator_wwn} exports")
            for lun, slot in found:
                mapping = f"{self.group}/acls/{initiator_wwn}/lun_{lun}"
                for entry in os.listdir(mapping):
                    if os.path.islink(f"{mapping}/{entry}"):
                        os.unlink(f"{mapping}/{entry}")
                os.rmdir(mapping)
                if any(other == slot for _, _, other, _ in self._mapped()):
                    continue
                for entry in os.listdir(slot):
                    if os.path.islink(f"{slot}/{entry}"):
                        os.unlink(f"{slot}/{entry}")
                os.rmdir(slot)
                os.rmdir(self._store(pool, vol))
        lvm("lvchange", "-qq", "--config", CONFIG, "-an", f"{group}/{vol}")

    def initiator_set_auth(self, initiator_wwn, in_user, in_pass, out_user, out_pass):
        """As targetd's; and it switches CHAP on, which targetd leaves to who sets the target up."""
        with self.lio:
            self._make_target()
            acl = f"{self.group}/acls/{initiator_wwn}"
            os.makedirs(acl, exist_ok=True)
            for name, text in {"userid": in_user, "password": in_pass, "userid_mutual": out_user, "password_mutual": out_pass}.items():
                write(f"{acl}/auth/{name}", text or "NULL")
            write(f"{self.group}/attrib/authentication", "1" if in_user and in_pass else "0")

    def initiator_list(self, standalone_only=False):
        del standalone_only
        acls = f"{self.group}/acls"
        return [{"init_id": name, "init_type": "iscsi"} for name in sorted(os.listdir(acls))] if os.path.isdir(acls) else []
