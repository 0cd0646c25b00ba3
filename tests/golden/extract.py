#!/usr/bin/env python3
"""Takes what the golden tests need out of the HDF5 files that real Keras filled.

    extract.py FIXTURES [OUTPUT]

FIXTURES is the folder with golden.h5, activations.h5, optimizers.h5, fit.h5 and models/; OUTPUT
(this folder by default) receives *.golden and the two files that Keras wrote, as they are. README.md tells where the numbers come from and what the form is.
"""
import argparse
import json
import os
import shutil

import h5py
import numpy as np

ACTIVATIONS = ["linear", "relu", "leaky_relu", "elu", "gelu", "sigmoid", "tanh"]
MODELS = ["softmax", "tutorial", "act_relu", "act_leaky_relu", "act_elu", "act_gelu", "act_sigmoid",
          "act_tanh", "act_linear", "activation_layers", "nobias", "odd_shapes", "saturated"]
INPUT_GRADIENTS = ["activation_layers", "nobias", "odd_shapes", "saturated"]
OPTIMIZERS = ["adam", "adam_params", "sgd", "sgd_momentum", "sgd_nesterov", "rmsprop",
              "rmsprop_centered", "rmsprop_momentum_centered", "adagrad", "adam_amsgrad",
              "adam_clipnorm", "adam_clipvalue", "adam_global_clipnorm", "adamw", "adamw_lr01",
              "lamb", "nadam", "sgd_clipnorm", "sgd_global_clipnorm", "sgd_weight_decay"]
STEPS = [1, 2, 20]
SCHEDULES = ["cosine", "cosine_alpha", "cosine_restarts", "cosine_warmup", "cosine_warmup_from_zero", "exponential",
             "exponential_staircase", "inverse_time", "inverse_time_staircase", "piecewise_constant", "polynomial", "polynomial_cycle",
             "polynomial_power2"]
SAVED = "mlp-keras-3.15.1"  # .h5 and .weights.h5
SAVED_CONVOLUTIONAL = ["res_cnn-keras-3.15.1.keras", "res_cnn-keras-3.15.1.h5",
                       "res_cnn-keras-3.15.1.weights.h5", "res_cnn-keras-3.3.3.keras",
                       "seq_cnn-keras-3.15.1.keras", "seq_cnn-keras-3.15.1.h5",
                       "seq_cnn-keras-3.3.3.weights.h5"]
SAVED_IMAGES = 32
MODEL_ROW_STEP, FIT_ROW_STEP = 13, 27  # of kernels too large to keep whole


def text(group, name):
    value = group.attrs[name]
    return value.decode() if isinstance(value, bytes) else str(value)


class Golden:
    """A .golden file: a header in words, then the arrays end to end."""

    def __init__(self, source):
        self.header = ["fmd-golden 1", "made_by text extract.py from %s, Keras %s on %s" % (
            os.path.basename(source.filename), text(source, "keras_version"),
            text(source, "backend"))]
        self.data = bytearray()

    def text(self, name, value):
        assert "\n" not in value and " " not in name
        self.header.append("%s text %s" % (name, value))

    def array(self, name, values, dtype=None):
        values = np.asarray(values)
        if dtype is None:
            dtype = {"f": "f%d" % values.itemsize}[values.dtype.kind]
            if dtype == "f4":  # pixels: small whole numbers over a divisor, if that is exact
                for short, divisor in (("u1", 255), ("u2", 1020), ("u2", 4080)):
                    whole = np.rint(values.astype("f8") * divisor)
                    if name.split("/")[-1] == "x" and whole.min() >= 0 and np.array_equal(
                            whole.astype("f4") / np.float32(divisor), values):
                        values, dtype = whole, "%s/%d" % (short, divisor)
                        break
        stored = values.astype("<" + dtype.split("/")[0])
        assert np.array_equal(stored, values)
        shape = values.shape or (1,)
        self.header.append(" ".join(map(str, [name, dtype, len(shape), *shape, len(self.data)])))
        self.data += stored.tobytes()

    def kernel(self, name, values, row_step):
        """Large kernels: every row_step-th row, which meets every column of the image."""
        if values.size > 50000:
            self.array(name + "_rows", values[::row_step])
        else:
            self.array(name, values)

    def write(self, folder, name):
        path = os.path.join(folder, name + ".golden")
        with open(path, "wb") as f:
            f.write(("\n".join(self.header) + "\ndata\n").encode() + self.data)
        print("%-40s %7d bytes" % (path, os.path.getsize(path)))


def models(source, out):
    g = Golden(source)
    g.text("cases", " ".join(MODELS))
    g.text("row_step", str(MODEL_ROW_STEP))
    for case in MODELS:
        h = source[case]
        g.text(case + "/layers", text(h, "layers"))
        g.array(case + "/x", h["x"][()])
        g.array(case + "/y", h["y"][()], "u1")
        for name in ("forward", "forward64", "loss", "loss64"):
            g.array(case + "/" + name, h[name][()])
        for i in range(int(h.attrs["n_weights"])):
            g.array("%s/w%d" % (case, i), h["w%d" % i][()])
            g.kernel("%s/g%d" % (case, i), h["g%d" % i][()], MODEL_ROW_STEP)
        if case in INPUT_GRADIENTS:
            g.array(case + "/grad_of_input", h["gx"][()])
    g.write(out, "model")


def activations(source, out):
    g = Golden(source)
    g.text("cases", " ".join(ACTIVATIONS))
    g.array("x", source["x"][()])
    for case in ACTIVATIONS:
        for name in ("y", "dydx", "y64", "dydx64"):
            g.array(case + "/" + name, source[case][name][()])
    g.write(out, "activation")


def optimizers(source, out):
    g = Golden(source)
    b = source["batches"]
    g.text("layers", text(b, "layers"))
    g.text("cases", " ".join(OPTIMIZERS))
    g.text("steps", " ".join(map(str, STEPS)))
    g.array("x", b["x"][()])
    g.array("y", b["y"][()], "u1")
    n = 4
    for i in range(n):
        g.array("w%d" % i, b["w%d" % i][()])
    for case in OPTIMIZERS:
        h = source["optimizers"][case]
        config = json.loads(text(h, "config"))
        g.text(case + "/class_name", text(h, "class_name"))
        g.text(case + "/config", json.dumps({k: v for k, v in config.items() if v is not None}))
        g.array(case + "/learning_rate", h["learning_rate"][()])
        g.array(case + "/loss", h["loss"][()])
        slots = [v.split("_dense_kernel_")[1] for v in text(h, "optimizer_variables").split(",")
                 if "_dense_kernel_" in v]
        g.text(case + "/slots", " ".join(slots))
        for step in STEPS:
            s = h["step%02d" % step]
            for i in range(n):
                g.array("%s/step%02d/w%d" % (case, step, i), s["w%d" % i][()])
        for slot in slots:
            for i in range(n):
                g.array("%s/%s%d" % (case, slot, i), s["%s%d" % (slot, i)][()])
    g.write(out, "optimizer")


def schedules(source, out):
    g = Golden(source)
    g.text("cases", " ".join(SCHEDULES))
    for case in SCHEDULES:
        h = source["schedules"][case]
        g.text(case + "/config", text(h, "config"))
        g.array(case + "/learning_rate", h["learning_rate"][()])
        g.array(case + "/learning_rate64", h["learning_rate64"][()])
    g.write(out, "schedule")


def fit(source, out):
    g = Golden(source)
    g.text("layers", text(source, "layers"))
    g.text("row_step", str(FIT_ROW_STEP))
    for i in range(4):
        g.array("w%d" % i, source["w%d" % i][()])
    h = source["epochs2"]
    for name in ("loss", "loss64", "accuracy", "test_loss", "test_loss64", "test_accuracy"):
        assert np.array_equal(source["epochs1"][name][()], h[name][:1])
        g.array(name, h[name][()])
    g.array("running_loss", h["running_loss"][()])
    for epochs in (1, 2):
        for i in range(4):
            g.kernel("epochs%d/w%d" % (epochs, i), source["epochs%d/w%d" % (epochs, i)][()],
                     FIT_ROW_STEP)
    g.write(out, "fit")


def saved(source, out):
    """Files that Keras saved, and what their model predicts."""
    g = Golden(source)
    h = source["mlp"]
    g.text("layers", text(h, "layers"))
    g.array("probabilities", h["probs"][:SAVED_IMAGES])
    for name in ("test_loss", "test_accuracy"):
        g.array(name, np.float32(h.attrs[name]))
    g.write(out, "saved")
    for end in (".h5", ".weights.h5"):
        shutil.copyfile(os.path.join(os.path.dirname(source.filename), SAVED + end),
                        os.path.join(out, SAVED + end))


def saved_convolutional(source, out):
    """The same of two models with convolutions, from the fixtures of 2026-11-28."""
    g = Golden(source)
    for name in ("res_cnn", "seq_cnn"):
        g.array(name + "/probabilities", source[name]["probs"][:SAVED_IMAGES])
        for value in ("test_loss", "test_accuracy"):
            g.array("%s/%s" % (name, value), np.float32(source[name].attrs[value]))
    g.write(out, "saved_convolutional")
    for name in SAVED_CONVOLUTIONAL:
        shutil.copyfile(os.path.join(os.path.dirname(source.filename), name),
                        os.path.join(out, name))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fixtures")
    parser.add_argument("output", nargs="?", default=os.path.dirname(os.path.abspath(__file__)))
    a = parser.parse_args()
    if not os.path.exists(os.path.join(a.fixtures, "golden.h5")):  # those of 2026-11-28
        with h5py.File(os.path.join(a.fixtures, "models/expected.h5"), "r") as source:
            saved_convolutional(source, a.output)
        return
    for name, work in (("golden.h5", [models]), ("activations.h5", [activations]),
                       ("optimizers.h5", [optimizers, schedules]), ("fit.h5", [fit]),
                       ("models/expected.h5", [saved])):
        with h5py.File(os.path.join(a.fixtures, name), "r") as source:
            for f in work:
                f(source, a.output)


if __name__ == "__main__":
    main()
