# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The build as it is installed in a guest; to be sourced.
#
#   build_configure FOLDER [-DOPTION=VALUE]...   meson setup with the paths of a Debian package; keeps what is there
#   build_targets FOLDER              prints what ninja must make for an installation, one a line
#   build_compile FOLDER TARGET...    ninja, and how far it has come, now and then
#   build_tree FOLDER TREE            installs into the empty folder TREE what build_targets names
#
# Output of the tools goes to stdout and stderr. All return 0, or the failed tool's status.

build_paths=(--prefix=/usr --sysconfdir=/etc --localstatedir=/var)

build_configure() {
    local folder=$1
    shift
    if [[ ! -f $folder/build.ninja ]]; then
        meson setup "${build_paths[@]}" "$@" "$folder"
    elif ! meson introspect "$folder" --buildoptions |
        python3 -c 'import json, sys; sys.exit({o["name"]: o["value"] for o in json.load(sys.stdin)}["prefix"] != "/usr")'; then
        meson configure "${build_paths[@]}" "$@" "$folder"
    elif (($#)); then
        meson configure "$@" "$folder"
    fi
}

build_targets() {
    meson introspect "$1" --targets |
        python3 -c 'import json, os, sys
for target in json.load(sys.stdin):
    for name in target["filename"] if target["installed"] else []:
        print(os.path.relpath(name, os.path.realpath(sys.argv[1])))' "$1"
}

# Lines "N of M files" on fd 3, the tools' words on stdout.
build_compile() {
    local folder=$1 line last=$SECONDS
    shift
    NINJA_STATUS='[%f/%t] ' ninja -C "$folder" "$@" 2>&1 | while IFS= read -r line; do
        printf '%s\n' "$line"
        if [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] && ((SECONDS >= last + 15)); then
            last=$SECONDS
            printf '%s of %s files\n' "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}" >&3
        fi
    done
    return "${PIPESTATUS[0]}"
}

build_tree() {
    local folder=$1 tree=$2
    meson install -C "$folder" --no-rebuild --quiet --strip --destdir "$(readlink -f "$tree")"
}

# What a guest needs, in the folder STAGE: installed.tar, and in demo/ the programs and parts of the demo and the tests.
# The programs are those of the build FOLDER, which must be built.
build_stage() {
    local folder=$1 stage=$2 program tree
    tree=$(mktemp -d) || return
    build_tree "$folder" "$tree" && tar -C "$tree" -cf "$stage/installed.tar" .
    local status=$?
    rm -rf "$tree"
    ((status == 0)) || return "$status"
    cp -r tests/demo.d "$stage/demo" || return
    shift 2
    for program; do
        strip -o "$stage/demo/$(basename "$program")" "$folder/$program" || return
    done
}
