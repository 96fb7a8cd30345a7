# SPDX-License-Identifier: LGPL-2.1-or-later
"""An lvremove that is killed in its midst, and what it leaves of device-mapper's devices."""
import contextlib
import os
import shutil
import time

from storage import run

from harness import Background, case, create, expect, main_pid, step, wait_for, wait_for_no_leaks

GROUP = "vg"
DROP_IN = "/run/systemd/system/quiesced.service.d"


@contextlib.contextmanager
def no_restart():
    """A daemon that is lost stays so until somebody starts it."""
    os.makedirs(DROP_IN, exist_ok=True)
    with open(f"{DROP_IN}/no-restart.conf", "w", encoding="ascii") as file:
        file.write("[Service]\nRestart=no\n")
    run("systemctl", "daemon-reload")
    try:
        yield
    finally:
        shutil.rmtree(DROP_IN)
        run("systemctl", "daemon-reload")


def is_suspended(name):
    return run("dmsetup", "info", "-c", "--noheadings", "-o", "suspended", name).strip() == "Suspended"


def point_to_cut(origin):
    """Number of the ioctl by which an lvremove of the only snapshot of the origin begins to resume, when LVM has forgotten it as such."""
    run("lvcreate", "-qq", "-y", "-s", "-L", "8M", "-n", "trial", origin)
    run("strace", "-e", "trace=ioctl", "-o", "/tmp/trace", "lvremove", "-qq", "-y", f"{GROUP}/trial")
    with open("/tmp/trace", encoding="utf-8", errors="replace") as file:
        calls = [line for line in file if line.startswith("ioctl(")]
    # A suspend has a flag that a resume has not, for one and the same call.
    last_suspend = max(number for number, line in enumerate(calls, 1) if "DM_DEV_SUSPEND" in line and "DM_SUSPEND_FLAG" in line)
    return next(number for number, line in enumerate(calls, 1) if number > last_suspend and "DM_DEV_SUSPEND" in line)


@case("an lvremove that is killed in the midst of a lost set leaves its origin suspended: the next start removes the snapshot and resumes it")
def snapshot_removal_cut():
    with no_restart():
        point = point_to_cut(f"{GROUP}/ext4")
        path = create("/srv/ext4")
        step(path, "Prepare")
        snapshot = run("lvs", "--noheadings", "-o", "vg_name,lv_name", "--separator", "/", f"@quiesced.set={os.path.basename(path)}").strip()
        run("systemctl", "kill", "--kill-whom=all", "--signal=SIGKILL", "quiesced")
        wait_for("the end of the service", lambda: main_pid() == 0)
        run("strace", "-e", "trace=ioctl", "-e", f"inject=ioctl:signal=SIGKILL:when={point}", "-o", "/tmp/trace", "lvremove", "-qq", "-y", snapshot, check=False)
        expect(is_suspended(f"{GROUP}-ext4"), "nothing is suspended: the case proves nothing")
        # As far as the disk: the file system itself is not frozen.
        late = Background(run, "dd", "if=/dev/zero", "of=/srv/ext4/late", "bs=4k", "count=1", "conv=fsync", "status=none")
        time.sleep(1)
        expect(not late.is_over(), "the origin can be written to: the case proves nothing")
    run("systemctl", "start", "quiesced")
    late.result(60)
    os.unlink("/srv/ext4/late")
    wait_for("the removal of the snapshot", lambda: not run("lvs", "--noheadings", "-o", "lv_name", "@quiesced").strip(), 60)
    wait_for_no_leaks(30)
