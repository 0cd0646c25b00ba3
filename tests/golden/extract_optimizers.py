#!/usr/bin/env python3
"""Takes the optimizers that this program has out of optimizers6.h5, which real Keras filled.

    extract_optimizers.py FIXTURES [OUTPUT]

FIXTURES is the folder with optimizers6.h5; OUTPUT (this folder by default) receives
optimizer_steps.golden: six steps of each setting with given gradients, in float64. README.md tells
where the numbers come from.
"""
import argparse
import json
import os

import h5py

from extract import Golden, text

LACKING = ["adafactor", "muon", "adam_accum2", "adam_sched"]


def case(g, name, h):
    config = json.loads(text(h, "config"))
    variables = text(h, "variables").split()
    g.text(name + "/class_name", text(h, "class_name"))
    g.text(name + "/learning_rate", repr(config["learning_rate"]))
    slots = [v.rpartition("dense_kernel_")[2] for v in variables if "dense_kernel_" in v]
    g.text(name + "/slots", " ".join(slots))
    for i in range(3):
        g.array("%s/p64_%d" % (name, i), h["p%d64" % i][()])
        if "final%d64" % i in h:
            g.array("%s/final64_%d" % (name, i), h["final%d64" % i][()])
    for i in range(len(variables)):  # iteration and learning rate are the first
        g.array("%s/s64_%d" % (name, i), h["s64_%d" % i][()].astype("f8"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("fixtures")
    parser.add_argument("output", nargs="?", default=os.path.dirname(os.path.abspath(__file__)))
    args = parser.parse_args()
    with h5py.File(os.path.join(args.fixtures, "optimizers6.h5"), "r") as source:
        g = Golden(source)
        g.header[1] = g.header[1].replace("extract.py", "extract_optimizers.py")
        for i in range(3):
            g.array("p%d" % i, source["p%d" % i][()])
            g.array("g%d" % i, source["g%d" % i][()])
        cases = [name for name in source
                 if isinstance(source[name], h5py.Group) and name not in LACKING]
        for name in cases:
            case(g, name, source[name])
        g.text("cases", " ".join(cases))
    g.write(args.output, "optimizer_steps")


if __name__ == "__main__":
    main()
