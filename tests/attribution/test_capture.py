"""One pass forwards, one back to the layer, and a network that is as before."""

import copy
from contextlib import suppress
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from attribution.subjects import flat, gap, quick, some_images, subject
from networks import unchanged
from torch import Tensor, nn

from cnnlab.attribution.attribution import attribute
from cnnlab.attribution.capture import SCORE, capture
from cnnlab.attribution.catalog import METHODS
from cnnlab.attribution.methods.gradient_cams import of_score
from cnnlab.attribution.target import target_of
from cnnlab.core.errors import RequestError


class Counted(torch.autograd.Function):
    """The identity, which counts how often it is passed in either direction."""

    forwards = 0
    backwards = 0

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        Counted.forwards += not x.is_meta  # a walk through the network runs without values
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        Counted.backwards += 1
        return grads[0]


class Counter(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return Counted.apply(x)


def counted(*, before: str | None) -> nn.Sequential:
    """`gap` with a counter before the layer `before`, or at its end."""
    network = nn.Sequential()
    for name, part in gap().named_children():
        if name == before:
            network.add_module("counter", Counter())
        network.add_module(name, part)
    if before is None:
        network.add_module("counter", Counter())
    Counted.forwards = Counted.backwards = 0
    return network.eval()


def test_all_gradient_cams_share_one_pass_each_way() -> None:
    model = counted(before="pool2")
    methods = [name for name, one in METHODS.items() if one.kind == "cam" and one.wants is of_score and name != "cam"]
    assert len(methods) == 7
    attribute(model, some_images(), [0, 1, 2, 3], methods=[*methods, "eigencam"], layers=["relu2"])
    assert (Counted.forwards, Counted.backwards) == (1, 1)


def test_nothing_goes_back_in_front_of_the_layer() -> None:
    model = counted(before="relu2")
    found = attribute(model, some_images(), [0, 1, 2, 3], methods=["gradcam", "layercam"], layers=["relu2"])
    assert (Counted.forwards, Counted.backwards) == (1, 0)
    assert [one.passes for one in found] == [2, 2]


def test_no_gradient_of_a_parameter_is_worked_out() -> None:
    model = gap().eval()
    model.linear.weight.register_hook(lambda gradient: pytest.fail("a parameter's gradient"))
    attribute(model, some_images(), [0, 1, 2, 3], methods=["gradcam", "finercam", "shapleycam"], layers=["relu2"])


def test_of_several_layers_the_graph_is_cut_at_the_first() -> None:
    model = counted(before="conv2")
    target = target_of([0, 1, 2, 3], 4)
    found = capture(model, some_images(), target, layers=["relu2", "pool1"], wants=[SCORE])
    assert (Counted.forwards, Counted.backwards) == (1, 1)
    for layer in found.layers:
        alone = capture(model, some_images(), target, layers=[layer.name], wants=[SCORE]).layers[0]
        torch.testing.assert_close(layer.activations, alone.activations, rtol=0, atol=0)
        torch.testing.assert_close(layer.gradients[SCORE], alone.gradients[SCORE])


@pytest.mark.parametrize("layer", ["norm1", "conv2", "relu1", "relu2"])
def test_layers_in_place_change_nothing(layer: str) -> None:
    """A ReLU in place after the layer overwrites what other tools kept of it."""
    methods = ["gradcam", "gradcam++", "hirescam", "layercam", "xgradcam", "eigencam", "ablationcam", "reciprocam"]
    plain, inplace = (
        attribute(gap(inplace=i), some_images(), [0, 1, 2, 3], methods=methods, layers=[layer]) for i in (False, True)
    )
    for a, b in zip(plain, inplace, strict=True):
        torch.testing.assert_close(a.maps, b.maps, rtol=0, atol=0)


@pytest.mark.parametrize("method", list(METHODS))
def test_network_as_before_with_every_method(method: str) -> None:
    model = gap(inplace=True)
    with unchanged(model):
        attribute(model, some_images(2), [0, 1], methods=quick([method]))


@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("after", [0, 5])
def test_network_as_before_when_it_fails(method: str, after: int) -> None:
    """The head breaks on its first or sixth run."""
    model = gap(inplace=True)
    model.linear.forward = _breaks(model.linear.forward, after)  # type: ignore[method-assign]
    # some are done before the sixth run
    ends = pytest.raises(RequestError, match="RuntimeError: broken") if after < 5 else suppress(RequestError)
    with unchanged(model), ends:
        attribute(model, some_images(2), [0, 1], methods=quick([method]), max_batch=4)


def _breaks(forward, after):  # type: ignore[no-untyped-def]
    runs = 0

    def broken(x: Tensor) -> Tensor:
        nonlocal runs
        runs += 1
        if runs > after:
            raise RuntimeError("broken")
        return forward(x)

    return broken


def test_autograd_mode_is_the_callers_between_steps() -> None:
    from cnnlab.attribution.attribution import attribution_steps
    from cnnlab.attribution.batch import Request

    model = gap()
    model.train()
    steps = attribution_steps(Request(model, some_images(2), [0, 1], quick(["smoothgrad", "rise"]), max_batch=2))
    with torch.no_grad():
        for _ in steps:
            assert not torch.is_grad_enabled()
            assert all(module.training for module in model.modules())
            assert all(parameter.requires_grad for parameter in model.parameters())


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_under_no_grad_and_inference_mode(mode) -> None:  # type: ignore[no-untyped-def]
    model = gap().eval()
    methods = ["gradcam", "gradient", "integrated_gradients", "guided_backprop", "fullgrad"]
    expected = attribute(model, some_images(2), [0, 1], methods=quick(methods))
    with mode():
        images = some_images(2)
        found = attribute(model, images, [0, 1], methods=quick(methods))
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(a.maps, b.maps, rtol=0, atol=0)


def test_frozen_parameters_and_training_mode_give_the_same_maps() -> None:
    model = gap()
    expected = attribute(model.eval(), some_images(), [0, 1, 2, 3], methods=["gradcam", "gradient"])
    frozen = copy.deepcopy(model).requires_grad_(False).train()
    found = attribute(frozen, some_images(), [0, 1, 2, 3], methods=["gradcam", "gradient"])
    assert frozen.training
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(a.maps, b.maps, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("make", [gap, flat])
def test_half_precision_networks(dtype: torch.dtype, make) -> None:  # type: ignore[no-untyped-def]
    """Maps are float32, and near those of the network in single precision."""
    methods = [m for m in METHODS if not (make is flat and m == "cam")]
    single = attribute(make().eval(), some_images(2), [0, 1], methods=quick(methods))
    half = attribute(make().eval().to(dtype), some_images(2), [0, 1], methods=quick(methods))
    for a, b in zip(single, half, strict=True):
        assert b.maps.dtype == torch.float32
        assert bool(b.maps.isfinite().all())
        if a.method not in ("scorecam", "eigengradcam"):
            likeness = F.cosine_similarity(a.maps.flatten(1), b.maps.flatten(1)).min()
            assert float(likeness) > 0.9, (a.method, float(likeness))


class Twice(nn.Module):
    """One convolution that runs twice."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.shared = nn.Conv2d(6, 6, 3, padding=1)
        self.linear = nn.Linear(6, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.shared(self.first(x).relu()).relu()
        return self.linear(self.shared(x).relu().mean((2, 3)))


def test_a_module_that_runs_twice_gives_its_last_output() -> None:
    with torch.random.fork_rng():
        model = Twice().eval()
    images = some_images(2)
    outputs: list[Tensor] = []
    handle = model.shared.register_forward_hook(lambda module, inputs, output: outputs.append(output.clone()))
    model(images)
    handle.remove()
    last = outputs[-1].detach().requires_grad_()
    logits = model.linear(last.relu().mean((2, 3)))
    (slopes,) = torch.autograd.grad(logits[0, 1] + logits[1, 2], last)
    expected = (slopes.mean((2, 3), keepdim=True) * last).sum(1).detach()
    found = attribute(model, images, [1, 2], methods=["gradcam", "ablationcam", "reciprocam"], layers=["shared"])
    torch.testing.assert_close(found[0].maps, expected)
    assert found[0].notes[0] == "'shared' runs 2 times in one pass; its last output was used"
    # the replaced output is the last one too: with each channel gone, the score is that of the same tail
    gone = last.detach().clone()
    gone[:, 2] = 0
    changed = model.linear(gone.relu().mean((2, 3)))
    drop = (logits - changed)[torch.arange(2), [1, 2]] / logits[torch.arange(2), [1, 2]].abs()
    others = found[1].maps
    weights = torch.linalg.lstsq(last.detach().flatten(2).transpose(1, 2), others.flatten(1)[..., None]).solution
    torch.testing.assert_close(weights[:, 2, 0], drop.detach(), rtol=1e-3, atol=1e-4)


class Frozen(nn.Module):
    """A network that computes its logits without gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = gap()

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            return self.inner(x)


class Argmax(Frozen):
    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x).argmax(1)


class Pair(Frozen):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.inner(x), x


@pytest.mark.parametrize("method", ["gradcam", "gradient", "integrated_gradients", "guided_backprop", "fullgrad"])
def test_an_output_without_gradient_is_refused_in_one_sentence(method: str) -> None:
    layers = ["inner.relu2"]
    with pytest.raises(RequestError, match=r"the score has no gradient at .*torch.no_grad"):
        attribute(Frozen(), some_images(2), [0, 1], methods=[method], layers=layers)
    with pytest.raises(RequestError, match="which has no gradient \\(an argmax"):
        attribute(Argmax(), some_images(2), [0, 1], methods=[method], layers=layers)
    with pytest.raises(RequestError, match="the network puts out tuple; expected a tensor of logits"):
        attribute(Pair(), some_images(2), [0, 1], methods=[method], layers=layers)


def test_methods_without_gradients_work_on_such_a_network() -> None:
    expected = attribute(Frozen().inner.eval(), some_images(2), [0, 1], methods=["eigencam"], layers=["relu2"])
    found = attribute(Frozen(), some_images(2), [0, 1], methods=["eigencam", "occlusion"], layers=["inner.relu2"])
    torch.testing.assert_close(found[0].maps, expected[0].maps)


class Aside(nn.Module):
    """A network with a branch that the logits do not depend on."""

    def __init__(self) -> None:
        super().__init__()
        self.main, self.aside = gap(), nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        self.aside(x)
        return self.main(x)


def test_a_layer_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(RequestError, match="no gradient at layer 'aside': nothing leads from there to the logits"):
        attribute(Aside(), some_images(2), [0, 1], methods=["gradcam"], layers=["aside"])


def test_no_graph_stays_alive() -> None:
    model, layer, images, classes = subject("gap")
    found = attribute(model, images, classes, methods=quick(METHODS), layers=[layer])
    for one in found:
        for tensor in (one.maps, one.per_channel, one.scores, one.delta):
            assert tensor is None or (tensor.grad_fn is None and not tensor.requires_grad)
