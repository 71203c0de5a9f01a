"""The whole table of receptive fields against forward passes of the same network on the processor.

    python benchmarks/receptive_field.py [--network resnet152] [--size 224] [--rounds 5] [--threads 2]

The table: both walks (at the image's size, and on a canvas on which no field is clipped), each layer read with its
costs and gaps. The forward pass: one image, no gradients. The sides alternate in one process, so that a machine whose
speed drifts treats both alike; the ratio of the medians is printed.

Then the table of a LeNet that flattens its map, against that of its twin that pools it: on a canvas a flattened map
needs numbers as its area grows, so that the canvas has to be given up in time.
"""

import argparse
import time
import tracemalloc
from statistics import median

import torch
import torchvision
from torch import nn

from cnnlab.receptive_field.fields import receptive_fields
from cnnlab.walk.walker import walk


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", default="resnet152")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model = torchvision.models.get_model(arguments.network, weights=None).eval()
    shape = (3, arguments.size, arguments.size)
    image = torch.randn(1, *shape)
    tables, walks, passes = [], [], []
    layers = 0
    for turn in range(arguments.rounds + 1):
        started = time.perf_counter()
        layers = len(receptive_fields(model, shape).layers)
        table = time.perf_counter() - started
        started = time.perf_counter()
        walk(model, shape)
        alone = time.perf_counter() - started
        started = time.perf_counter()
        with torch.inference_mode():
            for _ in range(3):
                model(image)
        forward = (time.perf_counter() - started) / 3
        if turn:  # the first round warms caches and kernels up
            tables.append(table)
            walks.append(alone)
            passes.append(forward)
    print(f"{arguments.network} at {arguments.size} px, torch {torch.__version__}, {arguments.threads} threads")
    print(f"forward pass           {1e3 * median(passes):8.1f} ms")
    print(f"table of {layers:4d} layers   {1e3 * median(tables):8.1f} ms")
    print(f"one walk               {1e3 * median(walks):8.1f} ms")
    print(f"table / forward pass   {median(tables) / median(passes):8.2f}")
    print(f"walk / forward pass    {median(walks) / median(passes):8.2f}")
    _flattened(arguments.rounds)


def _lenet(*, pooled: bool) -> nn.Module:
    maps = [nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2)]
    pool = [nn.AdaptiveAvgPool2d(1)] if pooled else []
    head = [nn.Flatten(), nn.Linear(16 if pooled else 400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh()]
    return nn.Sequential(*maps, *pool, *head, nn.Linear(84, 10))


def _flattened(rounds: int) -> None:
    twins = {"flattened": _lenet(pooled=False), "pooled": _lenet(pooled=True)}
    times: dict[str, list[float]] = {name: [] for name in twins}
    peaks = dict.fromkeys(twins, 0)
    for turn in range(rounds + 1):
        for name, model in twins.items():
            if not turn:
                tracemalloc.start()
            started = time.perf_counter()
            receptive_fields(model, (1, 28, 28))
            if turn:
                times[name].append(time.perf_counter() - started)
            else:
                peaks[name] = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
    one, other = (median(times[name]) for name in twins)
    print("LeNet, 1 × 28 × 28 px: its map flattened / pooled")
    print(f"table                  {1e3 * one:8.1f} ms / {1e3 * other:.1f} ms = {one / other:.2f}")
    print(f"peak memory            {peaks['flattened'] / 2**20:8.1f} MiB / {peaks['pooled'] / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
