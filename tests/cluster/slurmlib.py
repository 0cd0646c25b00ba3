"""A Slurm of a test's own, on hosts of its own: slurmctld on `head`, slurmd on the nodes."""
import os
import random
import re

import clusterlib as cl
import faultlib as fl
import trainlib as tl

CPUS, MEGABYTES = 4, 4000
TRAIN = os.path.join(cl.SOURCES, "jobs", "train.sbatch")
# Short, so that tests are: by default a node is down after 300 s, processes have 30 s after TERM,
# and a requeued job waits for 120 s (cred_expire). Slurm must not give a node up before the job has.
CONFIGURATION = """
ClusterName=test
SlurmctldHost=head({head})
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=cred_expire=5
SlurmdTimeout=20
KillWait=5
MessageTimeout=10
TCPTimeout=2
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
SlurmctldDebug=verbose
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
MinJobAge=3600
NodeName={nodes} Sockets=1 CoresPerSocket={cpus} ThreadsPerCore=1 RealMemory={megabytes}
PartitionName=main Nodes={nodes} Default=YES PriorityTier=1
PartitionName=grace Nodes={nodes} PriorityTier=1 GraceTime=20
PartitionName=urgent Nodes={nodes} PriorityTier=100 PreemptMode=OFF
"""


class Slurm(cl.Network):
    def __init__(self, folder, n):
        self.nodes = [f"node{i + 1}" for i in range(n)]
        super().__init__(folder, ["head", *self.nodes])
        for name in ("state", "spool", "etc"):
            os.mkdir(os.path.join(folder, name))
        with open(os.path.join(folder, "munge.key"), "wb") as key:
            key.write(os.urandom(128))
        os.chmod(key.name, 0o600)
        self.write("slurm.conf", CONFIGURATION.format(
            head=self.addresses["head"], folder=folder, nodes=f"node[1-{n}]", cpus=CPUS,
            megabytes=MEGABYTES))
        # Named, or slurmd looks for one and gives up; nothing uses it.
        self.write("cgroup.conf", "CgroupPlugin=cgroup/v1\n")
        self.write("mpi.conf", "PMIxCliTmpDirBase=/run/tmp\n")  # not in the /tmp of all hosts
        self.overlays.append(f"{folder}/etc=/etc/slurm")

    def write(self, name, text):
        with open(os.path.join(self.folder, "etc", name), "w", encoding="utf-8") as f:
            f.write(text)

    def boot(self, name):
        host = super().boot(name)
        host.run("mkdir", "-p", "/run/munge")
        host.run("munged", "--force", f"--key-file={self.folder}/munge.key",
                 f"--log-file={self.folder}/munged-{name}.log", "--seed-file=/run/munge/seed",
                 "--num-threads=2")
        host.run("slurmctld" if name == "head" else "slurmd")
        return host

    def up(self):
        super().up()
        cl.await_true("all nodes are idle", 30, lambda: all(
            state == "idle" for state in self.node_states().values()))

    def head(self, *argv, env=None):
        return self.hosts["head"].run(*argv, env=env)

    def node_states(self):
        lines = self.head("sinfo", "-h", "-N", "-p", "main", "-o", "%N %T").splitlines()
        return dict(line.split() for line in lines)

    def await_idle(self, seconds=60):
        cl.await_true("all nodes are idle", seconds, lambda: all(
            state == "idle" for state in self.node_states().values()))

    def start_anew(self):
        """Without the jobs of a test that failed."""
        for node in set(self.addresses) - set(self.hosts):
            self.boot(node)
        self.head("scancel", "--user=root")
        self.await_idle()

    def submit(self, script, *arguments, options=(), **environment):
        """The number of the job; its output goes to job-<number>.out."""
        answer = self.head("sbatch", "--parsable", "--output=job-%j.out", *options, script,
                           *arguments, env=cl.environment(**environment))
        return Job(self, answer.strip())


class Job:
    def __init__(self, slurm, number):
        self.slurm, self.number = slurm, number

    def show(self, name):
        text = self.slurm.head("scontrol", "show", "job", self.number)
        return re.search(rf"\b{name}=(\S*)", text).group(1)

    def state(self):
        return self.show("JobState")

    def state_of(self, states):
        """Which of these it is in; None: another one."""
        state = self.state()
        return state if state in states else None

    def restarts(self):
        return int(self.show("Restarts"))

    def log(self):
        try:
            with open(os.path.join(self.slurm.folder, f"job-{self.number}.out"), encoding="utf-8",
                      errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def await_state(self, seconds, *states):
        try:
            return cl.await_true(f"job {self.number} is {' or '.join(states)}", seconds,
                                 lambda: self.state_of(states), every=0.2)
        except cl.Failed as failed:
            raise cl.Failed(f"{failed}, but {self.state()}:\n{self.log()}") from None


ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
SHORT_KEEPALIVE = {"OMPI_MCA_oob_tcp_keepalive_time": "2", "OMPI_MCA_oob_tcp_keepalive_intvl": "1",
                   "OMPI_MCA_oob_tcp_keepalive_probes": "3", "JOB_PROBE_TIMEOUT": "3"}


def await_checkpoints(job, run, n, seconds=60):
    """Until the run has n checkpoints more than now."""
    before = (fl.step_files(run) or [0])[0]
    seen = {before}

    def grown():
        seen.update(fl.step_files(run)[:1])
        return len(seen) > n
    try:
        cl.await_true(f"{run} has {n} more checkpoints", seconds, grown)
    except cl.Failed as failed:
        raise cl.Failed(f"{failed}; {job.state()}:\n{job.log()}") from None


def await_resumed(job, seen, seconds):
    """Until its output says once more that it goes on from a step."""
    try:
        cl.await_true(f"job {job.number} goes on", seconds,
                      lambda: len(tl.resumed_steps(job.log())) > seen or job.state() in ENDED)
    except cl.Failed as failed:
        raise cl.Failed(f"{failed}; {job.state()}:\n{job.log()}") from None
    if len(tl.resumed_steps(job.log())) <= seen:
        raise cl.Failed(f"job {job.number} is {job.state()}:\n{job.log()}")


def await_stopped(job):
    cl.await_true(f"job {job.number} has stopped", 180,
                  lambda: job.state() in ("PENDING", *ENDED), every=0.1)


# What can happen to a job. Each returns when its processes have gone.

def requeue(job):
    job.slurm.head("scontrol", "requeue", job.number)
    await_stopped(job)


def preempt(job):
    """An urgent job needs all nodes; with GraceTime the ranks have time to end by themselves."""
    answer = job.slurm.head("sbatch", "--parsable", "--partition=urgent", "--exclusive",
                            f"--nodes={len(job.slurm.nodes)}", "--output=urgent-%j.out",
                            "--wrap=sleep 1")
    Job(job.slurm, answer.strip()).await_state(90, "COMPLETED")


def kill(host, pattern):
    """-9 to the first process of the host whose command line has this."""
    for line in host.run("ps", "-eo", "pid=,args=").splitlines():
        pid, args = line.split(None, 1)
        if re.search(pattern, args):
            host.run("kill", "-9", pid)
            return
    raise cl.Failed(f"nothing to kill on {host.name}: {pattern}")


def kill_rank(job):
    node = random.choice(job.slurm.nodes)
    kill(job.slurm.hosts[node], f"^{re.escape(os.path.abspath(fl.PROGRAM))} train")


def kill_launcher(job):
    kill(job.slurm.hosts[job.show("BatchHost")], "^(mpirun|srun) ")


def crash_node(job, last, told):
    """The last or the first node of the job; it is back when the job has stopped, or goes on without
    it."""
    batch, seen = job.show("BatchHost"), len(tl.resumed_steps(job.log()))
    node = next(n for n in job.slurm.nodes if (n == batch) != last)
    job.slurm.crash(node, told)
    cl.await_true(f"job {job.number} has stopped or goes on", 180, lambda: (
        job.state() in ("PENDING", *ENDED) or len(tl.resumed_steps(job.log())) > seen), every=0.1)
    job.slurm.boot(node)


def run_out_of_time(job):
    """Its limit becomes a minute, and the warning before it the next thing that it hears."""
    job.slurm.head("scontrol", "update", f"JobId={job.number}", "TimeLimit=1")
    await_stopped(job)
    job.slurm.head("scontrol", "update", f"JobId={job.number}", "TimeLimit=60")
