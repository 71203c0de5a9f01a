"""Class activation maps against closed forms and brute force."""

import pytest
import torch
import torch.nn.functional as F
from attribution.subjects import CLASSES, flat, gap, resnet10, some_images, subject
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from cnnlab.attribution.attribution import attribute
from cnnlab.attribution.cam_pieces import weighted_map
from cnnlab.attribution.capture import CURVED_SCORE, SCORE, capture
from cnnlab.attribution.maps import fused, positive_scaled, principal_map, upsampled
from cnnlab.attribution.methods.gradient_cams import grad_cam_plus_plus, layer_cam, xgrad_cam
from cnnlab.attribution.target import target_of
from cnnlab.core.errors import RequestError

CLASS = torch.tensor([0, 3, 1, 4])


def maps(
    model: nn.Module, *methods: str, layer: str = "relu2", images: Tensor | None = None, **options
) -> list[Tensor]:  # type: ignore[no-untyped-def]
    images = some_images() if images is None else images
    chosen = [{name: options} for name in methods]
    found = attribute(model, images, CLASS[: len(images)], methods=chosen, layers=[layer])
    return [one.maps for one in found]


def output(model: nn.Sequential, layer: str, images: Tensor) -> Tensor:
    for name, part in model.eval().named_children():
        images = part(images)
        if name == layer:
            return images.detach()
    raise AssertionError(layer)


def test_behind_a_global_average_the_gradient_methods_are_cam() -> None:
    """CAM = Z · Grad-CAM = Z · HiResCAM = Z · XGrad-CAM = Z · Recipro-CAM, Z = 64 places, by the layer's weights."""
    model = gap().eval()
    cam, grad, hires, xgrad, recipro, counter = maps(
        model, "cam", "gradcam", "hirescam", "xgradcam", "reciprocam", "counterfactual_gradcam"
    )
    weights = model.linear.weight[CLASS].detach()
    expected = torch.einsum("nk,nkhw->nhw", weights, output(model, "relu2", some_images()))
    torch.testing.assert_close(cam, expected)
    for other in (grad, hires, xgrad, recipro):
        torch.testing.assert_close(64 * other, cam, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(counter, -grad, rtol=0, atol=0)


def test_cam_on_resnet10_sums_to_the_logit() -> None:
    model, layer, images, classes = subject("resnet10")
    found = attribute(model, images, classes, methods=["cam"])[0]
    assert found.layers == (layer,)
    total = found.maps.mean((1, 2)) + model.fc.bias[classes].detach().float()
    torch.testing.assert_close(total, found.scores)


def test_hirescam_sums_to_the_logit_before_one_linear_layer() -> None:
    model = flat(hidden=False).eval()
    found = attribute(model, some_images(), CLASS, methods=["hirescam"], layers=["relu2"])[0]
    torch.testing.assert_close(found.maps.sum((1, 2)) + model.linear.bias[CLASS].detach(), found.scores)


def test_cam_is_refused_where_it_does_not_exist() -> None:
    for model in (flat(), flat(hidden=False)):
        with pytest.raises(
            RequestError, match=r"CAM: it needs a global average pool and one linear layer behind 'relu2'"
        ):
            maps(model, "cam")
    with pytest.raises(RequestError, match=r"CAM: .* and a class to explain"):
        attribute(gap(), some_images(), lambda logits: logits[:, 0] ** 2, methods=["cam"])
    found = attribute(flat(), some_images(), CLASS, methods=["cam", "hirescam"])
    assert [one.method for one in found] == ["hirescam"]
    assert found[0].notes[0].startswith("CAM was left out: it needs a global average pool")


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.floats(-3, 3))
def test_gradcam_plus_plus_by_the_papers_equation(seed: int, power: float) -> None:
    """Equation 19 place by place in double precision, for gradients of sizes from a thousandth to a thousand."""
    generator = torch.Generator().manual_seed(seed)
    a = torch.randn(2, 3, 2, 3, generator=generator, dtype=torch.float64).relu()
    g = 10**power * torch.randn(2, 3, 2, 3, generator=generator, dtype=torch.float64)
    g = g * (torch.rand(g.shape, generator=generator) > 0.3)
    expected = torch.zeros(2, 3, dtype=torch.float64)
    for n in range(2):
        for k in range(3):
            for slope in g[n, k].flatten():
                if slope > 0:
                    alpha = slope**2 / (2 * slope**2 + a[n, k].sum() * slope**3)
                    expected[n, k] += alpha * slope
    torch.testing.assert_close(grad_cam_plus_plus(a, g)[:, :, 0, 0], expected)
    single = grad_cam_plus_plus(a.float(), g.float())[:, :, 0, 0]
    torch.testing.assert_close(single.double(), expected, rtol=1e-5, atol=1e-5 * 10**power)


def test_xgradcam_of_dead_channels_is_zero_and_not_nan() -> None:
    a = torch.zeros(1, 2, 3, 3)
    a[0, 1] = 1.0
    weights = xgrad_cam(a, torch.full_like(a, 2.0))
    assert weights.flatten().tolist() == [0.0, 2.0]


def test_layercam_leaves_negative_gradients_out() -> None:
    a = torch.arange(8.0).reshape(1, 2, 2, 2)
    g = torch.tensor([[[[1.0, -1], [2, -2]], [[-1.0, 1], [0, 3]]]])
    assert weighted_map(a, layer_cam(a, g)).tolist() == [[[0.0, 5.0], [4.0, 21.0]]]


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(2, 4), st.integers(1, 4), st.booleans())
def test_principal_map_is_that_of_the_svd(seed: int, k: int, h: int, w: int, centred: bool) -> None:
    """σ₁ u₁ up to its sign, from whichever Gram matrix is smaller; the sign goes along with the sum of channels."""
    a = torch.randn(3, k, h, w, generator=torch.Generator().manual_seed(seed))
    x = a.flatten(2).transpose(1, 2).double()
    x = x - x.mean(1, keepdim=True) if centred else x
    u, s, v = torch.linalg.svd(x, full_matrices=False)
    expected = u[..., 0] * s[..., :1]
    found = principal_map(a, centred=centred).flatten(1).double()
    gap_between = s[:, 0] - s[:, 1] if s.shape[1] > 1 else s[:, 0]
    for i in range(3):
        if gap_between[i] > 1e-2 * s[i, 0]:
            difference = min(float((found[i] - sign * expected[i]).abs().max()) for sign in (1, -1))
            assert difference <= 1e-5 * float(s[i, 0])
        assert float((found[i] * x[i].sum(1)).sum()) >= -1e-6
    assert v.shape[1] == s.shape[1]


def test_eigencam_of_activations_without_negative_values_has_none() -> None:
    """By Perron and Frobenius; centring loses that, so that another tool's maps may be turned round."""
    model = gap().eval()
    a = output(model, "relu2", some_images())
    assert float(maps(model, "eigencam")[0].min()) >= 0
    assert float(principal_map(a, centred=True).min()) < 0


def test_ablationcam_by_closed_form_is_brute_force() -> None:
    """Channel by channel through the whole network, behind a global average, one linear layer, and two."""
    for model in (gap().eval(), flat(hidden=False).eval(), flat().eval()):
        images = some_images(2)
        a = output(model, "relu2", images)
        names = list(dict(model.named_children()))
        rest = model[names.index("relu2") + 1 :]
        scores = rest(a).gather(1, CLASS[:2, None])
        weights = []
        for k in range(a.shape[1]):
            tried = a.clone()
            tried[:, k] = 0
            weights.append((scores - rest(tried).gather(1, CLASS[:2, None])) / scores.abs())
        expected = torch.einsum("kn,nkhw->nhw", torch.stack(weights)[:, :, 0], a).detach()
        found = attribute(model, images, CLASS[:2], methods=["ablationcam"], layers=["relu2"])[0]
        torch.testing.assert_close(found.maps, expected, rtol=1e-4, atol=1e-5)
        assert found.passes == 2  # there and back, or there and all 24 maps at once


def test_ablationcam_of_resnet_runs_the_tail_alone() -> None:
    model, _, images, classes = subject("resnet10")
    rows: list[int] = []
    model.layer1.register_forward_hook(lambda module, inputs, out: rows.append(len(out)))
    attribute(model, images, classes, methods=["ablationcam"], layers=["layer3"], max_batch=128)
    assert sum(rows) < 30  # of 3 · 256 maps: one image for every batch of them


def test_score_cam_by_brute_force() -> None:
    model = gap().eval()
    with torch.no_grad():
        model.conv2.bias[3] = -100.0  # a dead channel
    images = some_images(2)
    a = output(model, "relu2", images)
    expected = []
    for i in range(2):
        scores = []
        for k in range(12):
            grown = F.interpolate(a[i, k][None, None], (16, 16), mode="bilinear", align_corners=False)
            span = grown.max() - grown.min()
            mask = (grown - grown.min()) / span if span > 0 else grown
            scores.append(float(model(images[i] * mask).detach()[0, CLASS[i]]) if span > 0 else -torch.inf)
        weights = torch.tensor(scores).softmax(0)
        expected.append((weights[:, None, None] * a[i]).sum(0))
    found = maps(model, "scorecam", images=images)[0]
    torch.testing.assert_close(found, torch.stack(expected).detach(), rtol=1e-4, atol=1e-6)


def test_score_cam_skips_dead_channels_and_survives_all_dead() -> None:
    model = gap().eval()
    runs: list[int] = []
    handle = model.conv1.register_forward_hook(lambda module, inputs, out: runs.append(len(out)))
    with torch.no_grad():
        model.conv2.bias[:5] = -100.0
    found = attribute(model, some_images(2), CLASS[:2], methods=["scorecam"], layers=["relu2"], max_batch=4)[0]
    live = int((output(model, "relu2", some_images(2)).amax((2, 3)) > 0).sum())
    handle.remove()
    assert live <= 14
    assert max(runs) <= 4
    assert found.passes == 1 + -(-live // 4)
    with torch.no_grad():
        model.conv2.bias[:] = -100.0
    for method in ("scorecam", "ablationcam", "gradcam++", "eigencam", "xgradcam", "reciprocam"):
        dead = attribute(model, some_images(2), CLASS[:2], methods=[method], layers=["relu2"])[0]
        assert float(dead.maps.abs().max()) == 0
        assert dead.notes[-1] == "no positive evidence in 2 of 2 maps (images 0, 1)"


def test_score_cam_by_probability_is_the_masks_probabilities() -> None:
    model = gap().eval()
    found = maps(model, "scorecam", weights="probability", images=some_images(1))[0]
    a = output(model, "relu2", some_images(1))
    grown = F.interpolate(a, (16, 16), mode="bilinear", align_corners=False)[0]
    low, high = grown.amin((1, 2), keepdim=True), grown.amax((1, 2), keepdim=True)
    p = model(some_images(1) * ((grown - low) / (high - low))[:, None]).softmax(1)[:, CLASS[0]].detach()
    torch.testing.assert_close(found[0], (p[:, None, None] * a[0]).sum(0))


def test_finercam_is_gradcam_of_the_difference() -> None:
    model = flat().eval()
    logits = model(some_images()).detach()
    expected = []
    for i in range(4):
        c = int(CLASS[i])
        order = sorted((abs(float(logits[i, d] - logits[i, c])), d) for d in range(CLASSES) if d != c)
        nearest = [d for _, d in order[:2]]

        def score(z: Tensor, c: int = c, nearest: list[int] = nearest) -> Tensor:
            return z[:, c] - 0.8 * z[:, nearest].mean(1)

        expected.append(attribute(model, some_images()[i : i + 1], score, methods=["gradcam"])[0].maps[0])
    torch.testing.assert_close(maps(model, "finercam", gamma=0.8, nearest=2)[0], torch.stack(expected))


def test_shapleycam_of_a_relu_network_with_a_logit_is_gradcam() -> None:
    """A piecewise linear score has no curvature; with ReST it does."""
    model = flat().eval()

    def logit(z: Tensor) -> Tensor:
        return z[:, 2]

    shapley, grad = attribute(model, some_images(), logit, methods=["shapleycam", "gradcam"], layers=["relu2"])
    torch.testing.assert_close(shapley.maps, grad.maps)
    bent, straight = maps(model, "shapleycam", "gradcam")
    assert float((positive_scaled(bent) - positive_scaled(straight)).abs().max()) > 1e-3


def test_shapleycams_curvature_by_finite_differences() -> None:
    model = flat().eval().double()
    images = some_images(1).double()
    target = target_of([3], 1)
    found = capture(model, images, target, layers=["relu2"], wants=[CURVED_SCORE]).layers[0]
    a = found.activations
    rest = model[6:]

    def slope(at: Tensor) -> Tensor:
        at = at.detach().requires_grad_()
        z = rest(at)
        return torch.autograd.grad(z[0, 3] + z.log_softmax(1)[0, 3], at)[0]

    step = 1e-6
    curvature = (slope(a + step * a) - slope(a - step * a)) / (2 * step)
    expected = slope(a) - 0.5 * curvature
    torch.testing.assert_close(found.gradients[CURVED_SCORE][0], expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("make", [gap, flat])
@pytest.mark.parametrize("method", ["gradcam", "hirescam", "xgradcam", "layercam", "eigengradcam", "finercam"])
@pytest.mark.parametrize("factor", [10.0, 1e-4])
def test_the_size_of_logits_is_no_matter(make, method: str, factor: float) -> None:  # type: ignore[no-untyped-def]
    """An eps in a denominator would show. Grad-CAM++, Score-CAM and ReST do depend on it, by their definitions."""
    model, scaled = make().eval(), make().eval()
    last = list(scaled.children())[-1]
    with torch.no_grad():
        last.weight.mul_(factor)
        last.bias.mul_(factor)
    before, after = maps(model, method)[0], maps(scaled, method)[0]
    torch.testing.assert_close(positive_scaled(after), positive_scaled(before), rtol=0, atol=2e-5)


def test_smoothing_by_views_is_the_mean_of_six_raw_maps() -> None:
    model = flat().eval()
    images = some_images(2)
    expected = []
    for factor in (0.9, 1.0, 1.1):
        expected.append(maps(model, "hirescam", images=images * factor)[0])
        expected.append(maps(model, "hirescam", images=images.flip(-1) * factor)[0].flip(-1))
    found, pixels = attribute(
        model, images, CLASS[:2], methods=["hirescam", "gradient"], layers=["relu2"], smooth="aug"
    )
    torch.testing.assert_close(found.maps, torch.stack(expected).mean(0))
    assert (found.passes, pixels.passes) == (12, 3)


def test_eigen_smoothing_is_the_first_component_of_the_products() -> None:
    model = flat().eval()
    target = target_of(CLASS, 4)
    layer = capture(model, some_images(), target, layers=["relu2"], wants=[SCORE]).layers[0]
    expected = principal_map(layer.activations * layer.gradients[SCORE][:, 0])
    found = attribute(model, some_images(), CLASS, methods=["hirescam"], layers=["relu2"], smooth="eigen")[0].maps
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(maps(model, "eigengradcam")[0], expected)


def test_layers_are_scaled_and_averaged() -> None:
    model = resnet10()
    images, names = some_images(2, 64), ["layer3", "layer4"]
    alone = [attribute(model, images, CLASS[:2], methods=["layercam"], layers=[name])[0].maps for name in names]
    both = attribute(model, images, CLASS[:2], methods=["layercam"], layers=names)[0]
    assert both.layers == ("layer3", "layer4")
    assert both.maps.shape == (2, 4, 4)
    grown = upsampled(positive_scaled(alone[1]), (4, 4))
    torch.testing.assert_close(both.maps, (positive_scaled(alone[0]) + grown) / 2)
    torch.testing.assert_close(fused(alone), both.maps)


def test_scaling_keeps_zero_and_signs_out() -> None:
    given_maps = torch.tensor([[[-1.0, 2.0], [4.0, 0.0]], [[-1.0, -2.0], [0.0, -3.0]], [[2.0, 2.0], [2.0, 4.0]]])
    assert positive_scaled(given_maps).tolist() == [
        [[0.0, 0.5], [1.0, 0.0]],
        [[0.0, 0.0], [0.0, 0.0]],
        [[0.5, 0.5], [0.5, 1.0]],
    ]


def test_upsampling_is_of_pixel_centres() -> None:
    assert upsampled(torch.tensor([[0.0, 1.0]]), (1, 4)).tolist() == [[0.0, 0.25, 0.75, 1.0]]
    assert upsampled(torch.zeros(2, 3, 4, 4), (8, 6)).shape == (2, 3, 8, 6)
