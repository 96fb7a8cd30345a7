# SPDX-License-Identifier: LGPL-2.1-or-later
"""Plan: what a set would do, over real LVM, a real pool and a LUN; it touches nothing, and a set does what it said."""
import contextlib
import os
import subprocess
import threading
import time

from freeze_trace import freeze_trace
from harness import MANAGER, call, case, create, delete_all_sets, describe, expect, state, step
from storage import DemoError, VOLUMES, run

NAMES = [volume.name for volume in VOLUMES]
MIB = 1 << 20


def plain(value):
    """What busctl prints, without the types of the variants."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"type", "data"}:
        return plain(value["data"])
    return {key: plain(item) for key, item in value.items()}


def plan(*volumes, sample_ms=0):
    return plain(call(*MANAGER[1:], "Plan", "asa{sv}", str(len(volumes)), *volumes, "1", "sample_ms", "u", str(sample_ms)))[0]


def member(made, name):
    return next(entry for entry in made["members"] if entry["name"] == name)


def space(made, name):
    return next(entry for entry in made["space"] if entry["name"] == name)


def warning_keys(made):
    return [warning["key"] for warning in made["warnings"]]


def everything():
    """All that a set leaves traces in: LVM's metadata, the device-mapper's tables, the array, the manifests."""
    return (run("vgs", "--noheadings", "-o", "vg_name,vg_seqno,vg_free"), run("lvs", "-a", "--noheadings", "-o", "lv_full_name,lv_uuid,lv_size"),
            run("dmsetup", "table"), sorted(os.listdir("/run/array")), sorted(os.listdir("/run/array/sets")) if os.path.isdir("/run/array/sets") else [],
            sorted(os.listdir("/var/lib/quiesced/sets")) if os.path.isdir("/var/lib/quiesced/sets") else [], sorted(os.listdir("/run/quiesced")))


@contextlib.contextmanager
def sysctl(name, value):
    before = run("sysctl", "-n", name).strip()
    run("sysctl", "-qw", f"{name}={value}")
    try:
        yield
    finally:
        run("sysctl", "-qw", f"{name}={before}")


@case("A plan over thick LVs, a thin LV and a LUN says who takes what and why, and touches nothing")
def plan_touches_nothing():
    before = everything()
    with freeze_trace() as events:
        made = plan(*NAMES)
    expect(everything() == before, "something was changed")
    expect(not [event for event in events if event.what == "freeze"], f"something was frozen: {events}")
    expect(made["feasible"], f"{made['members']} {made['space']}")
    expect([entry["name"] for entry in made["members"]] == NAMES, "not in the caller's order")
    takes = {entry["name"]: (entry["provider"], entry["placement"]) for entry in made["members"]}
    expect(takes == {"/srv/ext4": ("lvm", "virtual"), "/srv/lun": ("exec", "lun"), "/srv/xfs": ("lvm", "virtual"), "/srv/btrfs": ("lvm", "virtual")}, f"{takes}")
    reasons = {entry["name"]: entry["provider_reason"] for entry in made["members"]}
    expect("vg/ext4 is a thick logical volume" in reasons["/srv/ext4"], reasons["/srv/ext4"])
    expect("vg/xfs is a thin volume of the pool vg/pool" in reasons["/srv/xfs"], reasons["/srv/xfs"])
    expect("naa.6001405" in reasons["/srv/lun"], reasons["/srv/lun"])
    refusals = {entry["name"]: [(refusal["provider"], refusal["reason"]) for refusal in entry["refusals"]] for entry in made["members"]}
    expect(refusals["/srv/ext4"][0][0] == "exec" and "virtual" in refusals["/srv/ext4"][0][1], f"{refusals}")
    expect(refusals["/srv/lun"] == [(name, "not asked, because exec takes it") for name in ("lvm", "dm", "host")], f"{refusals}")
    expect(member(made, "/srv/lun")["evidence"], "no evidence for the LUN")
    expect(sorted(made["levels"][0]) == sorted(NAMES) and len(made["levels"]) == 1, f"{made['levels']}")
    expect([(entry["name"], entry["kind"]) for entry in made["providers"]] == [("exec", "plugin"), ("lvm", "lvm"), ("dm", "dm"), ("host", "host")], f"{made['providers']}")
    expect(made["kernel"] == run("uname", "-r").strip(), made["kernel"])


@case("The space of a plan is LVM's own, and a set makes the stores that the plan named")
def plan_space_is_true():
    made = plan(*NAMES)
    group = space(made, "vg")
    free = int(run("vgs", "--noheadings", "--units", "b", "--nosuffix", "-o", "vg_free", "vg"))
    stores = {name: member(made, name)["store"] for name in ("/srv/ext4", "/srv/btrfs")}
    expect(group["free"] == free and group["needed"] == sum(stores.values()) and group["enough"], f"{group} but {free} free")
    pool = space(made, "vg/pool")
    expect(pool["volumes"] == ["/srv/xfs"] and 0 <= pool["data_percent"] < 100 and 0 < pool["metadata_percent"] < 100, f"{pool}")
    expect(space(made, "exec")["volumes"] == ["/srv/lun"], "the array is missing")
    expect("store" not in member(made, "/srv/xfs"), "a thin snapshot has no store")
    path = create(*NAMES)
    step(path, "Take")
    manifest = describe(path)
    for entry in manifest["members"]:
        expect(entry["provider"] == member(made, entry["volume"])["provider"], f"{entry}")
        if entry["volume"] in stores:
            size = int(run("lvs", "--noheadings", "--units", "b", "--nosuffix", "-o", "lv_size", entry["snapshot"]))
            expect(size == stores[entry["volume"]], f"{entry['snapshot']} has {size} bytes, the plan said {stores[entry['volume']]}")
    delete_all_sets()


@case("Without names a plan takes all that could be members and gives a reason for each of the rest")
def plan_of_all():
    run("lvcreate", "-qq", "-y", "-n", "raw", "-L", "16M", "vg")
    try:
        made = plan()
        expect(made["feasible"], f"{made}")
        expect(set(NAMES) <= {entry["name"] for entry in made["members"]}, f"{[entry['name'] for entry in made['members']]}")
        skipped = {entry["name"]: (entry["error_name"].rsplit(".")[-1], entry["reason"]) for entry in made["skipped"]}
        expect(skipped["/"][0] == "NoProvider" and skipped["/run"][0] == "Unsupported" and skipped["/dev/mapper/vg-raw"][0] == "NotMounted", f"{skipped}")
        expect(all(reason for _, reason in skipped.values()), "a reason is missing")
    finally:
        run("lvremove", "-qq", "-y", "vg/raw")


@case("A plan without room for the stores names the volume group, what is needed and what is free")
def plan_no_space():
    run("lvcreate", "-qq", "-y", "-n", "hog", "-l", "100%FREE", "vg")
    try:
        made = plan(*NAMES)
        group = space(made, "vg")
        expect(not made["feasible"] and not group["enough"] and group["free"] == 0 and group["needed"] > 0, f"{group}")
        expect("vgextend" in group["text"], group["text"])
        expect(not any(entry["error"] for entry in made["members"]), "the members themselves are good")
    finally:
        run("lvremove", "-qq", "-y", "vg/hog")


@case("Where a plugin is missing its volume is a member with an error, and the others are planned")
def plan_plugin_missing():
    run("systemctl", "stop", "quiesced-plugin-exec.socket")
    try:
        made = plan(*NAMES, "/srv/nowhere")
    finally:
        run("systemctl", "start", "quiesced-plugin-exec.socket")
    errors = {entry["name"]: entry["error_name"].rsplit(".")[-1] for entry in made["members"]}
    expect(errors == {"/srv/ext4": "", "/srv/lun": "PluginMissing", "/srv/xfs": "", "/srv/btrfs": "", "/srv/nowhere": "NoSuchVolume"}, f"{errors}")
    expect(not made["feasible"], "it is not feasible")
    try:
        create("/srv/lun", "/srv/nowhere")
    except DemoError as error:
        expect("NoSuchVolume" in str(error) or "/srv/nowhere" in str(error), f"{error}")
    else:
        raise DemoError("CreateSet takes what the plan refuses")


@case("A plan freezes what lies in loop files on a member first, and draws it down to the disks")
def plan_levels_and_graph():
    os.makedirs("/srv/ext4/inner", exist_ok=True)
    run("truncate", "-s", "16M", "/srv/ext4/inner.img")
    run("mkfs.ext4", "-q", "/srv/ext4/inner.img")
    run("mount", "-o", "loop", "/srv/ext4/inner.img", "/srv/ext4/inner")
    try:
        made = plan("/srv/ext4", "/srv/xfs")
        expect(made["levels"] == [["/srv/ext4/inner"], ["/srv/ext4", "/srv/xfs"]], f"{made['levels']}")
        expect(made["carried"][0]["inside"] == "/srv/ext4" and member(made, "/srv/ext4")["carries"] == ["/srv/ext4/inner"], f"{made['carried']}")
        graph = made["graph"]
        nodes = {node["id"]: node for node in graph["nodes"]}
        expect(len(nodes) == len(graph["nodes"]) and all(upper in nodes and lower in nodes for upper, lower in graph["edges"]), f"{graph}")
        kinds = {node["kind"] for node in nodes.values()}
        expect({"volume", "lvm", "loop", "file", "disk"} <= kinds, f"{kinds}")
        expect(sorted(node["label"].split("\n")[0] for node in nodes.values() if node["member"]) == ["/srv/ext4", "/srv/xfs"], f"{nodes}")
    finally:
        run("umount", "/srv/ext4/inner")
        os.unlink("/srv/ext4/inner.img")
        os.rmdir("/srv/ext4/inner")


@case("A plan warns of a panic on hung tasks and of a swap file on a member, and of neither when it is gone")
def plan_warnings():
    swap = "/srv/ext4/swap"
    before = warning_keys(plan("/srv/ext4"))
    expect("hung_task_panic" not in before and "swap_file_on_member" not in before, f"{before}")
    run("fallocate", "-l", "16M", swap)
    os.chmod(swap, 0o600)
    run("mkswap", swap)
    run("swapon", swap)
    try:
        with sysctl("kernel.hung_task_panic", "1"):
            made = plan("/srv/ext4")
            expect({"hung_task_panic", "swap_file_on_member"} <= set(warning_keys(made)), f"{warning_keys(made)}")
            for warning in made["warnings"]:
                expect(warning["text"] and warning["advice"], f"{warning}")
            expect("swap_file_on_member" not in warning_keys(plan("/srv/xfs")), "it lies on another volume")
    finally:
        run("swapoff", swap)
        os.unlink(swap)


@case("A plan warns when the writes of the last second would fill a store within the hour")
def plan_write_rate():
    expect("store_may_fill" not in warning_keys(plan("/srv/ext4", sample_ms=300)), "nobody writes")
    writer = subprocess.Popen(["sh", "-c", "while :; do dd if=/dev/zero of=/srv/ext4/written bs=1M count=8 conv=fsync status=none; done"], stdin=subprocess.DEVNULL)
    try:
        made = plan("/srv/ext4", "/srv/xfs", sample_ms=2000)
    finally:
        writer.kill()
        writer.wait(10)
        run("rm", "-f", "/srv/ext4/written")
    written = member(made, "/srv/ext4")
    expect(made["sample_ms"] >= 2000 and written["write_rate"] > MIB // 4, f"{written.get('write_rate')} bytes a second")
    expect(written["fills_in_s"] == written["store"] // written["write_rate"], f"{written}")
    warning = next(entry for entry in made["warnings"] if entry["key"] == "store_may_fill")
    expect(warning["volumes"] == ["/srv/ext4"], f"{warning}")
    print(f"  {written['write_rate'] / MIB:.1f} MiB/s: full after {written['fills_in_s']} s")


@case("A mount that only another process sees is planned, warned of and frozen through that process")
def plan_foreign_mount():
    run("lvcreate", "-qq", "-y", "-n", "private", "-L", "64M", "vg")
    run("mkfs.ext4", "-q", "/dev/vg/private")
    os.makedirs("/run/private", exist_ok=True)
    holder = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", "mount /dev/vg/private /run/private && echo up && exec sleep 600"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        expect(holder.stdout.readline() == "up\n", "it could not be mounted")
        expect(not os.path.ismount("/run/private"), "it is mounted here too")
        made = plan("/dev/vg/private", "/srv/xfs")
        expect(made["feasible"], f"{made['members']}")
        warning = next(entry for entry in made["warnings"] if entry["key"] == "foreign_mount")
        expect(f"process {holder.pid} (sleep)" in warning["text"], warning["text"])
        path = create("/dev/vg/private", "/srv/xfs")
        with freeze_trace() as events:
            step(path, "Take")
        frozen = {event.device for event in events if event.what == "freeze" and event.name == "quiesced-freeze"}
        expect(frozen == {os.stat("/dev/vg/private").st_rdev, os.stat("/srv/xfs").st_dev}, f"{frozen}")
        expect(state(path) == "complete" and describe(path)["consistency"] == "filesystem", f"{describe(path)}")
        delete_all_sets()
    finally:
        holder.kill()
        holder.wait(10)
        os.rmdir("/run/private")
        for _ in range(50):  # the namespace ends a moment after its process
            if run("lvremove", "-qq", "-y", "vg/private", check=False).returncode == 0:
                break
            time.sleep(0.1)


@case("Plans at once do not wait for each other's samples, and a set is taken meanwhile")
def plans_at_once():
    sample = 10  # seconds
    ends = []

    def one():
        made = plan(*NAMES, sample_ms=sample * 1000)
        ends.append((time.monotonic(), made["sample_ms"]))

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    run("quiescectl", "snapshot", "--json", "/srv/ext4")
    for thread in threads:
        thread.join(120)
    delete_all_sets()
    expect(len(ends) == 3 and all(sampled >= sample * 1000 for _, sampled in ends), f"{ends}")
    # One after another their ends would lie two samples apart, however slow the machine is.
    apart = max(end for end, _ in ends) - min(end for end, _ in ends)
    expect(apart < sample, f"the plans ended {apart:.1f} s apart: one after another")
