# shellcheck shell=bash
# What the jobs of this folder share. They set JOBS, the folder, and source this.
#
#   run_training RUN_DIR OPTIONS...   trains; returns 0: done, 75: to be requeued, else: failed
#   requeue                           back into the queue, to go on from the newest checkpoint
#   launch ARGUMENTS...               the program on all tasks of the job; returns its exit code
#   bind_words                        JOB_BIND as the launcher wants it
#   field FILE NAME                   a value of STATUS.json or run.json
set -uo pipefail

# shellcheck source=SCRIPTDIR/env.sh
source "$JOBS/env.sh"

# In an array a job is requeued by its place in it.
job=$SLURM_JOB_ID
[[ -z ${SLURM_ARRAY_JOB_ID-} ]] || job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID

say() { printf '%(%F %T)T job %s: %s\n' -1 "$job" "$*"; }

die() {
    say "$2" >&2
    exit "$1"
}

[[ -x ${JOB_PROGRAM-} ]] || die 66 "no program '${JOB_PROGRAM-}': build it, or set JOB_PROGRAM"

field() { sed -n "s/^ *\"$2\": \"\{0,1\}\([^\",]*\).*/\1/p;t" "$1" 2>/dev/null | head -n 1; }

newest_step() {
    local files=("$1"/checkpoints/step-*.weights.h5)
    local step=${files[-1]##*/step-}
    step=${step%%.*}
    if [[ $step =~ ^[0-9]+$ ]]; then echo $((10#$step)); else echo 0; fi
}

# A node that died keeps a socket named after job and step in its spool folder, and no step of that
# name starts there again. So each start of a job has steps that no start before it had.
skip_steps() {
    local i
    for ((i = 0; i < ${SLURM_RESTART_COUNT:-0}; i++)); do
        srun --nodes=1 --ntasks=1 true
    done
}

bind_words() {
    case $JOB_LAUNCH-$JOB_BIND in
        mpirun-*) echo "--bind-to $JOB_BIND" ;;
        *-none) echo --cpu-bind=none ;;
        *) echo "--cpu-bind=${JOB_BIND}s" ;;
    esac
}

# Slurm tells this shell alone, by USR1, that time is nearly up; the launcher tells the ranks, which
# save their state and end with 75. It tells all processes by TERM that they have to go; then this
# shell has to outlive the ranks, since they are killed when it ends.
launch() {
    local code=0 status heard=0 before pid=''
    local command=(mpirun)
    if [[ $JOB_LAUNCH == srun ]]; then
        command=(srun --mpi=pmix --kill-on-bad-exit=1)
        skip_steps
    fi
    told=''
    trap 'told=USR1 heard=$((heard + 1)); [[ -z $pid ]] || kill -USR1 "$pid"' USR1
    trap 'told=TERM heard=$((heard + 1))' TERM
    # shellcheck disable=SC2046 # words
    "${command[@]}" $(bind_words) "$JOB_PROGRAM" "$@" </dev/null &
    pid=$!
    [[ $told != USR1 ]] || kill -USR1 "$pid"
    # A trap ends the wait; to wait for what has ended meanwhile gives its exit code once.
    while :; do
        before=$heard
        wait "$pid"
        status=$?
        [[ $status != 127 ]] || break
        code=$status
        [[ $heard != "$before" ]] || break
    done
    trap - USR1 TERM
    return "$code"
}

# A job that ends again and again without a new checkpoint is not to go on for ever: RUN_DIR/tries
# has the newest step at the last start, and how many starts there were at that step.
count_try() {
    local run=$1 step tries=0
    begun_at=$(newest_step "$run")
    if read -r step tries 2>/dev/null <"$run/tries" && [[ $step != "$begun_at" ]]; then
        tries=0
    fi
    try=$((tries + 1))
    echo "$begun_at $try" >"$run/tries"
    ((try <= ${JOB_TRIES:=3}))
}

# What STATUS.json says, if it is of this try.
state_of() {
    local status=$1/STATUS.json
    if [[ $status -nt $1/tries ]]; then
        echo "$(field "$status" state) $(field "$status" exit_code)"
    fi
}

# judge RUN_DIR CODE: the exit code of a rank speaks for itself; mpirun's own (1 after TERM, 137
# after a kill, 205 after a lost node) does not.
judge() {
    local run=$1 code=$2
    case $code in
        0 | 75) return "$code" ;;
        73) ((${SLURM_RESTART_COUNT:-0} > 0)) || return 73 ;; # else: the last try is still dying
        64 | 65 | 66 | 70 | 71 | 74 | 76 | 77) return "$code" ;;
        *) case $(state_of "$run") in
            "done 0" | "stopped 0") return 0 ;;
            "stopped 75") return 75 ;;
            failed*) return "$(field "$run/STATUS.json" exit_code)" ;;
        esac ;;
    esac
    say "ended by a fault, exit code $code; newest checkpoint: step $(newest_step "$run")"
    if [[ $(newest_step "$run") == "$begun_at" ]] && ((try >= JOB_TRIES)); then
        say "$try tries have ended without a new checkpoint: no more of them"
        return 1
    fi
    return 75
}

run_training() {
    local run=$1 code=0
    shift
    mkdir -p "$run" || return 73
    if ! count_try "$run"; then
        say "$((try - 1)) tries have ended without a new checkpoint: no more of them"
        say "to try again: rm '$run/tries', and submit with JOB_RUN_DIR='$run'"
        return 1
    fi
    say "start ${SLURM_RESTART_COUNT:-0} on $SLURM_JOB_NODELIST, $JOB_LAUNCH, run folder $run"
    launch train --run-dir "$run" --resume auto "$@" || code=$?
    if [[ $told == TERM ]]; then
        say "ended by Slurm; newest checkpoint: step $(newest_step "$run"); to go on, if Slurm" \
            "does not requeue it: the same sbatch command with JOB_RUN_DIR='$run'"
        return 143
    fi
    judge "$run" "$code" || code=$?
    return "$code"
}

requeue() {
    say "requeue"
    if scontrol requeue "$job"; then
        sleep 60 # Slurm ends this script meanwhile
    fi
    die 75 "this job cannot be requeued; to go on: the same sbatch command with its run folder"
}
