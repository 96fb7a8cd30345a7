# SPDX-License-Identifier: LGPL-2.1-or-later
"""An application on each file system, as it feels a freeze."""
import contextlib
import ctypes
import gc
import math
import mmap
import os
import random
import signal
import time

BLOCK = 4096
FILE_BLOCKS = 1024  # a page is written again after so many periods only, when it is long on the disk
PERIOD = 0.001
PR_SET_PDEATHSIG, PR_SET_TIMERSLACK = 1, 29
SLACK_NS = 300_000
PATIENCE = 30


class WriterError(Exception):
    pass


class Writers:
    """Writes 4 KiB every millisecond to each folder, without fsync; keeps the longest write of each that ends after watch().

    Each is a process of its own: threads of one interpreter would wait for one another, and measure that."""
    STOP, SINCE, FIRST = range(3)
    LONGEST, COUNT, FAILED, SLOTS = range(4)

    def __init__(self, folders):
        self.folders = folders
        self.shared = memoryview(mmap.mmap(-1, 8 * (self.FIRST + self.SLOTS * len(folders)))).cast("d")
        self.shared[self.SINCE] = math.inf
        self.pids = []
        try:
            for index, folder in enumerate(folders):
                pid = os.fork()
                if pid == 0:
                    self.become(folder, self.FIRST + self.SLOTS * index)
                self.pids.append(pid)
            self.wait_for_writes(20)
        except BaseException:
            self.stop()
            raise

    def become(self, folder, slot):
        """In the child, without return."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # the bench thaws first, and then ends it
        libc = ctypes.CDLL(None)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        libc.prctl(PR_SET_TIMERSLACK, SLACK_NS)
        gc.disable()
        try:
            self.write(folder, slot)
        except OSError as error:
            self.shared[slot + self.FAILED] = error.errno
        os._exit(0)

    def write(self, folder, slot):
        shared, now, pwrite = self.shared, time.monotonic, os.pwrite
        block = b"q" * BLOCK
        file = os.open(f"{folder}/application", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        # Not all in step: that would be a load of its own.
        due = now() + random.random() * PERIOD
        at = 0
        while not shared[self.STOP]:
            time.sleep(max(0.0, due - now()))
            start = now()
            pwrite(file, block, at)
            end = now()
            if end >= shared[self.SINCE] and end - start > shared[slot + self.LONGEST]:
                shared[slot + self.LONGEST] = end - start
            shared[slot + self.COUNT] += 1
            at = (at + BLOCK) % (BLOCK * FILE_BLOCKS)
            # One write that took long is not made up for by many short ones.
            due = max(due + PERIOD, end)

    def slots(self, kind):
        return [self.shared[self.FIRST + self.SLOTS * index + kind] for index in range(len(self.folders))]

    def wait_for_writes(self, count):
        before, deadline = self.slots(self.COUNT), time.monotonic() + PATIENCE
        while not all(now >= then + count for now, then in zip(self.slots(self.COUNT), before)):
            for folder, error in zip(self.folders, self.slots(self.FAILED)):
                if error:
                    raise WriterError(f"cannot write below {folder}: {os.strerror(int(error))}")
            if time.monotonic() > deadline:
                raise WriterError("writes do not return")
            time.sleep(0.002)

    def watch(self):
        """From now on."""
        self.shared[self.SINCE] = time.monotonic()

    def longest_ms(self):
        """After everybody has written on; of each, in the folders' order."""
        self.wait_for_writes(20)
        self.stop()
        return [seconds * 1000 for seconds in self.slots(self.LONGEST)]

    def stop(self):
        """All file systems must be thawed."""
        self.shared[self.STOP] = 1
        for pid in self.pids:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)
        self.pids = []
