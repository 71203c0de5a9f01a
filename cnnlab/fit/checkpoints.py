"""Checkpoints: written whole, and read without ever running code from the file."""

import io
import json
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from cnnlab.core.errors import RequestError, first_line
from cnnlab.core.files import write_whole
from cnnlab.core.reading import check_readable, named_in_utf8

DAMAGES = (RuntimeError, EOFError, OSError, ValueError, TypeError, AttributeError, LookupError, AssertionError)
"""What reading a file of torch's that does not hold what it should may raise."""


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a training state (tensors and plain values).

    By way of memory: where torch writes a file itself, a full disk is a RuntimeError that names neither.
    """
    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    write_whole(path, buffer.getbuffer())


def load_state(path: Path, device: torch.device) -> dict[str, Any]:
    """Read a training state onto `device`, with `weights_only=True`: pickled code is refused.

    Raises: RequestError for a file that is missing, damaged, or no plain checkpoint.
    """
    check_readable(path, "checkpoint")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()  # torch writes checksums, and does not look at them when it reads
        if damaged:
            inside = damaged.partition("/")[2]  # the first folder is called like the file that was written
            raise RequestError(f"{path}: a damaged checkpoint (the checksum of {inside} is wrong)")
        state = torch.load(path, map_location=device, weights_only=True)
    except zipfile.BadZipFile:
        raise RequestError(f"{path}: no checkpoint of cnnlab, or one that was cut off") from None
    except pickle.UnpicklingError:
        raise RequestError(
            f"{path}: refused: it holds more than tensors and plain values, and could run code"
        ) from None
    except DAMAGES as error:
        raise RequestError(f"{path}: a damaged checkpoint ({first_line(error)})") from None
    if not isinstance(state, dict):
        raise RequestError(f"{path}: not a checkpoint of cnnlab: it holds a {type(state).__name__}")
    return state


def save_weights(path: Path, weights: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Write weights as safetensors; `facts` (JSON) go into its header: classes, statistics, epoch, metric."""
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in weights.items()}
    write_whole(path, save(plain, metadata={"cnnlab": json.dumps(dict(facts))}))


def load_weights_file(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Weights and facts of a safetensors file, on the CPU.

    Raises: RequestError for a file that is missing, damaged or not written by cnnlab.
    """
    check_readable(path, "weights")
    try:
        with named_in_utf8(path) as name:
            weights = load_file(name)
            with safetensors.safe_open(name, framework="pt") as file:
                metadata = file.metadata() or {}
    except (safetensors.SafetensorError, OSError) as error:
        raise RequestError(f"{path}: damaged weights ({first_line(error)})") from None
    try:
        facts = json.loads(metadata.get("cnnlab", "null"))
    except ValueError as error:
        raise RequestError(f"{path}: damaged weights (the facts in the header: {error})") from None
    if not isinstance(facts, dict):
        raise RequestError(f"{path}: weights that cnnlab did not write: the header lacks its facts")
    return weights, facts
