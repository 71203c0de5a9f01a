"""Every stranger gets a right answer from every command, or one clear refusal, and is afterwards as it was."""

import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from strangers import oracle
from strangers.commands import COMMANDS, PIXEL, answer, opened, refused
from strangers.networks import STRANGERS
from strangers.stranger import WHOLE, Cam, Stranger
from torch import Tensor
from walk.menagerie import facts_of

from cnnlab.attribution.attribution import attribute
from cnnlab.attribution.run import Explanation
from cnnlab.check_model.run import ModelCheck
from cnnlab.core.errors import CnnlabError
from cnnlab.layers_lab.summary.run import Summary
from cnnlab.receptive_field.run import Inspection, unit_box

FORETOLD = ("receptive-field", "summary", "gradcam", "saliency")
EVERY = pytest.mark.parametrize("stranger", STRANGERS, ids=lambda stranger: stranger.name)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Half of the strangers are made by what torch calls old."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def test_they_are_many_and_each_has_a_name() -> None:
    assert len({stranger.name for stranger in STRANGERS}) == len(STRANGERS) >= 40


@pytest.mark.parametrize("command", COMMANDS)  # one after the other of each stranger, whose oracle is made once
@EVERY
def test_a_right_answer_or_one_refusal_and_no_trace(command: str, stranger: Stranger) -> None:
    if stranger.needs and find_spec(stranger.needs) is None:
        pytest.skip(f"needs {stranger.needs}")
    model = stranger.built()
    found: Any = opened(command, stranger, model)
    if not isinstance(found, CnnlabError):
        next(iter(found.model.children()), found.model).train()  # modes that differ have to be kept, too
        torch.default_generator.manual_seed(oracle.SEED)
        before = facts_of(model)
        found = answer(command, stranger, found)
        after = facts_of(model)
        assert not [place for place in before.keys() | after.keys() if before.get(place) != after.get(place)]
    refusal = refused(command, stranger)
    if refusal is None:
        if isinstance(found, CnnlabError):
            raise found
        HOLDS[command](stranger, found)
    else:
        assert isinstance(found, CnnlabError), found
        assert [words for words in refusal.words if words not in str(found)] == [], str(found)
        assert len(found.lines) == 1


def fields_hold(stranger: Stranger, found: Inspection) -> None:
    """Sizes in closed form; and the box of the middle unit is what rows of NaN show."""
    assert not found.fields.walk.unknown or stranger.at_least
    modules = dict(oracle.subject(stranger).named_modules())
    for name, size in stranger.fields.items():  # type: ignore[union-attr]
        field = found.field(name)
        if size == WHOLE:
            assert field.is_global or field.size == stranger.shape[1:], name
            continue
        assert field.size == (size if isinstance(size, tuple) else (size, size)), name
        assert field.exact, name
        once = name in modules and f"{name} (2)" not in found.layouts.found
        layout = found.layouts.at(name) if once else None
        if stranger.probed and layout is not None:
            unit, *boxes = unit_box(found, name, None)
            for axis, dimension in enumerate(layout.places):
                reading = oracle.seen(stranger, name, axis=axis, dimension=dimension, place=unit[axis])
                assert reading == boxes[axis], name


def costs_hold(stranger: Stranger, found: Summary) -> None:
    assert found.costs.parameters == oracle.parameters(oracle.subject(stranger))
    assert found.costs.macs == oracle.macs(stranger)
    assert bool(found.costs.uncounted) == stranger.at_least


def cams_hold(stranger: Stranger, found: Explanation) -> None:
    cam = stranger.gradcam
    assert isinstance(cam, Cam)
    first, *others = found.attributions
    assert (first.method, first.layers) == (cam.method, (cam.layer,))
    asked = [one.name for one in found.plan.methods]
    assert asked == ([cam.method] if cam.method == "gradcam" else [cam.method, "integrated_gradients"])
    assert found.targets[:, 0].tolist() == oracle.predicted(stranger).tolist()
    wanted = oracle.class_activation(stranger, cam.layer, order=cam.order, averaged=cam.method == "gradcam")
    close(first.maps[:, 0], wanted, stranger)
    pixels_hold(stranger, others)
    assert cam.note in " ".join((*found.notes, *found.plan.cautions))
    assert bool(found.plan.cautions) == (stranger.draws or stranger.mixes)


def saliency_holds(stranger: Stranger, found: Explanation) -> None:
    names = [one for one in PIXEL if not (one == "integrated_gradients" and stranger.no_baseline)]
    assert [one.method for one in found.attributions] == names
    pixels_hold(stranger, found.attributions)


def test_a_network_that_squeezes_explains_a_single_image_as_among_others() -> None:
    (stranger,) = [one for one in STRANGERS if one.name == "squeeze()"]
    model = stranger.built().eval()
    pixels, classes = oracle.images(stranger), oracle.predicted(stranger)
    for method in ("gradcam", "hirescam", "gradient", "integrated_gradients", "occlusion:window=4"):
        together = attribute(model, pixels, classes, methods=method)[0].maps[:1]
        (alone,) = attribute(model, pixels[:1], classes[:1], methods=method)
        close(alone.maps, together, stranger)


def check_holds(stranger: Stranger, found: ModelCheck) -> None:
    """It foretells what the other commands do."""
    assert found.parameters == oracle.parameters(oracle.subject(stranger))
    assert (found.steadiness.draws, found.steadiness.mixes) == (stranger.draws, stranger.mixes)
    said = {check.command: check.works for check in found.commands}
    assert {one: said[one] for one in FORETOLD} == {one: "no" if refused(one, stranger) else "yes" for one in FORETOLD}
    if isinstance(stranger.gradcam, Cam):
        assert found.layer is not None
        assert found.layer.name == stranger.gradcam.layer


def pixels_hold(stranger: Stranger, found: Any) -> None:
    """Those of a network that draws, or mixes images, follow from which images go together, but for the gradient."""
    for one in found:
        if one.method == "gradient":
            close(one.maps[:, 0], oracle.steepest(oracle.gradient(stranger)(oracle.images(stranger))), stranger)
        elif stranger.draws or stranger.mixes:
            assert bool(one.maps.isfinite().all())
        elif one.method == "smoothgrad":
            close(one.maps[:, 0], oracle.smoothgrad(stranger, samples=25, noise=0.15), stranger)
        else:
            close(one.maps[:, 0], oracle.integrated_gradients(stranger, steps=32), stranger)


def close(found: Tensor, wanted: Tensor, stranger: Stranger) -> None:
    scale = float(wanted.abs().max())
    assert scale > 0
    torch.testing.assert_close(found.float(), wanted.float(), rtol=0, atol=stranger.tolerance * scale)


HOLDS = {
    "receptive-field": fields_hold,
    "summary": costs_hold,
    "gradcam": cams_hold,
    "saliency": saliency_holds,
    "check-model": check_holds,
}
