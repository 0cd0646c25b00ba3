#!/usr/bin/env python3
"""Measure how many images a second PyTorch trains, as a peer for fmnist-dist.

The work is that of `fmnist-dist train --lr-schedule constant`: a model in the program's text
(--model FILE) or a perceptron (--hidden N), softmax with cross-entropy, Adam, whole epochs in a new
random order, the last batch short. PyTorch gets its best practice for data that fit in memory: the
images are normalised float32 tensors before the clock starts, a batch is one index_select (no
DataLoader), gradients are set to None, relu works in place, Adam is fused where this version can,
convolutions are channels_last unless --no-channels-last, subnormals are flushed, and no step reads
the loss back. One epoch warms up, then each timed epoch prints one line:

    <global batch size> <images per second> <mean training loss>

With --in-turn it waits for a line on stdin before each epoch, so that other programs can run
between them. With --ranks N it starts N processes, each on a core of its own, which share each
global batch through DistributedDataParallel over gloo; under torchrun it takes part in that job
instead. OpenBLAS has threads of its own: set OPENBLAS_NUM_THREADS to the same number as --threads.
"""

import argparse
import os
import socket
import sys
import time
from pathlib import Path

import torch
from torch import distributed, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from idx import add_common_options, read_training_images
from network import Network, read_layers


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


def create_optimizer(model, learning_rate):
    parameters = list(model.parameters())
    try:
        return torch.optim.Adam(parameters, lr=learning_rate, eps=1e-7, fused=True)
    except (RuntimeError, TypeError):  # before 2.4 only on GPUs
        return torch.optim.Adam(parameters, lr=learning_rate, eps=1e-7)


def create_model(args, shape, classes, ranks):
    layers = read_layers(args.model, classes) if args.model else f"flatten,dense:{args.hidden}:relu,dense:{classes}"
    model = Network(layers, shape)
    if args.channels_last:
        model = model.to(memory_format=torch.channels_last)
    if ranks > 1:
        # No copy of the gradients, and no broadcast of statistics: the best that DDP has.
        model = DistributedDataParallel(model, gradient_as_bucket_view=True, broadcast_buffers=False)
    return model


def timed_epochs(args, rank, ranks):
    """Yield once for each timed epoch, when it shall start on all ranks."""
    for _ in range(args.epochs):
        if args.in_turn and rank == 0 and not sys.stdin.readline():
            sys.exit("pytorch.py: nobody asks for the next epoch")
        if ranks > 1:
            distributed.barrier()
        yield


def train(args, rank, ranks):
    torch.set_num_threads(args.threads)
    torch.set_flush_denormal(True)  # else Adam's moments of dark pixels decay into slow subnormals
    torch.manual_seed(args.seed)

    pixels, labels = (torch.from_numpy(array) for array in read_training_images(args.data_dir))
    side = int(pixels.shape[1] ** 0.5)
    images = pixels.reshape(-1, 1, side, side)
    model = create_model(args, images.shape[1:], int(labels.max()) + 1, ranks)
    optimizer = create_optimizer(model, args.learning_rate)

    train_epoch(model, optimizer, images, labels, args.batch_size, rank, ranks)
    if args.in_turn and rank == 0:
        print("ready", flush=True)
    for _ in timed_epochs(args, rank, ranks):
        start = time.perf_counter()
        loss = train_epoch(model, optimizer, images, labels, args.batch_size, rank, ranks)
        if ranks > 1:
            distributed.barrier()
        seconds = time.perf_counter() - start
        if rank == 0:
            print(f"{args.batch_size} {len(images) / seconds:.0f} {loss:.4f}", flush=True)


def train_in_job(rank, ranks, args, stdin=None):
    """Train as one process of a job whose place is in the environment."""
    if stdin is not None and rank == 0:
        sys.stdin = os.fdopen(os.open(stdin, os.O_RDONLY))
    cores = sorted(os.sched_getaffinity(0))
    if args.pin and ranks <= len(cores):
        os.sched_setaffinity(0, {cores[rank]})
    distributed.init_process_group("gloo", rank=rank, world_size=ranks)
    train(args, rank, ranks)
    distributed.destroy_process_group()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_common_options(parser)
    parser.add_argument("--model", type=Path, help="file with layers in the program's text, instead of --hidden")
    parser.add_argument("--no-channels-last", dest="channels_last", action="store_false")
    parser.add_argument("--in-turn", action="store_true", help="wait for a line on stdin before each timed epoch")
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
            os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(free.getsockname()[1]),
                              USE_LIBUV="0")  # Debian's is built without
        stdin = f"/proc/{os.getpid()}/fd/0"  # the processes of a job have none of their own
        multiprocessing.spawn(train_in_job, (args.ranks, args, stdin), nprocs=args.ranks)


if __name__ == "__main__":
    main()
