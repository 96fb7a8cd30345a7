#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A plugin that misbehaves in one method: faulty_plugin.py MODE_FILE PLUGIN [ARGUMENT]...

Hands every line on to the real plugin and back, but that `finish` is asked not to map: there is no iSCSI behind a simulated
array. The file has "METHOD MODE", read at each request; the method is carried out by the real plugin, and then
  killed    the plugin is killed in the midst of it      hung      nobody answers       closed    the connection is closed
  late      the answer comes 1.5 s later                 garbage   it is no JSON        endless   100 MiB without a newline
  twice     it comes twice                               other_id  it has another id
"""
import json
import subprocess
import sys
import time


def main():
    mode_file, *argv = sys.argv[1:]
    plugin = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        request.get("params", {}).pop("map", None)
        with open(mode_file, encoding="ascii") as file:
            method, _, mode = file.read().strip().partition(" ")
        if request["method"] != method:
            mode = ""
        plugin.stdin.write(json.dumps(request).encode() + b"\n")
        plugin.stdin.flush()
        if mode == "killed":
            plugin.kill()
            return
        answer = plugin.stdout.readline()
        if mode == "closed":
            return
        if mode == "hung":
            time.sleep(3600)
        if mode == "late":
            time.sleep(1.5)
        if mode == "garbage":
            answer = b"}{ this is no JSON\n"
        if mode == "endless":
            for _ in range(100):
                sys.stdout.buffer.write(b"x" * (1 << 20))
        if mode == "twice":
            answer += answer
        if mode == "other_id":
            answer = json.dumps({**json.loads(answer), "id": request["id"] + 7}).encode() + b"\n"
        sys.stdout.buffer.write(answer)
        sys.stdout.buffer.flush()


try:
    main()
except BrokenPipeError:
    sys.stderr.close()  # nobody listens any more, and nobody is to be told
