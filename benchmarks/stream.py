"""Frames per second that `cnnlab predict --frames` answers, beside the network's bare forward pass.

    python benchmarks/stream.py [--config configs/cifar.yaml] [--size 96] [--frames 200] [--threads 2]

The network is that of the config for images of `size` × `size` px, with random weights; frames are raw pixels of
640 × 480, as a camera gives them. A stream takes each through everything: cut out of the bytes, resized, normalised,
one pass, the answer as a line of JSON. The bare side is the pass alone, on an input that is ready. Both take turns;
other work on the machine slows both, and the best round is the one that it disturbed least.
"""

import argparse
import io
import os
import time
from statistics import median

import torch

from cnnlab.cli.results import results_alone
from cnnlab.evaluation.stream.answers import StreamOptions, answered
from cnnlab.evaluation.stream.frames import RawFrames
from cnnlab.evaluation.stream.latest import arrivals
from cnnlab.network.open import open_network
from cnnlab.network.session import Session
from cnnlab.view import json

ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--config", default="configs/cifar.yaml")
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    with results_alone():
        module = open_network(given.config, Session(device_name="cpu")).model
    size = {"size": given.size, "mean": "0.5", "std": "0.25", "classes": ",".join("0123456789")}
    network = open_network(module, Session(device_name="cpu"), for_images=True, **size)
    ready = network.preparation.inputs(torch.zeros(1, *network.shape, dtype=torch.uint8))
    frame = RawFrames(640, 480)
    content = torch.randint(256, (frame.size,), dtype=torch.uint8).numpy().tobytes() * given.frames
    stream, bare = [], []
    for _ in range(ROUNDS):
        began = None
        for answer in answered(network, arrivals(frame.read(io.BytesIO(content)), every=True), StreamOptions()):
            began = began or time.perf_counter()  # the first one ended the warm-up
            json.text(answer.as_json(), indent=None)
        assert began is not None
        stream.append((given.frames - 1) / (time.perf_counter() - began))
        with torch.inference_mode():
            began = time.perf_counter()
            for _ in range(given.frames):
                network.model(ready)
            bare.append(given.frames / (time.perf_counter() - began))
    print(f"{given.config} at {given.size} × {given.size} px, {os.cpu_count()} cores, {given.threads} threads")
    print(f"{'frames/s':28}  {'median':>8}  {'best':>8}")
    for name, rates in (("cnnlab predict --frames", stream), ("bare forward pass", bare)):
        print(f"{name:28}  {median(rates):8.1f}  {max(rates):8.1f}")
    print(f"{'ratio':28}  {median(stream) / median(bare):8.2f}  {max(stream) / max(bare):8.2f}")


if __name__ == "__main__":
    main()
