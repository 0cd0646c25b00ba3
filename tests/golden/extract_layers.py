#!/usr/bin/env python3
"""Takes the layers that this program has out of the HDF5 files that real Keras filled.

    extract_layers.py FIXTURES [OUTPUT]

FIXTURES is the folder with layers.h5, bnsteps.h5, images.h5 and fit_cnn.h5; OUTPUT (this folder by
default) receives layers.golden: every case, with Keras' own description of its model;
images.golden: translations; and fit_cnn.golden: a whole fit(). README.md tells where the numbers come from.
"""
import argparse
import json
import os

import h5py

from extract import Golden, text


def config(h):
    """On one line, without what no reader looks at."""
    model = json.loads(text(h, "model_config"))
    for layer in model["config"]["layers"]:
        for key in ("module", "registered_name"):
            layer.pop(key, None)
    return json.dumps(model, separators=(",", ":"))


def case(g, name, h):
    trainable = text(h, "trainable").split()
    g.text(name + "/config", config(h))
    g.text(name + "/training", str(int(h.attrs["training"])))
    for array in ("x", "dy", "y64", "gx64"):
        g.array("%s/%s" % (name, array), h[array][()])
    for i, flag in enumerate(trainable):
        g.array("%s/w%d" % (name, i), h["w%d" % i][()])
        for array in ("g64_%d" % i, "after64_%d" % i):
            if array in h:
                g.array("%s/%s" % (name, array), h[array][()])
        assert (flag == "1") == ("g64_%d" % i in h)


def steps(g, name, h):
    n = len(text(h, "weight_names").split())
    g.text(name + "/config", config(h))
    for i in range(n):
        g.array("%s/w%d" % (name, i), h["w%d" % i][()])
    for array in ("x", "y_train64", "y_infer64", "moving_mean64", "moving_variance64"):
        values = h[array][()]
        if array in ("x", "y_train64"):  # one batch behind the other
            values = values.reshape(-1, *values.shape[2:])
        g.array("%s/%s" % (name, array), values)


def translations(g, h):
    g.array("input", h["x"][()])
    for name, case in h["translate"].items():
        for key in ("fill_mode", "interpolation"):
            g.text("%s/%s" % (name, key), text(case, key))
        for key in ("dx", "dy", "fill_value"):
            g.text("%s/%s" % (name, key), repr(float(case.attrs[key])))
        g.array(name + "/y", case["y"][()])
    g.text("cases", " ".join(h["translate"]))


def fit(g, h):
    n = len(text(h, "weight_names").split())
    g.text("config", config(h))
    for i in range(n):
        g.array("w%d" % i, h["w%d" % i][()])
        g.array("epochs3/w%d" % i, h["final%d" % i][()])
    for name in ("loss", "test_loss", "accuracy", "test_accuracy", "running_loss"):
        g.array(name, h[name][()])
    for name in ("loss64", "test_loss64"):
        g.array(name, h[name][()])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("fixtures")
    parser.add_argument("output", nargs="?", default=os.path.dirname(os.path.abspath(__file__)))
    args = parser.parse_args()
    with h5py.File(os.path.join(args.fixtures, "layers.h5"), "r") as layers, \
            h5py.File(os.path.join(args.fixtures, "bnsteps.h5"), "r") as bnsteps:
        g = Golden(bnsteps)
        g.header[1] = g.header[1].replace("extract.py from bnsteps.h5",
                                          "extract_layers.py from layers.h5 and bnsteps.h5")
        cases = ["%s/%s" % (kind, name) for kind in layers for name in layers[kind]]
        for name in cases:
            case(g, name, layers[name])
        for name in bnsteps:
            steps(g, name, bnsteps[name])
        g.text("cases", " ".join(cases))
        g.text("steps", " ".join(bnsteps))
    g.write(args.output, "layers")
    with h5py.File(os.path.join(args.fixtures, "images.h5"), "r") as images:
        g = Golden(images)
        g.header[1] = g.header[1].replace("extract.py", "extract_layers.py")
        translations(g, images)
    g.write(args.output, "images")
    with h5py.File(os.path.join(args.fixtures, "fit_cnn.h5"), "r") as source:
        g = Golden(source)
        g.header[1] = g.header[1].replace("extract.py", "extract_layers.py")
        fit(g, source)
    g.write(args.output, "fit_cnn")
    print("%d cases" % len(cases))


if __name__ == "__main__":
    main()
