"""The commands that every stranger is given to, up to what they print."""

import contextlib
import io
from collections.abc import Callable
from typing import Any

import torch
from strangers.stranger import Refusal, Stranger
from torch import Tensor, nn

from cnnlab.attribution.run import Explanation, Images, explain
from cnnlab.check_model.report import check_json, check_report
from cnnlab.check_model.run import ModelCheck, check_model
from cnnlab.core.errors import CnnlabError
from cnnlab.layers_lab.summary.report import summary_json, summary_report
from cnnlab.layers_lab.summary.run import Summary, summarize
from cnnlab.network.network import Network
from cnnlab.network.open import open_network
from cnnlab.network.session import Session
from cnnlab.receptive_field.run import Inspection, inspect, repairs
from cnnlab.receptive_field.study import FieldStudy
from cnnlab.receptive_field.study_report import study_document, study_report
from cnnlab.view import json

SESSION = Session(device_name="cpu")
PIXEL = ("gradient", "smoothgrad", "integrated_gradients")
"""The methods of `cnnlab saliency` by itself."""

ON_IMAGES = ("gradcam", "saliency", "check-model")
"""Commands that images go through, so that the network's logits are looked for as it is opened."""
LARGE = 30
"""Modules above which no repairs are looked for: each is tried by a walk."""


def images(stranger: Stranger) -> Tensor:
    """Two images, always the same."""
    return torch.randn(2, *stranger.shape, generator=torch.Generator().manual_seed(1))


def _receptive_field(network: Network, stranger: Stranger) -> Inspection:
    found = inspect(network)
    small = sum(1 for _ in network.model.modules()) <= LARGE
    mended = tuple(repairs(found)) if small else ()
    study = FieldStudy(found, found.local.name, None, (), (), mended, None, None)
    study_report(study)
    json.text(study_document(study))
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


def _check(network: Network, stranger: Stranger) -> ModelCheck:
    found = check_model(network)
    check_report(found)
    json.text(check_json(found))
    return found


COMMANDS: dict[str, Callable[[Network, Stranger], Any]] = {
    "receptive-field": _receptive_field,
    "summary": _summary,
    "gradcam": lambda network, stranger: _explanation(network, stranger, "auto"),
    "saliency": lambda network, stranger: _explanation(network, stranger, PIXEL),
    "check-model": _check,
}


def opened(command: str, stranger: Stranger, model: nn.Module) -> Network | CnnlabError:
    """The network as the command opens it, or the refusal."""
    size = ",".join(map(str, stranger.shape))
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return open_network(
                model,
                SESSION,
                size=size,
                mean=0,
                std=1,
                for_images=command in ON_IMAGES,
                any_channels=command == "check-model",
            )
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
        "check-model": stranger.check,
    }[command]


def refused(command: str, stranger: Stranger) -> Refusal | None:
    """The refusal that has to come, if one has to."""
    wanted = expected(command, stranger)
    return wanted if isinstance(wanted, Refusal) else None
