# SPDX-License-Identifier: LGPL-2.1-or-later
"""The programs of GoogleTest that want a guest: each of their tests counts as one."""
import subprocess

from storage import HERE

import harness

SPARE = "/dev/disk/by-id/virtio-spare"


def gtest_names(program):
    suite = ""
    for line in subprocess.run([program, "--gtest_list_tests"], capture_output=True, text=True, check=True).stdout.splitlines():
        if line.startswith("  "):
            yield suite + line.strip()
        elif line.endswith("."):
            suite = line


def register(program):
    for name in gtest_names(program):
        def check(name=name):
            done = subprocess.run([program, f"--gtest_filter={name}"], capture_output=True, text=True, check=False,
                                  env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "QUIESCED_TEST_DISK": SPARE, "LC_ALL": "C"})
            harness.expect(done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:])
        check.__name__ = name
        harness.CASES.append((name, check))


register(f"{HERE}/guest-lvm-provider")
