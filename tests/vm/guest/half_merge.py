# SPDX-License-Identifier: LGPL-2.1-or-later
"""lvm stands still in the midst of `lvconvert --merge A B`: what LVM has begun with is known, and stays so until somebody acts."""
import contextlib
import os
import shutil

from storage import run

from harness import wait_for

FOLDER = "/usr/local/lib/half-merge"  # /run is mounted noexec
REACHED = "/run/half-merge-reached"
# What it prints goes where that of lvm goes. As lvm does it, each of the volumes is a change of the group's metadata of its own.
PROGRAM = f"""#!/bin/sh
names=
word=${{0##*/}}
[ "$word" = lvm ] || exec {FOLDER}/lvm "$word" "$@"
case "$1 $*" in
"lvconvert "*" --merge "*)
    for name; do case $name in */*) names="$names $name" ;; esac; done
    set -- $names
    if [ $# -gt BEGIN ]; then
        if [ BEGIN -gt 0 ]; then {FOLDER}/lvm lvconvert --yes --merge --background "$1" || exit; fi
        /usr/bin/touch {REACHED}
        exec /usr/bin/sleep 600
    fi
    exec {FOLDER}/lvm lvconvert --yes --merge --background "$@" ;;
esac
exec {FOLDER}/lvm "$@"
"""


def begin(volumes):
    """From now on a merge of more than so many (0 or 1) stands still when it has begun with these. Until end(), or the power goes."""
    os.makedirs(FOLDER, exist_ok=True)
    program = os.path.realpath("/usr/sbin/lvm")
    shutil.copy2(program, f"{FOLDER}/lvm")
    with open(f"{FOLDER}/program", "w", encoding="ascii") as file:
        file.write(PROGRAM.replace("BEGIN", str(volumes)))
    os.chmod(f"{FOLDER}/program", 0o755)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(REACHED)
    run("mount", "--bind", f"{FOLDER}/program", program)


def wait_reached(seconds=60):
    wait_for("a merge that stands still", lambda: os.path.exists(REACHED), seconds)


def end():
    run("umount", "-l", os.path.realpath("/usr/sbin/lvm"))


@contextlib.contextmanager
def half_merge(volumes):
    begin(volumes)
    try:
        yield
    finally:
        end()
