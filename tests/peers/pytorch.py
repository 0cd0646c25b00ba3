#!/usr/bin/env python3
"""Measure how many images a second PyTorch trains, as a peer for fmnist-dist.

The work is that of `fmnist-dist train --lr-schedule constant`: Flatten, Dense(128, relu),
Dense(10), softmax with cross-entropy, Adam, whole epochs in a new random order, the last
batch short. PyTorch gets its best practice for data that fit in memory: the images are
normalised float32 tensors before the clock starts, a batch is one index_select (no
DataLoader), gradients are set to None, subnormals are flushed, and no step reads the loss
back. One epoch warms up, then each timed epoch prints one line:

    <global batch size> <images per second> <mean training loss>

With --ranks N it starts N processes, each on a core of its own, which share each global batch
through DistributedDataParallel over gloo; under torchrun it takes part in that job instead.
OpenBLAS has threads of its own: set OPENBLAS_NUM_THREADS to the same number as --threads.
"""

import argparse
import os
import socket
import time

import torch
from torch import distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from idx import add_common_options, read_training_images


def train_epoch(model, optimizer, images, labels, batch_size, rank, ranks):
    """Train on every image once, this rank on its part, and return the mean loss of its part."""
    criterion = nn.CrossEntropyLoss()
    total, count = torch.zeros(()), 0
    for index in torch.randperm(len(images)).split(batch_size):  # the same on every rank
        mine = index[rank::ranks]
        optimizer.zero_grad(set_to_none=True)
        loss = criterion(model(images.index_select(0, mine)), labels.index_select(0, mine))
        loss.backward()
        optimizer.step()
        total += loss.detach() * len(mine)
        count += len(mine)
    return total.item() / count


def train(args, rank, ranks):
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)  # else Adam's moments of dark pixels decay into slow subnormals
    torch.manual_seed(args.seed)

    images, labels = (torch.from_numpy(array) for array in read_training_images(args.data_dir))
    model = nn.Sequential(nn.Linear(images.shape[1], args.hidden), nn.ReLU(),
                          nn.Linear(args.hidden, int(labels.max()) + 1))
    if ranks > 1:
        # One bucket and no copy of the gradients: the best that DDP has for a model this small.
        model = DistributedDataParallel(model, gradient_as_bucket_view=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.learning_rate, eps=1e-7)

    train_epoch(model, optimizer, images, labels, args.batch_size, rank, ranks)
    for _ in range(args.epochs):
        if ranks > 1:
            distributed.barrier()
        start = time.perf_counter()
        loss = train_epoch(model, optimizer, images, labels, args.batch_size, rank, ranks)
        if ranks > 1:
            distributed.barrier()
        seconds = time.perf_counter() - start
        if rank == 0:
            print(f"{args.batch_size} {len(images) / seconds:.0f} {loss:.4f}", flush=True)


def train_in_job(rank, ranks, args):
    """Train as one process of a job whose place is in the environment."""
    cores = sorted(os.sched_getaffinity(0))
    if args.pin and ranks <= len(cores):
        os.sched_setaffinity(0, {cores[rank]})
    distributed.init_process_group("gloo", rank=rank, world_size=ranks)
    train(args, rank, ranks)
    distributed.destroy_process_group()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_common_options(parser)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--ranks", type=int, default=1, help="processes of a DDP job")
    parser.add_argument("--no-pin", dest="pin", action="store_false",
                        help="let the processes of a job share their cores")
    args = parser.parse_args()

    if "WORLD_SIZE" in os.environ:
        train_in_job(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), args)
    elif args.ranks == 1:
        train(args, 0, 1)
    else:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(free.getsockname()[1]))
        multiprocessing.spawn(train_in_job, (args.ranks, args), nprocs=args.ranks)


if __name__ == "__main__":
    main()
