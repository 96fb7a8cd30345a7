# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a hypervisor knows of this machine's disks: virtio disks by serial and address, a LUN over iSCSI. What they are is taken
from lsblk and udevadm, which read it by themselves."""
import json
import os
import tempfile

from harness import case, delete_all_sets, expect, main_pid, wait_for_new_daemon
from storage import DISKS, run


def match(*disks, status=0, options=()):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(disks, file)
        file.flush()
        done = run("quiescectl", "match", file.name, "--json", *options, check=False)
    expect(done.returncode == status, f"exit status {done.returncode}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def properties(device):
    lines = run("udevadm", "info", "--query=property", device).splitlines()
    return dict(line.split("=", 1) for line in lines)


def volume(name):
    return next(row for row in json.loads(run("quiescectl", "volumes", "--json")) if row["name"] == name)


def lun_disk():
    """The disk below /srv/lun, as lsblk describes it."""
    disks = json.loads(run("lsblk", "--json", "--bytes", "-o", "NAME,KNAME,TRAN,WWN,HCTL,SIZE,VENDOR,SERIAL,MOUNTPOINTS"))["blockdevices"]
    return next(disk for disk in disks if disk["tran"] == "iscsi" and "/srv/lun" in json.dumps(disk))


@case("Disks that a hypervisor knows by serial, address, WWID or size are found, and what does not fit is said")
def disks_match():
    data, other = (os.path.basename(os.path.realpath(disk)) for disk in DISKS)
    pci = next(part for part in properties(DISKS[0])["ID_PATH"].split("-") if part.count(":") == 2)
    lun = lun_disk()
    size = int(run("blockdev", "--getsize64", DISKS[0]))
    found = match(
        {"id": "a", "virtio_serial": "data1", "pci": pci.upper(), "size": size, "type": "virtual"},
        {"id": "b", "wwid": properties(f"/dev/{lun['kname']}")["ID_SERIAL"], "hctl": "*:" + lun["hctl"].split(":", 1)[1], "type": "lun"},
        {"id": "c", "size": size}, {"id": "d", "serial": "data2", "pci": pci}, status=4, options=["--dry-run"])
    expect([entry["result"] for entry in found] == ["matched", "matched", "ambiguous", "none"], f"{found}")
    expect(found[0]["disk"] == data and found[0]["placement"] == "virtual" and "/srv/ext4" in found[0]["volumes"], f"{found[0]}")
    expect(found[1]["disk"] == lun["kname"] and found[1]["placement"] == "lun" and found[1]["volumes"] == ["/srv/lun"], f"{found[1]}")
    expect(not found[0]["contradictions"] and not found[1]["contradictions"], f"{found}")
    expect(set(found[2]["candidates"]) == {f"/dev/{data}", f"/dev/{other}"}, f"{found[2]}")
    expect(len(found[3]["contradictions"]) == 1 and f"/dev/{other} has its serial=data2" in found[3]["contradictions"][0], f"{found[3]}")
    facts = found[1]["evidence"]
    for fact in ("transport=iscsi", "vendor=LIO-ORG", f"serial={lun['serial']}", f"wwid=naa.{lun['wwn'].removeprefix('0x')}", f"hctl={lun['hctl']}"):
        # lsblk cuts a WWN of 16 bytes after 8.
        expect(any(mine.startswith(fact) for mine in facts), f"{fact} is not in {facts}")
    expect(any(fact.startswith("target=iqn.") for fact in facts) and any(fact.startswith("portal=") for fact in facts), f"{facts}")


@case("The hypervisor's word overrules the guess, in a restarted daemon too, until it is forgotten")
def match_word_overrules():
    match({"serial": "data1", "type": "lun"}, {"serial": "data2", "type": "lun", "wwid": "0x600140500000000000000000000000aa"})
    try:
        for _ in range(2):
            row = volume("/srv/ext4")
            expect(row["placement"] == "lun" and "hypervisor=lun (our guess: virtual)" in " ".join(row["evidence"]), f"{row}")
            old = main_pid()
            run("systemctl", "restart", "quiesced")
            wait_for_new_daemon(old)
        expect(volume("/srv/lun")["placement"] == "lun", "the others are as they were")
        warnings = json.loads(run("quiescectl", "plan", "--json", "--sample", "0", "/srv/ext4", check=False).stdout)["warnings"]
        expect("placement_contradiction" in [warning["key"] for warning in warnings], f"{warnings}")
    finally:
        match(options=["--forget"])
    expect(volume("/srv/ext4")["placement"] == "virtual", "it is forgotten")
    run("quiescectl", "snapshot", "/srv/ext4")
    delete_all_sets()
