#!/usr/bin/env python3
"""Reads the logs of a run as others would, and compares them with each other.

check_logs.py RUN_DIR RANKS [TYPES]: events.jsonl against history.csv, run.json and STATUS.json;
TYPES is what its lines are to be, "step" and "checkpoint" left out. check_logs.py --tensorboard
RUN_DIR: the event files against history.csv and run.json, read by the published rules of the format
(TFRecord: https://www.tensorflow.org/tutorials/load_data/tfrecord, event.proto, summary.proto), with
no code of TensorFlow's, of protobuf's or of this project.
"""
import csv
import json
import pathlib
import struct
import sys


def history(run):
    with open(run / "history.csv", newline="") as f:
        return [{k: float(v) for k, v in row.items() if v != "NA"} for row in csv.DictReader(f)]


def expect(found, expected, what):
    if found != expected:
        sys.exit(f"{what}: expected {expected!r}, found {found!r}")


def check_epoch(line, row):
    for key in ("epoch", "accuracy", "loss", "learning_rate", "val_accuracy", "val_loss"):
        expect(line.get(key), row.get(key), f"epoch {row['epoch']:.0f}, {key}")
    if "time" in row:
        expect(line["seconds"], row["time"], "seconds of the epoch")
        expect(line["samples_per_s"], row["samples_per_s"], "samples_per_s")
    for phase in ("assemble", "forward", "backward", "reduce", "update"):
        t = line[phase]
        if not 0 <= t["min"] <= t["mean"] + 1e-6 <= t["max"] + 2e-6:
            sys.exit(f"{phase}: {t} is no min, mean and max")


def check_events(run, ranks, types):
    text = (run / "events.jsonl").read_text()
    expect(text[-1], "\n", "the last character")
    lines = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        expect(list(line)[:2], ["type", "time"], "the first members")
    if types:
        rare = [line["type"] for line in lines if line["type"] not in ("step", "checkpoint")]
        expect(" ".join(rare), types, "the types of the lines")
    times = [line["time"] for line in lines]
    expect(times, sorted(times), "the times")

    head = [line for line in lines if line["type"] in ("start", "resume")][-1]
    record = json.loads((run / "run.json").read_text())
    for key in ("version", "mpi", "blas", "blas_core", "ranks", "nodes", "hosts"):
        expect(head[key], record[key], key)
    expect(head["ranks"], ranks, "ranks")
    expect(len(head["hosts"]), ranks, "hosts")
    expect(head["global_step"],
           head["epoch"] * head["config"]["steps_per_epoch"] + head["step"], "global_step")

    # The later of two lines of an epoch counts, but for those that were not lost and done again.
    epochs = {line["epoch"]: line for line in lines if line["type"] == "epoch"}
    rows = history(run)
    expect(sorted(epochs), [row["epoch"] for row in rows], "the epochs")
    for row in rows:
        check_epoch(epochs[row["epoch"]], row)
        slowest = epochs[row["epoch"]]["slowest"]
        expect(slowest["host"], head["hosts"][slowest["rank"]], "host of the slowest rank")

    saved = [line for line in lines if line["type"] == "checkpoint"]
    if not (run / saved[-1]["file"]).exists():
        sys.exit(f"there is no {saved[-1]['file']}")
    end, status = lines[-1], json.loads((run / "STATUS.json").read_text())
    for key in ("state", "exit_code", "message"):
        expect(end[key], status[key], key)
    expect(end["global_step"], status["step"], "global_step")
    expect(end["test_accuracy"], record["result"]["test_accuracy"], "test_accuracy")
    expect(end["test_loss"], record["result"]["test_loss"], "test_loss")


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data):
    while data:
        (length,), (crc,) = struct.unpack_from("<Q", data), struct.unpack_from("<I", data, 8)
        payload = data[12 : 12 + length]
        expect(crc, masked(data[:8]), "checksum of a length")
        expect(struct.unpack_from("<I", data, 12 + length)[0], masked(payload), "checksum")
        yield payload
        data = data[16 + length :]


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if byte < 0x80:
            return value, at


def fields(data):
    """The fields of a message by number: numbers as they are, anything else as bytes."""
    found, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        kind, length = key & 7, {1: 8, 5: 4}.get(key & 7)
        if kind == 0:
            found[key >> 3], at = varint(data, at)
            continue
        if kind == 2:
            length, at = varint(data, at)
        found[key >> 3] = data[at : at + length]
        at += length
    return found


def scalars(folder):
    """{tag: {step: value}}, as TensorBoard sees them: what a later session does again is void."""
    found = {}
    for path in sorted(folder.iterdir()):
        for n, record in enumerate(records(path.read_bytes())):
            event = fields(record)
            step = event.get(2, 0)
            if n == 0:
                expect(event[3], b"brain.Event:2", "the first record")
            if 7 in event and fields(event[7])[1] == 1:
                found = {tag: {s: v for s, v in of.items() if s < step} for tag, of in found.items()}
            if 5 in event:
                value = fields(fields(event[5])[1])
                of_tag = found.setdefault(value[1].decode(), {})
                expect(of_tag.get(step), None, f"a second value of step {step}")
                of_tag[step] = struct.unpack("<f", value[2])[0]
    return found


def check_tensorboard(run):
    rows = history(run)
    result = json.loads((run / "run.json").read_text())["result"]

    def column(key):
        return {int(r["epoch"]): struct.unpack("f", struct.pack("f", r[key]))[0] for r in rows}

    def single(key):
        return {result["steps"]: struct.unpack("f", struct.pack("f", result[key]))[0]}

    train, validation = scalars(run / "tensorboard/train"), scalars(run / "tensorboard/validation")
    expect(train, {"epoch_accuracy": column("accuracy"), "epoch_loss": column("loss"),
                   "epoch_learning_rate": column("learning_rate")}, "train")
    expected = {"evaluation_accuracy_vs_iterations": single("test_accuracy"),
                "evaluation_loss_vs_iterations": single("test_loss")}
    if "val_loss" in rows[0]:
        expected |= {"epoch_accuracy": column("val_accuracy"), "epoch_loss": column("val_loss")}
    expect(validation, expected, "validation")


if sys.argv[1] == "--tensorboard":
    check_tensorboard(pathlib.Path(sys.argv[2]))
else:
    check_events(pathlib.Path(sys.argv[1]), int(sys.argv[2]), (sys.argv + [""])[3])
