"""docs/zoo.md: the configs of configs/zoo/, from their headers, which a test holds to cnnlab's own counts."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from architectures.facts import FILES, counts_of, header_of, small_of
from references.markdown import table

HEAD = """\
# The zoo: architectures as layer lists

Each is a config of [configs/zoo/](../configs/zoo/), made of layers alone: `cnnlab summary configs/zoo/resnet50.yaml`
shows it, `cnnlab train configs/zoo/resnet18-cifar.yaml` trains it, and `data.dataset=…` gives it other images
and as many outputs as these have classes. Those for images of 224 px stand there with `shapes`, which are made on the
spot, in place of ImageNet. Where torchvision or timm has the network, a test loads its weights and finds the same
logits.

Counts are for the classes of the last column. The depth is that of the longest path, in layers with a matrix or
kernels; the receptive field is that of the last layer that has places. Both go past gates that look at the whole image
(squeeze and excitation).
"""

SMALL = """\
## For small images

Those above are made for 224 px: an image of 32 px leaves them one place to look at. Each of these becomes a network for
small images by what is put behind `cnnlab train configs/zoo/…yaml`: a stem that keeps the size, counted for CIFAR-10.
"""

SPEEDS = """\
## Speed

Images per second as `benchmarks/zoo.py` measured them, a forward pass and a training step, each with its ratio to the
counterpart of torchvision or timm in the same run (above 1: the network from YAML is the faster one).
"""

TRAINED = """\
## Trained

ResNet-18 on CIFAR-10 for two epochs, 26 minutes on two idle processor cores (57 images a second), with a warm-up of a
fifth of an epoch: 73.1 % of the validation part, 72.8 % of the test part. A recipe of 200 epochs takes a hundred times
as long.

```sh
cnnlab train resnet18-cifar training.epochs=2 schedule.cosine.warmup=0.2 schedule.cosine.every=step \\
    optimizer.sgd.nesterov=true logging.every_steps=10 --name resnet18
cnnlab eval resnet18 --split test
```

<img src="zoo-resnet18.png" width="75%" alt="Two epochs: validation accuracy 60.6 and 73.1 %; the loss of
single steps falls from 2.3 to 0.7 while the learning rate rises to 0.1 and falls along a cosine">
"""

MEASURED = Path(__file__).parents[2] / "benchmarks" / "zoo-speeds.json"


def page() -> str:
    """The whole page."""
    columns = ["config", "what", "paper", "parameters", "MACs", "depth", "field", "classes"]
    small = table(
        ["config", "for small images", "parameters", "MACs", "field"], [row for path in FILES for row in _small(path)]
    )
    measured = json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.exists() else {}
    whole = table(columns, [_row(path) for path in FILES])
    return f"{HEAD}\n{whole}\n\n{SMALL}\n{small}\n{speeds(measured)}\n{TRAINED}"


def speeds(measured: Mapping[str, Any]) -> str:
    """The section of speeds, from what `benchmarks/zoo.py` keeps of each network; empty where nothing was measured."""
    if not measured:
        return ""
    columns = ["config", "forward", "ratio", "training", "ratio", "batch", "threads", "on"]
    rows = []
    for path in FILES:
        if one := measured.get(path.stem):
            numbers = [text for kind in ("forward", "training") for text in _speed(*one[kind])]
            rows.append([_link(path), *numbers, f"{one['batch']}", f"{one['threads']}", one["machine"]])
    return f"\n{SPEEDS}\n{table(columns, rows)}\n"


def _speed(images: float, ratio: float | None) -> tuple[str, str]:
    return f"{images:,.1f}", "–" if ratio is None else f"{ratio:.2f} ×"


def _row(path: Path) -> list[str]:
    header = header_of(path)
    said = counts_of(path)
    parameters, macs, field = _numbers(said.parameters, said.macs, said.field)
    numbers = [parameters, macs, f"{said.depth}", field, f"{said.classes:,}"]
    return [_link(path), header["What"], header["Paper"], *numbers]


def _small(path: Path) -> list[list[str]]:
    small = small_of(path)
    return [[_link(path), f"`{shlex.join(small[0])}`", *_numbers(*small[1])]] if small else []


def _link(path: Path) -> str:
    return f"[`{path.stem}`](../configs/zoo/{path.name})"


def _numbers(parameters: int, macs: int, field: int) -> list[str]:
    return [f"{parameters / 1e6:,.2f} M", f"{macs / 1e9:,.3g} G", f"{field:,} px"]
