# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Counts test results and prints them; to be sourced.

passed=0
failed=0
skipped=0
failures=() # "name<TAB>log"

# NAME LOG: one test that failed.
add_failure() {
    failed=$((failed + 1))
    failures+=("$1"$'\t'"$2")
}

# Seconds since $1, a value of EPOCHREALTIME, with one decimal.
seconds_since() {
    local tenths=$(((${EPOCHREALTIME/./} - ${1/./}) / 100000))
    printf '%d.%d s' $((tenths / 10)) $((tenths % 10))
}

# PASSED FAILED SKIPPED: "3 passed, 1 skipped"
counts() {
    local text="$1 passed"
    (($2)) && text+=", $2 FAILED"
    (($3)) && text+=", $3 skipped"
    printf '%s' "$text"
}

# NAME COUNTS TIME: the one line of a test program.
program_line() {
    printf '  %-28s %-34s %9s\n' "$1" "$2" "$3"
}

# Details below a program's line, from standard input: at most $1 lines.
details() {
    local line number=0
    while IFS= read -r line; do
        number=$((number + 1))
        if ((number > $1)); then
            printf '      | ...\n'
            cat >/dev/null
            return
        fi
        printf '      | %s\n' "$line"
    done
}

# The end of a run: the failed tests, then the one line that programs read. Returns 1 when a test failed or none ran.
summary() {
    local failure
    echo
    if ((failed)); then
        echo 'Failed:'
        for failure in "${failures[@]}"; do
            printf '  %-60s %s\n' "${failure%%$'\t'*}" "${failure#*$'\t'}"
        done
        echo
    elif ((passed == 0)); then
        echo 'No test passed, because none ran: that is a failure, too.'
        echo
    fi
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    ((failed == 0 && passed > 0))
}
