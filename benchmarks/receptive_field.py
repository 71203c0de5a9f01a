"""The whole table of receptive fields against forward passes of the same network on the processor.

    python benchmarks/receptive_field.py [--network resnet152] [--size 224] [--rounds 5] [--threads 2]

The table: both walks (at the picture's size, and on a canvas on which no field is clipped), each layer read with its
costs and gaps. The forward pass: one picture, no gradients. The sides alternate in one process, so that a machine whose
speed drifts treats both alike; the ratio of the medians is printed.
"""

import argparse
import time
from statistics import median

import torch
import torchvision

from cnnlab.analysis.receptive_field.fields import receptive_fields
from cnnlab.analysis.walk.walker import walk


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
    picture = torch.randn(1, *shape)
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
                model(picture)
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


if __name__ == "__main__":
    main()
