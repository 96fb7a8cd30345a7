# SPDX-License-Identifier: LGPL-2.1-or-later
"""The real qemu-ga, by its protocol."""
import contextlib
import json
import os
import signal
import socket
import subprocess
import time

from storage import DemoError

HOOKS = "/usr/share/quiesced/hooks"
SOCKET = "/run/test-qga.sock"


class Qga:
    """The real qemu-ga, with our hook, on a socket instead of a virtio-serial port."""

    def __init__(self, hook=True, options=()):
        words = ["qemu-ga", *options, "-m", "unix-listen", "-p", SOCKET, "-t", "/run/test-qga", "-f", "/run/test-qga/pid"]
        os.makedirs("/run/test-qga", exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(SOCKET)
        self.process = subprocess.Popen(words + ([f"-F{HOOKS}/qemu-ga/fsfreeze-hook"] if hook else []), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not os.path.exists(SOCKET):
            if time.monotonic() > deadline:
                raise DemoError("qemu-ga does not listen")
            time.sleep(0.1)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(SOCKET)
        self.socket.settimeout(120)
        self.lines = self.socket.makefile("r", encoding="utf-8")

    def ask(self, command, **arguments):
        """The answer's value; its error raises."""
        words = {"execute": command}
        if arguments:
            words["arguments"] = arguments
        self.socket.sendall((json.dumps(words) + "\n").encode())
        answer = json.loads(self.lines.readline())
        if "error" in answer:
            raise DemoError(f"{command}: {answer['error']['desc']}")
        return answer["return"]

    def freeze(self, names):
        """By a list: a file system that is no member of our set would stay frozen if qemu-ga were lost."""
        return self.ask("guest-fsfreeze-freeze-list", mountpoints=names)

    def thaw(self):
        return self.ask("guest-fsfreeze-thaw")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
