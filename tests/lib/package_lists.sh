# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
#
# Debian 12 packages by purpose; to be sourced, for need_packages of packages.sh. What a guest needs stands in tests/vm.

build_packages=(
    g++ meson ninja-build pkg-config
    libblkid-dev libmount-dev libudev-dev libdevmapper-dev libsystemd-dev systemd
    libsdbus-c++-dev libsdbus-c++-bin libspdlog-dev libexpected-dev libcli11-dev nlohmann-json3-dev libinih-dev libsmartcols-dev
    libgraphviz-dev libpugixml-dev libexpat1-dev libvalijson-dev libcurl4-openssl-dev
    libpq-dev libmariadb-dev libhiredis-dev
    libgtest-dev libgmock-dev xz-utils mandoc
)

native_packages=(
    dbus libglib2.0-bin python3-dbus python3-dbusmock python3-gi xfsprogs btrfs-progs e2fsprogs strace procps zsh util-linux mount openssl python3 qemu-guest-agent
)

bench_packages=(
    gnuplot-nox
)
