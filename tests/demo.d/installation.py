# SPDX-License-Identifier: LGPL-2.1-or-later
"""quiesced in the guest, as an admin would install it."""
import os
import shutil

from storage import HERE, run


def install():
    """Puts the built tree into the system, as `meson install` would, and starts it as an admin would."""
    run("tar", "-C", "/", "-xf", "/mnt/in/installed.tar", "--no-same-owner", "--no-overwrite-dir", "--keep-directory-symlink")
    os.makedirs("/etc/quiesced/plugins", exist_ok=True)
    with open("/etc/quiesced/plugins/exec.conf", "w", encoding="ascii") as file:
        file.write("commit_ready = yes\n")
        for method in ("claim", "prepare", "commit", "finish", "abort", "delete", "list"):
            file.write(f"{method} = {HERE}/array-command {method}\n")
    # Its commands are those of an array that this guest is itself.
    drop_ins = "/etc/systemd/system/quiesced-plugin-exec@.service.d"
    os.makedirs(drop_ins, exist_ok=True)
    shutil.copy("/usr/share/quiesced/exec/local-storage.conf", drop_ins)
    run("systemctl", "daemon-reload")
    run("busctl", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "ReloadConfig")
    run("systemctl", "-q", "enable", "--now", "quiesced-plugin-exec.socket", "quiesced.service")
