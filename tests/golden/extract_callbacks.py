#!/usr/bin/python3
"""Turns the traces of Keras' callbacks in optimizers.h5 into early_stopping.txt and plateau.txt.

usage: extract_callbacks.py optimizers.h5 early_stopping > early_stopping.txt
       extract_callbacks.py optimizers.h5 plateau > plateau.txt
"""
import json
import sys

import h5py

HEADER = """\
# What Keras' own EarlyStopping does, epoch by epoch, inside a real fit().
# Computed on 2026-11-23 with Keras {version} (torch backend); extract_callbacks.py wrote this file
# from the group /callbacks/early_stopping of optimizers.h5. Epochs count from 0; nan in `best`: none
# yet, or the value was not a number. `values` has the monitored value of each epoch, `wait` and
# `best` what the callback holds after each epoch that ran; `weights_from` is the epoch whose weights
# the model has in the end. The test reads names and numbers in this order.
"""

PLATEAU_HEADER = """\
# What Keras' own ReduceLROnPlateau does, epoch by epoch, inside a real fit().
# Computed on 2026-11-23 with Keras {version} (torch backend); extract_callbacks.py wrote this file
# from the group /callbacks/reduce_lr_on_plateau of optimizers.h5. `values` has the monitored value of
# each epoch, the rows below it what the callback holds and the learning rate that it leaves after
# each epoch; `rate` of the first line is the one at the start. The test reads names and numbers in
# this order.
"""


def row(name, values):
    return f"{name} {len(values)} " + " ".join(repr(v) for v in values)


def early_stopping(name, trace, config):
    baseline = config.get("baseline")
    print(
        f"monitor {config['monitor']} mode {config['mode']}"
        f" patience {config.get('patience', 0)} min_delta {config.get('min_delta', 0)}"
        f" baseline {'nan' if baseline is None else baseline}"
        f" restore_best {int(config.get('restore_best_weights', False))}"
        f" start_from {config.get('start_from_epoch', 0)}"
    )
    for column in ("values", "wait", "best"):
        print(row(column, trace[column][()].tolist()))
    print(
        f"stopped {trace.attrs['stopped']} stopped_epoch {trace.attrs['stopped_epoch']}"
        f" best_epoch {trace.attrs['best_epoch']}"
        f" weights_from {trace.attrs['weights_from_epoch']}"
    )
    assert trace.attrs["epochs_run"] == len(trace["wait"])


def plateau(name, trace, config):
    print(
        f"monitor {config['monitor']} mode {config['mode']}"
        f" patience {config.get('patience', 10)} min_delta {config.get('min_delta', 1e-4)}"
        f" factor {config.get('factor', 0.1)} cooldown {config.get('cooldown', 0)}"
        f" min_lr {config.get('min_lr', 0)} rate {trace.attrs['initial_lr']!r}"
    )
    for column in ("values", "wait", "cooldown_counter", "best", "lr_after"):
        print(row(column, trace[column][()].tolist()))
    assert trace.attrs["epochs_run"] == len(trace["wait"])


def main():
    kinds = {
        "early_stopping": (HEADER, "early_stopping", early_stopping),
        "plateau": (PLATEAU_HEADER, "reduce_lr_on_plateau", plateau),
    }
    header, group, write = kinds[sys.argv[2]]
    with h5py.File(sys.argv[1], "r") as file:
        print(header.format(version=file.attrs["keras_version"].decode()), end="")
        for name, trace in file["/callbacks/" + group].items():
            print(f"\ntrace {name}")
            write(name, trace, json.loads(trace.attrs["config"]))


main()
