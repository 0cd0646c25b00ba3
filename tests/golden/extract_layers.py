#!/usr/bin/env python3
"""Takes the layers that this program has out of the HDF5 files that real Keras filled.

    extract_layers.py FIXTURES [OUTPUT]

FIXTURES is the folder with layers.h5 and bnsteps.h5; OUTPUT (this folder by default) receives
layers.golden. Cases with a class that LAYERS lacks, or in which a layer is called twice or is not
trainable, are left out. README.md tells where the numbers come from.
"""
import argparse
import json
import os

import h5py

from extract import Golden, text


def dims(value):
    return "x".join(map(str, value))


def boolean(value):
    return "true" if value else "false"


CONVOLUTION = [("kernel_size", "kernel_size", dims), ("padding", "padding", str),
               ("strides", "strides", dims), ("dilation_rate", "dilation_rate", dims),
               ("activation", "activation", str)]
POOLING = [("pool_size", "pool_size", dims), ("padding", "padding", str),
           ("strides", "strides", dims)]
# Keras' class: the layer here, and its arguments as (Keras' name, name here, text of the value).
LAYERS = {
    "Dense": ("dense", [("units", "units", str), ("activation", "activation", str)]),
    "Flatten": ("flatten", []),
    "Reshape": ("reshape", [("target_shape", "target_shape", dims)]),
    "Activation": ("activation", [("activation", "activation", str)]),
    "ReLU": ("relu", []),
    "Softmax": ("softmax", []),
    "Add": ("add", []),
    "Concatenate": ("concatenate", [("axis", "axis", str)]),
    "BatchNormalization": ("batch_normalization", [
        ("momentum", "momentum", repr), ("epsilon", "epsilon", repr)]),
    "Conv2D": ("conv2d", [("filters", "filters", str), *CONVOLUTION, ("groups", "groups", str)]),
    "DepthwiseConv2D": ("depthwise_conv2d", [
        *CONVOLUTION, ("depth_multiplier", "depth_multiplier", str)]),
    "SeparableConv2D": ("separable_conv2d", [
        ("filters", "filters", str), *CONVOLUTION, ("depth_multiplier", "depth_multiplier", str)]),
    "MaxPooling2D": ("max_pooling2d", POOLING),
    "AveragePooling2D": ("average_pooling2d", POOLING),
    "GlobalAveragePooling2D": ("global_average_pooling2d", [("keepdims", "keepdims", boolean)]),
    "GlobalMaxPooling2D": ("global_max_pooling2d", [("keepdims", "keepdims", boolean)]),
}
ACTIVATIONS = {"linear", "relu", "leaky_relu", "elu", "gelu", "sigmoid", "tanh", "softmax"}
# Switches that are on by default.
SWITCHES = {"use_bias": "bias", "center": "center", "scale": "scale"}
KINDS = ["conv", "depthwise", "separable", "maxpool", "avgpool", "global", "bn", "graph", "shape"]
# The model's input, behind the identity that the test puts in front of each model.
INPUT = "x"


class Unknown(Exception):
    pass


def inputs_of(node):
    """The names of the layers that a node takes."""
    args = node["args"][0]
    return [t["config"]["keras_history"][0] for t in (args if isinstance(args, list) else [args])]


def spec(config):
    """The layers of a model as this program writes them."""
    items, previous = [], None
    layers = config["config"]["layers"]
    names = {}
    for layer in layers:
        kind, own = layer["class_name"], layer["config"]
        if kind == "InputLayer":
            names[own["name"]] = previous = INPUT
            continue
        if kind not in LAYERS or own.get("trainable") is False:
            raise Unknown(kind)
        if own.get("activation", "linear") not in ACTIVATIONS:
            raise Unknown("the activation " + str(own["activation"]))
        nodes = layer.get("inbound_nodes", [])
        if len(nodes) > 1:
            raise Unknown("a layer that is called twice")
        sources = [names[n] for n in inputs_of(nodes[0])] if nodes else [previous]
        name, arguments = LAYERS[kind]
        words = [name] + sources[1:]
        words += ["%s=%s" % (ours, form(own[keras])) for keras, ours, form in arguments]
        words += ["no" + SWITCHES[k] for k in SWITCHES if own.get(k) is False]
        if sources[0] != previous:
            items.append("from:" + sources[0])
        names[own["name"]] = previous = own["name"]
        items.append(":".join(words) + "@" + own["name"])
    return ",".join(items)


def case(g, name, h):
    trainable = text(h, "trainable").split()
    g.text(name + "/layers", spec(json.loads(text(h, "model_config"))))
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
    g.text(name + "/layers", spec(json.loads(text(h, "model_config"))))
    for i in range(n):
        g.array("%s/w%d" % (name, i), h["w%d" % i][()])
    for array in ("x", "y_train64"):  # batch after batch
        g.array("%s/%s" % (name, array), h[array][()].reshape(-1, *h[array].shape[2:]))
    for array in ("y_infer64", "moving_mean64", "moving_variance64"):
        g.array("%s/%s" % (name, array), h[array][()])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("fixtures")
    parser.add_argument("output", nargs="?", default=os.path.dirname(os.path.abspath(__file__)))
    args = parser.parse_args()
    left_out = {}
    with h5py.File(os.path.join(args.fixtures, "layers.h5"), "r") as layers, \
            h5py.File(os.path.join(args.fixtures, "bnsteps.h5"), "r") as bnsteps:
        g = Golden(bnsteps)
        g.header[1] = g.header[1].replace("extract.py from bnsteps.h5",
                                          "extract_layers.py from layers.h5 and bnsteps.h5")
        found = {"cases": [], "steps": []}
        candidates = [("cases", case, "%s/%s" % (k, n), layers[k][n])
                      for k in KINDS for n in layers[k]]
        candidates += [("steps", steps, n, bnsteps[n]) for n in bnsteps]
        for group, write, name, h in candidates:
            try:
                spec(json.loads(text(h, "model_config")))
            except Unknown as why:
                left_out.setdefault(str(why), []).append(name)
                continue
            write(g, name, h)
            found[group].append(name)
        for group, names in found.items():
            g.text(group, " ".join(names))
    g.write(args.output, "layers")
    print("%d cases, %d sequences of steps" % (len(found["cases"]), len(found["steps"])))
    for why, names in left_out.items():
        print("left out for %s: %s" % (why, " ".join(names)))


if __name__ == "__main__":
    main()
