"""A training whose result is known, and that lasts as long as a test needs without computing."""
import os
import re
import struct
import sys

import clusterlib as cl
import faultlib as fl

STEPS_AN_EPOCH = 20
LIBRARY = os.environ.get("FMD_STEP_PROBE_LIBRARY", "")
SLOT, RANKS, STARTS = 64, 64, 100


class Training:
    """Arguments of one training, its undisturbed end, and `slow`, a program that takes its time and
    counts its steps, each start of a job in a file of its own."""

    def __init__(self, folder, steps, pause, fashion_mnist=False, save_freq=15):
        self.save_freq = save_freq
        if fashion_mnist:
            data = ["--dataset", "fashion-mnist", "--limit", "6400", "--batch-size", "320"]
        else:
            data = ["--dataset", fl.make_data(os.path.join(folder, "data"), n_train=640, side=8),
                    "--batch-size", "32"]
        self.model = [*data, "--hidden", "32"]
        self.arguments = [*self.model, "--epochs", str(steps // STEPS_AN_EPOCH),
                          "--save-freq", str(save_freq), "--progress", "none"]
        self.reference = os.path.join(folder, "reference")
        code, output = fl.run_once([*self.arguments, "--run-dir", self.reference], timeout=120)
        if code == 66:
            fl.skip("the data set is not installed")
        if code != 0:
            sys.exit(f"the undisturbed training: exit code {code}: {output}")
        self.hash = hash_of(output)
        self.probe = os.path.join(folder, "probe")
        self.forget_steps()
        self.slow = os.path.join(folder, "slow")
        with open(self.slow, "w", encoding="utf-8") as f:
            f.write(f"#!/bin/sh\nstart=$(grep -c ': start [0-9]' {folder}/job-$SLURM_JOB_ID.out "
                    "2>/dev/null)\n"
                    f"export FMD_STEP_PROBE={self.probe}-${{start:-0}}\n"
                    f"export FMD_STEP_PAUSE=${{FMD_STEP_PAUSE:-{pause}}}\n"
                    f'LD_PRELOAD={LIBRARY} exec {os.path.abspath(fl.PROGRAM)} "$@"\n')
        os.chmod(self.slow, 0o755)

    def forget_steps(self):
        for start in range(STARTS):
            with open(f"{self.probe}-{start}", "wb") as f:
                f.write(bytes(SLOT * RANKS))

    def steps_done(self, output):
        """By the training with this output, in its last start."""
        start = len(re.findall(r": start \d", output))
        with open(f"{self.probe}-{start}", "rb") as f:
            slots = f.read()
        ended = max(struct.unpack_from("<3Q", slots, SLOT * i)[2] for i in range(RANKS))
        return resumed_steps(output)[-1] + ended

    def check(self, run):
        """That the run ended as the undisturbed one."""
        difference = fl.differs(run, self.reference)
        if difference:
            raise cl.Failed(f"{run}: {difference}")


def hash_of(output):
    return re.findall(r"^weights (xxh3:[0-9a-f]+)$", output, re.MULTILINE)[-1]


def resumed_steps(output):
    """0, and each step that a training in this output went on from."""
    return [0, *map(int, re.findall(r"^resume from step (\d+):", output, re.MULTILINE))]
