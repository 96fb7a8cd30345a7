# SPDX-License-Identifier: LGPL-2.1-or-later
"""The array's command for quiesced-plugin-exec: claim, prepare, commit, finish, abort, delete, list.

Reads one line of JSON, writes one. What a set has on the array stands in /run/array/set-ID.json, an entry for each of its
LUNs: written by prepare, before there is anything, and removed last.
"""
import json
import os
import sys
import time

import storage_array
from storage_array import ArrayError

POOL_LIMIT = 95  # percent


def answer(result):
    print(json.dumps(result), flush=True)


def request():
    line = sys.stdin.readline()
    if not line:
        raise ArrayError("internal", "no request came")
    return json.loads(line)


def serial_of(set_id, number):
    """A unit's serial number, of which LIO makes the WWID: the set, and which of its LUNs."""
    return set_id + f"{number:09x}"


def device_of(entry):
    return f"array-{entry['name']}"


def origins(disks):
    known = storage_array.volumes()
    for disk in disks:
        if disk["wwid"] not in known:
            raise ArrayError("not-found", f"this array has no LUN {disk['wwid']}: see {storage_array.STATE}/volumes.json")
    return [dict(known[disk["wwid"]], wwid=disk["wwid"]) for disk in disks]


def claim(_):
    known = storage_array.volumes()
    answer({"claimed": [{"wwid": disk["wwid"], "array_volume": known[disk["wwid"]]["name"]}
                        for disk in request()["disks"] if disk["wwid"] in known]})


def prepare(set_id):
    wanted = origins(request()["disks"])
    if not storage_array.load_set(set_id):
        used, total = storage_array.pool_fill()
        if used * 100 >= total * POOL_LIMIT:
            raise ArrayError("no-space", f"the array's pool is {used * 100 // total} % full: extend {storage_array.POOL}")
        entries = [{"origin": origin["wwid"], "name": f"{origin['name']}-q{set_id}", "number": number,
                    "source": origin, "cut": False}
                   for origin, number in zip(wanted, storage_array.free_numbers(len(wanted)))]
        if len(entries) != len(wanted):
            raise ArrayError("no-space", "this array has no LUN number left: delete old sets")
        storage_array.save(storage_array.set_path(set_id), entries)
    answer({})


def commit(set_id):
    # Started before the freeze: all is loaded and open when the line comes, and only the cut is left to do.
    mapper = storage_array.DeviceMapper()
    entries = storage_array.load_set(set_id)
    print("ready", flush=True)
    disks = request()["disks"]
    if {disk["wwid"] for disk in disks} != {entry["origin"] for entry in entries}:
        raise ArrayError("internal", f"set {set_id} was prepared for other LUNs")
    suspended = []
    try:
        # All at rest, then all cut: one moment for the whole group.
        for entry in entries:
            mapper.suspend(entry["source"]["mapper"])
            suspended.append(entry["source"]["mapper"])
        for entry in entries:
            if not entry["cut"]:
                mapper.message(storage_array.POOL, f"create_snap {storage_array.thin_id(entry['number'])} "
                                                   f"{entry['source']['thin_id']}")
                entry["cut"] = True
    finally:
        for name in suspended:
            mapper.resume(name)
    moment = time.time()
    answer({})
    for entry in entries:
        entry["taken_at"] = (time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment * 1000) % 1000:03d}Z")
    storage_array.save(storage_array.set_path(set_id), entries)


def finish(set_id):
    snapshots = []
    params = request()
    entries = storage_array.load_set(set_id)
    if not entries or not all(entry["cut"] for entry in entries):
        raise ArrayError("not-found", f"the array holds no snapshots of set {set_id}")
    for entry in entries:
        storage_array.activate(device_of(entry), storage_array.thin_id(entry["number"]), entry["source"]["sectors"])
        lun = 1 + entry["number"]
        serial = serial_of(set_id, entry["number"])
        storage_array.export(entry["name"], f"/dev/mapper/{device_of(entry)}", serial, lun)
        wwid = storage_array.wwid_of(serial)
        snapshot = {"origin": entry["origin"], "snapshot": f"array/{entry['name']}", "taken_at": entry["taken_at"],
                    "wwid": wwid, "reference": {"lun": lun}}
        if params.get("map", True):
            snapshot["device"] = storage_array.attach(wwid, lun)
        snapshots.append(snapshot)
    answer({"snapshots": snapshots})


def remove(set_id):
    """Everything that the set has here, whatever the state."""
    mapper = storage_array.DeviceMapper()
    for entry in storage_array.load_set(set_id):
        storage_array.detach(storage_array.wwid_of(serial_of(set_id, entry["number"])))
        storage_array.unexport(entry["name"], 1 + entry["number"])
        storage_array.deactivate(device_of(entry))
        try:
            # Asked even when no cut was noted: the note is made after the cut.
            mapper.message(storage_array.POOL, f"delete {storage_array.thin_id(entry['number'])}")
        except OSError:
            if entry["cut"]:
                raise
    if os.path.exists(storage_array.set_path(set_id)):
        os.unlink(storage_array.set_path(set_id))
    answer({})


def enumerate_sets(_):
    answer({"snapshots": [{"set": set_id, "origin": entry["origin"], "snapshot": f"array/{entry['name']}"}
                          for set_id in storage_array.set_ids() for entry in storage_array.load_set(set_id) if entry["cut"]]})


METHODS = {"claim": claim, "prepare": prepare, "commit": commit, "finish": finish, "abort": remove, "delete": remove,
           "list": enumerate_sets}


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in METHODS:
        sys.exit(f"usage: array-command {'|'.join(METHODS)}")
    set_id = os.environ.get("QUIESCED_SET", "")
    if sys.argv[1] not in ("claim", "list") and (len(set_id) != 16 or set_id.strip("0123456789abcdef")):
        sys.exit("array-command: QUIESCED_SET is no set id")
    try:
        METHODS[sys.argv[1]](set_id)
    except ArrayError as error:
        answer({"kind": error.kind, "message": str(error)})
        sys.exit(1)
    except (OSError, KeyError, ValueError) as error:
        answer({"kind": "internal", "message": f"{sys.argv[1]}: {type(error).__name__}: {error}"})
        sys.exit(1)

