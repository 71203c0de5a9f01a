"""A network as a folder in a hub's layout: a model card, `config.json`, `model.safetensors`. Nothing is uploaded."""

import json
from pathlib import Path

import yaml
from torch import nn

from cnnlab.core.characters import json_escaped
from cnnlab.core.files import write_whole
from cnnlab.deploy.export.card import model_card
from cnnlab.deploy.export.leaving import Leaving
from cnnlab.deploy.export.weights import read_weights, write_weights
from cnnlab.models.own_model import OwnModel
from cnnlab.network.exported.opened import LAYERS, MADE_BY, MARK, WEIGHTS
from cnnlab.network.hub import NETWORK
from cnnlab.network.open import open_network
from cnnlab.network.session import Session
from cnnlab.network.zoos import ZOOS
from cnnlab.rejection.kept import FILE, Measured
from cnnlab.rejection.kept import write as write_rule

CARD = "README.md"

FILES = (CARD, NETWORK, WEIGHTS, LAYERS, FILE)
"""All that is written into one; not all of them of every network."""


def made_by(leaving: Leaving) -> str:
    """What makes the network anew: the folder's own file with its layers, the name of a zoo's, or of Python code."""
    config = leaving.network.config
    if config is None:
        return leaving.network.name
    if isinstance(config.model, OwnModel):
        return config.model.python
    return f"a config with {', '.join(config.plugins)}" if config.plugins else LAYERS


def opens_by_itself(leaving: Leaving) -> bool:
    """Whether the folder is all that cnnlab needs."""
    maker = made_by(leaving)
    return maker == LAYERS or maker.partition(":")[0] in ZOOS


def use_of_folder(leaving: Leaving) -> str:
    """How it is used, with {path} in it."""
    if opens_by_itself(leaving):
        return "cnnlab predict {path} IMAGE…"
    return f"cnnlab predict FILE.py:NAME --weights {{path}}/{WEIGHTS} IMAGE…"


def write_hub_folder(leaving: Leaving, path: Path) -> None:
    """Write its three files, the layers of a network that was written in YAML, and its rule of rejection."""
    maker, facts = made_by(leaving), leaving.metadata.as_json()
    names = leaving.metadata.class_names
    own = {
        "architectures": [type(leaving.model).__name__ if leaving.network.config is None else leaving.network.name],
        "num_labels": len(names) or leaving.network.logits,
        "id2label": {str(number): name for number, name in enumerate(names)},
        MARK: {**facts, MADE_BY: maker},
    }
    write_whole(path / NETWORK, json_escaped(json.dumps(own, indent=2, ensure_ascii=False)) + "\n")
    write_weights(leaving, path / WEIGHTS)
    write_whole(path / CARD, model_card(leaving, by_itself=opens_by_itself(leaving)))
    if leaving.rule is not None:
        write_rule(leaving.rule, Measured({}, {}), path / FILE)
    if maker == LAYERS and leaving.network.config is not None:
        layers = {key: leaving.network.config.as_data()[key] for key in ("name", "model")}
        write_whole(path / LAYERS, yaml.safe_dump(layers, sort_keys=False, allow_unicode=True, width=110))


def read_folder(leaving: Leaving, path: Path) -> nn.Module:
    """The network as the folder makes it; of one that it cannot make, its weights in a copy."""
    if not opens_by_itself(leaving):
        return read_weights(leaving, path / WEIGHTS)
    return open_network(str(path), Session(device_name="cpu"), for_images=True).model
