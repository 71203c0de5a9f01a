"""Class activation maps against pytorch-grad-cam.

Its maps are brought to 0 … 1 at the layer's size, grown with OpenCV, and brought to 0 … 1 again: `as_theirs` does the
same to raw ones. Settings: evaluation mode, float64 up to the maps, which both sides end in float32, the layer's output
is that of a ReLU, ReLUs are not in place.
"""

import copy

import numpy as np
import pytest
import pytorch_grad_cam as theirs
import torch
import torch.nn.functional as F
from attribution.subjects import SUBJECTS, subject
from pytorch_grad_cam.ablation_layer import AblationLayer
from pytorch_grad_cam.guided_backprop import GuidedBackpropReLUModel
from pytorch_grad_cam.utils.model_targets import ClassifierOutputReST, ClassifierOutputTarget
from torch import nn
from torchvision.models import VisionTransformer

from cnnlab.attribution.attribution import VIEWS, attribute
from cnnlab.attribution.cam_pieces import weighted_map
from cnnlab.attribution.capture import SCORE, capture
from cnnlab.attribution.layers import choose_layer
from cnnlab.attribution.maps import principal_map
from cnnlab.attribution.method import finished
from cnnlab.attribution.methods.gradient_cams import grad_cam_plus_plus, xgrad_cam
from cnnlab.attribution.methods.perturbation_cams import score_cam
from cnnlab.attribution.target import target_of

TOLERANCE = 1e-5
ALL = pytest.mark.parametrize("name", list(SUBJECTS))


def unit(maps: torch.Tensor, eps: float = 1e-7) -> torch.Tensor:
    maps = maps - maps.amin((-2, -1), keepdim=True)
    return maps / (eps + maps.amax((-2, -1), keepdim=True))


def as_theirs(raw: torch.Tensor, side: int) -> torch.Tensor:
    grown = F.interpolate(unit(raw.clamp(min=0))[:, None], (side, side), mode="bilinear", align_corners=False)[:, 0]
    return unit(grown.clamp(min=0))


def their_map(method, model, layers, images, classes, *, make=None, **options):  # type: ignore[no-untyped-def]
    cam = method(model, [model.get_submodule(layer) for layer in layers], **(make or {}))
    targets = [ClassifierOutputTarget(c) for c in classes.tolist()]
    return torch.from_numpy(cam(images, targets, **options))


def raw(name, model, layer, images, classes):  # type: ignore[no-untyped-def]
    return attribute(model, images, classes, methods=[name], layers=[layer])[0].maps


def close(a: torch.Tensor, b: torch.Tensor, tolerance: float = TOLERANCE) -> None:
    torch.testing.assert_close(a.double(), b.double(), rtol=0, atol=tolerance)


@ALL
@pytest.mark.parametrize(
    ("method", "their"),
    [("gradcam", theirs.GradCAM), ("hirescam", theirs.HiResCAM), ("layercam", theirs.LayerCAM)],
)
def test_gradient_cams(name: str, method: str, their) -> None:  # type: ignore[no-untyped-def]
    model, layer, images, classes = subject(name)
    close(
        as_theirs(raw(method, model, layer, images, classes), images.shape[-1]),
        their_map(their, model, [layer], images, classes),
    )


@ALL
def test_xgradcam_and_gradcam_plus_plus_with_their_eps(name: str) -> None:
    """They add 1e-7 and 1e-6 to denominators; ours have none unless asked."""
    model, layer, images, classes = subject(name)
    found = capture(model, images, target_of(classes, len(images)), layers=[layer], wants=[SCORE]).layers[0]
    a, g = found.activations, found.gradients[SCORE][:, 0]
    side = images.shape[-1]
    mine = weighted_map(a, xgrad_cam(a, g, eps=1e-7))
    close(as_theirs(mine, side), their_map(theirs.XGradCAM, model, [layer], images, classes))
    mine = weighted_map(a, grad_cam_plus_plus(a, g, eps=1e-6))
    close(as_theirs(mine, side), their_map(theirs.GradCAMPlusPlus, model, [layer], images, classes))


def test_without_eps_the_same_when_gradients_are_large() -> None:
    model, layer, images, classes = subject("gap")
    with torch.no_grad():
        model.linear.weight.mul_(1e4)
    for method, their in (("xgradcam", theirs.XGradCAM), ("gradcam++", theirs.GradCAMPlusPlus)):
        mine = as_theirs(raw(method, model, layer, images, classes), 16)
        close(mine, their_map(their, model, [layer], images, classes))


@ALL
@pytest.mark.parametrize(("method", "their"), [("eigencam", theirs.EigenCAM), ("eigengradcam", theirs.EigenGradCAM)])
def test_eigencam_centred_up_to_its_sign(name: str, method: str, their) -> None:  # type: ignore[no-untyped-def]
    """They centre before the SVD, so that a sign is whatever LAPACK gives: either may be theirs."""
    model, layer, images, classes = subject(name)
    found = capture(model, images, target_of(classes, len(images)), layers=[layer], wants=[SCORE]).layers[0]
    a = found.activations * (found.gradients[SCORE][:, 0] if method == "eigengradcam" else 1)
    mine = principal_map(a, centred=True)
    expected = their_map(their, model, [layer], images, classes)
    side = images.shape[-1]
    for i in range(len(images)):
        both = [as_theirs(sign * mine[i : i + 1], side)[0] for sign in (1, -1)]
        assert min(float((one - expected[i]).abs().max()) for one in both) < TOLERANCE


@pytest.mark.parametrize("name", ["gap", "flat"])
def test_scorecam(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Theirs: logits, softmax over channels, masks grown with align_corners=True and then brought to 0 … 1."""
    monkeypatch.setattr("tqdm.tqdm", lambda it, **_: it)
    model, layer, images, classes = subject(name)
    target = target_of(classes, len(images))
    a = capture(model, images, target, layers=[layer]).layers[0].activations
    weights = finished(score_cam(model, images, target, a, align_corners=True, max_batch=7))
    mine = weighted_map(a, weights[:, 0, :, None, None])
    close(as_theirs(mine, 16), their_map(theirs.ScoreCAM, model, [layer], images, classes))


@ALL
def test_ablationcam(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Theirs divides by the score, ours by its size: the map is turned round where the score is negative.

    A channel that has no 0 they set far below it instead; here every channel has one.
    """
    monkeypatch.setattr("tqdm.tqdm", lambda it, **_: it)
    model, layer, images, classes = subject(name)
    if name == "resnet10":
        layer, images, classes = "layer2", images[:1], classes[:1]
        with torch.no_grad():
            model.layer2[0].bn2.bias.sub_(4)  # so that every channel has a 0
    found = capture(model, images, target_of(classes, len(images)), layers=[layer])
    assert bool((found.layers[0].activations.amin((2, 3)) == 0).all())
    mine = raw("ablationcam", model, layer, images, classes) * found.scores.sign()[:, :, None]
    cam = theirs.AblationCAM(model, [model.get_submodule(layer)], ablation_layer=AblationLayer())
    expected = torch.from_numpy(cam(images, [ClassifierOutputTarget(c) for c in classes.tolist()]))
    close(as_theirs(mine, images.shape[-1]).float(), expected)


@ALL
def test_shapleycam_with_rest(name: str) -> None:
    model, layer, images, classes = subject(name)
    cam = theirs.ShapleyCAM(model, [model.get_submodule(layer)])
    expected = torch.from_numpy(cam(images, [ClassifierOutputReST(c) for c in classes.tolist()]))
    close(as_theirs(raw("shapleycam", model, layer, images, classes), images.shape[-1]), expected, 2e-5)


@ALL
@pytest.mark.parametrize("gamma", [0.6, 1.0])
def test_finercam_against_the_nearest_class(name: str, gamma: float) -> None:
    """Of one class to compare with, their softmax weight cancels and S_c − gamma · S_d is left, as of ours."""
    model, layer, images, _ = subject(name)
    with torch.no_grad():
        predicted = model(images).argmax(1)
    mine = attribute(model, images, predicted, methods=[f"finercam:nearest=1,gamma={gamma}"], layers=[layer])[0].maps
    cam = theirs.FinerCAM(model, [model.get_submodule(layer)])
    expected = torch.from_numpy(cam(images, None, alpha=gamma, comparison_categories=[1]))
    close(as_theirs(mine, images.shape[-1]), expected)


@ALL
def test_finercam_against_the_mean_of_the_nearest(name: str) -> None:
    """Equation 4 of Zhang et al. 2025, arXiv:2501.11309, as a target of their Grad-CAM; for any class, by default."""
    model, layer, images, classes = subject(name)
    with torch.no_grad():
        logits = model(images)

    def target(row: int):  # type: ignore[no-untyped-def]
        own = int(classes[row])
        apart = [(abs(float(value - logits[row, own])), d) for d, value in enumerate(logits[row]) if d != own]
        nearest = [d for _, d in sorted(apart)[:3]]
        return lambda output: output[own] - 0.6 * output[nearest].mean()

    cam = theirs.GradCAM(model, [model.get_submodule(layer)])
    expected = torch.from_numpy(cam(images, [target(row) for row in range(len(images))]))
    close(as_theirs(raw("finercam", model, layer, images, classes), images.shape[-1]), expected)


def test_their_finercam_as_a_function_of_the_logits() -> None:
    """Theirs: softmax-weighted mean of S_c − S_d over three classes; our Grad-CAM of that function is the same."""
    model, layer, images, _ = subject("gap")

    def their_target(logits: torch.Tensor) -> torch.Tensor:
        order = (logits - logits.amax(1, keepdim=True)).abs().argsort(1)
        main = logits.gather(1, order[:, :1])
        others = logits.gather(1, order[:, 1:4])
        weights = logits.softmax(1).gather(1, order[:, 1:4])
        return (weights * (main - others)).sum(1) / (weights.sum(1) + 1e-9)

    mine = attribute(model, images, their_target, methods=["gradcam"], layers=[layer])[0].maps
    cam = theirs.FinerCAM(model, [model.get_submodule(layer)])
    close(as_theirs(mine, 16), torch.from_numpy(cam(images, None)))


@ALL
def test_fullgrad_per_channel(name: str) -> None:
    """Their scaling is per channel; ours by default per layer, as the authors' code."""
    model, _, images, classes = subject(name)
    images = images[:2]
    mine = attribute(model, images, classes[:2], methods="fullgrad:scaling=channel")[0].maps
    cam = theirs.FullGrad(model, [])
    expected = cam(images, [ClassifierOutputTarget(c) for c in classes[:2].tolist()])
    close(unit(mine), torch.from_numpy(np.asarray(expected)))


def test_layers_together_and_smoothing() -> None:
    """Theirs: each layer's map to 0 … 1, grown, averaged, to 0 … 1. `aug_smooth`: the mean of six such maps."""
    model, _, images, classes = subject("gap")
    both = [raw("gradcam", model, layer, images, classes) for layer in ("relu1", "relu2")]
    grown = torch.stack([
        F.interpolate(unit(m.clamp(min=0))[:, None], (16, 16), mode="bilinear", align_corners=False)[:, 0]
        for m in both
    ])  # fmt: skip
    close(unit(grown.mean(0)), their_map(theirs.GradCAM, model, ["relu1", "relu2"], images, classes))

    views = []
    for turned, factor in VIEWS:
        seen = (images.flip(-1) if turned else images) * factor
        found = as_theirs(raw("gradcam", model, "relu2", seen, classes), 16)
        views.append(found.flip(-1) if turned else found)
    expected = their_map(theirs.GradCAM, model, ["relu2"], images, classes, aug_smooth=True)
    close(torch.stack(views).mean(0), expected)


def test_guided_backpropagation_of_one_image() -> None:
    model, _, images, classes = subject("gap")
    expected = GuidedBackpropReLUModel(copy.deepcopy(model))(images[:1], int(classes[0]))
    mine = attribute(model, images[:1], classes[:1], methods=["guided_backprop"])[0].per_channel
    assert mine is not None
    close(mine[0].permute(1, 2, 0), torch.from_numpy(expected), 1e-6)


def test_their_plus_plus_is_not_ours_for_small_gradients() -> None:
    """What their eps does: with logits a ten-thousandth in size their map moves, since g² is far below 1e-6."""
    model, layer, images, classes = subject("gap")
    with torch.no_grad():
        model.linear.weight.mul_(1e-3)
    mine = as_theirs(raw("gradcam++", model.float(), layer, images.float(), classes), 16)
    exact = as_theirs(raw("gradcam++", model.double(), layer, images, classes), 16)
    close(mine, exact)
    expected = their_map(theirs.GradCAMPlusPlus, model, [layer], images, classes)
    assert float((expected.double() - exact).abs().max()) > 1e-3


@pytest.mark.parametrize(
    ("layer", "method", "their"),
    [
        ("encoder.layers.encoder_layer_11.ln_1", "gradcam", theirs.GradCAM),
        ("encoder.layers.encoder_layer_5", "layercam", theirs.LayerCAM),
    ],
)
def test_tokens_of_a_vision_transformer(vit: nn.Module, layer: str, method: str, their) -> None:  # type: ignore[no-untyped-def]
    """torchvision's, 12 blocks, at 64 px; they are told that the tokens are one for the class, then 4 × 4 patches."""

    def reshape(output: torch.Tensor) -> torch.Tensor:
        return output[:, 1:].reshape(-1, 4, 4, output.shape[2]).permute(0, 3, 1, 2)

    images, classes = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)), torch.tensor([1, 3])
    close(
        as_theirs(raw(method, vit, layer, images, classes), 64),
        their_map(their, vit, [layer], images, classes, make={"reshape_transform": reshape}),
    )


def test_the_layer_of_a_vision_transformer(vit: nn.Module) -> None:
    """The layer that their documentation names: the first normalisation of the last block."""
    assert choose_layer(vit, (3, 64, 64)).name == "encoder.layers.encoder_layer_11.ln_1"


@pytest.fixture(scope="module")
def vit() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = VisionTransformer(64, 16, num_layers=12, num_heads=4, hidden_dim=64, mlp_dim=128, num_classes=5)
        # torchvision begins with zeros there
        nn.init.normal_(model.heads.head.weight)
    return model.eval()
