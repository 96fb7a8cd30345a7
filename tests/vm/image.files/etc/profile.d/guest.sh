# SPDX-License-Identifier: LGPL-2.1-or-later
# A serial line does not know how large the terminal at its other end is: `vm shell` says it on the kernel's command line.
if [ "$(tty)" = /dev/ttyS0 ]; then
    for word in $(cat /proc/cmdline); do
        case $word in
        quiesced.terminal=*) # NAME,ROWS,COLUMNS
            word=${word#*=}
            TERM=${word%%,*}
            word=${word#*,}
            export TERM
            stty rows "${word%,*}" cols "${word#*,}"
            ;;
        esac
    done
    unset word
fi
