"""A PyTorch module from a model in the program's own text: a preset, or a file of tests/peers/models."""

import re

import torch
from torch import nn


def read_layers(path, classes):
    """Return the layers of a model file: lines of comma-separated layers, '--options' and comments left out."""
    lines = (line.strip() for line in path.read_text().splitlines())
    text = ",".join(line for line in lines if line and not line.startswith(("#", "--")))
    return text.replace("CLASSES", str(classes))


def parse(item):
    """Return name, positional arguments, flags, named arguments and mark of one layer."""
    item, _, mark = item.strip().partition("@")
    name, *words = item.split(":")
    named = dict(word.split("=") for word in words if "=" in word)
    flags = {word for word in words if "=" not in word and re.fullmatch("[a-z_]+", word)}
    return name, [word for word in words if "=" not in word and word not in flags], flags, named, mark


class Network(nn.Module):
    """A graph of layers in order. Padding 'same' is symmetric, which differs from Keras for strides
    but costs the same. Softmax belongs to the loss, and what only augments images is refused."""

    def __init__(self, layers, shape):
        super().__init__()
        self.steps = []  # (operation or module, name of the other input, mark of the output)
        self.modules_in_order = nn.ModuleList()
        shapes = {}
        for item in layers.split(","):
            name, numbers, flags, named, mark = parse(item)
            if name in ("from", "add"):
                self.steps.append((name, numbers[0] if numbers else min(flags), mark))
                shape = shapes[self.steps[-1][1]]
            else:
                made, shape = getattr(self, "make_" + name)(shape, numbers, flags, named)
                for module in made:
                    self.modules_in_order.append(module)
                    self.steps.append((module, None, ""))
                self.steps[-1] = (*self.steps[-1][:2], mark)
            shapes[mark] = shape

    @staticmethod
    def activation(flags):
        return [nn.ReLU(inplace=True)] if "relu" in flags else []

    def make_conv2d(self, shape, numbers, flags, named):
        filters, kernel, stride = int(numbers[0]), int(numbers[1]), int(named.get("strides", 1))
        padding = kernel // 2 if "same" in flags else 0
        layer = nn.Conv2d(shape[0], filters, kernel, stride, padding, bias="nobias" not in flags)
        height, width = ((size + 2 * padding - kernel) // stride + 1 for size in shape[1:])
        return [layer, *self.activation(flags)], (filters, height, width)

    def make_dense(self, shape, numbers, flags, named):
        return [nn.Linear(shape[0], int(numbers[0])), *self.activation(flags)], (int(numbers[0]),)

    def make_batch_normalization(self, shape, numbers, flags, named):
        momentum = float(numbers[0]) if numbers else 0.99  # Keras counts the other share
        return [nn.BatchNorm2d(shape[0], eps=1e-3, momentum=1 - momentum)], shape

    def make_relu(self, shape, numbers, flags, named):
        return [nn.ReLU(inplace=True)], shape

    def make_max_pooling2d(self, shape, numbers, flags, named):
        return [nn.MaxPool2d(2)], (shape[0], shape[1] // 2, shape[2] // 2)

    def make_global_average_pooling2d(self, shape, numbers, flags, named):
        return [nn.AdaptiveAvgPool2d(1), nn.Flatten()], (shape[0],)

    def make_flatten(self, shape, numbers, flags, named):
        return [nn.Flatten()], (int(torch.Size(shape).numel()),)

    def forward(self, x):
        marked = {}
        for operation, other, mark in self.steps:
            if operation == "from":
                x = marked[other]
            elif operation == "add":
                x = x + marked[other]
            else:
                x = operation(x)
            if mark:
                marked[mark] = x
        return x
