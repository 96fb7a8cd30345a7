# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2154
#
# A libvirtd of its own, in a mount namespace of its own: all that it keeps lies below one folder, and one that this machine runs is not
# touched. To be sourced after tests/vm/lib-image.sh and lib-guest.sh.
#
#   libvirt_start FOLDER         starts it; sets libvirt_uri
#   libvirt_stop FOLDER          ends it, and the guests that it runs
#   libvirt_domain FOLDER IMAGE OTHER  prints the XML of the guest whose directory (lib-guest.sh) is FOLDER/guest; OTHER: a disk
#                                that it may read
#   libvirt_boot FOLDER IMAGE OTHER    starts that guest, up to the agent that runs commands in it

libvirt_domain_name=quiesced-test
libvirt_folders=(etc:/etc/libvirt run:/run/libvirt lib:/var/lib/libvirt log:/var/log/libvirt cache:/var/cache/libvirt)

libvirt_configure() {
    local folder=$1 pair
    for pair in "${libvirt_folders[@]}"; do mkdir -p "$folder/${pair%%:*}"; done
    cat >"$folder/etc/libvirtd.conf" <<'END'
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_group = "root"
unix_sock_rw_perms = "0700"
END
    # Without systemd, control groups, AppArmor and virtlogd; QEMU opens what the test made, as root.
    cat >"$folder/etc/qemu.conf" <<'END'
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
END
    # Debian's libvirt does not start without this user, whom its package for a whole machine would make.
    cp /etc/passwd "$folder/passwd"
    cp /etc/group "$folder/group"
    grep -q '^libvirt-qemu:' /etc/passwd || echo 'libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin' >>"$folder/passwd"
    grep -q '^libvirt-qemu:' /etc/group || echo 'libvirt-qemu:x:64055:' >>"$folder/group"
}

libvirt_start() {
    local folder=$1 pair tick
    libvirt_configure "$folder" || return
    libvirt_made=()
    for pair in "${libvirt_folders[@]}"; do
        [[ -d ${pair#*:} ]] || { mkdir -p "${pair#*:}" && libvirt_made+=("${pair#*:}"); }
    done
    # shellcheck disable=SC2016
    unshare --mount --propagation private bash -c '
        set -e
        folder=$1; shift
        for pair; do mount --bind "$folder/${pair%%:*}" "${pair#*:}"; done
        mount --bind "$folder/passwd" /etc/passwd
        mount --bind "$folder/group" /etc/group
        exec setpriv --pdeathsig TERM libvirtd -f /etc/libvirt/libvirtd.conf -p /run/libvirt/libvirtd.pid' \
        libvirtd "$folder" "${libvirt_folders[@]}" </dev/null >"$folder/libvirtd.log" 2>&1 &
    libvirt_pid=$!
    libvirt_uri="qemu+unix:///system?socket=$folder/run/libvirt-sock"
    for ((tick = 0; tick < 600; tick++)); do
        [[ -S $folder/run/libvirt-sock ]] && virsh -q -c "$libvirt_uri" uri >/dev/null 2>&1 && return
        kill -0 "$libvirt_pid" 2>/dev/null || break
        sleep 0.1
    done
    fail "libvirtd did not start; the end of its log:"
    tail -n 10 "$folder/libvirtd.log" >&2
    return 1
}

libvirt_stop() {
    local folder=$1 tick path
    [[ -n ${libvirt_pid:-} ]] || return 0
    virsh -q -c "$libvirt_uri" destroy "$libvirt_domain_name" >/dev/null 2>&1 || true
    guest_end "$folder/guest" # where libvirtd was gone first
    kill "$libvirt_pid" 2>/dev/null || true
    for ((tick = 0; tick < 100; tick++)); do
        kill -0 "$libvirt_pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$libvirt_pid" 2>/dev/null || true
    for path in "${libvirt_made[@]}"; do rmdir "$path" 2>/dev/null || true; done
    libvirt_pid=
}

# PCI places by hand: the image's initrd expects the root disk to be the first, and has no driver for more than virtio.
libvirt_domain() {
    local folder=$1 image=$2 other=$3 directory=$1/guest words
    words='root=/dev/vda rw console=ttyS0 panic=-1 mitigations=off audit=0 apparmor=0 systemd.condition-needs-update=false'
    words+=' tsc=reliable no_timer_check cryptomgr.notests quiet systemd.mask=serial-getty@ttyS0.service'
    cat <<END
<domain type='qemu'>
  <name>$libvirt_domain_name</name>
  <memory unit='MiB'>1024</memory>
  <vcpu>2</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>$image/kernel</kernel>
    <initrd>$image/initrd</initrd>
    <cmdline>$words</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='maximum'/>
  <clock offset='utc'/>
  <on_reboot>destroy</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache='unsafe' discard='unmap'/>
      <source file='$directory/root.qcow2'/>
      <target dev='vda' bus='virtio'/><serial>root</serial>
      <address type='pci' domain='0' bus='0' slot='0x03' function='0'/>
    </disk>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' cache='unsafe' discard='unmap'/>
      <source file='$directory/disk-data.raw'/>
      <target dev='vdb' bus='virtio'/><serial>data</serial>
      <address type='pci' domain='0' bus='0' slot='0x04' function='0'/>
    </disk>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' cache='unsafe'/>
      <source file='$other'/>
      <target dev='vdc' bus='virtio'/><readonly/><serial>other</serial>
      <address type='pci' domain='0' bus='0' slot='0x08' function='0'/>
    </disk>
    <filesystem type='mount' accessmode='squash' multidevs='remap'>
      <source dir='$folder/in'/><target dir='in'/>
      <address type='pci' domain='0' bus='0' slot='0x05' function='0'/>
    </filesystem>
    <controller type='usb' model='none'/>
    <controller type='virtio-serial' index='0'>
      <address type='pci' domain='0' bus='0' slot='0x06' function='0'/>
    </controller>
    <channel type='pipe'>
      <source path='$directory/control'/><target type='virtio' name='quiesced.control'/>
    </channel>
    <channel type='file'>
      <source path='$directory/output'/><target type='virtio' name='quiesced.output'/>
    </channel>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <serial type='file'><source path='$directory/console'/><target port='0'/></serial>
    <rng model='virtio'>
      <backend model='random'>/dev/urandom</backend>
      <address type='pci' domain='0' bus='0' slot='0x07' function='0'/>
    </rng>
    <memballoon model='none'/>
    <audio id='1' type='none'/>
  </devices>
</domain>
END
}

libvirt_boot() {
    local folder=$1 image=$2 other=$3
    guest_prepare "$folder/guest" "$image" data:512M
    libvirt_domain "$folder" "$image" "$other" >"$folder/domain.xml"
    virsh -q -c "$libvirt_uri" define "$folder/domain.xml" >/dev/null || return
    virsh -q -c "$libvirt_uri" start "$libvirt_domain_name" >/dev/null || return
    cp "$folder/run/qemu/$libvirt_domain_name.pid" "$folder/guest/pid"
    guest_await_boot "$folder/guest" "$((SECONDS + 600))"
}
