# SPDX-License-Identifier: LGPL-2.1-or-later
"""Errors as targetd numbers them."""

INVALID = -1
NAME_CONFLICT = -50
NOT_FOUND_VOLUME = -103
INVALID_POOL = -110
NOT_FOUND_EXPORT = -151
COMMAND_FAILED = -303


class ArrayError(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code
