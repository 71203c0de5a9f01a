"""Probabilities of a training part in a file: written beside the page, and read in place of training."""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import safetensors
import torch
from jaxtyping import Float
from safetensors.torch import load, save
from torch import Tensor

from cnnlab.core.characters import some
from cnnlab.core.errors import RequestError, first_line
from cnnlab.core.files import write_whole
from cnnlab.core.reading import read_file, refusals_told
from cnnlab.data.dataset import Dataset

MOST_BYTES = 4_000_000_000
ROUNDED = 1e-3
"""How far a row's sum may lie from 1."""


def write_probabilities(path: Path, probabilities: Float[Tensor, "n k"], images: Dataset) -> None:
    """Write them with the labels that they were asked about.

    Arguments:
        path: of the file, safetensors.
        probabilities: of each image.
        images: that they are of, in their order.
    """
    tensors = {"probabilities": probabilities.float().contiguous(), "labels": images.labels.contiguous()}
    write_whole(path, save(tensors, metadata={"classes": json.dumps(list(images.classes)), "data": images.name}))


def read_probabilities(path: Path, images: Dataset) -> Float[Tensor, "n k"]:
    """Read a file of `write_probabilities`, or an array [images, classes] of NumPy (`.npy`).

    Arguments:
        path: of the file.
        images: that they are to be of.

    Returns:
        A row for each image.

    Raises:
        RequestError: for a file that is none, and for probabilities of other images.
    """
    with refusals_told(path, expected="a .safetensors or .npy file of probabilities"):
        content = read_file(path, at_most=MOST_BYTES)
    found, labels, classes = _array(path, content) if path.suffix == ".npy" else _tensors(path, content)
    wanted = (len(images), len(images.classes))
    if tuple(found.shape) != wanted:
        raise RequestError(
            f"{path}: has probabilities {' × '.join(map(str, found.shape))}, and {images.name} has {wanted[0]:,} "
            f"training and validation images of {wanted[1]} classes: they are of another data set"
        )
    if classes is not None and classes != images.classes:
        raise RequestError(f"{path}: is of the classes {some(classes)}, and {images.name} has {some(images.classes)}")
    if labels is not None and not torch.equal(labels, images.labels):
        first = int((labels != images.labels).nonzero()[0])
        raise RequestError(
            f"{path}: is of other labels: image {first} was {images.classes[int(labels[first])]}, and is "
            f"{images.classes[int(images.labels[first])]} in {images.name}; find them anew"
        )
    found = found.float()
    wrong = ~(found.isfinite().all(1) & (found >= 0).all(1) & ((found.double().sum(1) - 1).abs() <= ROUNDED))
    if wrong.any():
        first = int(wrong.nonzero()[0])
        raise RequestError(
            f"{path}: row {first} is {_row(found[first])}, expected probabilities, 0 or more, that add up to 1"
        )
    return found


def _row(row: Tensor) -> str:
    return ", ".join(f"{value:.4g}" for value in row[:6].tolist()) + ", …" * (len(row) > 6)


def _array(path: Path, content: bytes) -> tuple[Tensor, None, None]:
    try:
        found = np.load(BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise RequestError(f"{path}: is no array of NumPy: {first_line(error)}") from None
    if not isinstance(found, np.ndarray) or found.dtype.kind != "f":
        raise RequestError(f"{path}: expected an array of floating-point numbers, [images, classes]")
    return torch.from_numpy(found.astype(np.float64)), None, None


def _tensors(path: Path, content: bytes) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    try:
        found = load(content)
        length = int.from_bytes(content[:8], "little")
        said = json.loads(content[8 : 8 + length]).get("__metadata__", {})
        classes = tuple(map(str, json.loads(said["classes"])))
        return found["probabilities"], found["labels"], classes
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError) as error:
        raise RequestError(
            f"{path}: is no file of probabilities, as `cnnlab data label-errors` writes one ({first_line(error)})"
        ) from None
