# SPDX-License-Identifier: LGPL-2.1-or-later
"""quiescectl revert: volumes are what they were in the window again, at once or with their next activation."""
import json
import os
import time

from storage import run

from half_merge import half_merge, wait_reached
from harness import Background, call, case, create, describe, expect, main_pid, step, wait_for, wait_for_new_daemon
from own_group import own_group, write_file

TREE = "/run/tree"


def put(volumes, text):
    for folder in volumes.all:
        with open(f"{folder}/content", "w", encoding="ascii") as file:
            file.write(text)
    run("sync")


def content(folder):
    with open(f"{folder}/content", encoding="ascii") as file:
        return file.read()


def checksum(device):
    # Around the cache, which is another one for each device.
    return run("sh", "-c", f"dd if={device} iflag=direct bs=1M status=none | sha256sum").split()[0]


def take(volumes):
    """A set over both, after which both are written to; its path, its id and the sums of its snapshots."""
    put(volumes, "old")
    set_id = json.loads(run("quiescectl", "snapshot", "--json", *volumes.all))["id"]
    put(volumes, "new")
    for folder in volumes.all:
        write_file(f"{folder}/more", 24 << 20)
    path = f"/org/quiesced1/set/{set_id}"
    return path, set_id, {member["volume"]: checksum(member["device"]) for member in describe(path)["members"]}


def check_reverted(path, volumes, sums):
    """Both have these sums and are not mounted."""
    manifest = describe(path)
    for member in manifest["members"]:
        got = (member["revert"], member["consistency"], member["snapshot"], member["device"])
        expect(got == ("done", "reverted", "", ""), f"{member['volume']}: {got}")
    expect(manifest["consistency"] == "reverted", manifest["consistency"])
    for folder in volumes.all:
        device = volumes.device(folder)
        expect(checksum(device) == sums[folder], f"{folder} is not what its snapshot was")
        run("e2fsck", "-fn", device)
    names = run("lvs", "--noheadings", "-o", "lv_name", volumes.group).split()
    expect(sorted(names) == ["pool", "thick", "thin"], f"{names}")
    volumes.mount()
    for folder in volumes.all:
        expect(content(folder) == "old" and not os.path.exists(f"{folder}/more"), f"{folder}: {content(folder)}")
    run("quiescectl", "delete", os.path.basename(path))


@case("a thick and a thin volume that are not mounted are put back to the moment of the freeze; without --yes nobody's word is taken for it")
def snapshot_revert_unmounted():
    with own_group() as volumes:
        path, set_id, sums = take(volumes)
        volumes.unmount()
        asked = run("quiescectl", "revert", set_id, check=False)
        expect(asked.returncode == 2 and "say --yes" in asked.stderr and "is lost" in asked.stderr, f"{asked.returncode} {asked.stderr}")
        expect({member["revert"] for member in describe(path)["members"]} == {""}, "something began")
        said = run("quiescectl", "revert", "--yes", set_id)
        expect(all(f"{folder} is put back." in said for folder in volumes.all), said)
        check_reverted(path, volumes, sums)


@case("volumes that are mounted are put back when they are activated the next time, and the set says so until then")
def snapshot_revert_mounted():
    with own_group() as volumes:
        path, set_id, sums = take(volumes)
        said = run("quiescectl", "revert", "--yes", set_id)
        expect(said.count("when it is activated the next time") == 2, said)
        expect(content(volumes.thick) == "new", "it changed while it is mounted")
        expect({member["revert"] for member in describe(path)["members"]} == {"pending"}, f"{describe(path)['members']}")
        expect("activated the next time" in run("quiescectl", "show", set_id), "show does not say it")
        refused = run("quiescectl", "delete", set_id, check=False)
        expect("Error.Busy" in refused.stderr, f"{refused.stdout}{refused.stderr}")
        volumes.unmount()
        for switch in ("-an", "-ay"):
            run("lvchange", "-qq", switch, f"{volumes.group}/thick", f"{volumes.group}/thin")
        deadline = time.monotonic() + 60
        while {member["revert"] for member in describe(path)["members"]} != {"done"}:
            expect(time.monotonic() < deadline, f"{describe(path)['members']}")
            time.sleep(0.5)
        check_reverted(path, volumes, sums)


@case("a set is not reverted while one of its snapshots is mounted, or another set has the volume; one volume alone is, when it is named")
def snapshot_revert_refused():
    with own_group() as volumes:
        path, set_id, _ = take(volumes)
        os.makedirs(TREE, exist_ok=True)
        run("quiescectl", "mount", set_id, TREE)
        refused = run("quiescectl", "revert", "--yes", set_id, check=False)
        run("quiescectl", "umount", set_id)
        expect("Error.Busy" in refused.stderr and "quiescectl umount" in refused.stderr, refused.stderr)
        other = create(volumes.thin)
        refused = run("quiescectl", "revert", "--yes", set_id, check=False)
        expect("Error.Busy" in refused.stderr and os.path.basename(other) in refused.stderr, refused.stderr)
        step(other, "Abort")
        expect({member["revert"] for member in describe(path)["members"]} == {""}, "something began")
        volumes.unmount(volumes.thick)
        run("quiescectl", "revert", "--yes", set_id, volumes.thick)
        volumes.mount(volumes.thick)
        expect((content(volumes.thick), content(volumes.thin)) == ("old", "new"), "the wrong one is put back")
        run("quiescectl", "delete", set_id)
        names = run("lvs", "--noheadings", "-o", "lv_name", volumes.group).split()
        expect(sorted(names) == ["pool", "thick", "thin"], f"{names}")


def words(path):
    return [member["revert"] for member in describe(path)["members"]]


def told(set_id):
    """What the journal has of reverts of the set that were cut off, by the ids of the messages."""
    names = {"3b973437f3934f29a4684dd0066000a8": "not begun", "885f48c77a2c43b3b7bd41f15f1e19d1": "goes on", "cd5688aaed9f48a49556b00230a72e02": "interrupted"}
    entries = [json.loads(line) for line in run("journalctl", "-q", "-o", "json", f"QUIESCED_SET={set_id}").splitlines()]
    return [(names[entry["MESSAGE_ID"]], entry["MESSAGE"]) for entry in entries if entry.get("MESSAGE_ID") in names]


def lose_daemon(set_id, begun):
    """All processes of the service are killed when LVM has begun with so many volumes of a revert; another daemon is there then."""
    old = main_pid()
    with half_merge(begun):
        revert = Background(run, "quiescectl", "revert", "--yes", set_id)
        wait_reached()
    # Only now, so that the next daemon finds the real lvm.
    run("systemctl", "kill", "--kill-whom=all", "--signal=SIGKILL", "quiesced")
    revert.end(30)
    wait_for_new_daemon(old)
    run("udevadm", "settle")


@case("a daemon that is killed when one of two merges has begun: the next one leaves the volume that is mounted to an admin, who goes on with it")
def snapshot_revert_killed_mounted():
    with own_group() as volumes:
        path, set_id, sums = take(volumes)
        volumes.unmount(volumes.thick)
        lose_daemon(set_id, 1)
        wait_for("the end of the merge", lambda: words(path) == ["done", "interrupted"], 60)
        expect(content(volumes.thin) == "new", "a volume that is in use was put back")
        ((kind, sentence),) = told(set_id)
        expect(kind == "interrupted" and f"{volumes.thin} is not, since {volumes.thin} is in use" in sentence, f"{kind}: {sentence}")
        expect(f"unmount it, then quiescectl revert {set_id}" in run("quiescectl", "show", set_id), "show does not say it")
        expect("revert interrupted" in run("quiescectl", "sets"), "sets does not say it")
        expect(set_id in run("quiescectl", "doctor", check=False).stdout, "the doctor does not say it")
        run("quiescectl", "prune", "--keep", "1")
        volumes.unmount(volumes.thin)
        said = run("quiescectl", "revert", "--yes", set_id)
        expect(f"{volumes.thin} is put back." in said, said)
        check_reverted(path, volumes, sums)


@case("a daemon that is killed when one of two merges has begun: the next one puts back the other volume, too, when nobody uses it")
def snapshot_revert_killed_unmounted():
    with own_group() as volumes:
        path, set_id, sums = take(volumes)
        volumes.unmount()
        lose_daemon(set_id, 1)
        wait_for("the end of both merges", lambda: words(path) == ["done", "done"], 90)
        ((kind, sentence),) = told(set_id)
        expect(kind == "goes on" and f"{volumes.thin} is in no use" in sentence, f"{kind}: {sentence}")
        check_reverted(path, volumes, sums)


@case("a daemon that is killed before LVM has begun: nothing is changed, the next one says so, and a revert is as any other")
def snapshot_revert_killed_early():
    with own_group() as volumes:
        path, set_id, sums = take(volumes)
        volumes.unmount()
        lose_daemon(set_id, 0)
        wait_for("the look of the next daemon", lambda: told(set_id) and words(path) == ["", ""])
        ((kind, sentence),) = told(set_id)
        expect(kind == "not begun" and "nothing is changed" in sentence, f"{kind}: {sentence}")
        volumes.mount()
        expect([content(folder) for folder in volumes.all] == ["new", "new"], "something is put back")
        volumes.unmount()
        run("quiescectl", "revert", "--yes", set_id)
        check_reverted(path, volumes, sums)


def ms_of(function, *arguments):
    """What it returns, and how long it took."""
    begun = time.monotonic()
    result = function(*arguments)
    return result, (time.monotonic() - begun) * 1000


def job_property(job, name):
    return json.loads(run("busctl", "--json=short", "get-property", "org.quiesced1", job, "org.quiesced1.Job", name))["data"]


@case("a revert is a job: begun at once, with the progress of device-mapper's merge, followed by quiescectl jobs; nothing stops it")
def snapshot_revert_job():
    with own_group(thick="768M") as volumes:
        set_id = json.loads(run("quiescectl", "snapshot", "--json", "--store", "700M", *volumes.all))["id"]
        path = f"/org/quiesced1/set/{set_id}"
        _, map_ms = ms_of(step, path, "Map")
        write_file(f"{volumes.thick}/more", 512 << 20)
        volumes.unmount()
        (job,), begun_ms = ms_of(call, path, "org.quiesced1.SnapshotSet", "StartRevert", "asa{sv}", "0", "0")
        begun, progress, shown, refused = time.monotonic(), [], "", None
        while job_property(job, "State") == "running":
            expect(time.monotonic() < begun + 300, f"it runs for 300 s: {progress}")
            progress.append(job_property(job, "Progress"))
            if 0 < progress[-1] < 1:
                shown = shown or run("quiescectl", "jobs")
                refused = refused or run("quiescectl", "cancel", os.path.basename(job), check=False)
            time.sleep(0.3)
        merge_ms = (time.monotonic() - begun) * 1000
        expect((job_property(job, "State"), job_property(job, "Error"), job_property(job, "Progress")) == ("done", "", 1), f"{run('quiescectl', 'jobs')}")
        expect(progress == sorted(progress) and len({round(each, 2) for each in progress}) >= 3, f"no progress in between: {progress}")
        expect(set_id in shown and "running" in shown and " %" in shown, f"{shown}")
        expect(refused.returncode == 1 and "nothing stops" in refused.stderr, f"{refused.stdout}{refused.stderr}")
        expect({member["revert"] for member in describe(path)["members"]} == {"done"}, f"{describe(path)['members']}")
        print("  progress " + " ".join(f"{each:.2f}" for each in progress))
        _, delete_ms = ms_of(run, "quiescectl", "delete", set_id)
        other = json.loads(run("quiescectl", "snapshot", "--json", "/srv/ext4", "/srv/xfs"))["id"]
        _, two_ms = ms_of(run, "quiescectl", "delete", other)
        print(f"  StartRevert answers in {begun_ms:.0f} ms, its merge of 512 MiB takes {merge_ms:.0f} ms; Map of two {map_ms:.0f} ms, "
              f"Delete of two snapshots {two_ms:.0f} ms, of none {delete_ms:.0f} ms")
