"""No analysis leaves a trace in the network, in torch's settings or in the generators, also when it fails."""

import contextlib
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from attribution.subjects import quick
from torch import Tensor, nn
from walk.menagerie import SHAPE, Busy, busy, facts_of

from cnnlab.attribution.attribution import attribute
from cnnlab.attribution.catalog import METHODS
from cnnlab.attribution.layers import choose_layer
from cnnlab.attribution.measures.comparison import compare_maps
from cnnlab.attribution.measures.probability import confidence_drop
from cnnlab.core.errors import CnnlabError
from cnnlab.data.batches import Batch
from cnnlab.fit.fit import first_non_finite
from cnnlab.fit.predict import predict
from cnnlab.fit.views import AveragedViews
from cnnlab.inside.dream.maximise import ClassScore, maximise
from cnnlab.inside.features.feature_maps import feature_maps
from cnnlab.inside.patches.search import top_units
from cnnlab.layers_lab.stack import arithmetic
from cnnlab.layers_lab.summary.run import training_memory
from cnnlab.models.build import output_shape
from cnnlab.models.filters import convolution_filters
from cnnlab.network.forward import capture_outputs
from cnnlab.network.penultimate import penultimate_features
from cnnlab.receptive_field.effective.field import locate, summed_influence
from cnnlab.receptive_field.fields import receptive_fields
from cnnlab.receptive_field.probe import verification
from cnnlab.receptive_field.what_if import parse_edit, without_values
from cnnlab.runs.events import EventLog
from cnnlab.trust.sanity.labels import compare_label_training
from cnnlab.trust.sanity.weights import randomize_weights
from cnnlab.walk.costs import layer_costs
from cnnlab.walk.walker import walk, walked

IMAGES = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(0))
TARGETS = torch.tensor([0, 1])
MAPS = torch.rand(2, *SHAPE[1:], generator=torch.Generator().manual_seed(0))


def images_for(model: nn.Module) -> Tensor:
    return IMAGES.to(next(model.parameters()).dtype)


def batches(model: nn.Module) -> list[tuple[Tensor, Tensor, int]]:
    return [(images_for(model), TARGETS, 0)]


def total(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    return attribute(model, images, targets, methods=["gradient"])[0].maps


def effective(model: nn.Module) -> object:
    unit = locate(model, images_for(model), layer="spectral")
    return summed_influence(model, images_for(model), unit)


def attributed(model: nn.Module, *methods: str) -> object:
    return attribute(model, images_for(model), TARGETS, methods=quick(methods), layers=["spectral"])


def proof(model: nn.Module) -> Iterable[Any]:
    return verification(model, walk(busy(), SHAPE, on_values=True))


def dreamt(model: nn.Module) -> Iterable[Any]:
    return maximise(model, ClassScore(0), SHAPE, mean=[0.0] * 3, std=[1.0] * 3, steps=2, octaves=1)


def graph(model: nn.Module) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder, EventLog(Path(folder)) as log:
        log.graph(model, images_for(model))


LOOKS: dict[str, Callable[[nn.Module], Any]] = {
    "costs": lambda m: layer_costs(m, walked(m, SHAPE, count=True), training_memory(m, SHAPE)),
    "training memory": lambda m: training_memory(m, SHAPE),
    "walk": lambda m: walk(m, SHAPE),
    "walk on values": lambda m: walk(m, SHAPE, on_values=True),
    "receptive field": lambda m: receptive_fields(m, SHAPE),
    "proof": proof,
    "edits": lambda m: (without_values(m), parse_edit("spectral.stride=2", m)),
    "arithmetic": lambda m: arithmetic(m, SHAPE),
    "output shape": lambda m: output_shape(m, SHAPE),
    "effective field": effective,
    "CAMs": lambda m: attributed(m, *(name for name, method in METHODS.items() if method.kind == "cam")),
    "pixel methods": lambda m: attributed(m, *(name for name, method in METHODS.items() if method.kind != "cam")),
    "layer choice": lambda m: choose_layer(m, SHAPE),
    "faithfulness": lambda m: compare_maps(m, images_for(m), TARGETS, {"a": MAPS}, steps=2, seed=0),
    "confidence drop": lambda m: confidence_drop(m, images_for(m), TARGETS, MAPS),
    "randomised weights": lambda m: randomize_weights(m, images_for(m), TARGETS, {"a": total}, seed=0, depths=2),
    "random labels": lambda m: compare_label_training(m, busy(), images_for(m), TARGETS, {"a": total}, seed=0),
    "activations": lambda m: capture_outputs(m, images_for(m), ["spectral"]),
    "features": lambda m: feature_maps(m, images_for(m), ["spectral"]),
    "patches": lambda m: top_units(m, batches(m), "spectral"),
    "filters": lambda m: [convolution_filters(m, name) for name in ("first", "spectral", "weighted", "older")],
    "embedding": lambda m: penultimate_features(m, batches(m)),
    "dream": dreamt,
    "prediction": lambda m: predict(m, [Batch(images_for(m), TARGETS, TARGETS)], tta=AveragedViews("flip")),
    "divergence": lambda m: first_non_finite(m, images_for(m)),
    "graph": graph,
}  # fmt: skip


def looked(look: Callable[[nn.Module], Any], model: nn.Module, *errors: type[BaseException]) -> None:
    before = facts_of(model)
    with warnings.catch_warnings(), contextlib.suppress(*errors):
        warnings.simplefilter("ignore")
        found = look(model)
        if isinstance(found, Iterator):
            list(found)
    after = facts_of(model)
    changed = [place for place in {**before, **after} if before.get(place) != after.get(place)]
    assert not changed, [(place, before.get(place), after.get(place)) for place in changed[:5]]


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_no_trace(look: Callable[[nn.Module], Any]) -> None:
    looked(look, busy())


FAILING = {name: look for name, look in LOOKS.items() if name not in ("receptive field", "proof", "arithmetic")}
FAILING |= {name: lambda m, name=name: attributed(m, name) for name in METHODS}


@pytest.mark.parametrize("look", FAILING.values(), ids=FAILING)
def test_no_trace_of_one_that_fails(look: Callable[[nn.Module], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Busy, "fails", True)
    monkeypatch.setattr(Busy, "settings", True)
    looked(look, busy(dtype=torch.float64), ValueError, RuntimeError, CnnlabError)
