# shellcheck shell=bash
# What .ci/run and scripts/nightly share: steps that all run, and a summary of them.
#
#   step NAME COMMAND...   runs the command with its output shown; exit code 77 means skipped
#   conclude               prints the summary; the exit code of the script
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
summary=() failed=0

step() {
    local name=$1 log=$logs/log verdict=passed code skipped
    shift
    printf '\n==== %s: %s\n' "$name" "$*"
    SECONDS=0
    "$@" 2>&1 | tee "$log"
    code=${PIPESTATUS[0]}
    case $code in
        0) ;;
        77) verdict=skipped ;;
        *) verdict=FAILED failed=1 ;;
    esac
    skipped=$(grep -c '(Skipped)$' "$log") || skipped=''
    summary+=("$(printf '%-10s %s in %4d s  %s%s' "$name" "$verdict" "$SECONDS" \
        "$(grep '% tests passed' "$log" | tail -1)" "${skipped:+, $skipped skipped}")")
}

conclude() {
    printf '\n'
    printf '%s\n' "${summary[@]}"
    exit "$failed"
}
