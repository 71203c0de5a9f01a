"""Attributions against captum; settings in each test. Both sides run in float64, ours ends in float32."""

from collections.abc import Callable

import pytest
import torch
from attribution.subjects import SUBJECTS, subject
from captum.attr import (
    Deconvolution,
    GuidedBackprop,
    GuidedGradCam,
    InputXGradient,
    IntegratedGradients,
    LayerGradCam,
    LayerGradientXActivation,
    Occlusion,
    Saliency,
)
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from cnnlab.attribution.attribution import attribute
from cnnlab.attribution.method import PixelRange
from cnnlab.attribution.methods.gradients import noise_draws

ALL = pytest.mark.parametrize("name", list(SUBJECTS))
pytestmark = pytest.mark.filterwarnings("ignore:Setting backward hooks", "ignore:Setting forward")


def close(mine: Tensor | None, theirs: Tensor, tolerance: float = 1e-5) -> None:
    """Within `tolerance` of the largest value."""
    assert mine is not None
    theirs = theirs.detach().double()  # captum sums up windows in float32
    torch.testing.assert_close(mine.double(), theirs, rtol=0, atol=tolerance * float(theirs.abs().max()))


def values(model: nn.Module, images: Tensor, classes: Tensor, method: str, **options) -> Tensor | None:  # type: ignore[no-untyped-def]
    return attribute(model, images, classes, methods=[{method: options}], max_batch=32)[0].per_channel


@ALL
def test_gradcam_is_raw_layer_gradcam(name: str) -> None:
    model, layer, images, classes = subject(name)
    theirs = LayerGradCam(model, model.get_submodule(layer)).attribute(images, target=classes)[:, 0]
    close(attribute(model, images, classes, methods=["gradcam"], layers=[layer])[0].maps, theirs, 1e-6)


@ALL
def test_hirescam_is_layer_gradient_times_activation(name: str) -> None:
    model, layer, images, classes = subject(name)
    theirs = LayerGradientXActivation(model, model.get_submodule(layer)).attribute(images, target=classes).sum(1)
    close(attribute(model, images, classes, methods=["hirescam"], layers=[layer])[0].maps, theirs, 1e-6)


@ALL
def test_gradient_and_gradient_times_input(name: str) -> None:
    model, _, images, classes = subject(name)
    signed = Saliency(model).attribute(images, target=classes, abs=False)
    close(values(model, images, classes, "gradient"), signed, 1e-6)
    close(attribute(model, images, classes, methods=["gradient"])[0].maps, signed.abs().amax(1), 1e-6)
    close(
        values(model, images, classes, "gradient_x_input"),
        InputXGradient(model).attribute(images, target=classes),
        1e-6,
    )


@ALL
@pytest.mark.parametrize("inplace", [False, True])
def test_guided_backpropagation_and_deconvnet(name: str, inplace: bool) -> None:
    make, _, _ = SUBJECTS[name]
    _, _, images, classes = subject(name)
    model = make().eval().double()
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = inplace
    close(
        values(model, images, classes, "guided_backprop"),
        GuidedBackprop(make().eval().double()).attribute(images, target=classes),
    )
    close(
        values(model, images, classes, "deconvnet"),
        Deconvolution(make().eval().double()).attribute(images, target=classes),
    )


@ALL
def test_guided_gradcam_grown_bilinearly(name: str) -> None:
    model, layer, images, classes = subject(name)
    theirs = GuidedGradCam(model, model.get_submodule(layer)).attribute(
        images, target=classes, interpolate_mode="bilinear"
    )
    mine = attribute(model, images, classes, methods=["guided_gradcam"], layers=[layer])[0].per_channel
    close(mine, theirs)


@ALL
@pytest.mark.parametrize(("ours", "their"), [("gauss_legendre", "gausslegendre"), ("midpoint", "riemann_middle")])
def test_integrated_gradients(name: str, ours: str, their: str) -> None:
    """Baseline 0, the same number of points. Their `riemann_trapezoid` weights sum to (n − 1)/n and are left out."""
    model, _, images, classes = subject(name)
    images, classes = images[:2], classes[:2]
    theirs = IntegratedGradients(model).attribute(images, target=classes, n_steps=12, method=their)
    close(values(model, images, classes, "integrated_gradients", steps=12, quadrature=ours), theirs)


def test_integrated_gradients_from_a_baseline_and_its_delta() -> None:
    model, _, images, classes = subject("gap")
    baseline = torch.full((3, 1, 1), -1.5, dtype=torch.float64)
    theirs, delta = IntegratedGradients(model).attribute(
        images,
        baselines=baseline.expand_as(images),
        target=classes,
        n_steps=12,
        method="gausslegendre",
        return_convergence_delta=True,
    )
    mine = attribute(model, images, classes, methods=[{"integrated_gradients": {"steps": 12, "baseline": baseline}}])[0]
    close(mine.per_channel, theirs)
    assert mine.delta is not None
    torch.testing.assert_close(mine.delta.double(), delta.double(), rtol=0, atol=1e-5)


@ALL
def test_smoothgrad_is_saliency_of_the_same_noisy_images(name: str) -> None:
    model, _, images, classes = subject(name)
    draws = noise_draws(4, images, seed=7)
    ranges = (images.amax((1, 2, 3)) - images.amin((1, 2, 3))).reshape(-1, 1, 1, 1)
    theirs = sum(Saliency(model).attribute(images + 0.2 * ranges * d, target=classes, abs=False) for d in draws) / 4
    mine = attribute(model, images, classes, methods=["smoothgrad:samples=4,noise=0.2"], seed=7, max_batch=5)[0]
    close(mine.per_channel, theirs)


@pytest.mark.parametrize("name", ["gap", "flat"])
@pytest.mark.parametrize(("window", "stride"), [(4, 2), (7, 5), (5, 5), (16, 3)])
def test_occlusion_with_ragged_borders(name: str, window: int, stride: int) -> None:
    """Windows over all channels, baseline 0; a pixel's value is the mean over the windows that cover it."""
    model, _, images, classes = subject(name)
    theirs = Occlusion(model).attribute(
        images,
        target=classes,
        sliding_window_shapes=(3, window, window),
        strides=(3, stride, stride),
        baselines=0,
    )
    mine = attribute(model, images, classes, methods=[f"occlusion:window={window},stride={stride}"], max_batch=11)[0]
    close(mine.maps, theirs[:, 0])


MEAN, STD = (torch.tensor(v, dtype=torch.float64)[:, None, None] for v in ((0.4, 0.5, 0.6), (0.2, 0.25, 0.3)))


def blurred(images: Tensor) -> Tensor:
    """A Gaussian blur by SciPy, its standard deviation a tenth of the side, mirrored at the borders."""
    sigma = images.shape[-1] / 10
    return torch.from_numpy(gaussian_filter(images.numpy(), (0, 0, sigma, sigma), mode="mirror", truncate=3))


BASELINES: dict[str, Callable[[Tensor], Tensor]] = {
    "zero": torch.zeros_like,
    "-0.5": lambda images: torch.full_like(images, -0.5),
    "mean": lambda images: images.mean((2, 3), keepdim=True).expand_as(images),
    "blur": blurred,
    "black": lambda images: ((0 - MEAN) / STD).expand_as(images),
    "white": lambda images: ((1 - MEAN) / STD).expand_as(images),
}


@pytest.mark.parametrize("baseline", BASELINES)
def test_baselines_by_name(baseline: str) -> None:
    """Each by its formula, as tensors for captum: integrated gradients from there, and windows covered by it."""
    model, _, images, classes = subject("flat")
    of, range_ = BASELINES[baseline](images), PixelRange(((0 - MEAN) / STD).flatten(), ((1 - MEAN) / STD).flatten())
    asked = f"integrated_gradients:steps=12,baseline={baseline},occlusion:window=4,stride=2,baseline={baseline}"
    integrated, covered = attribute(model, images, classes, methods=asked, pixels=range_)
    theirs = IntegratedGradients(model).attribute(
        images, baselines=of, target=classes, n_steps=12, method="gausslegendre"
    )
    close(integrated.per_channel, theirs)
    shapes = {"sliding_window_shapes": (3, 4, 4), "strides": (3, 2, 2)}
    close(covered.maps, Occlusion(model).attribute(images, target=classes, baselines=of, **shapes)[:, 0])
