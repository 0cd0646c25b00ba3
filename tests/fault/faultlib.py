"""What the fault tests share: a data set, the program, and a look at what it left.

A test works in a folder of its own, which is removed, and prints its seed. No time is judged: what is
waited for may take minutes.
"""
import argparse
import filecmp
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time

PROGRAM = os.environ.get("FMD_PROGRAM", "fmnist-dist")
SKIPPED = 77
STEP_FILE = re.compile(r"step-(\d{10,})\.weights\.h5$")
FINAL = "checkpoints/final.weights.h5"
# Files that a run may leave, and what it may set aside.
KNOWN = re.compile(r"(STATUS|config|run)\.json$|history\.csv$|events\.jsonl$|generation$|run\.lock$|"
                   r"checkpoints$|tries$")

# Started by hand: as ctest does.
if "FMD_ALONE" not in os.environ:
    ALONE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support", "alone")
    os.execv(ALONE, [ALONE, "0", *sys.argv])


def environment(**more):
    """A program without mpirun needs no daemon."""
    return {**os.environ, "OMPI_MCA_ess_singleton_isolated": "1", **more}


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


def parser(doc, seed=0):
    p = argparse.ArgumentParser(description=doc,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seed", type=int, default=seed, help="0: another one each time")
    p.add_argument("--keep", action="store_true",
                   help="keep the folder of the test, which is made in the current one")
    p.add_argument("--verbose", action="store_true", help="a line for each case")
    return p


class Bench:
    """The folder of a test, its random numbers, its failures."""

    def __init__(self, args):
        if shutil.which(PROGRAM) is None:
            sys.exit(f"the program to test, FMD_PROGRAM='{PROGRAM}', is not there")
        self.args = args
        self.seed = args.seed or int.from_bytes(os.urandom(4), "little")
        self.random = random.Random(self.seed)
        self.folder = tempfile.mkdtemp(prefix="fmnist-dist-fault-",
                                       dir=os.getcwd() if args.keep else None)
        self.failures = []
        self.began = time.monotonic()
        print(f"seed {self.seed}", flush=True)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def fail(self, case, why):
        self.failures.append((case, why))
        print(f"FAILED {case}: {why}", flush=True)

    def note(self, text):
        if self.args.verbose:
            print(text, flush=True)

    def end(self, summary):
        """The last line, and the exit code."""
        print(f"{summary}; {len(self.failures)} failures; seed {self.seed}; "
              f"{time.monotonic() - self.began:.0f} s", flush=True)
        if self.args.keep:
            print(f"the folder: {self.folder}")
        sys.exit(1 if self.failures else 0)


def write_idx(path, shape, data):
    with open(path, "wb") as f:
        f.write(bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + data)


def make_data(folder, n_train=160, n_test=20, side=6):
    """A tiny data set, the same each time: ten classes, each with a bright row of its own."""
    os.makedirs(folder)
    source = random.Random(1)
    for half, n in (("train", n_train), ("t10k", n_test)):
        labels = bytes(i % 10 for i in range(n))
        pixels = bytearray(source.randbytes(n * side * side))
        for i in range(n):
            for k in range(3):
                pixels[i * side * side + 3 * labels[i] + k] |= 128
        write_idx(f"{folder}/{half}-images-idx3-ubyte", (n, side, side), bytes(pixels))
        write_idx(f"{folder}/{half}-labels-idx1-ubyte", (n,), labels)
    return folder


def run_once(arguments, prefix=(), program=PROGRAM, timeout=200, env=None):
    """Runs the program alone: (exit code, or minus the signal, or None where it hung; output)."""
    try:
        done = subprocess.run([*prefix, program, "train", *arguments], env=env or environment(),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as hung:
        return None, (hung.stdout or b"").decode(errors="replace")
    return done.returncode, done.stdout.decode(errors="replace")


def resumed_step(output):
    """The step that the program says it goes on from."""
    found = re.search(r"^resume from step (\d+):", output, re.MULTILINE)
    return int(found.group(1)) if found else 0


def step_files(run):
    """The steps that have a checkpoint, newest first."""
    try:
        names = os.listdir(os.path.join(run, "checkpoints"))
    except OSError:
        return []
    return sorted((int(m.group(1)) for m in map(STEP_FILE.match, names) if m), reverse=True)


def step_path(run, step):
    return os.path.join(run, "checkpoints", f"step-{step:010d}.weights.h5")


def go_back(run, steps):
    """Leaves the checkpoints of these steps, newest first, and no final file."""
    os.unlink(os.path.join(run, FINAL))
    for step in set(step_files(run)) - set(steps):
        os.unlink(step_path(run, step))
    latest = os.path.join(run, "checkpoints", "latest.weights.h5")
    os.unlink(latest)
    os.symlink(os.path.basename(step_path(run, steps[0])), latest)
    if step_files(run) != steps:
        sys.exit(f"there are no checkpoints of the steps {steps}")


def bad_files(run):
    return sorted(n for n in os.listdir(os.path.join(run, "checkpoints")) if n.endswith(".bad"))


def remains(run):
    """What an unfinished write left behind."""
    inside = [n for n in os.listdir(os.path.join(run, "checkpoints"))
              if ".tmp-" in n or n.startswith(".emergency-")]
    return inside + [n for n in os.listdir(run) if not KNOWN.match(n)]


def history(run):
    """history.csv without its two time columns."""
    with open(os.path.join(run, "history.csv"), encoding="utf-8", errors="replace") as f:
        return [line.rstrip("\n").split(",")[:-2] for line in f]


def differs(run, reference):
    """What of the end of a run is not as in the undisturbed one; "" if all is."""
    try:
        if not filecmp.cmp(os.path.join(run, FINAL), os.path.join(reference, FINAL), False):
            return "final.weights.h5 differs"
        if history(run) != history(reference):
            return "history.csv differs"
    except OSError as missing:
        return f"{missing.filename} is missing"
    left = remains(run)
    return f"{left} are left" if left else ""
