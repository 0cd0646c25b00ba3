#!/usr/bin/python3
"""Turns the EarlyStopping traces of Keras in optimizers.h5 into early_stopping.txt.

usage: extract_callbacks.py optimizers.h5 > early_stopping.txt
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


def row(name, values):
    return f"{name} {len(values)} " + " ".join(repr(v) for v in values)


def main():
    with h5py.File(sys.argv[1], "r") as file:
        print(HEADER.format(version=file.attrs["keras_version"].decode()), end="")
        for name, trace in file["/callbacks/early_stopping"].items():
            config = json.loads(trace.attrs["config"])
            baseline = config.get("baseline")
            print(f"\ntrace {name}")
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


main()
