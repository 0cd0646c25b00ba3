# shellcheck shell=bash
# Functions that the job files share. A job sets JOBS, this folder, and sources this file.
#
#   run_training RUN_DIR OPTIONS...   trains, again on the nodes that answer after a fault;
#                                     returns 0: done, 75: requeue it, else: failed
#   requeue                           puts the job back into the queue; it resumes from the newest checkpoint
#   launch ARGUMENTS...               runs the program on all tasks of the job; returns its exit code
#   bind_words                        prints JOB_BIND as options of the launcher
#   field FILE NAME                   prints a value of STATUS.json or run.json; nothing if it is absent
set -uo pipefail

# shellcheck source=SCRIPTDIR/env.sh
source "$JOBS/env.sh"

# Slurm requeues a task of an array by its index.
job=$SLURM_JOB_ID
[[ -z ${SLURM_ARRAY_JOB_ID-} ]] || job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID

say() { printf '%(%F %T)T job %s: %s\n' -1 "$job" "$*"; }

die() {
    say "$2" >&2
    exit "$1"
}

[[ -f ${JOB_PROGRAM-} && -x $JOB_PROGRAM ]] ||
    die 66 "no program '${JOB_PROGRAM-}': build it, or set JOB_PROGRAM"
[[ ${JOB_TRIES:=3} =~ ^[1-9][0-9]*$ ]] || die 64 "JOB_TRIES is '$JOB_TRIES': expected a number from 1"
[[ ${JOB_RESTARTS:=10} =~ ^[0-9]+$ ]] || die 64 "JOB_RESTARTS is '$JOB_RESTARTS': expected a number from 0"
[[ ${JOB_PROBE_TIMEOUT:=30} =~ ^[1-9][0-9]*$ ]] ||
    die 64 "JOB_PROBE_TIMEOUT is '$JOB_PROBE_TIMEOUT': expected seconds, from 1"
[[ ${JOB_MIN_NODES:=1} =~ ^[1-9][0-9]*$ ]] || die 64 "JOB_MIN_NODES is '$JOB_MIN_NODES': expected a number from 1"

field() { sed -n "s/^ *\"$2\": \"\{0,1\}\([^\",]*\).*/\1/p;t" "$1" 2>/dev/null | head -n 1; }

newest_step() {
    local files=("$1"/checkpoints/step-*.weights.h5)
    local step=${files[-1]##*/step-}
    step=${step%%.*}
    if [[ $step =~ ^[0-9]+$ ]]; then echo $((10#$step)); else echo 0; fi
}

# A dead node keeps a socket in its spool folder, named after job and step, and refuses another step
# of that name. So a restarted job skips the numbers of the steps that it has used.
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

# The tasks of each node of the job, a line each: "2(x3),1" is 2, 2, 2, 1.
task_counts() {
    local part i
    for part in ${SLURM_TASKS_PER_NODE//,/ }; do
        i=1
        [[ ! $part =~ x([0-9]+) ]] || i=${BASH_REMATCH[1]}
        for (( ; i > 0; i--)); do echo "${part%%(*}"; done
    done
}

# Sets `nodes`, the nodes of the job that start a command within JOB_PROBE_TIMEOUT s, `tasks`, the number of tasks on
# each of them, and `silent`, the number of the others.
find_nodes() {
    local all counts answers i
    mapfile -t all < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
    mapfile -t counts < <(task_counts)
    answers=$(
        for i in "${!all[@]}"; do
            timeout -k 5 "$JOB_PROBE_TIMEOUT" srun --mpi=none --overlap --nodes=1 --ntasks=1 "--nodelist=${all[i]}" \
                echo ":$i:" 2>/dev/null &
        done
        wait
    )
    nodes=() tasks=() silent=0
    for i in "${!all[@]}"; do
        if [[ $answers == *":$i:"* ]]; then
            nodes+=("${all[i]}") tasks+=("${counts[i]}")
        else
            silent=$((silent + 1))
        fi
    done
}

# Makes `nodes` the nodes of the job. Slurm would end the whole job once it notices the dead ones.
# scontrol leaves files in the current folder.
shrink() {
    local list words folder
    list=$(IFS=,; echo "${nodes[*]}") words=$(IFS=,; echo "${tasks[*]}")
    folder=$(mktemp -d) || return 1
    (cd "$folder" && scontrol update "JobId=$job" "NodeList=$list")
    local code=$?
    rm -rf "$folder"
    export SLURM_JOB_NODELIST=$list SLURM_NODELIST=$list SLURM_TASKS_PER_NODE=$words \
        SLURM_JOB_NUM_NODES=${#nodes[@]} SLURM_NNODES=${#nodes[@]} SLURM_NTASKS=$((${words//,/+}))
    return "$code"
}

# Before the time limit, Slurm sends USR1 to this shell alone; it passes the signal on to the launcher,
# and the ranks save their state and end with 75. To end a job, Slurm sends TERM to all processes; then
# this shell must outlive the ranks, since Slurm kills them when it ends.
listen() {
    told='' heard=0 pid=''
    trap 'told=USR1 heard=$((heard + 1)); [[ -z $pid ]] || kill -USR1 "$pid"' USR1
    trap 'told=TERM heard=$((heard + 1))' TERM
}

launch() {
    local code=0 status before
    local command=(mpirun)
    if [[ $JOB_LAUNCH == srun ]]; then
        command=(srun --mpi=pmix --kill-on-bad-exit=1)
        skip_steps
    fi
    # shellcheck disable=SC2046 # words
    "${command[@]}" $(bind_words) "$JOB_PROGRAM" "$@" </dev/null &
    pid=$!
    [[ $told != USR1 ]] || kill -USR1 "$pid"
    # A trap ends the wait. Waiting again returns the exit code, once, even of an ended process.
    while :; do
        before=$heard
        wait "$pid"
        status=$?
        [[ $status != 127 ]] || break
        code=$status
        [[ $heard != "$before" ]] || break
    done
    pid=''
    return "$code"
}

# A job that keeps ending without a new checkpoint must stop some day. RUN_DIR/tries holds the newest
# step at the last start, and the number of starts at that step.
count_try() {
    local run=$1 step tries=0
    begun_at=$(newest_step "$run")
    read -r step tries 2>/dev/null <"$run/tries" || :
    [[ ${step-} == "$begun_at" && ${tries-} =~ ^[0-9]+$ ]] || tries=0
    try=$((tries + 1))
    echo "$begun_at $try" >"$run/tries"
    ((try <= JOB_TRIES))
}

# State and exit code of STATUS.json, if this try wrote it.
state_of() {
    local status=$1/STATUS.json
    if [[ $status -nt $1/tries ]]; then
        echo "$(field "$status" state) $(field "$status" exit_code)"
    fi
}

# judge RUN_DIR CODE: the exit code of a rank is clear. For mpirun's own codes (1 after TERM, 137
# after a kill, 205 after a lost node), STATUS.json decides. Sets `fault` if another start may help.
judge() {
    local run=$1 code=$2
    fault=''
    case $code in
        0 | 75) return "$code" ;;
        73) is_restarted || return 73 ;; # the last try is still ending
        71)
            ((lost > 0)) || return 71
            say "too little memory without the lost nodes"
            return 75
            ;;
        64 | 65 | 66 | 70 | 74 | 76 | 77) return "$code" ;;
        *) case $(state_of "$run") in
            "done 0" | "stopped 0") return 0 ;;
            "stopped 75") return 75 ;;
            "failed "[1-9]*) return "$(field "$run/STATUS.json" exit_code)" ;;
        esac ;;
    esac
    say "ended by a fault, exit code $code; newest checkpoint: step $(newest_step "$run")"
    if [[ $(newest_step "$run") == "$begun_at" ]] && ((try >= JOB_TRIES)); then
        say "gave up: $try tries in a row ended without a new checkpoint"
        return 1
    fi
    fault=yes
    return 75
}

is_restarted() { ((${SLURM_RESTART_COUNT:-0} + restarts > 0)); }

# Whether the training can start again in this allocation. Under srun it cannot: Slurm itself has to
# give the dead node up first.
can_restart() {
    [[ $JOB_LAUNCH == mpirun ]] && ((restarts < JOB_RESTARTS)) || return 1
    find_nodes
    ((silent == 0)) || say "nodes that do not answer: $silent of $((silent + ${#nodes[@]}))"
    if [[ -n $told ]] || ((${#nodes[@]} < JOB_MIN_NODES)); then return 1; fi
    ((silent == 0)) || shrink || return 1
    restarts=$((restarts + 1)) lost=$((lost + silent))
}

run_training() {
    local run=$1 code waits
    shift
    mkdir -p "$run" || return 73
    restarts=0 lost=0
    listen
    while :; do
        if ! count_try "$run"; then
            say "gave up: $((try - 1)) tries in a row ended without a new checkpoint"
            say "to try again: rm ${run@Q}/tries, and submit with JOB_RUN_DIR=${run@Q}"
            code=1
            break
        fi
        say "start ${SLURM_RESTART_COUNT:-0}.$restarts on $SLURM_JOB_NODELIST, $JOB_LAUNCH, run folder $run"
        code=0
        launch train --run-dir "$run" --resume auto "$@" || code=$?
        # Ranks of the last start may still be ending.
        for ((waits = 0; waits < 6 && code == 73; waits++)); do
            if ! is_restarted || [[ -n $told ]]; then break; fi
            sleep 5
            code=0
            launch train --run-dir "$run" --resume auto "$@" || code=$?
        done
        [[ $told != TERM ]] || break
        if judge "$run" "$code"; then code=0; else code=$?; fi
        if [[ -n $told || -z $fault ]] || ! can_restart; then break; fi
    done
    trap - USR1 TERM
    if [[ $told == TERM ]]; then
        say "ended by Slurm; newest checkpoint: step $(newest_step "$run"); unless Slurm requeues" \
            "it, resume with the same sbatch command and JOB_RUN_DIR=${run@Q}"
        return 143
    fi
    return "$code"
}

requeue() {
    say "requeue"
    if scontrol requeue "$job"; then
        sleep 60 # Slurm ends this script meanwhile
    fi
    die 75 "this job cannot be requeued; resume with the same sbatch command and its JOB_RUN_DIR"
}
