# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Debian packages that a script needs; to be sourced.
#
#   need_packages PURPOSE PACKAGE...
#
# installs with apt-get what is missing, and only then asks apt for news. One line says what it does; apt's own words
# go to a log, whose end is shown when it fails. Returns 0 when everything is installed, else 1 with the reason on stderr.

# Prints those of the given packages that are not installed, one a line.
missing_packages() {
    local package status
    for package in "$@"; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=none
        [[ $status == installed ]] || printf '%s\n' "$package"
    done
}

need_packages() {
    local purpose=$1
    shift
    local -a missing
    mapfile -t missing < <(missing_packages "$@")
    ((${#missing[@]})) || return 0

    if ! command -v apt-get >/dev/null; then
        printf 'packages: %s needs %s, and there is no apt-get to install them: install them by hand.\n' \
            "$purpose" "${missing[*]}" >&2
        return 1
    fi
    if ((EUID != 0)); then
        printf 'packages: %s needs %s, and only root can install them. As root: apt-get install --no-install-recommends %s\n' \
            "$purpose" "${missing[*]}" "${missing[*]}" >&2
        return 1
    fi

    local log
    log=$(mktemp "${TMPDIR:-/tmp}/quiesced-packages.XXXXXX.log") || return 1
    printf 'packages: installing %s for %s\n' "${missing[*]}" "$purpose" >&2
    # One at a time: apt-get update does not wait for another's lock on the lists, and two of our scripts may start together.
    if (
        exec 9>/run/lock/quiesced-packages.lock || exit 1
        flock 9 || exit 1
        # apt holds no lock of ours, or a service that it starts would keep it for ever.
        apt-get -q update 9>&- &&
            DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -q -y -o DPkg::Lock::Timeout=300 \
                -o Dpkg::Options::=--force-confold --no-install-recommends install "${missing[@]}" 9>&-
    ) >"$log" 2>&1 </dev/null; then
        rm -f "$log"
        return 0
    fi
    printf 'packages: apt-get could not install %s. The end of %s:\n' "${missing[*]}" "$log" >&2
    tail -n 15 "$log" | sed 's/^/  | /' >&2
    return 1
}
