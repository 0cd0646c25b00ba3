"""Two hosts of a test's own (clusterlib.py), and mpirun on them."""
import os
import re
import subprocess

import clusterlib as cl
import faultlib as fl

OURS = ("orted", "mpirun", "fmnist-dist", "/slow")


class Hosts:
    def __init__(self, folder, settings):
        self.folder = folder
        self.network = cl.Network(folder, ["h1", "h2"])
        self.network.up()
        # Those of jobs/env.sh, unless another one is given.
        command = f"JOBS={cl.SOURCES}/jobs; . $JOBS/env.sh; env"
        env = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True,
                             env=cl.environment(JOB_PROGRAM=fl.PROGRAM, **settings)).stdout
        # ssh takes no environment along.
        self.exported = ["-x", "OPENBLAS_CORETYPE"] if "OPENBLAS_CORETYPE" in os.environ else []
        self.settings = dict(re.findall(r"^(OMPI_MCA_\w+)=(.*)$", env, re.MULTILINE))

    def start(self, np, program, arguments, command="train"):
        """mpirun on h1, ranks in turn on h1 and h2."""
        agent = f"{cl.PYTHON} -B {cl.HOSTD} rsh {self.folder}"
        env = cl.environment(OMPI_MCA_plm_rsh_agent=agent, OMPI_MCA_plm="rsh", **self.settings)
        return self.network.hosts["h1"].start(
            ["mpirun", "--host", f"h1:{np},h2:{np}", "--map-by", "node", "-np", str(np),
             *self.exported, program, command, *arguments], env)

    def rest(self):
        """What of the training runs on either host."""
        return [f"{name}: {line}" for name, host in self.network.hosts.items()
                for line in host.processes() if any(word in line for word in OURS)]
