# SPDX-License-Identifier: LGPL-2.1-or-later
"""A requestor in Python that holds volumes by a handle, and ends without a word: hold_client.py VOLUME..."""
import sys
import time

import dbus

bus = dbus.SystemBus()
none = dbus.Dictionary({}, signature="sv")
manager = dbus.Interface(bus.get_object("org.quiesced1", "/org/quiesced1"), "org.quiesced1.Manager")
path = manager.CreateSet(sys.argv[1:], {"deadline_ms": dbus.UInt32(60000)})
snapshot_set = dbus.Interface(bus.get_object("org.quiesced1", path), "org.quiesced1.SnapshotSet")
handle = snapshot_set.Hold(none).take()
snapshot_set.Prepare(none, timeout=120)
begun = time.monotonic()
snapshot_set.Freeze(none, timeout=120)
state = bus.get_object("org.quiesced1", path).Get("org.quiesced1.SnapshotSet", "State", dbus_interface="org.freedesktop.DBus.Properties")
print(f"{state} after {(time.monotonic() - begun) * 1000:.0f} ms, held by descriptor {handle}")
