# SPDX-License-Identifier: LGPL-2.1-or-later
"""What sets say on the bus while a test runs."""
import json
import os
import subprocess
import time

from harness import SET_INTERFACE, expect


class Signals:
    """What a set says on the bus, heard by busctl."""
    def __enter__(self):
        self._monitor = subprocess.Popen(["busctl", "monitor", "--json=short", f"--match=type='signal',interface='{SET_INTERFACE}'"],
                                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        os.set_blocking(self._monitor.stdout.fileno(), False)
        self.heard = []
        time.sleep(1)
        return self

    def __exit__(self, *_):
        self._monitor.kill()
        self._monitor.wait()

    def wait_for(self, member, seconds):
        self.wait_until(f"no {member}", lambda: member in [signal["member"] for signal in self.heard], seconds)

    def wait_until(self, otherwise, come, seconds):
        """Until what has been heard is enough for `come`."""
        deadline = time.monotonic() + seconds
        while not come():
            expect(time.monotonic() < deadline, f"{otherwise} within {seconds} s, but {[signal['member'] for signal in self.heard]}")
            line = self._monitor.stdout.readline()
            if line.startswith("{"):
                self.heard.append(json.loads(line))
            elif not line:
                time.sleep(0.1)

    def levels(self):
        return [signal["payload"]["data"][1] for signal in self.heard if signal["member"] == "SpaceLow"]
