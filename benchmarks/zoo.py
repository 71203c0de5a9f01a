"""Images per second of the networks of configs/zoo/, beside torchvision's or timm's own of the same architecture.

    python benchmarks/zoo.py [NAME…] [--batch 8] [--rounds 5] [--threads 2] [--out benchmarks/zoo-speeds.json]

Each network gets a batch of random images of its config's size, in float32 and the config's memory layout: a forward
pass in evaluation mode, and a training step (forward, cross-entropy, backward, SGD with momentum). Where the config
names a counterpart, both sides take turns in one process, so that a machine whose speed drifts treats both alike; the
ratio is the median of the ratios of the rounds. A first round of each is not counted.

The measurements of NAME… take the places of earlier ones in --out, which `make docs` puts into docs/zoo.md: one that is
broken off loses nothing but the network at which it was. The whole takes about half an hour on two idle cores.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
import torch.nn.functional as F
from torch import nn

from cnnlab.config.config import Config, read_config
from cnnlab.core.files import write_whole
from cnnlab.fit.device import pointwise_route
from cnnlab.network.fresh import new_network
from cnnlab.network.zoos import ZOOS

ZOO = Path(__file__).parents[1] / "configs" / "zoo"
OUT = Path(__file__).with_name("zoo-speeds.json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="files of configs/zoo/ without .yaml; all by default")
    parser.add_argument("--batch", type=int, default=8, help="images")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    known = sorted(path.stem for path in ZOO.glob("*.yaml"))
    if unknown := [name for name in arguments.names if name not in known]:
        parser.error(f"no network {', '.join(unknown)}; known: {', '.join(known)}")
    print(
        f"torch {torch.__version__}, {arguments.threads} threads, {arguments.batch} images, {arguments.rounds} rounds"
    )
    print(f"{'':22}{'forward':>12}{'ratio':>8}{'training':>12}{'ratio':>8}   images/s, ours / its counterpart's")
    for name in arguments.names or known:
        speeds = speeds_of(read_config(ZOO / f"{name}.yaml"), arguments.batch, arguments.rounds)
        print(name.ljust(22) + "".join(_cell(*speeds[kind]) for kind in ("forward", "training")), flush=True)
        keep(arguments.out, name, {"threads": arguments.threads, "batch": arguments.batch, **speeds})


def speeds_of(config: Config, batch: int, rounds: int) -> dict[str, tuple[float, float | None]]:
    """Images per second of a forward pass and of a training step, each with its ratio to the counterpart's."""
    shape, _ = config.data.known
    assert shape is not None
    classes = config.data.made_for or 10
    layout = torch.channels_last if config.training.channels_last else torch.contiguous_format
    networks = [new_network(config, shape, classes)]
    if config.counterpart is not None:
        zoo, _, name = config.counterpart.partition(":")
        networks.append(_without_auxiliary_heads(ZOOS[zoo](name, values=True, classes=classes).fresh(0)))
    images = torch.randn(batch, *shape).contiguous(memory_format=layout)
    labels = torch.randint(classes, (batch,))
    passes = [_forward(network.to(memory_format=layout), images) for network in networks]
    forward = _measured(passes, batch, rounds)
    steps = [_training_step(network, images, labels) for network in networks]
    return {"forward": forward, "training": _measured(steps, batch, rounds)}


def _without_auxiliary_heads(network: nn.Module) -> nn.Module:
    """torchvision's GoogLeNet without the two heads that ours has not, which would run in a training step."""
    if hasattr(network, "aux_logits"):
        for name in ("aux_logits", "aux1", "aux2"):
            setattr(network, name, None)
    return network


def _forward(network: nn.Module, images: torch.Tensor) -> Callable[[], object]:
    def run() -> object:
        network.eval()
        with torch.no_grad():
            return network(images)

    return run


def _training_step(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> Callable[[], object]:
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)
    route = pointwise_route(images.device, network)  # as a training has it, which a fault of oneDNN would end

    def run() -> object:
        network.train()
        optimizer.zero_grad()
        with route:
            logits = network(images)
        F.cross_entropy(logits, labels).backward()
        return optimizer.step()

    return run


def _measured(sides: list[Callable[[], object]], batch: int, rounds: int) -> tuple[float, float | None]:
    """Images per second of the first side, and how many times those of the second that is."""
    seconds: list[list[float]] = [[] for _ in sides]
    for number in range(rounds + 1):
        for side, times in zip(sides, seconds, strict=True):
            started = time.perf_counter()
            side()
            if number:
                times.append(time.perf_counter() - started)
    speed = _rounded(batch / median(seconds[0]))
    if len(sides) == 1:
        return speed, None
    return speed, _rounded(median(theirs / ours for ours, theirs in zip(*seconds, strict=True)))


def _rounded(number: float) -> float:
    """A number to four digits."""
    return float(f"{number:.4g}")


def keep(path: Path, name: str, measured: dict[str, object]) -> None:
    """Put one network's measurements into the file, with the machine that they were made on."""
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    machine = f"{_processor()}, torch {torch.__version__}"
    kept[name] = {"machine": machine, **measured}
    write_whole(path, json.dumps(dict(sorted(kept.items())), indent=1) + "\n")


def _processor() -> str:
    """The processor's name as the system tells it."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text(encoding="utf-8").splitlines() if information.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


def _cell(speed: float, ratio: float | None) -> str:
    return f"{speed:12,.1f}" + ("       –" if ratio is None else f"{ratio:8.2f}")


if __name__ == "__main__":
    main()
