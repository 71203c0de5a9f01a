"""A network's weights as one safetensors file, its metadata in the header."""

import json
from pathlib import Path

import torch
from safetensors.torch import save
from torch import nn

from cnnlab.core.files import write_whole
from cnnlab.deploy.export.leaving import Leaving
from cnnlab.models.tensors import copied
from cnnlab.network.fused import FUSED
from cnnlab.network.weights_file import load_weights_file


def write_weights(leaving: Leaving, path: Path) -> None:
    """Write parameters and buffers by their names, and the metadata as texts."""
    # tensors that share memory are written apart: the format has no other way
    plain = {name: tensor.detach().contiguous().clone() for name, tensor in leaving.model.state_dict().items()}
    fused = {"cnnlab": json.dumps({FUSED: leaving.network.weights})} if leaving.network.fused else {}
    write_whole(path, save(plain, metadata=leaving.metadata.as_texts() | fused))


def read_weights(leaving: Leaving, path: Path) -> nn.Module:
    """A network with the weights of the file and no other: its own are taken away first."""
    twin = copied(leaving.model)
    with torch.no_grad():
        for tensor in twin.state_dict().values():
            tensor.zero_()
    load_weights_file(twin, path)
    return twin
