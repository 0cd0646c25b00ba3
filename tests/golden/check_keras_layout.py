#!/usr/bin/python3
"""Checks files against the layouts that Keras reads (observed on Keras 2.3.1 to 3.15.1).

check_keras_layout.py FILE...          checks files
check_keras_layout.py --writer PROGRAM checks what keras_write makes, and that each rule can fail

Exit code 77: python3-h5py is missing.
"""
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy as np
except ImportError:
    print("skipped: needs python3-h5py")
    sys.exit(77)

# The variables of a class, and by which arguments they vanish.
STATISTICS = ("moving_mean", "moving_variance")  # variables that are not trained
NORMALIZATION = [("gamma", "scale"), ("beta", "center")]
VARIABLES = {
    "Dense": [("kernel", None), ("bias", "use_bias")],
    "Conv2D": [("kernel", None), ("bias", "use_bias")],
    "DepthwiseConv2D": [("kernel", None), ("bias", "use_bias")],
    "SeparableConv2D": [("depthwise_kernel", None), ("pointwise_kernel", None),
                        ("bias", "use_bias")],
    "BatchNormalization": NORMALIZATION + [(name, None) for name in STATISTICS],
    "LayerNormalization": NORMALIZATION,
}
# Arguments that Keras knows: any other is fatal to it.
COMMON = {"name", "trainable", "dtype"}
ARGUMENTS = {
    "InputLayer": {"name", "dtype", "batch_input_shape", "sparse"},
    "Dense": COMMON | {"units", "activation", "use_bias", "kernel_initializer",
                       "kernel_regularizer", "kernel_constraint"},
    "Flatten": COMMON,
    "Dropout": COMMON | {"rate"},
    "SpatialDropout2D": {"name", "dtype", "data_format", "rate"},
    "Activation": COMMON | {"activation"},
    "ReLU": COMMON | {"negative_slope", "max_value", "threshold"},
    "LeakyReLU": COMMON | {"negative_slope"},
    "Softmax": COMMON | {"axis"},
    "Reshape": COMMON | {"target_shape"},
    "Add": COMMON,
    "Concatenate": COMMON | {"axis"},
    "BatchNormalization": COMMON | {"axis", "momentum", "epsilon", "center", "scale"},
    "LayerNormalization": COMMON | {"axis", "epsilon", "center", "scale"},
    "Rescaling": COMMON | {"scale", "offset"},
    "Normalization": COMMON | {"axis", "mean", "variance"},
    "Conv2D": COMMON | {"filters", "kernel_size", "strides", "padding", "data_format",
                        "dilation_rate", "groups", "activation", "use_bias",
                        "kernel_initializer", "kernel_regularizer", "kernel_constraint"},
    "DepthwiseConv2D": COMMON | {"kernel_size", "strides", "padding", "depth_multiplier",
                                 "data_format", "dilation_rate", "activation", "use_bias",
                                 "depthwise_initializer", "depthwise_regularizer",
                                 "depthwise_constraint"},
    "SeparableConv2D": COMMON | {"filters", "kernel_size", "strides", "padding",
                                 "depth_multiplier", "data_format", "dilation_rate", "activation",
                                 "use_bias", "depthwise_initializer", "pointwise_initializer",
                                 "depthwise_regularizer", "pointwise_regularizer",
                                 "depthwise_constraint", "pointwise_constraint"},
    "MaxPooling2D": COMMON | {"pool_size", "strides", "padding", "data_format"},
    "AveragePooling2D": COMMON | {"pool_size", "strides", "padding", "data_format"},
    "GlobalAveragePooling2D": COMMON | {"data_format", "keepdims"},
    "GlobalMaxPooling2D": COMMON | {"data_format", "keepdims"},
    "ZeroPadding2D": COMMON | {"padding", "data_format"},
    "RandomFlip": COMMON | {"mode", "seed"},
    "RandomTranslation": COMMON | {"height_factor", "width_factor", "fill_mode", "interpolation",
                                   "fill_value", "seed"},
    "RandomCrop": COMMON | {"height", "width", "seed"},
    "RandomErasing": COMMON | {"factor", "scale", "fill_value", "value_range", "seed"},
}
# What each optimizer keeps, in the order of its variables: names in one group alternate.
ADAM = [["momentum", "velocity"]]
SLOTS = {
    "Adam": lambda c: ADAM + ([["velocity_hat"]] if c.get("amsgrad") else []),
    "AdamW": lambda c: ADAM + ([["velocity_hat"]] if c.get("amsgrad") else []),
    "Nadam": lambda c: ADAM,
    "Lamb": lambda c: ADAM,
    "Adamax": lambda c: [["momentum", "norm"]],
    "Adagrad": lambda c: [["accumulator"]],
    "Adadelta": lambda c: [["accumulated_grad", "accumulated_delta_var"]],
    "Ftrl": lambda c: [["accumulator", "linear"]],
    "Lion": lambda c: [["momentum"]],
    "SGD": lambda c: [["momentum"]] if c["momentum"] else [],
    "RMSprop": lambda c: [["velocity"]] + ([["momentum"]] if c["momentum"] else [])
    + ([["average_gradient"]] if c["centered"] else []),
}
OPTIMIZER_ARGUMENTS = {
    "Adam": {"learning_rate", "beta_1", "beta_2", "epsilon"},
    "AdamW": {"learning_rate", "beta_1", "beta_2", "epsilon"},
    "Nadam": {"learning_rate", "beta_1", "beta_2", "epsilon"},
    "Lamb": {"learning_rate", "beta_1", "beta_2", "epsilon"},
    "Adamax": {"learning_rate", "beta_1", "beta_2", "epsilon"},
    "Adagrad": {"learning_rate", "initial_accumulator_value", "epsilon"},
    "Adadelta": {"learning_rate", "rho", "epsilon"},
    "Ftrl": {"learning_rate", "initial_accumulator_value", "l1_regularization_strength",
             "l2_regularization_strength", "l2_shrinkage_regularization_strength", "beta"},
    "Lion": {"learning_rate", "beta_1", "beta_2"},
    "SGD": {"learning_rate", "momentum", "nesterov"},
    "RMSprop": {"learning_rate", "rho", "momentum", "epsilon", "centered"},
}
# These are written where they are used, for any optimizer.
ANY_ARGUMENTS = {"weight_decay", "clipnorm", "global_clipnorm", "clipvalue", "use_ema",
                 "ema_momentum", "ema_overwrite_frequency", "amsgrad"}
SLOT_BASE = {"momentum": 1000, "velocity": 2000, "average_gradient": 3000, "velocity_hat": 4000,
             "average": 5000, "norm": 6000, "accumulator": 7000, "linear": 8000,
             "accumulated_grad": 9000, "accumulated_delta_var": 10000}  # as keras_write


class Fault(Exception):
    pass


def need(condition, text):
    if not condition:
        raise Fault(text)


def snake(name):
    """The name of a group of Keras 3: MaxPooling2D -> max_pooling2d."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def attribute(group, name):
    """Text or list of text of an attribute, which must have the form that all of Keras read."""
    need(name in group.attrs, f"{group.name}@{name} is missing")
    a = h5py.h5a.open(group.id, name.encode())
    kind = a.get_type()
    if a.get_space().get_simple_extent_type() != h5py.h5s.SCALAR and a.shape == (0,):
        need(kind.equal(h5py.h5t.IEEE_F64LE), f"{group.name}@{name}: an empty list is of F64LE")
        return []
    need(kind.get_class() == h5py.h5t.STRING, f"{group.name}@{name} is not text")
    need(not kind.is_variable_str(), f"{group.name}@{name}: variable length breaks Keras 2.3")
    need(kind.get_strpad() == h5py.h5t.STR_NULLTERM, f"{group.name}@{name} is not NULLTERM")
    value = np.zeros(a.shape, dtype=f"S{kind.get_size()}")
    a.read(value)
    longest = max(len(v) for v in value.ravel())
    need(longest == kind.get_size() - 1, f"{group.name}@{name}: size is not longest + 1")
    need(value.nbytes < 64512, f"{group.name}@{name}: longer than an attribute may be")
    text = [v.decode("ascii") for v in value.ravel()]
    return text[0] if a.shape == () else text


def dataset(file, path, shape, kind=h5py.h5t.IEEE_F32LE):
    need(path in file, f"{path} is missing")
    need(isinstance(file.get(path, getlink=True), h5py.HardLink), f"{path} is not a hard link")
    d = file[path]
    need(isinstance(d, h5py.Dataset), f"{path} is not a dataset")
    need(d.id.get_type().equal(kind), f"{path} has type {d.dtype}")
    need(d.shape == tuple(shape), f"{path} has shape {d.shape}, expected {tuple(shape)}")
    plist = d.id.get_create_plist()
    need(plist.get_layout() == h5py.h5d.CONTIGUOUS, f"{path} is not contiguous")
    need(h5py.h5g.get_objinfo(d.id).mtime == 0, f"{path} has times")
    need(np.all(np.isfinite(d[()])), f"{path} is not finite")
    return d


def read_configs(file):
    def no_repeats(pairs):
        need(len(dict(pairs)) == len(pairs), "a JSON object has a key twice")
        return dict(pairs)

    try:
        model = json.loads(attribute(file, "model_config"), object_pairs_hook=no_repeats)
        training = json.loads(attribute(file, "training_config"), object_pairs_hook=no_repeats)
    except json.JSONDecodeError as e:
        raise Fault(f"invalid JSON: {e}") from e
    functional = model["class_name"] == "Functional"
    need(functional or model["class_name"] == "Sequential", "the class of the model")
    need(isinstance(model["config"]["name"], str), "the model has no name")
    layers = model["config"]["layers"]
    if functional:
        check_graph(model["config"])
    need(layers[0]["class_name"] == "InputLayer", "the first layer is not an InputLayer")
    shape = layers[0]["config"]["batch_input_shape"]
    need(shape[0] is None and all(isinstance(n, int) for n in shape[1:]), "batch_input_shape")
    for layer in layers:
        known = ARGUMENTS.get(layer["class_name"])
        need(known is not None, f"unknown layer {layer['class_name']}")
        extra = set(layer["config"]) - known
        need(not extra, f"{layer['class_name']} has arguments that Keras refuses: {extra}")
    need("loss_weights" in training, "training_config has no loss_weights")
    need(training["loss"] == "sparse_categorical_crossentropy", "the loss")
    need(training["metrics"] == ["accuracy"], "the metrics")
    need("sample_weight_mode" in training, "training_config has no sample_weight_mode")
    optimizer = training["optimizer_config"]
    need(optimizer["class_name"] in SLOTS, f"unknown optimizer {optimizer['class_name']}")
    found = set(optimizer["config"]) - ANY_ARGUMENTS
    extra = found ^ OPTIMIZER_ARGUMENTS[optimizer["class_name"]]
    need(not extra, f"{optimizer['class_name']} has other arguments than Keras': {extra}")
    return shape[1:], layers[1:], optimizer, functional


def check_graph(config):
    """The nodes of a Functional: each layer is called once, and the list is in Keras' own order."""
    layers = config["layers"]
    inputs = {layer["name"]: [] for layer in layers}
    need(len(inputs) == len(layers), "a name occurs twice")
    for layer in layers:
        need(layer["name"] == layer["config"]["name"], f"{layer['name']} has two names")
        nodes = layer["inbound_nodes"]
        need(len(nodes) == (layer["class_name"] != "InputLayer"), f"{layer['name']}: its nodes")
        for name, call, output, arguments in nodes[0] if nodes else []:
            need(name in inputs and (call, output, arguments) == (0, 0, {}),
                 f"{layer['name']} has a bad input")
            inputs[layer["name"]].append(name)
    need(config["input_layers"] == [[layers[0]["name"], 0, 0]], "input_layers")
    need(config["output_layers"] == [[layers[-1]["name"], 0, 0]], "output_layers")
    need(keras_order(inputs, layers[-1]["name"]) == list(inputs), "the order of the layers")


def keras_order(inputs, output):
    """By depth, then by the first visit of a walk from the output (Functional.layers of Keras)."""
    met, depth = {}, {}

    def walk(name):
        if name not in met:
            met[name] = len(met)
            for source in inputs[name]:
                walk(source)

    def deepen(name, least):
        if depth.get(name, -1) < least:
            depth[name] = least
            for source in inputs[name]:
                deepen(source, least + 1)

    walk(output)
    deepen(output, 0)
    return sorted(depth, key=lambda name: (-depth[name], met[name]))


def expected_variables(file, layers):
    """(name, shape) of the variables of each layer: names from the configuration, and the last
    dimension, which it knows; the others are those of the file."""
    for layer, group in zip(layers, groups(layers)):
        config, variables = layer["config"], []
        for name, argument in VARIABLES.get(layer["class_name"], []):
            if argument is None or config[argument]:
                path = f"layers/{group}/vars/{len(variables)}"
                need(path in file, f"{path} is missing")
                shape = list(file[path].shape)
                units = config.get("units", config.get("filters"))
                if units is not None and name in ("kernel", "pointwise_kernel", "bias"):
                    need(shape[-1] == units, f"{path} has shape {tuple(shape)}")
                variables.append((name, shape))
        yield variables


def groups(layers):
    seen = {}
    for layer in layers:
        name = snake(layer["class_name"])
        n = seen[name] = seen.get(name, -1) + 1
        yield f"{name}_{n}" if n else name


def load_legacy(file, layers):
    """As load_model: by the lists of names, in their order."""
    root = file["model_weights"]
    for where in (file, root):
        need(int(attribute(where, "keras_version").split(".")[0]) >= 2, "keras_version < 2")
        need(attribute(where, "backend") == "tensorflow", "backend is not tensorflow")
    names = attribute(root, "layer_names")
    need(names == [layer["config"]["name"] for layer in layers], f"layer_names: {names}")
    need(set(root) == set(names), f"/model_weights has other groups: {list(root)}")
    return [[root[name][w] for w in attribute(root[name], "weight_names")] for name in names]


def load_keras3(file, layers, variables, functional):
    """As load_weights: by class and position."""
    need(isinstance(file.get("vars"), h5py.Group) and not len(file["vars"]), "/vars is not empty")
    found = []
    if functional:
        need(list(file.get("layers/input_layer/vars", [0])) == [], "the group of the InputLayer")
    for group, expected in zip(groups(layers), variables):
        path = f"layers/{group}/vars"
        need(path in file, f"/{path} is missing")
        numbers = [str(i) for i in range(len(expected))]
        need(sorted(file[path]) == numbers, f"/{path}: {list(file[path])}")
        found.append([dataset(file, f"{path}/{i}", shape) for i, (_, shape) in enumerate(expected)])
    need(len(file["layers"]) == len(layers) + functional, f"/layers has other groups: {list(file['layers'])}")
    return found


def check_optimizer(file, optimizer, tensors, marked):
    need("optimizer_weights" not in file, "/optimizer_weights breaks fit() in Keras 3")
    rate = optimizer["config"]["learning_rate"]
    need(dataset(file, "optimizer/vars/0", (), h5py.h5t.STD_I32LE)[()] >= 0, "the iteration")
    need(dataset(file, "optimizer/vars/1", ())[()] == np.float32(rate), "the learning rate")
    order = []
    averages = [["average"]] if optimizer["config"].get("use_ema") else []
    for group in averages + SLOTS[optimizer["class_name"]](optimizer["config"]):
        order += [(slot, i) for i in range(len(tensors)) for slot in group]
    nadam = optimizer["class_name"] == "Nadam"
    need(len(file["optimizer/vars"]) == 2 + len(order) + nadam, "the number of optimizer variables")
    if nadam:
        product = np.prod([0.9 * (1 - 0.5 * 0.96 ** t) for t in range(1, 24)])
        found = dataset(file, f"optimizer/vars/{2 + len(order)}", ())[()]
        need(not marked or abs(found - product) < 1e-6 * product, "Nadam's product")
    for number, (slot, i) in enumerate(order, 2):
        d = dataset(file, f"optimizer/vars/{number}", tensors[i].shape)
        if marked:
            need(np.all(d[()] == SLOT_BASE[slot] + i), f"{d.name} is not the {slot} of tensor {i}")
        elif slot in ("velocity", "velocity_hat", "norm", "accumulator"):
            need(np.all(d[()] >= 0), f"{d.name}, a mean of squares, is negative")


def check_state(file, marked):
    """Not a rule of Keras: what fmnist-dist itself reads."""
    ours = file["fmnist_dist"]
    need(ours.attrs["format_version"] == 1, "format_version")
    need(re.fullmatch(r"\d+\.\d+\.\d+", attribute(ours, "program_version")), "program_version")
    need(isinstance(ours.get("fingerprint"), h5py.Group), "/fmnist_dist/fingerprint is missing")
    need(isinstance(ours.get("state"), h5py.Group), "/fmnist_dist/state is missing")
    for name in ours["fingerprint"].attrs:
        attribute(ours["fingerprint"], name)
    kinds = {"<i8", "<i4", "|u1", "<f4", "<f8"}
    for name, item in ours["state"].items():
        need(isinstance(item, h5py.Dataset) and item.ndim == 1, f"{name} is not a list of values")
        need(item.dtype.str in kinds, f"{name} has type {item.dtype}")
    if marked:
        need(dict(ours["fingerprint"].attrs) == {"seed": b"7"}, "the fingerprint")
        need(list(ours["state"]) == ["epoch"] and ours["state/epoch"][:] == [3], "the state entries")


def check_user_block(path):
    """Returns the steps that it names. Its two hashes are checked by test_checkpoint."""
    with open(path, "rb") as file:
        block = file.read(512)
        magic, form, size, step = struct.unpack_from("<8sQQQ", block)
        need(magic == b"FMDCKPT\n", "no checkpoint: wrong magic")
        need(form == 1, f"the user block has form {form}")
        need(size == os.path.getsize(path), f"the user block says {size} bytes")
        need(any(block[32:48]) and any(block[48:64]), "a hash is zero")
        need(not any(block[64:]), "the rest of the user block is not zero")
        need(file.read(8) == b"\x89HDF\r\n\x1a\n", "no HDF5 file at byte 512")
    return step


def check(path, marked=False):
    with h5py.File(path, "r") as file:
        shape, layers, optimizer, functional = read_configs(file)
        variables = list(expected_variables(file, layers))
        legacy = load_legacy(file, layers)
        keras3 = load_keras3(file, layers, variables, functional)
        for layer, expected, a, b in zip(layers, variables, legacy, keras3):
            name = layer["config"]["name"]
            need(len(a) == len(b), f"{name}: weight_names has {len(a)} of {len(b)}")
            for (variable, _), x, y in zip(expected, a, b):
                need(variable in x.name, f"{name}: {x.name} is in the place of the {variable}")
                # == of h5py objects: the same object of the same file.
                need(x == y, f"{x.name} and {y.name} are not one object")
        named = [(name, d) for expected, found in zip(variables, keras3)
                 for (name, _), d in zip(expected, found)]
        tensors = [d for name, d in named if name not in STATISTICS]
        if marked:
            first = 1
            for d in tensors + [d for name, d in named if name in STATISTICS]:
                need(np.array_equal(d[()].ravel(), np.arange(first, first + d.size)),
                     f"the parameters: {d.name}")
                first += d.size
        check_optimizer(file, optimizer, tensors, marked)
        check_state(file, marked)
        ours = file["fmnist_dist"]
        need(list(ours.attrs["input_shape"]) == shape, "input_shape differs from model_config")
        items = [i for i in attribute(ours, "layers").split(",") if not i.startswith("from:")]
        need(len(items) == len(layers), "layers differ")
        steps = file["optimizer/vars/0"][()]
    need(check_user_block(path) == steps, "the user block and the optimizer differ in the steps")


def set_strings(group, name, values):
    """A string, or a list of strings, in the right form."""
    data = np.array(values, dtype=bytes)
    kind = h5py.h5t.C_S1.copy()
    kind.set_size(data.dtype.itemsize + 1)
    kind.set_strpad(h5py.h5t.STR_NULLTERM)
    shape = h5py.h5s.create_simple(data.shape) if data.shape else h5py.h5s.create(h5py.h5s.SCALAR)
    del group.attrs[name]
    h5py.h5a.create(group.id, name.encode(), kind, shape).write(data)


def edit(name, change):
    """A damage that changes the JSON of a root attribute."""

    def damage(file):
        value = json.loads(file.attrs[name])
        change(value)
        set_strings(file, name, json.dumps(value))

    return damage


def replace(path, make):
    """A damage that puts another dataset in the place of one."""

    def damage(file):
        data = file[path][()]
        del file[path]
        make(file, data)

    return damage


def swap(a, b):
    def damage(file):
        file.move(a, "swap")
        file.move(b, a)
        file.move("swap", b)

    return damage


KERNEL = "layers/dense/vars/0"
LEGACY = "model_weights/dense/dense/kernel:0"
# Each damage, and what the check says of it.
DAMAGES = [
    (lambda f: set_strings(f, "model_config", "{"), "invalid JSON"),
    (lambda f: set_strings(f, "model_config", '{"a":1,"a":1}'), "has a key twice"),
    (lambda f: f.attrs.__setitem__("model_config", f.attrs["model_config"].decode()),
     "variable length"),
    (lambda f: f.attrs.__setitem__("backend", np.bytes_("tensorflow")), "not NULLTERM"),
    (lambda f: set_strings(f, "backend", "theano"), "backend is not tensorflow"),
    (lambda f: f["model_weights"].attrs.__delitem__("keras_version"), "keras_version is missing"),
    (lambda f: set_strings(f["model_weights"], "keras_version", "1.2"), "keras_version < 2"),
    (edit("model_config", lambda c: c["config"]["layers"].pop(0)), "not an InputLayer"),
    (edit("model_config", lambda c: c["config"]["layers"][2]["config"].update(seed=1)),
     "arguments that Keras refuses"),
    (edit("training_config", lambda c: c["optimizer_config"]["config"].update(name="adam")),
     "other arguments than Keras'"),
    (edit("training_config", lambda c: c.pop("loss_weights")), "no loss_weights"),
    (lambda f: set_strings(f["model_weights"], "layer_names", ["dense", "flatten", "dense_1"]),
     "layer_names: "),
    (lambda f: set_strings(f["model_weights/dense"], "weight_names",
                           ["dense/bias:0", "dense/kernel:0"]), "in the place of the kernel"),
    (lambda f: set_strings(f["model_weights/dense"], "weight_names", ["dense/kernel:0"]),
     "weight_names has 1 of 2"),
    (lambda f: f["model_weights/flatten"].attrs.create("weight_names", np.array([], dtype="S1")),
     "an empty list is of F64LE"),
    (lambda f: f.__delitem__("model_weights/flatten"), "/model_weights has other groups"),
    (replace(LEGACY, lambda f, d: f.create_dataset(LEGACY, data=d)), "are not one object"),
    (replace(KERNEL, lambda f, d: f.__setitem__(KERNEL, h5py.SoftLink("/" + LEGACY))),
     "not a hard link"),
    (replace(KERNEL, lambda f, d: f.create_dataset(KERNEL, data=d.T)), "has shape (5, 12)"),
    (replace(KERNEL, lambda f, d: f.create_dataset(KERNEL, data=d, dtype=">f4")), "type >f4"),
    (replace(KERNEL, lambda f, d: f.create_dataset(KERNEL, data=d, dtype="<f8")), "type float64"),
    (replace(KERNEL, lambda f, d: f.create_dataset(KERNEL, data=d, compression=1)),
     "not contiguous"),
    (replace(KERNEL, lambda f, d: f.create_dataset(KERNEL, data=d, track_times=True)),
     "has times"),
    (lambda f: f[KERNEL].__setitem__((0, 0), np.nan), "not finite"),
    (lambda f: f[KERNEL].__setitem__(slice(None), f[KERNEL][()][::-1]), "the parameters"),
    (lambda f: f.__delitem__("layers/flatten/vars"), "/layers/flatten/vars is missing"),
    (lambda f: f.create_group("layers/dense_2"), "/layers has other groups"),
    (lambda f: f.__delitem__("vars"), "/vars is not empty"),
    (replace("optimizer/vars/0",
             lambda f, d: f.create_dataset("optimizer/vars/0", data=np.array([d], "<i4"))),
     "has shape (1,)"),
    (lambda f: f["optimizer/vars/1"].__setitem__((), 0.5), "the learning rate"),
    (swap("optimizer/vars/2", "optimizer/vars/3"), "is not the momentum of tensor 0"),
    (lambda f: f.__delitem__("optimizer/vars/3"), "the number of optimizer variables"),
    (lambda f: f.create_group("optimizer_weights"), "/optimizer_weights breaks"),
    (lambda f: f["fmnist_dist"].attrs.__setitem__("format_version", np.int32(2)), "format_version"),
    (lambda f: f.__delitem__("fmnist_dist/fingerprint"), "/fmnist_dist/fingerprint is missing"),
    (lambda f: f["fmnist_dist/fingerprint"].attrs.__setitem__("seed", 7), "seed is not text"),
    (lambda f: f["fmnist_dist/state"].create_group("more"), "more is not a list of values"),
    (replace("fmnist_dist/state/epoch", lambda f, d: f["fmnist_dist/state"].create_dataset(
        "epoch", data=d, dtype=">i8")), "epoch has type >i8"),
    (lambda f: f["fmnist_dist/state/epoch"].__setitem__(0, 4), "the state entries"),
    (lambda f: f["optimizer/vars/0"].__setitem__((), 22), "differ in the steps"),
]
# Damages of a graph, CASES[GRAPH].
GRAPH = 6
GRAPH_DAMAGES = [
    (edit("model_config", lambda c: c["config"]["layers"].insert(3, c["config"]["layers"].pop(5))),
     "the order of the layers"),
    (edit("model_config", lambda c: c["config"].update(input_layers=["input_1", 0, 0])),
     "input_layers"),
    (edit("model_config", lambda c: c["config"]["layers"][2]["inbound_nodes"].append([])),
     "dense: its nodes"),
    (edit("model_config", lambda c: c["config"]["layers"][2].update(name="other")), "has two names"),
    (edit("model_config", lambda c: c["config"]["layers"][4]["config"].update(renorm=False)),
     "arguments that Keras refuses"),
    (lambda f: f.__delitem__("layers/input_layer"), "the group of the InputLayer"),
    (lambda f: f.move("layers/batch_normalization/vars/2", "layers/batch_normalization/vars/3"),
     "layers/batch_normalization/vars/2 is missing"),
    (lambda f: f.__delitem__("optimizer/vars/3"), "the number of optimizer variables"),
]
# Damages of the user block: place, new bytes, and what the check says.
BLOCK_DAMAGES = [
    (0, b"X", "wrong magic"),
    (8, b"\2", "has form 2"),
    (16, b"\1\1", "the user block says"),
    (24, b"\0", "differ in the steps"),
    (32, bytes(16), "a hash is zero"),
    (48, bytes(16), "a hash is zero"),
    (511, b"\1", "is not zero"),
]
CASES = [
    ("flatten,dense:5:relu,dense:7:softmax", "adam"),
    ("flatten,dense:5:relu:nobias,dropout:0.25,activation:tanh,dense:6:init=he_normal,"
     "dense:7:softmax", "rmsprop:momentum=0.9:centered"),
    ("dense:4,flatten," + "dense:3:gelu," * 12 + "dense:7:softmax", "adam:beta_2=0.99"),
    ("flatten,dense:7:softmax", "sgd"),
    ("flatten,dense:7,activation:softmax", "sgd:momentum=0.9:nesterov"),
    ("flatten,dense:5:leaky_relu,dense:7:softmax", "rmsprop"),
    ("flatten,dense:6@a,batch_normalization:noscale,relu,dense:6,batch_normalization,add:a,relu,"
     "dense:7:softmax", "adam"),
    ("flatten,dense:6@a,dense:6:nobias,batch_normalization:nocenter@b,from:a,dense:6@c,from:b,"
     "concatenate:c,dense:7:softmax", "sgd:momentum=0.9"),
] + [("flatten,dense:5:relu,dense:7:softmax", optimizer) for optimizer in (
    "adam:amsgrad:use_ema:ema_momentum=0.5", "adamw:kernels_only:clipnorm=1", "nadam", "adamax",
    "adagrad", "adadelta", "ftrl:use_ema:ema_overwrite_frequency=9", "lion:weight_decay=0.1",
    "lamb:global_clipnorm=1", "nadam:use_ema", "rmsprop:momentum=0.9:use_ema:clipvalue=1")]


def check_writer(program, folder):
    path = os.path.join(folder, "model.weights.h5")
    for layers, optimizer in CASES:
        subprocess.run([program, path, layers, optimizer], check=True)
        try:
            check(path, marked=True)
        except Fault as fault:
            raise Fault(f"{layers} {optimizer}: {fault}") from fault
    subprocess.run([program, path, *CASES[0]], check=True)
    check(path, marked=True)
    bad = os.path.join(folder, "bad.weights.h5")

    def need_seen(expected):
        try:
            check(bad, marked=True)
            seen = "nothing"
        except Fault as fault:
            seen = str(fault)
        need(expected in seen, f"the check says '{seen}' of a damage, not '{expected}'")

    for damage, expected in DAMAGES:
        shutil.copy(path, bad)
        with h5py.File(bad, "r+") as file:
            damage(file)
        need_seen(expected)
    subprocess.run([program, path, *CASES[GRAPH]], check=True)
    check(path, marked=True)
    for damage, expected in GRAPH_DAMAGES:
        shutil.copy(path, bad)
        with h5py.File(bad, "r+") as file:
            damage(file)
        need_seen(expected)
    for at, new, expected in BLOCK_DAMAGES:
        shutil.copy(path, bad)
        with open(bad, "r+b") as file:
            file.seek(at)
            file.write(new)
        need_seen(expected)
    print(f"{len(CASES)} files good, {len(DAMAGES + GRAPH_DAMAGES + BLOCK_DAMAGES)} damages seen")


def main(arguments):
    try:
        if arguments[:1] == ["--writer"]:
            with tempfile.TemporaryDirectory() as folder:
                check_writer(os.path.abspath(arguments[1]), folder)
        else:
            for path in arguments:
                check(path)
                print(f"{path}: good")
    except Fault as fault:
        print(f"check_keras_layout: {fault}")
        return 1
    return 0


sys.exit(main(sys.argv[1:]))
