# shellcheck shell=bash
# Settings of the job files, each with its reason. The environment of sbatch overrides them, including
# those of Open MPI.

# Software: environment modules to load first, e.g. JOB_MODULES="openmpi/4.1 openblas".
if [[ -n ${JOB_MODULES-} ]]; then
    # shellcheck disable=SC2086 # a list of names
    module load $JOB_MODULES
fi

# The program. It must be the same file on all nodes.
if [[ -z ${JOB_PROGRAM-} ]]; then
    JOB_PROGRAM=$JOBS/../build/release/fmnist-dist
    [[ -x $JOB_PROGRAM ]] || JOB_PROGRAM=$(command -v fmnist-dist)
fi

# The launcher: mpirun, or srun --mpi=pmix. mpirun always matches its MPI and notices a lost node within
# the time set below; srun gives ranks the whole of KillWait to save their state.
: "${JOB_LAUNCH:=auto}"
if [[ $JOB_LAUNCH == auto ]]; then
    if command -v mpirun >/dev/null; then JOB_LAUNCH=mpirun; else JOB_LAUNCH=srun; fi
fi

# Binding. A rank computes on one core; binding keeps its caches warm. Use "none" where jobs share
# cores.
: "${JOB_BIND:=core}"

# The network for TCP: JOB_NETWORK=10.1.0.0/16, or an interface such as eno1. By default Open MPI tries
# all networks of a node, and hangs in those that do not reach the other nodes (containers,
# management). InfiniBand and the like are not affected.
if [[ -n ${JOB_NETWORK-} ]]; then
    export OMPI_MCA_btl_tcp_if_include=$JOB_NETWORK OMPI_MCA_oob_tcp_if_include=$JOB_NETWORK
fi

# A silent node (power, cable): both sides give up after 20 + 3 * 5 seconds; Open MPI's default is 300
# + 9 * 20. This covers mpirun's own connections; --hang-timeout of the program (300 s) covers the rest.
export OMPI_MCA_oob_tcp_keepalive_time=${OMPI_MCA_oob_tcp_keepalive_time:-20}
export OMPI_MCA_oob_tcp_keepalive_intvl=${OMPI_MCA_oob_tcp_keepalive_intvl:-5}
export OMPI_MCA_oob_tcp_keepalive_probes=${OMPI_MCA_oob_tcp_keepalive_probes:-3}

# With --gemm openblas on nodes with different CPUs, all must use the same kernels; Haswell runs on any
# CPU since 2015. The default kernels give the same bits on all CPUs.
if [[ -n ${OPENBLAS_CORETYPE-} ]]; then
    export OPENBLAS_CORETYPE
fi
