"""`cnnlab predict`: labels for pictures of any size and mode, prepared exactly as in training."""

import glob
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.data.batches import normalise
from cnnlab.data.decoding import SUFFIXES, Fit, fit_picture, read_picture
from cnnlab.data.listing import files_below
from cnnlab.data.parallel import in_parallel
from cnnlab.training.device import autocast, evaluating
from cnnlab.workflows.network import TrainedNetwork

BATCH = 256
STANDARD_INPUT = "-"
MAGIC = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"RIFF", b"II*\0", b"MM\0*")
"""How files of the common picture formats begin: PNG, JPEG, GIF, BMP, WebP, TIFF (both byte orders)."""


@dataclass(frozen=True)
class Prediction:
    """What the network says of one picture."""

    path: str
    label: str | None
    """None where the probability is below what was asked for."""
    probability: float
    top: tuple[tuple[str, float], ...]
    """The likeliest classes with their probabilities, likeliest first."""

    def as_json(self) -> dict[str, Any]:
        """An element of the list that `--json` prints."""
        top = [{"label": label, "probability": probability} for label, probability in self.top]
        return {"path": self.path, "label": self.label, "probability": self.probability, "top": top}


@dataclass(frozen=True)
class Unreadable:
    """A picture that could not be read."""

    path: str
    reason: str


@dataclass(frozen=True)
class Source:
    """A picture to come: its name, and its bytes where it did not come as a file."""

    name: str
    content: bytes | None = None


def find_pictures(paths: Sequence[str], standard_input: Iterable[bytes]) -> list[Source]:
    """The pictures that `paths` name: files, folders (searched through), globs, and `-` for standard input.

    Standard input holds one picture, or a list of paths, one a line.

    Raises: RequestError for a path that leads to nothing.
    """
    found: list[Source] = []
    for path in paths:
        if path == STANDARD_INPUT:
            content = b"".join(standard_input)
            if content.startswith(MAGIC):
                found.append(Source("<stdin>", content))
            else:
                lines = content.decode("utf-8", "replace").splitlines()
                found += find_pictures([line.strip() for line in lines if line.strip()], ())
            continue
        place = Path(path)
        if place.is_dir():
            inside = sorted(files_below(place)[0])
            if not inside:
                raise RequestError(f"{path}: no pictures in this folder ({', '.join(SUFFIXES)})")
            found += [Source(str(p)) for p in inside]
        elif place.exists():
            found.append(Source(path))
        else:
            matches = sorted(glob.glob(path, recursive=True))
            if not matches:
                raise RequestError(f"{path}: no such picture, folder or pattern")
            found += [Source(match) for match in matches if Path(match).is_file()]
    if not found:
        raise RequestError("no pictures to predict: standard input named none")
    return found


def predict_pictures(
    network: TrainedNetwork, sources: Sequence[Source], *, top: int, reject_below: float
) -> Iterator[Prediction | Unreadable]:
    """One result per picture, in order; those that cannot be read are named, and the others go on."""
    options = network.config.data.dataset.options
    fit: Fit = options.get("fit", "crop")
    device = next(network.model.parameters()).device
    for begin in range(0, len(sources), BATCH):
        group = list(in_parallel(lambda s: _prepare(s, network.shape, fit), sources[begin : begin + BATCH]))
        good = [picture for _, picture in group if not isinstance(picture, str)]
        probabilities = iter(_probabilities(network, torch.stack(good).to(device)) if good else ())
        for name, picture in group:
            if isinstance(picture, str):
                yield Unreadable(name, picture)
            else:
                yield _prediction(name, next(probabilities), network.classes, top, reject_below)


def _prepare(source: Source, shape: tuple[int, ...], fit: Fit) -> tuple[str, UInt8[Tensor, "c h w"] | str]:
    """The picture in the network's geometry, or the reason why it cannot be read."""
    try:
        picture = read_picture(
            source.content or Path(source.name), channels=1 if shape[0] == 1 else 3, name=source.name
        )
    except RequestError as error:
        return source.name, str(error).removeprefix(f"{source.name}: ")
    return source.name, fit_picture(picture, shape[1], fit)


def _probabilities(network: TrainedNetwork, images: UInt8[Tensor, "n c h w"]) -> Tensor:
    with evaluating(network.model), autocast(images.device, network.config.training.precision):
        logits: Tensor = network.model(normalise(images, network.statistics))
        return logits.float().softmax(1).cpu()


def _prediction(
    name: str, probabilities: Tensor, classes: tuple[str, ...], top: int, reject_below: float
) -> Prediction:
    values, indices = probabilities.topk(min(top, len(classes)))
    ranked = tuple((classes[i], float(p)) for i, p in zip(indices.tolist(), values.tolist(), strict=True))
    label, probability = ranked[0]
    return Prediction(name, label if probability >= reject_below else None, probability, ranked)
