"""The commands that every stranger is given to, up to what they print."""

import contextlib
import io
from collections.abc import Callable
from typing import Any

import torch
from strangers.stranger import Refusal, Stranger
from torch import Tensor, nn

from cnnlab.attribution.run import Explanation, Images, explain
from cnnlab.core.errors import CnnlabError
from cnnlab.layers_lab.summary.report import summary_json, summary_report
from cnnlab.layers_lab.summary.run import Summary, summarize
from cnnlab.network.network import Network
from cnnlab.network.open import open_network
from cnnlab.network.session import Session
from cnnlab.receptive_field.command import _document
from cnnlab.receptive_field.report import receptive_field_report
from cnnlab.receptive_field.run import Inspection, inspect, repairs
from cnnlab.view import json

SESSION = Session(device_name="cpu")
PIXEL = ("gradient", "smoothgrad", "integrated_gradients")
"""The methods of `cnnlab saliency` by itself."""

LARGE = 30
"""Modules above which no repairs are looked for: each is tried by a walk."""


def images(stranger: Stranger) -> Tensor:
    """Two images, always the same."""
    return torch.randn(2, *stranger.shape, generator=torch.Generator().manual_seed(1))


def _receptive_field(network: Network, stranger: Stranger) -> Inspection:
    found = inspect(network)
    small = sum(1 for _ in network.model.modules()) <= LARGE
    mended = list(repairs(found)) if small else []
    receptive_field_report(found.fields, found.audit, name=network.name, repairs=mended, watched=found.local.name)
    json.text(_document(found, [], [], mended, None, None, []))
    return found


def _summary(network: Network, stranger: Stranger) -> Summary:
    found = summarize(network)
    summary_report(found, name=network.name, explain=True)
    json.text(summary_json(found, network.name))
    return found


def _explanation(network: Network, stranger: Stranger, methods: Any) -> Explanation:
    pixels = images(stranger)
    given = Images(pixels, tuple(map(str, range(len(pixels)))), (None,) * len(pixels))
    *_, found = explain(network, given, SESSION, methods=methods)
    assert isinstance(found, Explanation)
    return found


COMMANDS: dict[str, Callable[[Network, Stranger], Any]] = {
    "receptive-field": _receptive_field,
    "summary": _summary,
    "gradcam": lambda network, stranger: _explanation(network, stranger, "auto"),
    "saliency": lambda network, stranger: _explanation(network, stranger, PIXEL),
}


def opened(stranger: Stranger, model: nn.Module) -> Network | CnnlabError:
    """The network as commands open it, or the refusal."""
    try:
        return open_network(model, SESSION, size=",".join(map(str, stranger.shape)))
    except CnnlabError as error:
        return error


def answer(command: str, stranger: Stranger, network: Network) -> Any:
    """What the command finds, or its refusal, an error with a sentence; whatever else is raised goes on."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return COMMANDS[command](network, stranger)
    except CnnlabError as error:
        return error


def expected(command: str, stranger: Stranger) -> Any:
    """What has to come out: a refusal, or the facts that it has to agree with."""
    return {
        "receptive-field": stranger.fields,
        "summary": stranger.summary,
        "gradcam": stranger.gradcam,
        "saliency": stranger.saliency,
    }[command]


def refused(command: str, stranger: Stranger) -> Refusal | None:
    """The refusal that has to come, if one has to."""
    wanted = expected(command, stranger)
    return wanted if isinstance(wanted, Refusal) else None
