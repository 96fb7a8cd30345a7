# SPDX-License-Identifier: LGPL-2.1-or-later
"""The writer that runs all the time, and the judge of snapshots."""
import json
import os
import subprocess
import time

from storage import HERE, VOLUMES, DemoError, run, view

PROGRAM = f"{HERE}/quiesced-oracle"
READY = "/run/oracle.ready"


class Writer:
    """Writes rising numbers to all volumes in turn, and dirty data beside them."""

    def __init__(self, load):
        if os.path.exists(READY):
            os.unlink(READY)
        # Nice, and at rest half of the time: it would take all that a small machine has from those who take the set.
        command = ["nice", "-n", "19", PROGRAM, "write", "--rest", "1", "--load", str(load), "--ready-file", READY]
        self.process = subprocess.Popen(command + [volume.name for volume in VOLUMES], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while not os.path.exists(READY):
            self.check()
            if time.monotonic() > deadline:
                raise DemoError("the oracle's writer has written nothing for 60 s")
            time.sleep(0.05)

    def check(self):
        """Fails when the writer has ended: it never does by itself."""
        if self.process.poll() is not None:
            raise DemoError("the oracle's writer has ended: " + self.process.stderr.read().strip())

    def stop(self):
        """Returns {"sequence": the last number, "longest_write_ms": ...}."""
        self.check()
        self.process.terminate()
        output, errors = self.process.communicate(timeout=60)
        if self.process.returncode != 0:
            raise DemoError(errors.strip())
        return json.loads(output)


def verify():
    """Judges what is mounted; returns the verdict as quiesced-oracle prints it."""
    done = run(PROGRAM, "verify", *(view(volume) for volume in VOLUMES), check=False)
    if done.returncode not in (0, 1):
        raise DemoError(done.stderr.strip())
    verdict = json.loads(done.stdout)
    if verdict["consistent"] != (done.returncode == 0):
        raise DemoError("the oracle's verdict and its exit status contradict each other")
    return verdict
