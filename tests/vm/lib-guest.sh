# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2054,SC2154
#
# A guest: one QEMU process and the directory with its disks, its console log and its two channels. To be sourced after
# lib-image.sh. The other end of the channels is image.files/usr/local/lib/quiesced-vm/agent.
#
# What a directory holds:
#   pid               QEMU's process id
#   console           what the guest printed on its serial console
#   control.in, .out  lines to and from the agent in the guest (pipes)
#   output            what the commands printed, all of them one after another
#   printed           how many bytes of it belong to commands that have ended
#   protocol          what its agent speaks, once it is up
#   root.qcow2        the root disk, an overlay of the image
#   image/            that image, where the guest is to start again: the cache may drop it meanwhile
#   disk-NAME.raw     the extra disks

readonly guest_boot_limit=400 # seconds; an emulated guest boots in 12 on an idle machine, in 110 beside ten compilers
readonly guest_protocol=2     # of the agent; VERSION there
readonly status_time_limit=124 status_guest_failed=125

# --- the accelerator -----------------------------------------------------------------------------------------------------

# Prints kvm or tcg. A /dev/kvm that is there may still hang at once with the processor busy, so a probe boots the kernel
# and looks for its first line on the console. The answer holds until this machine boots again.
guest_accelerator() {
    local image=$1 file=$vm_cache/accelerator boot known answer=tcg
    case ${QUIESCED_ACCEL:-} in
    kvm | tcg)
        echo "$QUIESCED_ACCEL"
        return
        ;;
    '') ;;
    *)
        fail "QUIESCED_ACCEL is '$QUIESCED_ACCEL': want kvm or tcg"
        return 1
        ;;
    esac
    boot=$(</proc/sys/kernel/random/boot_id)
    if [[ -r $file ]] && read -r known answer <"$file" && [[ $known == "$boot" && $answer =~ ^(kvm|tcg)$ ]]; then
        echo "$answer"
        return
    fi
    answer=tcg
    if [[ -r /dev/kvm && -w /dev/kvm ]]; then
        say "trying KVM (10 s at most)"
        guest_probe_kvm "$image" && answer=kvm
    fi
    printf '%s %s\n' "$boot" "$answer" >"$file.$BASHPID" && mv "$file.$BASHPID" "$file"
    echo "$answer"
}

guest_probe_kvm() {
    local image=$1 console pid tick works=1
    console=$(mktemp "${TMPDIR:-/tmp}/quiesced-kvm.XXXXXX")
    setpriv --pdeathsig KILL qemu-system-x86_64 -machine q35 -accel kvm -cpu host -m 512 -nodefaults -no-user-config \
        -display none -no-reboot -kernel "$image/kernel" -initrd "$image/initrd" \
        -append 'console=ttyS0 earlyprintk=ttyS0 panic=-1' -serial "file:$console" </dev/null >/dev/null 2>&1 &
    pid=$!
    disown "$pid" # or bash reports how it ended
    for ((tick = 0; tick < 95; tick++)); do
        if grep -q 'Linux version' "$console"; then
            works=0
            break
        fi
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null
    rm -f "$console"
    return "$works"
}

# --- the process ---------------------------------------------------------------------------------------------------------

# Makes what a guest directory lacks: channels, overlay, disks. Disks that are there keep their contents.
# usage: guest_prepare DIRECTORY IMAGE DISK...     (DISK is NAME:SIZE)
guest_prepare() {
    local directory=$1 image=$2 disk
    shift 2
    rm -f "$directory"/{control.in,control.out,output,printed,pid,protocol}
    mkfifo "$directory/control.in" "$directory/control.out"
    : >"$directory/console"
    : >"$directory/output"
    echo 0 >"$directory/printed"
    [[ -e $directory/root.qcow2 ]] ||
        qemu-img create -q -f qcow2 -F raw -b "$image/root.img" "$directory/root.qcow2"
    for disk in "$@"; do
        [[ -e $directory/disk-${disk%%:*}.raw ]] || truncate -s "${disk#*:}" "$directory/disk-${disk%%:*}.raw"
    done
}

# Gives the directory an image of its own, without a copy where the file system allows it; prints where.
# usage: guest_own_image DIRECTORY SUITE
guest_own_image() {
    local directory=$1 suite=$2 cached
    if [[ ! -d $directory/image ]]; then
        if [[ -e $directory/root.qcow2 ]]; then
            fail "$directory has a root disk but not the image that it is an overlay of: remove $directory/root.qcow2 to start with a fresh one"
            return 1
        fi
        cached=$(image_directory "$suite") || return 1
        rm -rf "$directory/image.new"
        cp -rl "$cached" "$directory/image.new" 2>/dev/null || {
            rm -rf "$directory/image.new"
            cp -r --sparse=always "$cached" "$directory/image.new" || return 1
        }
        mv "$directory/image.new" "$directory/image"
    fi
    printf '%s\n' "$directory/image"
}

# Sets the array guest_command to QEMU's command line.
# usage: guest_compose DIRECTORY IMAGE ACCELERATOR MEMORY CONSOLE KERNEL_WORDS DISK... -- SHARE...
# DISK is NAME:SIZE, SHARE is HOSTDIR:TAG, CONSOLE is log or terminal. `suffix` is that of the kernel's files, `root` the volume
# with the root file system; both may be empty.
guest_compose() {
    local directory=$1 image=$2 accelerator=$3 memory=$4 console=$5 words=$6 name cache=unsafe
    shift 6
    guest_command=(qemu-system-x86_64 -name quiesced-guest -machine q35,sata=off,smbus=off,i8042=off,vmport=off -smp 2 -m "$memory"
        -nodefaults -no-user-config -no-reboot -display none -nic none -rtc base=utc)
    # mitigations and the like cost an emulated machine time. No needs-update: the image's /etc and /var are up to date.
    words="root=/dev/vda rw console=ttyS0 panic=-1 mitigations=off audit=0 apparmor=0 systemd.condition-needs-update=false $words"
    [[ -z ${root:-} ]] || words+=" quiesced.root=$root"
    case $accelerator in
    kvm) guest_command+=(-accel kvm -cpu host) ;;
    tcg)
        # The emulation of rep stosb and rep movsb goes byte by byte: without these two the kernel fills and copies in longer words.
        guest_command+=(-accel tcg,thread=multi -cpu max,-erms,-fsrm)
        # An emulated processor's time stamp counter is the machine's own and right, but the kernel finds it too unsteady and
        # takes the HPET, which costs a way out of the emulation for each look at the clock: half of the time of a boot.
        words+=' tsc=reliable no_timer_check cryptomgr.notests'
        # QEMU 7.2 finds translated code by its virtual address, too: a program that is somewhere else each time is translated each time
        # anew. 200 times /bin/true took 7.5 s with random addresses and take 2 s without, six times lvs 2.1 s and 1 s.
        words+=' norandmaps'
        ;;
    esac
    guest_command+=(-kernel "$image/kernel${suffix:-}" -initrd "$image/initrd${suffix:-}")
    # The killed QEMU of a guest that starts again must not have kept the overlay's tables to itself.
    [[ $guest_persistent == yes ]] && cache=writeback
    guest_command+=(-drive "if=none,id=root,file=$directory/root.qcow2,format=qcow2,cache=$cache,discard=unmap"
        -device virtio-blk-pci,drive=root,serial=root)
    while [[ $1 != -- ]]; do
        name=${1%%:*}
        guest_command+=(-drive "if=none,id=disk-$name,file=$directory/disk-$name.raw,format=raw,cache=unsafe,discard=unmap"
            -device "virtio-blk-pci,drive=disk-$name,serial=$name")
        shift
    done
    shift
    for name in "$@"; do
        guest_command+=(-virtfs "local,path=${name%:*},mount_tag=${name##*:},security_model=none,multidevs=remap")
    done
    guest_command+=(-device virtio-rng-pci -device virtio-serial-pci
        -chardev "pipe,id=control,path=$directory/control"
        -device virtserialport,chardev=control,name=quiesced.control
        -chardev "file,id=output,path=$directory/output"
        -device virtserialport,chardev=output,name=quiesced.output)
    case $console in
    log)
        guest_command+=(-serial "file:$directory/console")
        words+=' quiet systemd.mask=serial-getty@ttyS0.service'
        ;;
    terminal) guest_command+=(-chardev "stdio,id=terminal,mux=on,signal=off,logfile=$directory/console"
        -serial chardev:terminal -mon chardev=terminal) ;;
    esac
    guest_command+=(-append "$words")
}

# 0 when the guest of the directory runs: its process id may have gone to another process since.
guest_is_running() {
    local directory=$1 pid line
    pid=$(cat "$directory/pid" 2>/dev/null) && [[ -n $pid ]] || return 1
    line=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") 2>/dev/null || return 1
    [[ $line == *"path=$directory/control"* ]]
}

# Starts guest_command in the background: `bound` to this script's life or `free`.
guest_spawn() {
    local directory=$1 bond=$2 pid tick share
    local -a how=(setsid)
    [[ $bond == free ]] || how=(setpriv --pdeathsig KILL) # QEMU must not outlive us, not even when we are killed
    "${how[@]}" "${guest_command[@]}" </dev/null >"$directory/qemu.log" 2>&1 &
    pid=$!
    disown "$pid"
    echo "$pid" >"$directory/pid"
    # Its session shares the processors as ours does (sched_autogroup); a new one would begin anew.
    share=$(sed 's/.*nice //' /proc/self/autogroup 2>/dev/null) && [[ $share -gt 0 ]] &&
        { echo "$share" >"/proc/$pid/autogroup"; } 2>/dev/null
    for ((tick = 0; tick < 100; tick++)); do # until the new process is no copy of this one any more
        if guest_is_running "$directory" || ! kill -0 "$pid" 2>/dev/null; then
            break
        fi
        sleep 0.05
    done
}

# Ends QEMU at once. A guest's own power-off takes up to minutes (an iSCSI session to itself) and nobody needs its disks;
# for a guest that is to start again this is a power cut.
guest_end() {
    local directory=$1 pid tick
    guest_is_running "$directory" || return 0
    pid=$(<"$directory/pid")
    kill -KILL "$pid" 2>/dev/null
    for ((tick = 0; tick < 100; tick++)); do
        guest_is_running "$directory" || break
        sleep 0.05
    done
    rm -f "$directory/pid"
}

guest_show_console() {
    local directory=$1 lines=${2:-40}
    say "the end of the guest's console:"
    tail -n "$lines" "$directory/console" | tr -d '\r' | sed 's/^/  | /' >&2
    if [[ -s $directory/qemu.log ]]; then
        say "QEMU said:"
        tail -n 10 "$directory/qemu.log" | sed 's/^/  | /' >&2
    fi
}

# --- the agent in the guest ----------------------------------------------------------------------------------------------

# Waits for a line from the agent that begins with the word, and sets `answer` to the rest of it.
# usage: guest_await DIRECTORY WORD DEADLINE       (DEADLINE in terms of SECONDS)
guest_await() {
    local directory=$1 word=$2 deadline=$3 line channel status
    answer=
    exec {channel}<>"$directory/control.out"
    while true; do
        if read -r -t 1 line <&"$channel"; then
            [[ $line == "$word"* ]] || continue
            answer=${line#"$word"}
            answer=${answer# }
            status=0
            break
        fi
        if ! guest_is_running "$directory"; then
            status=$status_guest_failed
            break
        fi
        if ((SECONDS >= deadline)); then
            status=$status_time_limit
            break
        fi
    done
    exec {channel}>&-
    return "$status"
}

guest_tell() {
    local directory=$1 channel
    exec {channel}<>"$directory/control.in" # read and write: opening must not wait for QEMU
    printf '%s\n' "$2" >&"$channel"
    exec {channel}>&-
}

guest_await_boot() {
    local directory=$1 deadline=$2 status=0
    ((deadline > SECONDS + guest_boot_limit)) && deadline=$((SECONDS + guest_boot_limit))
    guest_await "$directory" ready "$deadline" || status=$?
    case $status in
    0)
        echo "$answer" >"$directory/protocol"
        guest_speaks_ours "$directory"
        return
        ;;
    "$status_time_limit") say "the guest did not come up in time" ;;
    *) say "QEMU ended before the guest came up" ;;
    esac
    guest_show_console "$directory"
    return "$status"
}

# 0 when a kernel died for the emulation's fault: it patches its own code while it starts (static keys, alternatives), through an int3 that
# only stands there for a moment, and QEMU 7.2's other processor may meet that after it has gone. Seen once in dozens of boots, with
# Linux 6.12, before the root disk is mounted.
guest_tripped_over_its_patches() {
    local directory=$1 accelerator=$2
    [[ $accelerator == tcg ]] && ! guest_is_running "$directory" && grep -q 'Oops: int3\|int3: 0000' "$directory/console" &&
        ! grep -q 'EXT4-fs (vda): mounted\|systemd\[1\]' "$directory/console"
}

# 0 when the guest's agent understands us: a guest may have started before its agent or this file changed.
guest_speaks_ours() {
    [[ $(cat "$1/protocol" 2>/dev/null) == "$guest_protocol" ]] ||
        fail "the guest of $1 is of an older version of these scripts: end it (vm kill), remove $1/image and $1/root.qcow2, and start it again"
}

# Runs a command in the guest, its output to stdout as it comes; returns its exit status, 124 at the deadline (the command is
# killed then), 125 when the guest is gone.
# usage: guest_execute DIRECTORY DEADLINE COMMAND...
guest_execute() {
    local directory=$1 deadline=$2 name=$$-$RANDOM printed marker printer status=0 result size tick
    shift 2
    printed=$(<"$directory/printed")
    # tail ends with its marker, after a last look at the file.
    setpriv --pdeathsig KILL sleep infinity </dev/null >/dev/null 2>&1 &
    marker=$!
    setpriv --pdeathsig KILL tail -c "+$((printed + 1))" -f -s 0.1 --pid="$marker" "$directory/output" &
    printer=$!
    helpers+=("$marker" "$printer")

    guest_tell "$directory" "run $name $(printf '%s\0' "$@" | base64 -w0)"
    guest_await "$directory" "exit $name" "$deadline" || status=$?
    if ((status == 0)); then
        read -r result size <<<"$answer"
        # The status may overtake the last output on its way through QEMU.
        for ((tick = 0; tick < 200; tick++)); do
            (($(stat -c %s "$directory/output") >= size)) && break
            sleep 0.05
        done
        echo "$size" >"$directory/printed"
        status=$result
    elif ((status == status_time_limit)); then
        say "the time limit has passed; the kernel's list of blocked tasks is at the end of the console"
        guest_tell "$directory" blocked
        sleep 3
        guest_tell "$directory" stop
    fi
    kill "$marker" 2>/dev/null
    wait "$marker" "$printer" 2>/dev/null
    helpers=()
    if [[ -z ${result:-} ]]; then
        ((status == status_guest_failed)) && say "the guest ended while the command ran"
        guest_show_console "$directory" 60
    fi
    return "$status"
}
