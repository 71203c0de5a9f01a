"""Receptive fields of cnnlab and of TorchLens against what a network really reads: layers that are right, and seconds.

    pip install torchlens
    python benchmarks/receptive_fields.py [NETWORK …] [--size 224] [--rounds 2] [--images 8]

Each side says which rows of the image the unit in the middle of each layer's output sees. What is true is found with
neither: rows 0 … t of the image are set to NaN, for every t, and then rows t … to the end; the unit is NaN where it
reads one of them. Those images are narrow: which rows are read does not depend on the columns. Compared are the layers
that put out feature maps (n, channels, rows, columns), in their first call.
Seconds are those of one process's processor time, the least of the rounds, in which the sides alternate; the
passes with NaN do not count. cnnlab tells the fields on a larger image besides, where nothing is clipped.
"""

import argparse
import time
from collections.abc import Callable, Iterator

import torch
import torchlens
import torchvision
from torch import Tensor, nn

from cnnlab.receptive_field.fields import receptive_fields
from cnnlab.receptive_field.reading import boxes

NETWORKS = (
    "resnet18", "densenet121", "googlenet", "shufflenet_v2_x1_0", "convnext_tiny", "mobilenet_v3_small",
    "efficientnet_b0", "regnet_y_400mf",
)  # fmt: skip

_COLUMNS = 32
"""Columns of the images with NaN: as many as lie between two units of the deepest layers."""

Rows = tuple[int, int]
"""The first and the last row that a unit reads."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=list(NETWORKS), metavar="NETWORK")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--images", type=int, default=32, help="with NaN in one forward pass")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{arguments.size} px, torch {torch.__version__}, torchlens {torchlens.__version__}, one thread")
    print(f"{'':28}{'right':>12}{'':9}{'seconds':>12}")
    print(f"{'':20}{'layers':>8}{'cnnlab':>10}{'TorchLens':>11}{'cnnlab':>10}{'TorchLens':>11}{'ratio':>8}")
    for name in arguments.networks:
        model = torchvision.models.get_model(name, weights=None).eval()
        sides: tuple[Side, Side] = (cnnlab_rows, torchlens_rows)
        found: list[dict[str, Rows]] = [{}, {}]
        seconds = [float("inf")] * 2
        for _ in range(arguments.rounds):
            for number, side in enumerate(sides):
                started = time.process_time()
                found[number] = side(model, arguments.size)
                seconds[number] = min(seconds[number], time.process_time() - started)
        true = true_rows(model, arguments.size, arguments.images)
        ours, theirs = (sum(rows.get(layer) == truth for layer, truth in true.items()) for rows in found)
        times = f"{seconds[0]:10.2f}{seconds[1]:11.2f}{seconds[1] / seconds[0]:8.1f}"
        print(f"{name:20}{len(true):8}{ours:10}{theirs:11}{times}", flush=True)


Side = Callable[[nn.Module, int], dict[str, Rows]]


def cnnlab_rows(model: nn.Module, size: int) -> dict[str, Rows]:
    """What cnnlab says of each layer's first output."""
    found = {}
    for output in receptive_fields(model, (3, size, size)).walk.outputs:
        if output.tag is not None and len(output.shape) == 4 and output.call == 1:
            rows = boxes(output.tag, 2, 3).rows
            first, last = rows[min(output.shape[2] // 2, len(rows) - 1)].tolist()
            found[output.layer] = (first, last)
    return found


def torchlens_rows(model: nn.Module, size: int) -> dict[str, Rows]:
    """What TorchLens says of each module's first call; nothing where it gives no bounds."""
    found = {}
    for module in torchlens.trace(model, torch.randn(1, 3, size, size)).modules:
        call = next(iter(module.calls.values()))
        try:
            view = call.receptive_field
            kinds = [axis.kind for axis in view.axes or ()]
            if kinds[2:3] == ["full"]:
                found[module.address] = (0, size - 1)
            elif kinds[2:3] == ["windowed"]:
                rows = view.at("center").axes[2]
                found[module.address] = (rows.clipped_start, rows.clipped_stop - 1)
        except (torchlens.errors.TorchLensError, ValueError):
            continue
    return found


def true_rows(model: nn.Module, size: int, images: int) -> dict[str, Rows]:
    """What a pass with NaN in its image says of the middle unit of each layer's first output."""
    firsts, lasts = (_reached(model, size, images, from_the_top=top) for top in (True, False))
    return {layer: (min(places), max(lasts[layer])) for layer, places in firsts.items() if places}


def _reached(model: nn.Module, size: int, images: int, *, from_the_top: bool) -> dict[str, list[int]]:
    """The rows t at which the NaN reaches each layer's middle unit."""
    found: dict[str, list[int]] = {}
    for places, seen in _probed(model, size, images, from_the_top=from_the_top):
        for layer, reached in seen.items():
            found.setdefault(layer, []).extend(t for t, nan in zip(places, reached, strict=True) if nan)
    return found


def _probed(
    model: nn.Module, size: int, images: int, *, from_the_top: bool
) -> Iterator[tuple[list[int], dict[str, list[bool]]]]:
    """Rows t at which the NaN ends (or begins), with whether each layer's middle unit is NaN then."""
    for begin in range(0, size, images):
        places = list(range(begin, min(begin + images, size)))
        batch = torch.randn(1, 3, size, _COLUMNS).repeat(len(places), 1, 1, 1)
        for image, t in zip(batch, places, strict=True):
            image[:, slice(0, t + 1) if from_the_top else slice(t, size)] = float("nan")
        seen: dict[str, list[bool]] = {}

        def look(name: str, seen: dict[str, list[bool]] = seen) -> Callable[..., None]:
            def hook(module: nn.Module, inputs: object, output: object) -> None:
                if name not in seen and isinstance(output, Tensor) and output.dim() == 4:
                    middle = output[:, :, output.shape[2] // 2, output.shape[3] // 2]
                    seen[name] = middle.isnan().any(1).tolist()

            return hook

        handles = [module.register_forward_hook(look(name)) for name, module in model.named_modules() if name]
        with torch.inference_mode():
            model(batch)
        for handle in handles:
            handle.remove()
        yield places, seen


if __name__ == "__main__":
    main()
