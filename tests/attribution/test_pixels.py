"""Attributions to pixels against finite differences, closed forms and brute force."""

from collections.abc import Callable, Sequence

import pytest
import torch
import torch.nn.functional as F
from attribution.subjects import CLASSES, flat, gap, resnet10, some_images
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torchvision.ops import DeformConv2d

from cnnlab.attribution import batch as batch_module
from cnnlab.attribution.attribution import Attribution, attribute, planned_passes
from cnnlab.attribution.batch import Request
from cnnlab.attribution.method import finished
from cnnlab.attribution.methods.gradients import gradient
from cnnlab.attribution.methods.integrated_gradients import quadrature_points
from cnnlab.attribution.methods.occlusion import window_starts
from cnnlab.attribution.methods.rise import grown_masks, mask_draws, rise
from cnnlab.attribution.target import target_of
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.walk.layouts import Layouts, layouts_of

CLASS = torch.tensor([0, 3, 1, 4])


def linear(size: int = 8) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return nn.Sequential(nn.Flatten(), nn.Linear(3 * size * size, 5))


@pytest.mark.parametrize("make", [gap, flat])
def test_gradient_by_finite_differences(make) -> None:  # type: ignore[no-untyped-def]
    model, images = make().double().eval(), some_images(2).double()
    found = finished(gradient(model, images, target_of(CLASS[:2], 2)))[:, 0]
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        i, c, y, x = (int(torch.randint(top, (), generator=generator)) for top in (2, 3, 16, 16))
        step = torch.zeros_like(images)
        step[i, c, y, x] = 1e-6
        with torch.no_grad():
            rise_ = model(images + step)[i, CLASS[i]] - model(images - step)[i, CLASS[i]]
        assert float(found[i, c, y, x]) == pytest.approx(float(rise_) / 2e-6, rel=1e-5, abs=1e-8)


def test_a_linear_networks_gradient_is_its_weights() -> None:
    """And SmoothGrad's, exactly; times the input it sums to the score, and integrated gradients are the same."""
    model, images = linear(), some_images(4, 8)
    weights = model[1].weight[CLASS].reshape(4, 3, 8, 8).detach()
    plain, times, smooth, integrated = attribute(
        model,
        images,
        CLASS,
        methods="gradient,gradient_x_input,smoothgrad:samples=3,integrated_gradients:steps=1",
    )
    for one in (plain, smooth):
        torch.testing.assert_close(one.per_channel, weights)
        torch.testing.assert_close(one.maps, weights.abs().amax(1))
    torch.testing.assert_close(times.maps, (weights * images).sum(1))
    torch.testing.assert_close(integrated.maps, times.maps)
    assert integrated.delta is not None
    assert float(integrated.delta.abs().max()) < 1e-5
    torch.testing.assert_close(times.maps.sum((1, 2)) + model[1].bias[CLASS].detach(), times.scores)


@pytest.mark.parametrize("make", [gap, flat])
def test_integrated_gradients_add_up(make) -> None:  # type: ignore[no-untyped-def]
    """Doubling steps until within 0.5 %; the sum is the difference of scores plus the delta that is told."""
    model = make().eval()
    options = {"steps": 4, "tolerance": 5e-3, "max_steps": 512}
    with torch.no_grad():
        # the class that moves most: a difference of nothing is no measure of rounding
        clear = (model(some_images()) - model(torch.zeros(1, 3, 16, 16))).abs().argmax(1)
    one = attribute(model, some_images(), clear, methods=[{"integrated_gradients": options}])[0]
    with torch.no_grad():
        difference = (model(some_images()) - model(torch.zeros(1, 3, 16, 16))).gather(1, clear[:, None])[:, 0]
    assert one.delta is not None
    assert bool((one.delta.abs() <= 5e-3 * difference.abs()).all())
    torch.testing.assert_close(one.maps.sum((1, 2)), difference + one.delta, rtol=1e-4, atol=1e-5)
    assert "steps the values add up to within" in one.notes[0]


def test_steps_end_at_the_limit() -> None:
    asked = "integrated_gradients:steps=2,tolerance=1e-9,max_steps=9"
    (found,) = attribute(gap().eval(), some_images(), CLASS, methods=asked)
    assert found.notes[0].startswith("with 8 steps the values add up")


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 12), st.integers(0, 1000))
def test_quadrature_is_exact_for_polynomials(steps: int, seed: int) -> None:
    """Gauss-Legendre to degree 2 n − 1; midpoints for straight lines; weights sum to 1 in both."""
    coefficients = torch.randn(2 * steps, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    powers = torch.arange(2 * steps)
    places, weights = quadrature_points(steps, "gauss_legendre")
    found = (weights * (coefficients * places[:, None] ** powers).sum(1)).sum()
    torch.testing.assert_close(found, (coefficients / (powers + 1)).sum())
    places, weights = quadrature_points(steps, "midpoint")
    torch.testing.assert_close((weights * (2 + 3 * places)).sum(), torch.tensor(3.5, dtype=torch.float64))


def full_gradient(model: nn.Module, images: Tensor, classes: Tensor) -> Attribution:
    return attribute(model, images, classes, methods="fullgrad")[0]


@pytest.mark.parametrize(("make", "side"), [(gap, 16), (flat, 16), (resnet10, 48)])
def test_full_gradient_adds_up_to_the_score(make: Callable[[], nn.Module], side: int) -> None:
    model = make().eval().double()
    found = full_gradient(model, some_images(2, side).double(), CLASS[:2])
    assert found.maps.shape == (2, side, side)
    assert found.delta is not None
    assert float(found.delta.abs().max()) < 1e-9


class Windows(nn.Module):
    """A dense layer over windows in the batch, one that is given its input by name, and one that runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.offset = DeformConv2d(3, 4, 3, padding=1), nn.Conv2d(3, 18, 3, padding=1)
        self.token, self.last = nn.Linear(4, 4), nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        y = checkpoint(self.first, x, torch.zeros_like(self.offset(x)), use_reentrant=False)
        y = y.reshape(len(x), 4, 2, 8, 2, 8).permute(0, 2, 4, 3, 5, 1).reshape(-1, 64, 4)
        y = self.token(input=y).relu().reshape(len(x), -1, 4)
        return self.last(y.mean(1))


def test_full_gradient_of_windows_in_the_batch_of_inputs_by_name_and_of_layers_that_run_twice() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Windows().double()
    images = some_images(2).double()
    for image, label in zip(images, CLASS[:2], strict=True):
        found = full_gradient(model, image[None], label[None])
        assert found.delta is not None
        assert float(found.delta.abs().max()) < 1e-9
    together = full_gradient(model, images, CLASS[:2])
    assert together.delta is not None
    assert float(together.delta.abs().max()) < 1e-9
    torch.testing.assert_close(together.maps[1], found.maps[0])


@pytest.mark.parametrize("max_batch", [2, 64])
def test_passes_of_full_gradient_are_as_planned_where_biases_are_told_apart(max_batch: int) -> None:
    planned = planned_passes(Request(Windows(), some_images(3), CLASS[:3], "fullgrad", max_batch=max_batch))
    (found,) = attribute(Windows(), some_images(3), CLASS[:3], methods="fullgrad", max_batch=max_batch)
    assert planned == {"fullgrad": found.passes}


@pytest.mark.parametrize("more", [0, 1])
def test_full_gradient_of_tokens_before_the_images(more: int) -> None:
    """With as many tokens as images sizes would not tell which is which; a class token has shares, and no place."""

    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.mix, self.head = nn.Conv2d(3, 4, 4, stride=4), nn.Linear(4, 4), nn.Linear(4, 5)

        def forward(self, x: Tensor) -> Tensor:
            tokens = torch.cat([x.new_zeros(more, len(x), 4), self.stem(x).flatten(2).permute(2, 0, 1)])
            return self.head(self.mix(tokens).relu().mean(0))

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Tokens().eval().double()
    images = torch.randn(2, 3, 4, 8, generator=torch.Generator().manual_seed(0)).double()
    both, first = (full_gradient(model, images[:n], CLASS[:n]) for n in (2, 1))
    assert both.delta is not None
    assert float(both.delta.abs().max()) < 1e-12
    torch.testing.assert_close(both.maps[:1], first.maps)


def test_full_gradient_says_when_it_does_not_add_up() -> None:
    layers = [nn.Conv2d(3, 4, 3), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5)]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(*layers)
        for part in (0, 4):
            layers[part].reset_parameters()
    one = attribute(model, some_images(2), CLASS[:2], methods=["fullgrad"])[0]
    assert "of the score: the network is not linear between its ReLUs" in one.notes[0]


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 9), st.integers(1, 6), st.integers(1, 9))
def test_occlusion_by_brute_force(window: int, stride: int, max_batch: int) -> None:
    model, images, target = gap().eval(), some_images(2, 8), target_of(CLASS[:2], 2)
    with torch.no_grad():
        scores = target.scores(model(images), torch.arange(2))
    cover = torch.tensor([0.5, -1.0, 0.0])[:, None, None]
    assume(stride <= window or window >= 8)
    asked = {"occlusion": {"window": window, "stride": stride, "baseline": cover}}
    found = attribute(model, images, CLASS[:2], methods=[asked], max_batch=max_batch)[0].maps
    total, count = torch.zeros(2, 8, 8), torch.zeros(8, 8)
    for y in window_starts(8, window, stride):
        for x in window_starts(8, window, stride):
            covered = images.clone()
            covered[:, :, y : y + window, x : x + window] = cover
            with torch.no_grad():
                drop = scores - target.scores(model(covered), torch.arange(2))
            total[:, y : y + window, x : x + window] += drop[:, :, None]
            count[y : y + window, x : x + window] += 1
    assert float(count.min()) >= 1
    torch.testing.assert_close(found, total / count, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("window", "stride"), [(2, 3), (1, 8), (7, 8)])
def test_pixels_between_the_windows_of_occlusion_would_have_no_value(window: int, stride: int) -> None:
    refusal = f"stride: is {stride} with windows of {window} pixels.*expected at most {window}"
    asked = f"occlusion:window={window},stride={stride}"
    with pytest.raises(RequestError, match=refusal):
        attribute(gap(), some_images(1, 8), CLASS[:1], methods=asked)
    with pytest.raises(RequestError, match=refusal):
        planned_passes(Request(gap(), some_images(1, 8), CLASS[:1], asked))


def test_a_map_that_is_not_finite_is_no_map() -> None:
    class Rooted(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x - x.detach()).sqrt().mean((2, 3)) + x.mean((2, 3))

    with pytest.raises(WorkError, match=r"gradient: the map has NaN or infinite values.*leave this method out"):
        attribute(Rooted(), some_images(1, 8), CLASS[:1], methods=["gradient"])


@pytest.mark.parametrize(
    ("options", "refusal"),
    [
        ({"keep": 1.0}, "rise: 'keep' is '1.0', expected less than 1; see cnnlab list methods rise"),
        ({"masks": 1}, "masks: is 1, expected 2 or more"),
        ({"masks": 2, "keep": 0.001}, "masks: with 2 of them 64 of 64 pixels are never seen"),
    ],
)
def test_masks_of_rise_that_say_nothing_of_a_pixel_are_refused(options: dict[str, float], refusal: str) -> None:
    with pytest.raises(RequestError, match=refusal):
        attribute(gap(), some_images(1, 8), CLASS[:1], methods=[{"rise": options}])


def test_rise_by_brute_force_and_centred() -> None:
    model, images, target = gap().eval(), some_images(2), target_of(CLASS[:2], 2)
    grids, shifts = mask_draws(40, 5, 0.4, (16, 16), 9)
    drawn = grown_masks(grids, shifts, (16, 16))
    with torch.no_grad():
        p = torch.stack([model(images * m).softmax(1)[torch.arange(2), CLASS[:2]] for m in drawn])
    plain = torch.einsum("mn,mhw->nhw", p, drawn) / (40 * 0.4)
    options = {"masks": 40, "cells": 5, "keep": 0.4}
    found = finished(rise(model, images, target, 9, 7, centred=False, **options)).maps[0][:, 0]
    torch.testing.assert_close(found, plain)
    centred = torch.einsum("mn,mhw->nhw", p - p.mean(0), drawn) / (40 * 0.4)
    found = finished(rise(model, images, target, 9, 50, **options)).maps[0][:, 0]
    torch.testing.assert_close(found, centred, rtol=1e-4, atol=1e-6)


def test_rises_masks_are_open_as_often_as_asked_and_smooth() -> None:
    grids, shifts = mask_draws(3000, 7, 0.3, (32, 20), 0)
    drawn = grown_masks(grids, shifts, (32, 20))
    assert drawn.shape == (3000, 32, 20)
    assert float(drawn.mean()) == pytest.approx(0.3, abs=0.01)
    assert float(drawn.min()) >= 0
    assert float(drawn.max()) <= 1 + 1e-6
    assert float(drawn.diff(dim=1).abs().max()) <= 1 / 5 + 1e-6  # a cell is ⌈32 / 7⌉ = 5 pixels high


def test_a_network_that_ignores_the_image_has_no_map_by_centred_rise() -> None:
    class Constant(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.tensor([1.0, 2.0, 3.0, 0.0, 0.0]).expand(len(x), 5) + 0 * x.sum((1, 2, 3))[:, None]

    centred = attribute(Constant(), some_images(), CLASS, methods=["rise:masks=50"])[0]
    assert float(centred.maps.abs().max()) < 1e-6
    plain = attribute(Constant(), some_images(), CLASS, methods=["rise:masks=50,centred=false"])[0]
    assert float(plain.maps.abs().max()) > 1e-2


class Functional(nn.Module):
    """`flat` with its rectifiers written in another way."""

    def __init__(self, rectifier: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.inner, self.rectifier = flat(), rectifier

    def forward(self, x: Tensor) -> Tensor:
        for part in self.inner:
            x = self.rectifier(x) if isinstance(part, nn.ReLU) else part(x)
        return x


def forgetful(x: Tensor) -> Tensor:
    """In place, with what the call returns thrown away."""
    F.relu(x, inplace=True)
    return x


WAYS: dict[str, Callable[[Tensor], Tensor]] = {
    "F.relu": F.relu,
    "F.relu in place": lambda x: F.relu(x, inplace=True),
    "F.relu positional": lambda x: F.relu(x, True),
    "torch.relu": torch.relu,
    "torch.relu_": torch.relu_,
    "tensor.relu": lambda x: x.relu(),
    "tensor.relu_": lambda x: x.relu_(),
    "forgetful": forgetful,
    "clamp": lambda x: x.clamp(min=0),
    "torch.clamp": lambda x: torch.clamp(x, 0),
    "clamp_": lambda x: x.clamp_(min=0),
    "clamp_min": lambda x: torch.clamp_min(x, 0),
    "hardtanh": lambda x: F.hardtanh(x, 0.0, 1e9),
    "keyword": lambda x: F.relu(input=x),
}


@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.parametrize("method", ["guided_backprop", "deconvnet"])
def test_rectifiers_in_whatever_way_they_are_written(way: str, method: str) -> None:
    """As with modules, which captum confirms; other tools give the plain gradient here without a word."""
    expected = attribute(flat(), some_images(), CLASS, methods=[method])[0].per_channel
    found = attribute(Functional(WAYS[way]), some_images(), CLASS, methods=[method])[0].per_channel
    assert found is not None
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    plain = attribute(flat(), some_images(), CLASS, methods=["gradient"])[0].per_channel
    assert float((plain - found).abs().max()) > 1e-2 * float(found.abs().max())


def test_relu6_is_cut_above_too() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(12, 6), nn.ReLU6(), nn.Linear(6, 3))
    images = 20 * some_images(2, 2)
    before = model[1](images.flatten(1)).detach()
    assert bool((before > 6).any())
    assert bool((before < 0).any())
    signal = model[3].weight[:2].detach().clamp(min=0) * ((before > 0) & (before < 6))
    expected = (signal @ model[1].weight.detach()).reshape(2, 3, 2, 2)
    found = attribute(model, images, [0, 1], methods=["guided_backprop"])[0].per_channel
    torch.testing.assert_close(found, expected)


def test_networks_without_a_rectifier_are_refused() -> None:
    smooth = Functional(F.silu)
    for method, rule in (("guided_backprop", "guided"), ("deconvnet", "deconvnet")):
        with pytest.raises(RequestError, match=rf"refused: the {rule} rule is one for ReLU.*its activations are silu"):
            attribute(smooth, some_images(), CLASS, methods=[method])
    with pytest.raises(RequestError, match="no activation function was seen"):
        attribute(linear(), some_images(4, 8), CLASS, methods=["guided_backprop"])
    found = attribute(smooth, some_images(), CLASS, methods=["guided_backprop", "guided_gradcam", "gradient"])
    assert [one.method for one in found] == ["gradient"]
    assert found[0].notes[0].startswith("guided backpropagation was left out: refused: the guided rule")
    assert found[0].notes[1].startswith("guided Grad-CAM was left out: refused")


def test_other_activations_beside_rectifiers_are_told() -> None:
    layers = [nn.Conv2d(3, 4, 3), nn.GELU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 144, 5)]
    found = attribute(nn.Sequential(*layers), some_images(), CLASS, methods=["guided_backprop"])[0]
    assert found.notes[0] == "gelu kept its own gradient: the rule is one for ReLU"


def test_full_gradient_of_many_batches_follows_the_network_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[object] = []

    def counted(model: nn.Module, shape: Sequence[int]) -> Layouts:
        looks.append(shape)
        return layouts_of(model, shape)

    monkeypatch.setattr(batch_module, "layouts_of", counted)
    attribute(gap(), some_images(4), CLASS, methods=["fullgrad"], max_batch=1)
    assert len(looks) == 1
