# SPDX-License-Identifier: LGPL-2.1-or-later
"""open-vm-tools' own sync driver, which its vmbackup plugin calls: the functions of libvmtools. A program of its own, so that a fault in there
ends nothing else.

    sync_driver.py FOLDER [ignore]      freezes, prints "frozen" or "refused", and thaws when a line comes in; `ignore`: as with
                                        ignoreFrozenFileSystems (open-vm-tools 12.3 and later know it)
"""
import ctypes
import sys

TOOLS = ctypes.CDLL("libvmtools.so.0")
TOOLS.SyncDriver_Freeze.argtypes = [ctypes.c_char_p, ctypes.c_byte, ctypes.POINTER(ctypes.c_void_p), ctypes.c_char_p, ctypes.c_byte]
TOOLS.SyncDriver_Freeze.restype = ctypes.c_byte
for name in ("SyncDriver_Thaw", "SyncDriver_CloseHandle"):
    getattr(TOOLS, name).argtypes = [ctypes.c_void_p if name == "SyncDriver_Thaw" else ctypes.POINTER(ctypes.c_void_p)]
TOOLS.SyncDriver_Thaw.restype = ctypes.c_byte
TOOLS.SyncDriver_Init.restype = ctypes.c_byte

handle = ctypes.c_void_p()
if not TOOLS.SyncDriver_Init() or not TOOLS.SyncDriver_Freeze(sys.argv[1].encode(), 0, ctypes.byref(handle), None, int("ignore" in sys.argv)):
    print("refused", flush=True)
    sys.exit(0)
print("frozen", flush=True)
sys.stdin.readline()
print("thawed" if TOOLS.SyncDriver_Thaw(handle) else "not thawed", flush=True)
TOOLS.SyncDriver_CloseHandle(ctypes.byref(handle))
