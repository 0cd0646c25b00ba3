#!/usr/bin/env python3
"""Measure how many images a second PyTorch trains, as a peer for fmnist-dist.

The work is that of `fmnist-dist train --lr-schedule constant`: Flatten, Dense(128, relu),
Dense(10), softmax with cross-entropy, Adam, whole epochs in a new random order, the last
batch short. PyTorch gets its best practice for data that fit in memory: the images are
normalised float32 tensors before the clock starts, a batch is one index_select (no
DataLoader), gradients are set to None, subnormals are flushed, and no step reads the loss
back. One epoch warms up, then each timed epoch prints one line:

    <batch size> <images per second> <mean training loss>

OpenBLAS has threads of its own: set OPENBLAS_NUM_THREADS to the same number as --threads.
"""

import argparse
import gzip
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn


def read_idx(folder, name):
    """Return the IDX file `name` of unsigned bytes, plain or gzipped, as an array."""
    plain = folder / name
    raw = plain.read_bytes() if plain.exists() else gzip.decompress((folder / f"{name}.gz").read_bytes())
    dimensions = raw[3]
    shape = np.frombuffer(raw, ">u4", dimensions, offset=4).astype(int)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def load(folder):
    """Return the training images, flat and from 0 to 1, and their labels."""
    images = read_idx(folder, "train-images-idx3-ubyte")
    labels = read_idx(folder, "train-labels-idx1-ubyte")
    flat = images.reshape(len(images), -1).astype(np.float32) / 255
    return torch.from_numpy(flat), torch.from_numpy(labels.astype(np.int64))


def train_epoch(model, optimizer, images, labels, batch_size):
    """Train on every image once and return the mean loss."""
    criterion = nn.CrossEntropyLoss()
    total = torch.zeros(())
    for index in torch.randperm(len(images)).split(batch_size):
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(model(images.index_select(0, index)), labels.index_select(0, index))
        loss.backward()
        optimizer.step()
        total += loss.detach() * len(index)
    return total.item() / len(images)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True, help="folder with the IDX files, plain or gzipped")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--learning-rate", type=float, default=0.001)
    parser.add_argument("--epochs", type=int, default=1, help="timed epochs, after one to warm up")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)  # else Adam's moments of dark pixels decay into slow subnormals
    torch.manual_seed(args.seed)

    images, labels = load(args.data_dir)
    classes = int(labels.max()) + 1
    model = nn.Sequential(nn.Linear(images.shape[1], args.hidden), nn.ReLU(), nn.Linear(args.hidden, classes))
    optimizer = torch.optim.Adam(model.parameters(), lr=args.learning_rate, eps=1e-7)

    train_epoch(model, optimizer, images, labels, args.batch_size)
    for _ in range(args.epochs):
        start = time.perf_counter()
        loss = train_epoch(model, optimizer, images, labels, args.batch_size)
        seconds = time.perf_counter() - start
        print(f"{args.batch_size} {len(images) / seconds:.0f} {loss:.4f}")


if __name__ == "__main__":
    main()
