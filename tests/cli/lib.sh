# shellcheck shell=bash
# What the scripts of this folder share: they run the program and judge what it did. A script works
# in an empty folder of its own, which is removed; what the machine has at home is out of sight.
#
#   make_data FOLDER [NAME=NUMBER]...   a tiny data set in a new folder; names as in make_data.c
#   run N ARGUMENTS...                  the program on N ranks under mpirun; 0: without mpirun
#   mpirun_options=(...)                options of mpirun for the runs that follow
#   expect_exit CODE                    what the last run's exit code is
#   expect_line LINE                    what its stdout has as a line
#   expect_error TEXT                   its stderr is "fmnist-dist: error: TEXT" and nothing else
#   expect_error_like PATTERN           the same with a pattern of the shell
#   expect_nothing_written              the folder is as it was at `remember_folder`
#   wait_until WHAT COMMAND...          until the command succeeds
#   has_part NAME                   whether the program was built with a part, such as JPEG
#   fail TEXT                           ends the script, with all that the last run said
set -euo pipefail

: "${FMD_PROGRAM:?the program to test}" "${FMD_SOURCE_DIR:?the root of the sources}"
: "${FMD_MAKE_DATA:?the program made of make_data.c}"

# Started by hand: as ctest does.
[[ -n ${FMD_ALONE-} ]] || exec "$FMD_SOURCE_DIR/tests/support/alone" 0 "$0" "$@"

work=$(mktemp -d)
clean_up() {
    local left
    mapfile -t left < <(jobs -p)
    [[ ${#left[@]} == 0 ]] || kill "${left[@]}" 2>/dev/null || true
    wait
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
mkdir "$work/folder"
cd "$work/folder"
export HOME=$work

# A command that fails where none may is named: `set -e` alone ends the script without a word. Who
# stops reading a pipe early ends its writer so, now and then: `grep -q < <(writer)` does not.
set -E
trap 'echo "FAILED at line $LINENO, exit code $?: $BASH_COMMAND" >&2' ERR

# A program without mpirun needs no daemon, and a fault is no reason to wait for those who linger.
export OMPI_MCA_ess_singleton_isolated=1 OMPI_MCA_odls_base_sigkill_timeout=0

out=$work/out err=$work/err
last_run='' status=0
mpirun_options=()
touch "$out" "$err"

fail() {
    {
        printf 'FAILED at line %s: %s\n' "${BASH_LINENO[-2]}" "$1"
        printf 'the last run: %s\nits exit code: %s\n' "$last_run" "$status"
        sed 's/^/stdout: /' "$out"
        sed 's/^/stderr: /' "$err"
    } >&2
    exit 1
}

wait_until() {
    local what=$1 i
    shift
    for ((i = 0; i < 5000; i++)); do
        ! "$@" || return 0
        sleep 0.02
    done
    fail "not within minutes: $what"
}

has_part() { [[ " ${FMD_WITHOUT-} " != *" $1 "* ]]; }
skip_case() { echo "skipped: $1"; }

make_data() {
    local folder=$1
    shift
    mkdir -p "$folder"
    "$FMD_MAKE_DATA" "$folder" "$@"
}

# Whatever hangs is ended after some minutes, with the exit code 124. In the process group of the test,
# so that who ends that ends this too.
run() {
    local n=$1 command=("$FMD_PROGRAM")
    shift
    [[ $n == 0 ]] || command=(mpirun "${mpirun_options[@]}" -np "$n" "$FMD_PROGRAM")
    last_run="np $n: fmnist-dist $*"
    status=0
    timeout --foreground -k 5 200 "${command[@]}" "$@" >"$out" 2>"$err" </dev/null || status=$?
}

expect_exit() {
    [[ $status == "$1" ]] || fail "expected the exit code $1, found $status"
}

expect_line() {
    grep -qxF -e "$1" "$out" || fail "stdout has no line '$1'"
}

# stderr without what mpirun says itself: text between rulers, and lines that begin with [host:pid];
# and without the warning on machines with few cores.
own_stderr() {
    sed -E '/^-{20,}$/,/^-{20,}$/d; /^\[[^]]+:[0-9]+\] /d; /^$/d
        /^fmnist-dist: warning: [0-9]+ ranks x 1 thread share /d' "$err"
}

expect_error_like() {
    local lines
    mapfile -t lines < <(own_stderr)
    [[ ${#lines[@]} == 1 ]] || fail "expected one line on stderr, found ${#lines[@]}"
    # shellcheck disable=SC2053 # the right side is a pattern
    [[ ${lines[0]} == "fmnist-dist: error: "$1 ]] || fail "expected the error line '$1'"
}

expect_error() {
    expect_error_like "$(printf '%s' "$1" | sed 's/[][\\*?]/\\&/g')"
}

remember_folder() { find . | sort >"$work/before"; }

expect_nothing_written() {
    find . | sort >"$work/after"
    diff "$work/before" "$work/after" >&2 || fail "the folder has changed"
}
