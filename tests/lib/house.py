# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the checks of the house rules (tests/house/*) have in common.

A check is a program: `check [TREE]` prints one finding a line and exits 1 when there is one; `check --self-test` plants
what it should find in a scratch tree and exits 1 when it does not find it.
"""
import os
import re
import subprocess
import sys
import tempfile

SPDX = "SPDX-License-Identifier: LGPL-2.1-or-later"


def files(tree):
    """Paths of the project's files, relative to the tree: those git knows or would add; without git, all."""
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "-C", tree, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "."],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False) if os.path.exists(os.path.join(tree, ".git")) else None
    if listing and listing.returncode == 0:
        names = [os.fsdecode(name) for name in listing.stdout.split(b"\0") if name]
    else:
        names = []
        for folder, folders, here in os.walk(tree):
            folders[:] = [f for f in folders if f != ".git" and not re.match(r"build($|-)", f)]
            names += [os.path.relpath(os.path.join(folder, name), tree) for name in here]
    return sorted(name for name in set(names) if os.path.isfile(os.path.join(tree, name))
                  and not os.path.islink(os.path.join(tree, name)))


def read(tree, name):
    with open(os.path.join(tree, name), encoding="utf-8", errors="replace") as file:
        return file.read()


def is_script(text):
    return text.startswith("#!")


_TOKEN = re.compile(r"""
      //[^\n]*(?:\\\n[^\n]*)* | /\*.*?\*/                      # comments
    | R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)"             # raw strings
    | "(?:\\.|[^"\\\n])*" | (?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'  # strings, characters; 1'000 is a number
    """, re.S | re.X)


def code_only(text):
    """C++ with the insides of comments and string literals blanked; lines and #include lines stay where they are."""
    def blank(match):
        token = match.group()
        newlines = "\n" * token.count("\n")
        return newlines + " " if token.startswith("/") else '""' + newlines
    return _TOKEN.sub(blank, text)


def line_of(text, at):
    return text.count("\n", 0, at) + 1


def main(check, broken, sound):
    """check(tree) yields findings. broken: {what: {path: content}}, each must be found. sound: {path: content}."""
    arguments = sys.argv[1:]
    if arguments == ["--self-test"]:
        sys.exit(self_test(check, broken, sound))
    if len(arguments) > 1 or (arguments and arguments[0].startswith("-")):
        sys.exit(f"usage: {os.path.basename(sys.argv[0])} [TREE] | --self-test")
    found = list(check(arguments[0] if arguments else "."))
    for finding in found:
        print(finding)
    sys.exit(1 if found else 0)


def self_test(check, broken, sound):
    bad = 0
    for what, planted in [(None, {}), *broken.items()]:
        with tempfile.TemporaryDirectory(prefix="quiesced-house-") as tree:
            for path, content in {**sound, **planted}.items():
                os.makedirs(os.path.dirname(os.path.join(tree, path)), exist_ok=True)
                with open(os.path.join(tree, path), "w", encoding="utf-8") as file:
                    file.write(content)
            found = list(check(tree))
        if what is None and found:
            print("finds fault with a sound tree:", *found, sep="\n  ")
            bad = 1
        elif what is not None and not any(any(path in finding for path in planted) for finding in found):
            print(f"does not find: {what}")
            bad = 1
    return bad
