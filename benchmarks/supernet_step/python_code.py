#!/usr/bin/env python3
"""The NASBench-201 supernet's search steps in plain PyTorch, for a comparison with Fused in one run.

usage: python_code.py [--cpu] [full|digits]...      environment: OMP_NUM_THREADS, SECONDS (a line, default 20)
       --cpu: processor time, for one thread on a busy machine

Built from the public code's list of operations: one module per edge and option with a ReLU of its own, batch norm
without affine parameters, an average pooling per edge, zeros computed for `none`, SGD and Adam of torch.optim, a
deep copy of the model for the unrolled step. Needs Python's torch. Prints milliseconds per step, medians.
"""
import copy
import os
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F

SIZES = {  # channels, cells per stage, pixels, image channels, batch
    "full": (16, 5, 32, 3, 64),
    "digits": (16, 1, 8, 1, 64),
}


class Zero(nn.Module):
    def forward(self, x):
        return x.mul(0.0)


def convolution(c_in, c_out, kernel, stride=1, affine=False):
    return nn.Sequential(
        nn.ReLU(inplace=False),
        nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(c_out, affine=affine),
    )


class Edge(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.options = nn.ModuleList([
            Zero(),
            nn.Identity(),
            convolution(c, c, 1),
            convolution(c, c, 3),
            nn.AvgPool2d(3, 1, 1, count_include_pad=False),
        ])

    def forward(self, x, choice):
        """All options, weighted by a row, or the one of an index."""
        if isinstance(choice, int):
            return self.options[choice](x)
        return sum(option(x) * w for option, w in zip(self.options, choice))


class Cell(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.edges = nn.ModuleList([Edge(c) for _ in range(6)])

    def forward(self, x, choices):
        nodes = [x]
        index = 0
        for target in range(1, 4):
            inputs = []
            for source in range(target):
                inputs.append(self.edges[index](nodes[source], choices[index]))
                index += 1
            nodes.append(sum(inputs))
        return nodes[-1]


class Reduction(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.a = convolution(c_in, c_out, 3, 2, affine=True)
        self.b = convolution(c_out, c_out, 3, 1, affine=True)
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(c_in, c_out, 1, bias=False))

    def forward(self, x, _):
        return self.shortcut(x) + self.b(self.a(x))


class Supernet(nn.Module):
    def __init__(self, channels, cells, image_channels):
        super().__init__()
        c = channels
        self.stem = nn.Sequential(
            nn.Conv2d(image_channels, c, 3, padding=1, bias=False), nn.BatchNorm2d(c))
        self.cells = nn.ModuleList()
        for stage in range(3):
            if stage > 0:
                self.cells.append(Reduction(c, 2 * c))
                c *= 2
            self.cells.extend(Cell(c) for _ in range(cells))
        self.last = nn.Sequential(nn.BatchNorm2d(c), nn.ReLU(inplace=True))
        self.classifier = nn.Linear(c, 10)
        self.alpha = nn.Parameter(1e-3 * torch.randn(6, 5))

    def weights(self):
        return [p for name, p in self.named_parameters() if name != "alpha"]

    def forward(self, images, path=None, probe=None):
        """The mixture; a path of one option per edge; or the mixture with one edge probed."""
        choices = path if path is not None else list(F.softmax(self.alpha, dim=-1))
        if probe is not None:
            edge, option = probe
            choices[edge] = option
        x = self.stem(images)
        for cell in self.cells:
            x = cell(x, choices)
        return self.classifier(F.adaptive_avg_pool2d(self.last(x), 1).flatten(1))


class Run:
    def __init__(self, channels, cells, pixels, image_channels, batch):
        torch.manual_seed(1)
        self.net = Supernet(channels, cells, image_channels)
        self.sgd = torch.optim.SGD(self.net.weights(), 0.025, momentum=0.9, weight_decay=5e-4,
                                   nesterov=True)
        self.adam = torch.optim.Adam([self.net.alpha], 3e-4, betas=(0.5, 0.999), weight_decay=1e-3)
        self.batches = [(torch.randn(batch, image_channels, pixels, pixels),
                         torch.randint(10, (batch,))) for _ in range(2)]

    def loss(self, net, batch, probe=None):
        return F.cross_entropy(net(batch[0], probe=probe), batch[1])

    def weight_step(self):
        self.sgd.zero_grad()
        self.loss(self.net, self.batches[0]).backward()
        nn.utils.clip_grad_norm_(self.net.weights(), 5)
        self.sgd.step()

    def first_order(self):
        self.adam.zero_grad()
        self.loss(self.net, self.batches[1]).backward()
        self.adam.step()
        self.weight_step()

    def second_order(self):
        net, rate = self.net, self.sgd.param_groups[0]["lr"]
        weights = net.weights()
        gradients = torch.autograd.grad(self.loss(net, self.batches[0]), weights)
        unrolled = copy.deepcopy(net)
        with torch.no_grad():
            for w, old, g in zip(unrolled.weights(), weights, gradients):
                moment = self.sgd.state[old].get("momentum_buffer")
                step = g + 5e-4 * old if moment is None else 0.9 * moment + g + 5e-4 * old
                w.sub_(rate * step)
        self.loss(unrolled, self.batches[1]).backward()
        vector = [w.grad for w in unrolled.weights()]
        epsilon = 0.01 / torch.cat([v.flatten() for v in vector]).norm()
        sides = []
        for sign in (1, -2):
            with torch.no_grad():
                for w, v in zip(weights, vector):
                    w.add_(sign * epsilon * v)
            sides.append(torch.autograd.grad(self.loss(net, self.batches[0]), net.alpha)[0])
        with torch.no_grad():
            for w, v in zip(weights, vector):
                w.add_(epsilon * v)
        self.adam.zero_grad()
        net.alpha.grad = unrolled.alpha.grad - rate * (sides[0] - sides[1]) / (2 * epsilon)
        self.adam.step()
        self.weight_step()

    def path(self):
        """Evaluates one random path on 46 images, what choosing among paths consists of."""
        images, labels = (part[:46] for part in self.batches[1])
        chosen = torch.randint(5, (6,)).tolist()
        with torch.no_grad():
            self.net(images, path=chosen).argmax(1).eq(labels).sum().item()

    def probe_edge(self):
        rows = []
        for option in range(5):
            self.net.zero_grad()
            self.loss(self.net, self.batches[0], (0, option)).backward()
            rows.append([w.grad.clone() if w.grad is not None else None for w in self.net.weights()])
        for i in range(5):
            for j in range(i):
                torch.stack([F.cosine_similarity(a.flatten(), b.flatten(), dim=0)
                             for a, b in zip(rows[i], rows[j])
                             if a is not None and b is not None]).mean().item()


def median(work, seconds, clock):
    work()
    times, end = [], clock() + seconds
    while not times or clock() < end:
        begin = clock()
        work()
        times.append(1e3 * (clock() - begin))
    return statistics.median(times), len(times)


def main():
    if "OMP_NUM_THREADS" in os.environ:
        torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    print(f"torch {torch.__version__}, threads {torch.get_num_threads()}")
    clock = time.process_time if "--cpu" in sys.argv else time.perf_counter
    for size in [word for word in sys.argv[1:] if word != "--cpu"] or SIZES:
        run = Run(*SIZES[size])
        for what in ("first_order", "second_order", "probe_edge", "path"):
            milliseconds, steps = median(getattr(run, what), float(os.environ.get("SECONDS", 20)),
                                         clock)
            print(f"{size}/{what}/python {milliseconds:.4g} ms, {steps} steps", flush=True)


if __name__ == "__main__":
    main()
