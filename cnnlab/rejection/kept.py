"""What tells an image that is none of the classes: a score, its statistics and a threshold, kept in one file."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Float64, UInt8
from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.core.registry import Component, component
from cnnlab.fit.checkpoints import load_weights_file, save_weights
from cnnlab.network.network import Network
from cnnlab.network.penultimate import joined, penultimate_features
from cnnlab.network.session import Session
from cnnlab.rejection.scores import Seen, scored

FILE = "rejection.safetensors"

NONE = "none of these"
"""The answer to an image that is rejected."""


@dataclass(frozen=True, eq=False)
class Rejection:
    """A rule that says whether an image is none of a network's classes."""

    score: Component
    layer: str
    """The head, whose input the features are."""
    statistics: Mapping[str, Tensor]
    """What the score keeps of the training images."""
    threshold: float
    """An image with a smaller score is rejected."""
    share: float
    """Of the images that should be accepted, how many the threshold accepts at least, 0 … 1."""
    network: str
    """The fingerprint of the weights and of the preparation that it was made with."""
    facts: Mapping[str, Any]
    """What was measured when it was made."""

    def scores(self, network: Network, inputs: Float[Tensor, "n c h w"]) -> Float64[Tensor, "n"]:
        """The score of each image, prepared as the network takes it; larger is more like the training images."""
        batch = [(inputs, torch.zeros(len(inputs), dtype=torch.int64), 0)]
        found = joined(penultimate_features(network.model, batch, layer=self.layer))
        return scored(self.score, self.statistics, Seen(found.features, found.logits, found.labels))

    def scores_of(self, network: Network, images: UInt8[Tensor, "n c h w"]) -> list[float]:
        """The score of each image in the network's geometry."""
        found: list[float] = self.scores(network, network.preparation.inputs(images)).tolist()
        return found


def fingerprint(network: Network) -> str:
    """A word that is another one for other weights, and for images that are prepared otherwise."""
    digest = blake2b(repr((network.shape, network.preparation.as_json())).encode(), digest_size=16)
    for name, tensor in sorted(network.model.state_dict().items()):
        value = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.flatten().view(torch.uint8).numpy() if value.numel() else b"")
    return digest.hexdigest()


def kept_at(network: Network, session: Session) -> Path:
    """Where the rule of a network is kept: in its run, or among the runs of one that has none."""
    if network.run is not None:
        return network.run.path / FILE
    return session.folder("reject", without_run=f"reject/{network.file_name}") / FILE


STATISTIC, MEASURED = "statistic.", "measured."
"""Beginnings of the names of tensors in the file."""


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured of a rule when it was made, as it is kept beside it."""

    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]


def write(rejection: Rejection, measured: Measured, path: Path) -> None:
    """Write a rule, whole or not at all."""
    facts = {
        "score": rejection.score.as_data(),
        "layer": rejection.layer,
        "threshold": rejection.threshold,
        "share": rejection.share,
        "network": rejection.network,
        "facts": dict(rejection.facts),
        "measured": dict(measured.facts),
    }
    tensors = {STATISTIC + name: tensor for name, tensor in rejection.statistics.items()}
    save_weights(path, tensors | {MEASURED + name: tensor for name, tensor in measured.tensors.items()}, facts)


def kept(network: Network, session: Session) -> Rejection:
    """The rule that was kept for a network.

    Raises: RequestError where there is none, where its file is damaged, and where it was made for other weights or for
        images that were prepared otherwise.
    """
    return read(network, session)[0]


def read(network: Network, session: Session) -> tuple[Rejection, Measured]:
    """The rule that was kept for a network, and what was measured of it then.

    Raises: RequestError as `kept`.
    """
    path = kept_at(network, session)
    if not path.exists():
        raise RequestError(f"{path}: there is none; `cnnlab reject {network.name}` makes it")
    tensors, facts = load_weights_file(path)
    try:
        named = facts["score"]
        name, options = (named, {}) if isinstance(named, str) else next(iter(named.items()))
        made = Rejection(
            component("score", name, **options),
            str(facts["layer"]),
            _of_kind(tensors, STATISTIC),
            float(facts["threshold"]),
            float(facts["share"]),
            str(facts["network"]),
            dict(facts["facts"]),
        )
        measured = Measured(_of_kind(tensors, MEASURED), dict(facts["measured"]))
    except (KeyError, TypeError, ValueError, StopIteration, AttributeError) as error:
        raise RequestError(
            f"{path}: damaged: {type(error).__name__} {error}; `cnnlab reject {network.name}` makes it anew"
        ) from None
    if made.network != fingerprint(network):
        raise RequestError(
            f"{path}: was made for other weights of {network.name}, or for images prepared otherwise; "
            f"`cnnlab reject {network.name}` makes it anew"
        )
    return made, measured


def _of_kind(tensors: Mapping[str, Tensor], beginning: str) -> dict[str, Tensor]:
    """The tensors whose names begin so, by the rest of their names."""
    return {name.removeprefix(beginning): tensor for name, tensor in tensors.items() if name.startswith(beginning)}
