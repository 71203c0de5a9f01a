"""Weights from a file of somebody else's: safetensors or torch's own, read without ever running code from it."""

import pickle
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file
from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.core.files import check_file
from cnnlab.training.checkpoints import DAMAGES

WRAPPINGS = ("state_dict", "model_state_dict", "model", "state_dict_ema", "model_ema")
"""Keys under which training programs put the weights beside other things."""

PARALLEL = "module."
"""What `DataParallel` puts in front of every name."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """The weights in `path` by name, on the CPU.

    Raises: RequestError for a file that is missing, damaged, holds no weights, or could run code.
    """
    try:
        check_file(path)
    except FileNotFoundError:
        raise RequestError(f"{path}: no such file of weights") from None
    except OSError as error:
        raise RequestError(f"{path}: cannot be read: {error.strerror}") from None
    content: object
    try:
        if path.suffix == ".safetensors":
            content = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise RequestError(f"{path}: refused: it is no plain file of weights, and could run code") from None
    except (safetensors.SafetensorError, *DAMAGES):
        raise RequestError(f"{path}: is no file of weights, or a damaged one") from None
    for key in WRAPPINGS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    if not isinstance(content, dict) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise RequestError(f"{path}: holds no weights: expected tensors by the names of a network's parameters")
    weights = {str(name): tensor for name, tensor in content.items()}
    if all(name.startswith(PARALLEL) for name in weights):
        return {name.removeprefix(PARALLEL): tensor for name, tensor in weights.items()}
    return weights
