# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bad input: a D-Bus error with a name and a sentence that says what to do; nothing stays frozen, armed or suspended."""
import os

from harness import case, expect, refuse
from storage import run


@case("A volume that does not exist is refused")
def no_such_volume():
    refuse("NoSuchVolume", "/srv/ext4", "/srv/nowhere", says=["/srv/nowhere", "quiescectl volumes"])


@case("A volume that is named twice is refused, by whatever names")
def volume_twice():
    refuse("DuplicateVolume", "/srv/ext4", "/dev/vg/ext4", says=["/srv/ext4"])


@case("A folder that is no mount point is refused, with the volume that it lies on")
def unmounted_path():
    os.makedirs("/srv/folder", exist_ok=True)
    refuse("NotMounted", "/srv/folder", says=["/srv/folder"])


@case("A tmpfs is refused")
def tmpfs():
    refuse("Unsupported", "/run", says=["/run"])


@case("A mount that covers the folder of its own loop file is refused, with the volume that holds the file")
def own_loop_backing():
    os.makedirs("/srv/ext4/own", exist_ok=True)
    run("truncate", "-s", "16M", "/srv/ext4/own/file")
    run("mkfs.ext4", "-q", "/srv/ext4/own/file")
    # From now on the loop device's file seems to lie on the file system that it backs.
    run("mount", "-o", "loop", "/srv/ext4/own/file", "/srv/ext4/own")
    try:
        refuse("LoopBacking", "/srv/ext4/own", says=["Take /srv/ext4 instead"])
    finally:
        run("umount", "/srv/ext4/own")


@case("A volume group without room for the copy-on-write stores is refused before anything is made")
def no_space():
    run("lvcreate", "-qq", "-y", "-n", "hog", "-l", "100%FREE", "vg")
    try:
        refuse("NoSpace", "/srv/ext4", "/srv/lun", "/srv/btrfs", says=["vg"])
    finally:
        run("lvremove", "-qq", "-y", "vg/hog")
    expect(not run("lvs", "--noheadings", "-o", "lv_name", "@quiesced").strip(), "something was armed")


@case("A LUN whose plugin is missing is refused, with what to enable")
def plugin_missing():
    run("systemctl", "stop", "quiesced-plugin-exec.socket")
    try:
        refuse("PluginMissing", "/srv/ext4", "/srv/lun", says=["systemctl", "quiesced-plugin-"])
    finally:
        run("systemctl", "start", "quiesced-plugin-exec.socket")
