"""What tells an image that is none of the classes: a score, its statistics and a threshold, kept in one file."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Float64, UInt8
from torch import Tensor

from cnnlab.core.errors import CnnlabError, RequestError
from cnnlab.core.registry import Component, component
from cnnlab.fit.checkpoints import load_weights_file, save_weights
from cnnlab.models.undisturbed import undisturbed
from cnnlab.network.network import Network
from cnnlab.network.penultimate import joined, penultimate_features
from cnnlab.network.session import Session
from cnnlab.rejection.scores import Seen, facts_of_score, scored

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

    @property
    def of_logits(self) -> bool:
        """Whether the score follows from the logits alone, with nothing that is kept of training images."""
        return not self.score.entry.supplied

    def as_metadata(self) -> dict[str, Any]:
        """What is written of it beside a network that leaves: all of it, where the score is one of the logits."""
        return {"score": self.score.as_data(), "threshold": self.threshold, "share": self.share}

    def scores(self, network: Network, inputs: Float[Tensor, "n c h w"]) -> Float64[Tensor, "n"]:
        """The score of each image, prepared as the network takes it; larger is more like the training images."""
        labels = torch.zeros(len(inputs), dtype=torch.int64)
        if self.of_logits:
            with undisturbed(network.model), torch.no_grad():
                logits = network.model(inputs).float().cpu()
            return scored(self.score, self.statistics, Seen(logits, logits, labels))
        batch = [(inputs, labels, 0)]
        found = joined(penultimate_features(network.model, batch, layer=self.layer))
        return scored(self.score, self.statistics, Seen(found.features, found.logits, found.labels))

    def scores_of(self, network: Network, images: UInt8[Tensor, "n c h w"]) -> list[float]:
        """The score of each image in the network's geometry."""
        found: list[float] = self.scores(network, network.preparation.inputs(images)).tolist()
        return found


def fingerprint(network: Network) -> str:
    """A word that is another one for other weights, and for images that are prepared otherwise."""
    prepared = network.preparation
    how = (network.shape, prepared.fitting.as_json(), prepared.statistics.mean, prepared.statistics.std)
    digest = blake2b(repr(how).encode(), digest_size=16)
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


def is_kept(network: Network, session: Session) -> bool:
    """Whether a rule was kept for a network, or came with its file."""
    return _found(network, session) is not None or network.threshold is not None


def _found(network: Network, session: Session) -> Path | None:
    """The file with the rule of a network: where it is kept, or beside its weights."""
    places = [kept_at(network, session)]
    if network.weights_file is not None:
        places.append(network.weights_file.parent / FILE)
    return next((place for place in places if place.exists()), None)


def kept(network: Network, session: Session) -> Rejection:
    """The rule that was kept for a network.

    Raises: RequestError where there is none, where its file is damaged, and where it was made for other weights or for
        images that were prepared otherwise.
    """
    if network.threshold is not None and (network.fused or _found(network, session) is None):
        return _brought(network, network.threshold)
    return read(network, session)[0]


def read(network: Network, session: Session) -> tuple[Rejection, Measured]:
    """The rule that was kept for a network, and what was measured of it then.

    Raises: RequestError as `kept`.
    """
    path = _found(network, session)
    if path is None:
        path = kept_at(network, session)
        raise RequestError(f"{path}: there is none; `cnnlab reject {network.name}` makes it")
    tensors, facts = load_weights_file(path)
    try:
        made = Rejection(
            _score(facts["score"]),
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


def _score(named: Any) -> Component:
    """A score from plain data: its name, or that with its options."""
    name, options = (named, {}) if isinstance(named, str) else next(iter(named.items()))
    return component("score", name, **options)


def _brought(network: Network, said: Mapping[str, Any]) -> Rejection:
    """The rule in the metadata of a network's own file.

    Raises: RequestError where they are damaged, and for a score that looks at more than the logits.
    """
    try:
        score, threshold, share = _score(said["score"]), float(said["threshold"]), float(said["share"])
    except (KeyError, TypeError, ValueError, StopIteration, AttributeError) as error:
        raise RequestError(
            f"{network.name}: its metadata are damaged: 'threshold': {type(error).__name__} {error}"
        ) from None
    except CnnlabError as error:  # no such score, or no such option
        raise RequestError(f"{network.name}: its metadata are damaged: 'threshold': {error}") from None
    if not math.isfinite(threshold):
        raise RequestError(f"{network.name}: its metadata are damaged: 'threshold' is {threshold}")
    made = Rejection(score, "", {}, threshold, share, fingerprint(network), {})
    if not made.of_logits:
        raise RequestError(
            f"{network.name}: its threshold is one of the {facts_of_score(score).label}, which looks at features, and "
            "such a file gives logits alone; `cnnlab reject` with `score` energy makes one of logits for an export"
        )
    return made
