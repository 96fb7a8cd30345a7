#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A requestor in Python: takes a set over the bus at the address given, and prints the states that it hears of."""
import json
import sys

import dbus
import dbus.mainloop.glib
from gi.repository import GLib

dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
bus = dbus.bus.BusConnection(sys.argv[1])
manager = dbus.Interface(bus.get_object("org.quiesced1", "/org/quiesced1"), "org.quiesced1.Manager")
none = dbus.Dictionary({}, signature="sv")
path = manager.CreateSet(["/srv/data", "/srv/lun"], {"bind": True, "deadline_ms": dbus.UInt32(5000)})
proxy = bus.get_object("org.quiesced1", path)
states = [str(proxy.Get("org.quiesced1.SnapshotSet", "State", dbus_interface="org.freedesktop.DBus.Properties"))]
loop = GLib.MainLoop()
manifest = []
proxy.connect_to_signal("StateChanged", lambda state, _details: states.append(str(state)), "org.quiesced1.SnapshotSet")


def taken(text):
    manifest.append(json.loads(text))
    loop.quit()


def failed(error):
    print(error, file=sys.stderr)
    sys.exit(1)


proxy.Take(none, dbus_interface="org.quiesced1.SnapshotSet", reply_handler=taken, error_handler=failed)
loop.run()
print(*states, manifest[0]["consistency"])
