# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The guest image: made once with mmdebstrap, kept in a cache outside the tree under the hash of its recipe. To be sourced.
#
#   image_directory SUITE   prints the directory of a whole image: root.img, kernel, initrd, release; makes it first if need be

vm_home=${BASH_SOURCE[0]%/*}
vm_cache=${QUIESCED_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/quiesced}
readonly vm_home vm_cache

readonly image_size=4G  # sparse: an image takes up about 700 MiB
readonly image_kept=4   # images of older recipes are dropped beyond this many

say() { printf 'vm: %s\n' "$*" >&2; }
fail() {
    say "$*"
    return 1
}

image_recipe_hash() {
    local suite=$1
    (
        cd "$vm_home" || exit 1
        printf '%s\n' "$suite"
        find lib-image.sh image.* -type f -printf '%p %m\n' | LC_ALL=C sort | while read -r file mode; do
            printf '%s %s %s\n' "$file" "$mode" "$(sha256sum <"$file")"
        done
    ) | sha256sum | cut -c1-16
}

image_packages() {
    local suite=$1
    sed 's/#.*//' "$vm_home/image.packages" | awk -v suite="@$suite" 'NF == 1 || $2 == suite { print $1 }'
}

# Prints the machine's own apt sources for the suite, its updates and its security archive, one `deb` line each. `apt-get
# indextargets` knows both formats of source files. A Debian machine of another suite lends its mirrors' addresses.
image_sources() {
    local suite=$1 targets lines
    targets() {
        # shellcheck disable=SC2016  # apt's variables, not ours
        apt-get indextargets --format '$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(CODENAME)' 'Created-By: Packages' |
            awk -F'|' '$1 == "Debian"' | sort -u
    }
    targets=$(targets)
    if [[ -z $targets ]]; then # no lists on this machine, as in a fresh container
        apt-get -q update >/dev/null 2>&1 || say "apt-get update failed; going on with what apt knows"
        targets=$(targets)
    fi
    [[ -n $targets ]] || {
        fail "this machine's apt sources name no Debian archive, so there is no mirror to make the guest image from. Add one below /etc/apt/sources.list.d and run apt-get update."
        return 1
    }
    lines=$(awk -F'|' -v suite="$suite" '
        $5 == suite || $5 == suite "-updates" || $5 == suite "-security" {
            key = $2 " " $3; components[key] = components[key] " " $4 }
        END { for (key in components) print "deb " key components[key] }' <<<"$targets")
    if ! grep -q " $suite " <<<"$lines"; then
        lines=$(awk -F'|' -v suite="$suite" '$4 == "main" && $5 !~ /backports|proposed/ {
            release = suite
            if (match($5, /-(updates|security)$/)) release = suite substr($5, RSTART)
            print "deb " $2 " " release " main" }' <<<"$targets" | sort -u)
    fi
    # The newer kernel of `vm --kernel backports`. The suite after stable has no backports of its own yet worth a second kernel.
    if [[ $suite == bookworm ]]; then
        lines+=$'\n'$(awk -v suite="$suite" '$3 == suite { print "deb " $2 " " suite "-backports main"; exit }' <<<"$lines")
    fi
    sort <<<"$lines"
}

# Prints `--aptopt=...` for what this machine needs in order to fetch (proxies, certificates, retries, clock checks):
# mmdebstrap does not read the machine's own apt configuration.
image_apt_options() {
    apt-config dump --no-empty | grep -E '^Acquire::(https?|Retries|ForceIP|Check-|Max-|Queue-)' | sed 's/^/--aptopt=/' || true
}

# 0 when the directory holds a whole image: every file has the size that its manifest says, and the file system is a clean one.
image_is_whole() {
    local directory=$1 name size header
    [[ -s $directory/manifest ]] || return 1
    while read -r size name; do
        [[ $(stat -c %s "$directory/$name" 2>/dev/null) == "$size" ]] || return 1
    done <"$directory/manifest"
    header=$(dumpe2fs -h "$directory/root.img" 2>/dev/null) || return 1
    grep -q '^Filesystem state: *clean$' <<<"$header"
}

image_build() {
    local suite=$1 directory=$2 work=$3
    local -a sources options
    need_packages 'making the guest image' mmdebstrap e2fsprogs xz-utils zstd debian-archive-keyring || return 1
    ((EUID == 0)) || { fail 'only root can make the guest image (mmdebstrap and mke2fs -d)'; return 1; }
    local text
    text=$(image_sources "$suite") || return 1
    mapfile -t sources <<<"$text"
    mapfile -t options < <(image_apt_options)

    local log=$work/log begun=$SECONDS
    say "making the guest image (Debian $suite, $(image_packages "$suite" | wc -l) packages and what they depend on; a few minutes, once)"
    mkdir "$work/out"
    # /usr/share/doc and the like are never read; drivers for hardware that the guest does not have double the image.
    # INITRD=No keeps the kernel package from building an initrd: image.customize makes a smaller one.
    INITRD=No mmdebstrap --quiet --mode=root --format=directory --variant=essential \
        --include="$(image_packages "$suite" | paste -sd,)" \
        "${options[@]}" --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt='force-unsafe-io' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
        --dpkgopt='path-exclude=/lib/modules/*/kernel/sound/*' \
        --dpkgopt='path-exclude=/lib/modules/*/kernel/net/bluetooth/*' \
        --dpkgopt='path-exclude=/lib/modules/*/kernel/net/mac80211/*' \
        --dpkgopt='path-exclude=/lib/modules/*/kernel/net/wireless/*' \
        --dpkgopt='path-exclude=/lib/modules/*/kernel/drivers/gpu/*' \
        --dpkgopt='path-exclude=/lib/modules/*/kernel/drivers/media/*' \
        --dpkgopt='path-exclude=/lib/modules/*/kernel/drivers/infiniband/*' \
        --dpkgopt='path-exclude=/lib/modules/*/kernel/drivers/iio/*' \
        --dpkgopt='path-exclude=/lib/modules/*/kernel/drivers/staging/*' \
        --dpkgopt='path-exclude=/lib/modules/*/kernel/drivers/usb/*' \
        --dpkgopt='path-exclude=/lib/modules/*/kernel/drivers/hwmon/*' \
        --dpkgopt='path-exclude=/lib/modules/*/kernel/drivers/net/ethernet/*' \
        --dpkgopt='path-exclude=/lib/modules/*/kernel/drivers/net/wireless/*' \
        --customize-hook="'$vm_home/image.customize' \"\$1\" '$work/out' $suite" \
        "$suite" "$work/root" "${sources[@]}" >"$log" 2>&1 </dev/null || {
        say "mmdebstrap failed. The end of its log:"
        tail -n 20 "$log" | sed 's/^/  | /' >&2
        return 1
    }
    truncate -s "$image_size" "$work/out/root.img"
    mke2fs -q -F -t ext4 -L guest -J size=32 -E lazy_itable_init=0,nodiscard -d "$work/root" "$work/out/root.img" >>"$log" 2>&1 || {
        say "mke2fs failed. The end of its log:"
        tail -n 5 "$log" | sed 's/^/  | /' >&2
        return 1
    }
    (cd "$work/out" && stat -c '%s %n' -- * >"$work/manifest" && mv "$work/manifest" . && chmod 444 -- *)
    # An older one is there only when it is broken.
    rm -rf "$directory"
    mv "$work/out" "$directory"
    say "made in $((SECONDS - begun)) s: $directory ($(du -sh "$directory" | cut -f1), kernel $(<"$directory/release"))"
}

# Drops all but the latest used images, and what killed builds left; the caller holds the lock.
image_prune() {
    local directory
    find "$vm_cache" -mindepth 1 -maxdepth 1 -type d -name 'guest-*' -printf '%T@ %p\n' | sort -rn |
        tail -n "+$((image_kept + 1))" | cut -d' ' -f2- | while read -r directory; do
        say "dropping the old image $directory"
        rm -rf "$directory"
    done
}

# Removes what a build made. One that was killed may have left the guest's /proc, /sys and /dev mounted.
image_sweep() {
    local work=$1 mount
    findmnt -rno TARGET | sort -r | while read -r mount; do
        [[ $mount != "$work"/* ]] || umount -l "$mount" || true
    done
    rm -rf --one-file-system "$work"
}

image_directory() (
    suite=$1 work=''
    [[ $suite =~ ^[a-z]+$ ]] || { fail "'$suite' is not the name of a Debian suite"; exit 1; }
    hash=$(image_recipe_hash "$suite") || exit 1
    directory=$vm_cache/guest-$suite-$hash
    mkdir -p "$vm_cache"
    exec {lock}>"$vm_cache/lock"
    flock "$lock" # two builds at once: the second one waits and takes the first one's image
    if ! image_is_whole "$directory"; then
        for work in "$vm_cache"/building.*; do
            [[ ! -d $work ]] || image_sweep "$work"
        done
        trap '[[ -z $work ]] || image_sweep "$work"' EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM
        work=$(mktemp -d "$vm_cache/building.XXXXXX")
        chmod 755 "$work"
        image_build "$suite" "$directory" "$work" {lock}>&- || exit 1
    fi
    touch "$directory"
    image_prune
    printf '%s\n' "$directory"
)
