#!/usr/bin/env python3
"""Measure how many images a second plain NumPy trains, as a peer for fmnist-dist.

The work is that of pytorch.py, written out: two matrix products forward, three backward, softmax
with cross-entropy, Adam. All arrays are there before the clock starts and every operation writes
into them, as NumPy's best practice is. One epoch warms up, then each timed epoch prints one line:

    <batch size> <images per second> <mean training loss>

NumPy has no way to flush subnormals; a learning rate of 0.001 over a few epochs makes few of them.
"""

import argparse
import time

import numpy as np

from idx import add_common_options, read_training_images


class Adam:
    """Keras' Adam over one flat array of parameters."""

    def __init__(self, parameters, learning_rate, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
        self.rate, self.betas, self.epsilon = learning_rate, (beta_1, beta_2), epsilon
        self.parameters, self.step_count = parameters, 0
        self.m, self.v, self.a, self.b = (np.zeros_like(parameters) for _ in range(4))

    def step(self, gradient):
        beta_1, beta_2 = self.betas
        self.step_count += 1
        rate = self.rate * (1 - beta_2**self.step_count) ** 0.5 / (1 - beta_1**self.step_count)
        a, b = self.a, self.b
        self.m *= np.float32(beta_1)
        self.m += np.multiply(gradient, np.float32(1 - beta_1), out=a)
        self.v *= np.float32(beta_2)
        np.multiply(gradient, gradient, out=a)
        self.v += np.multiply(a, np.float32(1 - beta_2), out=a)
        np.sqrt(self.v, out=b)
        b += np.float32(self.epsilon)
        np.multiply(self.m, np.float32(rate), out=a)
        self.parameters -= np.divide(a, b, out=a)


def layers_of(flat, inputs, hidden, classes):
    """Return views of the flat array: kernel and bias of both layers."""
    views, at = [], 0
    for shape in (inputs, hidden), (hidden,), (hidden, classes), (classes,):
        size = int(np.prod(shape))
        views.append(flat[at:at + size].reshape(shape))
        at += size
    return views


class Step:
    """One step of training with all its arrays, for batches of at most `batch_size`."""

    def __init__(self, inputs, hidden, classes, args):
        rng = np.random.default_rng(args.seed)
        size = inputs * hidden + hidden + hidden * classes + classes
        self.flat, self.gradient = np.zeros(size, np.float32), np.zeros(size, np.float32)
        self.layers = layers_of(self.flat, inputs, hidden, classes)
        self.gradients = layers_of(self.gradient, inputs, hidden, classes)
        for kernel in self.layers[0], self.layers[2]:
            limit = (6 / sum(kernel.shape)) ** 0.5
            kernel[...] = rng.uniform(-limit, limit, kernel.shape)
        self.optimizer = Adam(self.flat, args.learning_rate)
        shape = (args.batch_size, hidden)
        self.x = np.empty((args.batch_size, inputs), np.float32)
        self.h, self.dh = np.empty(shape, np.float32), np.empty(shape, np.float32)
        self.z = np.empty((args.batch_size, classes), np.float32)

    def run(self, images, labels, index):
        """Train on the images of `index` and return the sum of their losses."""
        n, rows = len(index), np.arange(len(index))
        x, h, dh, z = self.x[:n], self.h[:n], self.dh[:n], self.z[:n]
        kernel_1, bias_1, kernel_2, bias_2 = self.layers
        d_kernel_1, d_bias_1, d_kernel_2, d_bias_2 = self.gradients
        np.take(images, index, axis=0, out=x, mode="clip")
        picked = labels[index]
        np.matmul(x, kernel_1, out=h)
        h += bias_1
        np.maximum(h, 0, out=h)
        np.matmul(h, kernel_2, out=z)
        z += bias_2
        z -= z.max(axis=1, keepdims=True)
        right = z[rows, picked].sum(dtype=np.float64)
        np.exp(z, out=z)
        sums = z.sum(axis=1, keepdims=True)
        loss = np.log(sums).sum(dtype=np.float64) - right
        z /= sums
        z[rows, picked] -= 1
        z *= np.float32(1 / n)
        np.matmul(h.T, z, out=d_kernel_2)
        np.sum(z, axis=0, out=d_bias_2)
        np.matmul(z, kernel_2.T, out=dh)
        dh *= h > 0
        np.matmul(x.T, dh, out=d_kernel_1)
        np.sum(dh, axis=0, out=d_bias_1)
        self.optimizer.step(self.gradient)
        return loss


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_common_options(parser)
    args = parser.parse_args()

    images, labels = read_training_images(args.data_dir)
    step = Step(images.shape[1], args.hidden, int(labels.max()) + 1, args)
    rng = np.random.default_rng(args.seed)
    for epoch in range(1 + args.epochs):
        start = time.perf_counter()
        order = rng.permutation(len(images))
        loss = sum(step.run(images, labels, order[at:at + args.batch_size])
                   for at in range(0, len(order), args.batch_size))
        seconds = time.perf_counter() - start
        if epoch > 0:
            print(f"{args.batch_size} {len(images) / seconds:.0f} {loss / len(images):.4f}", flush=True)


if __name__ == "__main__":
    main()
