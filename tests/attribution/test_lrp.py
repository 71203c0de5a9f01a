"""LRP with the ε-rule: conservation, captum's, closed forms, ways to write a layer, and what has no rule."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
import torchvision
from attribution.subjects import flat, gap, some_images
from captum.attr import LRP
from captum.attr._utils.lrp_rules import EpsilonRule
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from cnnlab.attribution.attribution import Attribution, attribute
from cnnlab.core.errors import RequestError

CLASS = torch.tensor([0, 3])


def lrp(model: nn.Module, images: Tensor, epsilon: float = 1e-9) -> Attribution:
    (found,) = attribute(model.eval(), images, CLASS[: len(images)], methods=[{"lrp": {"epsilon": epsilon}}])
    return found


def values(model: nn.Module, images: Tensor, epsilon: float = 1e-9) -> Tensor:
    found = lrp(model, images, epsilon).per_channel
    assert found is not None
    return found.double()


def close(mine: Tensor, theirs: Tensor, tolerance: float = 1e-5) -> None:
    """Within `tolerance` of the largest value."""
    torch.testing.assert_close(mine, theirs.double(), rtol=0, atol=tolerance * float(theirs.abs().max()))


def without_biases(model: nn.Module, seed: int = 0) -> nn.Module:
    """The network with random normalisations, none of which adds anything."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.zero_()
            module.running_var.copy_(0.5 + torch.rand(module.num_features, generator=generator))
            module.weight.data.copy_(0.5 + torch.rand(module.num_features, generator=generator))
        if getattr(module, "bias", None) is not None:
            module.bias.data.zero_()
    return model.eval()


class Branches(nn.Module):
    """What a residual network is made of, each part written as such networks write it."""

    def __init__(self, activation: Callable[[Tensor], Tensor] = F.relu) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.inner, self.inner_norm = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.wide, self.narrow = nn.Conv2d(8, 4, 3, padding=1), nn.Conv2d(8, 4, 1)
        self.last, self.activation = nn.Linear(8 * 4, 5), activation

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.activation(self.norm(self.stem(x))), 2)
        y = self.inner_norm(self.inner(x))
        y += x
        y = self.activation(y)
        y = F.dropout(torch.cat([self.wide(y), self.narrow(y)], 1), training=self.training)
        return self.last(torch.flatten(F.adaptive_avg_pool2d(y, 2), 1))


class Gated(nn.Module):
    """A convolution whose channels a sigmoid weighs (squeeze and excitation)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.squeeze, self.last = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 1), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv(x))
        gate = torch.sigmoid(self.squeeze(x.mean((2, 3), keepdim=True)))
        return self.last((gate.expand_as(x) * x).mean((2, 3)))


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


NETWORKS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "gap": (gap, 16),
    "flat": (flat, 16),
    "branches": (Branches, 16),
    "gelu": (lambda: Branches(F.gelu), 16),
    "tanh": (lambda: Branches(torch.tanh), 16),
    "gated": (Gated, 16),
    "resnet18": (lambda: torchvision.models.resnet18(num_classes=5), 64),
    "densenet121": (lambda: torchvision.models.densenet121(num_classes=5), 64),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_without_biases_relevances_sum_to_the_logit(name: str) -> None:
    """To 1e-5 of the logit in double precision, and in single to 1e-4 of all that was handed about."""
    make, side = NETWORKS[name]
    model, images = without_biases(seeded(make)), some_images(2, side)
    double = lrp(model.double(), images.double(), 1e-12)
    assert double.delta is not None
    assert bool((double.delta.abs() <= 1e-5 * double.scores.abs()).all())
    close(double.maps.double().sum((1, 2)), double.scores.double(), 1e-4)
    assert double.notes[0].startswith("with epsilon 1e-12 the relevances add up to within 0.00% of the score")
    single = lrp(model.float(), images, 1e-12)
    assert single.delta is not None
    assert bool((single.delta.abs() <= 1e-4 * single.maps.abs().sum((1, 2))).all())


def test_biases_keep_what_the_note_says() -> None:
    model, images = gap().double().eval(), some_images(2).double()
    found = lrp(model, images)
    assert found.delta is not None
    missing = float((found.delta.abs() / found.scores.abs()).max())
    assert missing > 0.01
    assert f"within {missing:.2%} of the score: biases and epsilon keep the rest" in found.notes[0]
    torch.testing.assert_close(found.maps.sum((1, 2)), found.scores + found.delta, rtol=1e-4, atol=1e-6)


class Plain(nn.Module):
    """What captum has rules for: convolution, ReLU, pool, dense layer; with biases."""

    def __init__(self, pool: type[nn.Module]) -> None:
        super().__init__()
        self.maps = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), pool(2), nn.Conv2d(6, 8, 3, stride=2), nn.ReLU()
        )
        self.dense = nn.Sequential(nn.Linear(8 * 3 * 3, 12), nn.ReLU(), nn.Linear(12, 5))

    def forward(self, x: Tensor) -> Tensor:
        return self.dense(self.maps(x).flatten(1))


@pytest.mark.parametrize("pool", [nn.MaxPool2d, nn.AvgPool2d])
@pytest.mark.parametrize("epsilon", [1e-9, 0.05, 0.5])
def test_captum(pool: type[nn.Module], epsilon: float) -> None:
    """The same absolute ε at convolutions, dense layers and averages; none at max pools, where the winner takes all."""
    model, images = seeded(lambda: Plain(pool)).double().eval(), some_images(2).double()
    mine = values(model, images, epsilon)
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear | nn.AvgPool2d):
            module.rule = EpsilonRule(epsilon)
    close(mine, LRP(model).attribute(images, target=CLASS).detach())


def shared(activations: Tensor, weights: Tensor, relevances: Tensor, epsilon: float) -> Tensor:
    """R_i = Σ_j a_i w_ij / (z_j + ε sign z_j) R_j, as it is written."""
    z = activations @ weights
    return activations * ((relevances / (z + epsilon * z.sign())) @ weights.T)


@pytest.mark.parametrize("epsilon", [1e-9, 0.3])
@pytest.mark.parametrize("form", ["+", "+=", "torch.add", "-", "sum of stack"])
def test_two_branches_have_shares_by_their_values(form: str, epsilon: float) -> None:
    """x → relu(x A) and x B, joined, times C: each step by the formula."""

    class Toy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = (nn.Linear(i, o, bias=False) for i, o in ((12, 7), (12, 7), (7, 5)))

        def forward(self, x: Tensor) -> Tensor:
            x = x.flatten(1)
            left, right = F.relu(self.a(x)), self.b(x)
            if form == "+":
                return self.c(left + right)
            if form == "+=":
                right += left
                return self.c(right)
            if form == "torch.add":
                return self.c(torch.add(left, right))
            return self.c(left - right if form == "-" else torch.stack([left, right]).sum(0))

    toy, images = seeded(Toy).double(), some_images(2, 2).double()
    x, (a, b, c) = images.flatten(1), (part.weight.detach().T for part in (toy.a, toy.b, toy.c))
    left, right = (x @ a).relu(), (x @ b) * (-1 if form == "-" else 1)
    joined = left + right
    logits = joined @ c
    of_logits = torch.zeros_like(logits).scatter(1, CLASS[:, None], logits.gather(1, CLASS[:, None]))
    of_joined = shared(joined, c, of_logits, epsilon)
    each = of_joined / (joined + epsilon * joined.sign())
    expected = shared(x, a, left * each, epsilon) + shared(x, b, (x @ b) * each * (-1 if form == "-" else 1), epsilon)
    close(values(toy, images, epsilon).flatten(1), expected)


@pytest.mark.parametrize("epsilon", [1e-9, 0.3])
def test_a_normalisation_counts_as_folded_into_the_convolution_before_it(epsilon: float) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        conv, norm = nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6)
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
        rest = [nn.ReLU(), nn.Flatten(), nn.Linear(6 * 14 * 14, 5)]
    whole = nn.Sequential(conv, norm, *rest).double().eval()
    folded = nn.Sequential(fuse_conv_bn_eval(whole[0], whole[1]), *rest).double().eval()
    images = some_images(2).double()
    close(values(whole, images, epsilon), values(folded, images, epsilon))


class Written(nn.Module):
    """`Branches` with its parts written in other ways."""

    def __init__(self) -> None:
        super().__init__()
        self.of = Branches()

    def forward(self, x: Tensor) -> Tensor:
        of = self.of
        x = F.conv2d(x, of.stem.weight, of.stem.bias, padding=1)
        x = F.batch_norm(x, of.norm.running_mean, of.norm.running_var, of.norm.weight, of.norm.bias)
        F.relu(x, inplace=True)
        x = nn.MaxPool2d(2)(x)
        x = of.inner_norm(of.inner(x)).add_(x).clamp(min=0)
        y = x.new_zeros(len(x), 8, *x.shape[2:])
        y[:, :4], y[:, 4:] = of.wide(x), of.narrow(x)
        return y.unfold(2, 4, 4).unfold(3, 4, 4).mean((4, 5)).reshape(len(x), -1) @ of.last.weight.T + of.last.bias


def test_no_matter_how_a_layer_is_written() -> None:
    written = seeded(Written).double()
    images = some_images(2).double()
    close(values(written, images), values(written.of, images))


def test_activations_that_work_in_place_are_the_same() -> None:
    images = some_images(2).double()
    for apart, inplace in (
        (nn.SiLU(), nn.SiLU(inplace=True)),
        (nn.ReLU6(), nn.ReLU6(inplace=True)),
        (nn.LeakyReLU(), nn.LeakyReLU(inplace=True)),
    ):
        first, second = (seeded(lambda of=of: Branches(of)).double() for of in (apart, inplace))
        assert torch.equal(values(first, images), values(second, images))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_has_the_same_shares(dtype: torch.dtype) -> None:
    """Where ε is too small for the type, and dead places divide by nothing."""
    model, images = seeded(Branches).eval(), some_images(2)
    model.wide.weight.data[0] = model.wide.bias.data[0] = 0
    single = values(model, images)
    half = values(model.to(dtype), images.to(dtype))
    assert float((half - single).norm()) <= 0.1 * float(single.norm())


def on_maps(function: Callable[[nn.Module, Tensor], Tensor]) -> nn.Module:
    class Inner(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.conv = nn.BatchNorm2d(4, track_running_stats=False), nn.Conv2d(4, 4, 1)

        def forward(self, x: Tensor) -> Tensor:
            return function(self, x)

    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.inner, self.last = nn.Conv2d(3, 4, 3), Inner(), nn.Linear(4, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.inner(self.first(x)).mean((2, 3)))

    return seeded(Outer)


class Own(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: object, *grads: Tensor) -> Tensor:
        return grads[0]


@pytest.mark.parametrize(
    ("function", "place", "what"),
    [
        (lambda m, x: x.softmax(1), "inner", "softmax: it has no rule"),
        (lambda m, x: F.layer_norm(x, x.shape[1:]), "inner", "layer_norm: it has no rule"),
        (lambda m, x: m.norm(x), "inner.norm", "batch_norm: with the batch's own statistics it is not affine"),
        (lambda m, x: m.conv(x).sigmoid().flatten(2)[..., None] + 1, "inner", "sigmoid: it is no factor here (add)"),
        (lambda m, x: F.softplus(x), "inner", "softplus: it is not 0 at 0"),
        (lambda m, x: x * m.conv(x), "inner", "mul with two things that both depend on the image"),
        (lambda m, x: torch.ones(1) / (1 + x * x.detach()), "inner", "div by what depends on the image"),
        (lambda m, x: 1 / x, "inner", "rdiv: it has no rule"),
        (lambda m, x: x**2, "inner", "pow: it has no rule"),
        (
            lambda m, x: F.conv2d(x, x.mean((0, 2, 3)).expand(4, 4)[..., None, None]),
            "inner",
            "conv2d with two things that both depend",
        ),
        (lambda m, x: F.prelu(x, x.mean((0, 2, 3))), "inner", "prelu: more than its input depends on the image"),
        (lambda m, x: m.conv(Own.apply(x)), "inner.conv", "Own: it brings a gradient of its own"),
    ],
)
def test_what_has_no_rule_is_refused_with_the_layer(
    function: Callable[[nn.Module, Tensor], Tensor], place: str, what: str
) -> None:
    model = on_maps(function)
    with pytest.raises(RequestError) as caught:
        lrp(model, some_images(2))
    assert str(caught.value).startswith(f"LRP-ε: layer '{place}' calls {what}")
    found = attribute(model, some_images(2), CLASS, methods=["gradient", "lrp"])
    assert [one.method for one in found] == ["gradient"]
    assert found[0].notes[-1].startswith(f"LRP-ε was left out: layer '{place}' calls")


def test_a_layer_that_is_compiled_hides_its_functions() -> None:
    model = gap()
    model.relu2 = torch.jit.script(nn.ReLU())
    with pytest.raises(RequestError, match=r"LRP-ε: layer 'relu2' is compiled by torch\.jit\.script"):
        lrp(model, some_images(2))
