"""What the Python peers share: the data set and the options."""

import gzip
from pathlib import Path

import numpy as np


def read_idx(folder, name):
    """Return the IDX file `name` of unsigned bytes, plain or gzipped, as an array."""
    plain = folder / name
    raw = plain.read_bytes() if plain.exists() else gzip.decompress((folder / f"{name}.gz").read_bytes())
    dimensions = raw[3]
    shape = np.frombuffer(raw, ">u4", dimensions, offset=4).astype(int)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def read_training_images(folder):
    """Return the training images, flat and from 0 to 1, and their labels."""
    images = read_idx(folder, "train-images-idx3-ubyte")
    labels = read_idx(folder, "train-labels-idx1-ubyte")
    return images.reshape(len(images), -1).astype(np.float32) / 255, labels.astype(np.int64)


def add_common_options(parser):
    parser.add_argument("--data-dir", type=Path, required=True, help="folder with the IDX files, plain or gzipped")
    parser.add_argument("--batch-size", type=int, default=256, help="over all ranks")
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=0.001)
    parser.add_argument("--epochs", type=int, default=1, help="timed epochs, after one to warm up")
    parser.add_argument("--seed", type=int, default=0)
