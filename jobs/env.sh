# shellcheck shell=bash
# What the jobs of this folder run with: each setting with its reason. Any of them can be given in
# the environment of sbatch instead, and a setting of Open MPI that is there already stays.

# Software. JOB_MODULES="openmpi/4.1 openblas": modules of the site to load first.
if [[ -n ${JOB_MODULES-} ]]; then
    # shellcheck disable=SC2086 # a list of names
    module load $JOB_MODULES
fi

# The program. It has to be the same file on all nodes.
if [[ -z ${JOB_PROGRAM-} ]]; then
    JOB_PROGRAM=$JOBS/../build/release/fmnist-dist
    [[ -x $JOB_PROGRAM ]] || JOB_PROGRAM=$(command -v fmnist-dist)
fi

# The launcher: mpirun, or srun --mpi=pmix. mpirun always speaks to its own MPI and sees a lost node
# within the time set below; srun leaves ranks all of KillWait to save their state. README.md.
: "${JOB_LAUNCH:=auto}"
if [[ $JOB_LAUNCH == auto ]]; then
    if command -v mpirun >/dev/null; then JOB_LAUNCH=mpirun; else JOB_LAUNCH=srun; fi
fi

# Binding. A rank computes on one core; bound to it, it keeps what its caches hold. "none" where
# jobs share cores.
: "${JOB_BIND:=core}"

# The network. JOB_NETWORK=10.1.0.0/16, or an interface such as eno1: what MPI may use over TCP. By
# default it tries all networks of a node, and hangs in those that do not reach the other nodes
# (containers, management). It has no part in InfiniBand and the like.
if [[ -n ${JOB_NETWORK-} ]]; then
    export OMPI_MCA_btl_tcp_if_include=$JOB_NETWORK OMPI_MCA_oob_tcp_if_include=$JOB_NETWORK
fi

# A node that is gone without a word (power, cable): both sides end after 20 + 3 * 5 seconds. Open
# MPI's own setting is 300 + 9 * 20. It holds for the connections of mpirun; --hang-timeout of the
# program, 300 s, is behind it.
export OMPI_MCA_oob_tcp_keepalive_time=${OMPI_MCA_oob_tcp_keepalive_time:-20}
export OMPI_MCA_oob_tcp_keepalive_intvl=${OMPI_MCA_oob_tcp_keepalive_intvl:-5}
export OMPI_MCA_oob_tcp_keepalive_probes=${OMPI_MCA_oob_tcp_keepalive_probes:-3}

# Nodes with different CPUs, with --gemm openblas: its kernels have to be the same on all of them.
# Haswell is what every CPU since 2015 has. Our own kernels give the same bits on all.
if [[ -n ${OPENBLAS_CORETYPE-} ]]; then
    export OPENBLAS_CORETYPE
fi
