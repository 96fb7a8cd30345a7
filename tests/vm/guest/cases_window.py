# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which file systems a window freezes, in which order, and how often: by the kernel's own record."""
import contextlib
import os
import threading

from freeze_trace import calls, device_of, freeze_trace, last_window
from harness import (Background, DemoError, case, create, delete_all_sets, describe, expect, final_state, state, step, writable,
                     writable_all)
from storage import run

FREEZER = "quiesced-freeze"


@contextlib.contextmanager
def mounted(folder, *mount_arguments):
    os.makedirs(folder, exist_ok=True)
    run("mount", *mount_arguments, folder)
    try:
        yield folder
    finally:
        if os.path.ismount(folder):
            run("umount", folder)
        os.rmdir(folder)


@contextlib.contextmanager
def file_system_in(path, size="16M"):
    """A loop file with a file system, mounted beside it."""
    run("truncate", "-s", size, path)
    run("mkfs.ext4", "-q", path)
    try:
        with mounted(f"{path}.mounted", "-o", "loop", path) as folder:
            yield folder
    finally:
        os.unlink(path)


class Counting(threading.Thread):
    """Writes 1, 2, 3... to a file of each folder in turn, each to the disk before the next."""
    def __init__(self, *folders):
        super().__init__(daemon=True)
        self._files = [os.open(f"{folder}/count", os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for folder in folders]
        self._going = True
        self.start()

    def run(self):
        number = 0
        while self._going:
            number += 1
            for file in self._files:
                os.pwrite(file, f"{number:010}".encode(), 0)
                os.fsync(file)

    def stop(self):
        self._going = False
        self.join(20)
        for file in self._files:
            os.close(file)


def count_in(folder):
    with open(f"{folder}/count", encoding="ascii") as file:
        return int(file.read())


@case("A file system in a loop file is frozen before and thawed after what holds it, and both are consistent in the snapshot")
def window_loop():
    with file_system_in("/srv/ext4/loop.img") as inner:
        outer_device, inner_device = device_of("/srv/ext4"), device_of(inner)
        counting = Counting(inner, "/srv/ext4")
        try:
            with freeze_trace() as events:
                path = create("/srv/ext4")
                step(path, "Take")
        finally:
            counting.stop()
        expect(last_window(events, FREEZER) == [("freeze", inner_device), ("freeze", outer_device), ("thaw", outer_device), ("thaw", inner_device)], f"{events}")
        manifest = describe(path)
        expect(manifest["consistency"] == "filesystem", f"{manifest}")
        device = manifest["members"][0]["device"]
        run("e2fsck", "-fn", device)  # frozen: no journal to replay
        with mounted("/run/outer", "-o", "ro", device) as outer:
            loop = run("losetup", "--show", "-f", "-r", f"{outer}/loop.img").strip()
            try:
                run("e2fsck", "-fn", loop)
                with mounted("/run/inner", "-o", "ro", loop) as snapshot:
                    ahead = count_in(snapshot) - count_in(outer)
            finally:
                run("losetup", "-d", loop)
        # The writer is in the inner one first.
        expect(ahead in (0, 1), f"the inner file system is {ahead} writes ahead of the outer one: not one moment")
        os.unlink("/srv/ext4/count")
    delete_all_sets()


@case("A file system at three mount points is one volume, frozen and thawed exactly once")
def window_three_mounts():
    with mounted("/run/second", "--bind", "/srv/ext4") as second, mounted("/run/third", "/dev/vg/ext4") as third:
        try:
            create(second, third)
        except DemoError as error:
            expect("in the set already" in str(error), f"{error}")
        else:
            raise DemoError("one file system is in a set twice, by two of its mount points")
        with freeze_trace() as events:
            path = create(third)
            for method in ("Prepare", "Freeze"):
                step(path, method)
            blocked = [folder for folder in ("/srv/ext4", second, third) if not writable(folder)]
            for method in ("Snapshot", "Thaw", "Finish"):
                step(path, method)
        expect(len(blocked) == 3, f"only {blocked} were frozen")
        device = device_of("/srv/ext4")
        expect(last_window(events, FREEZER) == [("freeze", device), ("thaw", device)], f"{events}")
        expect(writable_all(["/srv/ext4", second, third], 5), "a mount point is still frozen")
    delete_all_sets()


@contextlib.contextmanager
def nested_volume():
    """A logical volume that is mounted in a folder of another one."""
    run("lvcreate", "-qq", "-y", "-W", "n", "-n", "nested", "-L", "64M", "vg")
    try:
        run("mkfs.ext4", "-q", "/dev/vg/nested")
        with mounted("/srv/ext4/nested", "/dev/vg/nested") as folder:
            yield folder
    finally:
        run("udevadm", "settle")
        run("lvremove", "-qq", "-y", "vg/nested")


@case("A file system that is unmounted between plan and freeze is refused, and the one around it is never touched")
def window_unmounted():
    with nested_volume() as nested:
        with freeze_trace() as events:
            path = create(nested)
            run("umount", nested)
            try:
                step(path, "Prepare")
            except DemoError as error:
                expect(nested in str(error) and "mount" in str(error), f"{error}")
                print(f"  {error}")
            else:
                raise DemoError("Prepare took a folder that is no mount point any more")
        expect(final_state(path) == "failed", "the set did not fail")
        expect(not calls(events, "freeze", "/srv/ext4"), f"the file system around it was frozen: {events}")
    delete_all_sets()


@case("A file system that is taken from its place after Prepare: only it is frozen, never the one around it")
def window_unmounted_later():
    with nested_volume() as nested:
        device = device_of(nested)
        with freeze_trace() as events:
            path = create(nested)
            step(path, "Prepare")
            run("umount", "-l", nested)
            try:
                step(path, "Take")
            except DemoError as error:
                print(f"  {error}")
            end = final_state(path)
        expect(not calls(events, "freeze", "/srv/ext4"), f"the file system around it was frozen: {events}")
        others = [event for event in events if event.name == FREEZER and event.device != device]
        expect(not others, f"{others}")
        print(f"  the set is {end}; FIFREEZE of it: {len(calls(events, 'freeze', device))}")
        delete_all_sets()


@case("A second set over a volume that is frozen is refused by every name of it, and the first completes")
def window_two_sets():
    path = create("/srv/ext4", "/srv/xfs")
    step(path, "Prepare")
    step(path, "Freeze")
    for name in ("/srv/xfs", "/dev/vg/xfs", "/dev/mapper/vg-xfs"):
        try:
            create(name)
        except DemoError as error:
            expect("/srv/xfs is in the unfinished set" in str(error) and "Wait for that set, or abort it" in str(error), f"{error}")
        else:
            raise DemoError(f"a second set over {name} was made")
    for method in ("Snapshot", "Thaw", "Finish"):
        step(path, method)
    expect(describe(path)["consistency"] == "filesystem", "the first set suffered")
    delete_all_sets()


@case("Of sets over one volume that are asked for at the same time one is made")
def window_race():
    callers = [Background(create, "/srv/ext4", "/srv/xfs") for _ in range(4)]
    made = []
    for caller in callers:
        try:
            made.append(caller.result(60))
        except DemoError as error:
            expect("is in the unfinished set" in str(error), f"{error}")
    expect(len(made) == 1, f"{len(made)} sets were made: {made}")
    expect(state(made[0]) == "new", state(made[0]))
    step(made[0], "Abort")
    delete_all_sets()
