"""What goes with an exported network: its classes, how an image is prepared, and which weights they are."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import nn

from cnnlab import __version__
from cnnlab.core.arithmetic import Shape
from cnnlab.network.network import Network

ALIKE = ("mean", "std", "fit", "interpolation", "crop_share", "activation")
"""Keys of a preparation that have the same name in metadata."""


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """The facts that are written beside the weights, under these names; numbers and lists as JSON in an ONNX file."""

    name: str
    class_names: tuple[str, ...]
    """In the order of the logits; none where they are not known."""
    channels: int
    """1 (grey) or 3 (red, green, blue)."""
    size: tuple[int, int]
    """(height, width) in pixels."""
    mean: tuple[float, ...]
    """Taken off the channels of pixels in 0 … 1."""
    std: tuple[float, ...]
    """What they are divided by then."""
    fit: str
    """crop, letterbox or stretch."""
    interpolation: str
    """bilinear or bicubic."""
    crop_share: float | None
    """Share of each side that is kept where an image is first resized and then cut; None: it is cut first."""
    activation: str
    """softmax or sigmoid: what makes probabilities of the logits."""
    threshold: Mapping[str, Any] | None
    """Below which a run answers "none of these", with its score; None where it has none."""
    weights: str
    """What they are, in words."""
    weights_sha256: str
    """Of the values of all parameters and buffers, in the order of the state dict."""
    cnnlab_version: str

    @property
    def shape(self) -> Shape:
        """(channels, height, width) of an image, in pixels."""
        return (self.channels, *self.size)

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    def as_texts(self) -> dict[str, str]:
        """A text for each, as an ONNX file keeps it: words as they are, everything else as JSON.

        Example:
            >>> from cnnlab.network.open import open_network
            >>> from cnnlab.network.session import Session
            >>> session = Session(device_name="cpu")
            >>> texts = metadata_of(open_network("torchvision:squeezenet1_1", session, for_images=True)).as_texts()
            >>> texts["size"], texts["fit"], texts["mean"]
            ('[224, 224]', 'crop', '[0.485, 0.456, 0.406]')
        """
        return {
            key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            for key, value in self.as_json().items()
        }


def metadata_of(
    network: Network, threshold: Mapping[str, Any] | None = None, *, model: nn.Module | None = None
) -> Metadata:
    """What goes with a network when it leaves.

    Arguments:
        network: opened for images.
        threshold: of rejection, where it has one, with its score.
        model: what is written of it, where that is a copy in another precision.

    Returns:
        Its classes, its preparation, and the hash of its weights.

    Raises:
        RequestError: for a network that was opened without its images.
    """
    prepared = network.preparation
    return Metadata(
        name=network.name,
        class_names=network.classes,
        channels=network.shape[0],
        size=(network.shape[1], network.shape[2]),
        mean=prepared.statistics.mean,
        std=prepared.statistics.std,
        fit=prepared.fit,
        interpolation=prepared.interpolation,
        crop_share=prepared.crop_share,
        activation=network.activation,
        threshold=threshold,
        weights=network.weights,
        weights_sha256=weights_hash(network.model if model is None else model),
        cnnlab_version=__version__,
    )


def weights_hash(model: nn.Module) -> str:
    """The SHA-256 of names and values of all parameters and buffers, in the order of the state dict.

    Example:
        >>> weights_hash(nn.Linear(1, 1)) == weights_hash(nn.Linear(1, 1))
        False
    """
    found = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        values = tensor.detach().cpu().contiguous()
        found.update(f"{name} {values.dtype} {tuple(values.shape)}".encode())
        found.update(values.flatten().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def values_of(texts: Mapping[str, str]) -> dict[str, Any]:
    """The values of what `Metadata.as_texts` wrote, of those that are there; a text that is no JSON stays one."""
    found: dict[str, Any] = {}
    for key in (field.name for field in fields(Metadata)):
        if key in texts:
            try:
                found[key] = json.loads(texts[key])
            except ValueError:
                found[key] = texts[key]
    return found


def said_by(values: Mapping[str, Any]) -> dict[str, Any]:
    """What metadata say of images and classes, by the keys of a preparation (see `ModelOptions`), not checked yet.

    Example:
        >>> said_by({"class_names": ["cat", "dog"], "channels": 3, "size": [32, 48], "cnnlab_version": "1"})
        {'classes': ['cat', 'dog'], 'size': '3,32,48'}
    """
    said = {
        key: values[name]
        for key, name in (("classes", "class_names"), *((key, key) for key in ALIKE))
        if values.get(name) is not None
    }
    if said.get("classes") == []:
        del said["classes"]
    if isinstance(size := values.get("size"), list):
        said["size"] = ",".join(map(str, [*([values["channels"]] if "channels" in values else []), *size]))
    return said
