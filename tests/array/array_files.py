# SPDX-License-Identifier: LGPL-2.1-or-later
"""A simulated array: DIR/POOL/NAME is a volume, DIR/POOL/NAME.uuid its UUID, DIR/exports.json what is exported."""
import json
import os
import shutil
import threading
import uuid

from array_error import ArrayError, NAME_CONFLICT, NOT_FOUND_EXPORT, NOT_FOUND_VOLUME, INVALID_POOL


class FileArray:
    def __init__(self, folder):
        self.folder = folder
        self.exports_path = os.path.join(folder, "exports.json")
        self.exports_lock = threading.Lock()

    def _pool(self, pool):
        path = os.path.join(self.folder, pool)
        if not os.path.isdir(path):
            raise ArrayError(INVALID_POOL, f"Invalid pool ({pool})")
        return path

    def _volume(self, pool, name):
        path = os.path.join(self._pool(pool), name)
        if "/" in name or not os.path.exists(path + ".uuid"):
            raise ArrayError(NOT_FOUND_VOLUME, f"Volume {name} not found in pool {pool}")
        return path

    def _exports(self):
        try:
            with open(self.exports_path, encoding="ascii") as file:
                return json.load(file)
        except FileNotFoundError:
            return []

    def _save_exports(self, exports):
        with open(self.exports_path + ".new", "w", encoding="ascii") as file:
            json.dump(exports, file)
        os.rename(self.exports_path + ".new", self.exports_path)

    def pool_list(self):
        pools = []
        for name in sorted(os.listdir(self.folder)):
            if os.path.isdir(os.path.join(self.folder, name)):
                size, free = 100 << 30, 50 << 30
                limit = os.path.join(self.folder, name, "free")
                if os.path.exists(limit):
                    with open(limit, encoding="ascii") as file:
                        free = int(file.read())
                pools.append({"name": name, "size": size, "free_size": free, "type": "block"})
        return pools + [{"name": "/srv/fs", "size": 1, "free_size": 1, "type": "fs"}]

    def vol_list(self, pool):
        path = self._pool(pool)
        volumes = []
        for name in sorted(os.listdir(path)):
            if not name.endswith(".uuid"):
                continue
            try:
                with open(os.path.join(path, name), encoding="ascii") as file:
                    identity = file.read().strip()
                volumes.append({"name": name[:-5], "size": os.stat(os.path.join(path, name[:-5])).st_size, "uuid": identity})
            except FileNotFoundError:
                continue  # removed meanwhile
        return volumes

    def vol_create(self, pool, name, size):
        path = os.path.join(self._pool(pool), name)
        if os.path.exists(path + ".uuid"):
            raise ArrayError(NAME_CONFLICT, "Volume with that name exists")
        with open(path, "wb") as file:
            file.truncate(int(size))
        self._name(path)

    def vol_copy(self, pool, vol_orig, vol_new, size=None):
        origin = self._volume(pool, vol_orig)
        copy = os.path.join(self._pool(pool), vol_new)
        if os.path.exists(copy + ".uuid"):
            raise ArrayError(NAME_CONFLICT, "Volume with that name exists")
        shutil.copyfile(origin, copy)
        if size:
            os.truncate(copy, int(size))
        self._name(copy)

    @staticmethod
    def _name(path):
        with open(path + ".uuid", "x", encoding="ascii") as file:
            file.write(str(uuid.uuid4()))

    def vol_destroy(self, pool, name):
        path = self._volume(pool, name)
        if any(entry["pool"] == pool and entry["vol_name"] == name for entry in self._exports()):
            raise ArrayError(-303, f"Volume '{name}' cannot be removed while exported")
        os.unlink(path + ".uuid")
        os.unlink(path)

    def export_list(self):
        return self._exports()

    def export_create(self, pool, vol, initiator_wwn, lun):
        path = self._volume(pool, vol)
        with open(path + ".uuid", encoding="ascii") as file:
            identity = file.read().strip()
        with self.exports_lock:
            exports = self._exports()
            if not any(e["pool"] == pool and e["vol_name"] == vol and e["initiator_wwn"] == initiator_wwn for e in exports):
                exports.append({"initiator_wwn": initiator_wwn, "lun": lun, "vol_name": vol, "pool": pool, "vol_uuid": identity,
                                "vol_size": os.stat(path).st_size})
            self._save_exports(exports)

    def export_destroy(self, pool, vol, initiator_wwn):
        with self.exports_lock:
            exports = self._exports()
            left = [e for e in exports if (e["pool"], e["vol_name"], e["initiator_wwn"]) != (pool, vol, initiator_wwn)]
            if len(left) == len(exports):
                raise ArrayError(NOT_FOUND_EXPORT, f"Volume '{vol}' not found in {initiator_wwn} exports")
            self._save_exports(left)

    def initiator_list(self, standalone_only=False):
        del standalone_only
        return [{"init_id": wwn, "init_type": "iscsi"} for wwn in sorted({e["initiator_wwn"] for e in self._exports()})]
