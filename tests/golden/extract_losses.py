#!/usr/bin/env python3
"""Takes the losses and metrics that this program has out of the HDF5 files that real Keras filled.

    extract_losses.py FIXTURES [OUTPUT]

FIXTURES is the folder with losses.h5 and metrics.h5; OUTPUT (this folder by default) receives
losses.golden. README.md tells where the numbers come from.
"""
import argparse
import os

import h5py

from extract import Golden

CASES = ["scce_logits", "cce_ls01", "mse_probs"]
METRICS = ["accuracy", "top1", "top3", "top5", "f1_macro"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fixtures")
    parser.add_argument("output", nargs="?", default=os.path.dirname(os.path.abspath(__file__)))
    args = parser.parse_args()
    with h5py.File(os.path.join(args.fixtures, "losses.h5")) as f:
        g = Golden(f)
        g.array("logits", f["logits"][()])
        g.array("labels", f["labels"][()], "u1")
        for case in CASES:
            g.array(case + "/loss64", f[case]["loss64"][()])
            g.array(case + "/gz64", f[case]["gz64"][()])
        m = f["model"]
        g.array("model/inputs", m["x"][()])
        g.array("model/y", m["y"][()], "u1")
        for name in ("w0", "w1", "class_weight"):
            g.array("model/" + name, m[name][()])
        for name in ("batch_loss", "batch_accuracy", "after0", "after1"):
            g.array("model/" + name, m["cw"][name][()])
    with h5py.File(os.path.join(args.fixtures, "metrics.h5")) as f:
        g.array("metrics/p", f["p"][()])
        g.array("metrics/y", f["y"][()], "u1")
        for name in METRICS:
            g.array("metrics/" + name, f[name][()])
    g.write(args.output, "losses")


main()
