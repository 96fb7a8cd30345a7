#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""An admin's command for quiesced-plugin-exec: file_command.py FOLDER METHOD. LUNs are files FOLDER/luns/WWID, a snapshot is a copy
FOLDER/snapshots/SET.WWID. FOLDER/snapshots/SET.prepared says that a set may be cut."""
import fcntl
import json
import os
import shutil
import sys

FOLDER, METHOD = sys.argv[1:]
SNAPSHOTS = f"{FOLDER}/snapshots"


def refuse(kind, message):
    print(json.dumps({"kind": kind, "message": message}))
    sys.exit(1)


def main():
    # Written before anything else, and nothing done: commit is started ahead (commit_ready = yes).
    if METHOD == "commit":
        print("ready", flush=True)
    request = json.loads(sys.stdin.readline() or sys.exit(0))
    lock = os.open(SNAPSHOTS, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)  # an abort and a commit one after the other, also when their plugins were killed
    name, wwids = request.get("set", ""), [disk["wwid"] for disk in request.get("disks", [])]
    held = {entry[17:]: f"{SNAPSHOTS}/{entry}" for entry in os.listdir(SNAPSHOTS) if entry.startswith(name + ".")}
    if METHOD == "claim":
        return {"claimed": [{"wwid": wwid} for wwid in wwids if os.path.exists(f"{FOLDER}/luns/{wwid}")]}
    if METHOD == "prepare":
        for wwid in wwids:
            if not os.path.exists(f"{FOLDER}/luns/{wwid}"):
                refuse("not-found", f"there is no LUN {wwid}")
        with open(f"{SNAPSHOTS}/{name}.prepared", "w", encoding="ascii"):
            return {}
    if METHOD == "commit":
        if "prepared" not in held:
            refuse("not-found", f"set {name} is not prepared")
        for wwid in wwids:
            shutil.copyfile(f"{FOLDER}/luns/{wwid}", f"{SNAPSHOTS}/{name}.{wwid}")
        return {}
    if METHOD == "finish":
        missing = [wwid for wwid in wwids if wwid not in held]
        if missing:
            refuse("not-found", f"set {name} has no snapshot of {missing[0]}")
        return {"snapshots": [{"origin": wwid, "snapshot": held[wwid]} for wwid in wwids]}
    if METHOD in ("abort", "delete"):
        for path in held.values():
            os.unlink(path)
        return {}
    return {"snapshots": [{"set": entry[:16], "snapshot": entry} for entry in sorted(os.listdir(SNAPSHOTS)) if not entry.endswith(".prepared")]}


print(json.dumps(main()), flush=True)
