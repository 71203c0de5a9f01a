"""Every registered layer against torch itself: the same outputs with the same weights, as many parameters.

The expected outputs are torch's own modules and functions with the same arguments; the expected counts are the
formulas of the docstrings, written out here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, prod
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from torch import Tensor, nn
from torchvision.models._utils import _make_divisible
from torchvision.models.shufflenetv2 import channel_shuffle
from torchvision.ops import SqueezeExcitation, StochasticDepth

from cnnlab.core.errors import RequestError
from cnnlab.core.registry import component
from cnnlab.core.yaml import parse
from cnnlab.models.build import parameter_count
from cnnlab.models.catalog import LAYERS
from cnnlab.models.registry import Layer

Options = dict[str, Any]
Expected = Callable[[nn.Module, Tensor, Options], Tensor]


@dataclass(frozen=True)
class Case:
    """Inputs that fit a layer, what torch makes of them, and how many parameters there are."""

    drawn: st.SearchStrategy[tuple[tuple[int, ...], Options]]
    expected: Expected
    parameters: Callable[[tuple[int, ...], tuple[int, ...], Options], int]


def twin(reference: nn.Module, module: nn.Module) -> nn.Module:
    """`reference` with the parameters and buffers of `module`, in their order, and in its mode, in float64."""
    reference.double()
    with torch.no_grad():
        for theirs, ours in zip(reference.parameters(), module.parameters(), strict=True):
            theirs.copy_(ours)
        for theirs, ours in zip(reference.buffers(), module.buffers(), strict=True):
            theirs.copy_(ours)
    return reference.train(module.training)


def like(reference: Callable[[tuple[int, ...], Options], nn.Module]) -> Expected:
    return lambda module, x, options: twin(reference(tuple(x.shape[1:]), options), module)(x)


sizes = st.integers(7, 10)
images = st.tuples(st.integers(1, 4), sizes, sizes)
several = st.tuples(st.integers(2, 4), sizes, sizes)
any_shape = images | st.tuples(st.integers(2, 9))
pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
MODES = {"zero": "zeros", "reflect": "reflect", "replicate": "replicate", "circular": "circular"}


@st.composite
def windows(draw: st.DrawFn, *, modes: bool = True) -> Options:
    kernel, dilation = draw(pairs), draw(pairs)
    odd = all(d * (k - 1) % 2 == 0 for k, d in zip(kernel, dilation, strict=True))
    options: Options = {"kernel": kernel, "dilation": dilation, "stride": draw(pairs)}
    options["padding"] = "same" if odd and draw(st.booleans()) else draw(st.tuples(*[st.integers(0, 2)] * 2))
    options["bias"] = draw(st.booleans())
    return options | ({"padding_mode": draw(st.sampled_from(sorted(MODES)))} if modes else {})


def torch_options(options: Options) -> Options:
    """The same window as arguments of `nn.Conv2d`; "same" is d(k − 1)/2, written out."""
    known = {"stride": options["stride"], "dilation": options["dilation"], "bias": options["bias"]}
    same = tuple(d * (k - 1) // 2 for k, d in zip(options["kernel"], options["dilation"], strict=True))
    known["padding"] = same if options["padding"] == "same" else options["padding"]
    return known | ({"padding_mode": MODES[options["padding_mode"]]} if "padding_mode" in options else {})


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[tuple[int, ...], Options]:
    groups, wide, out = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    shape = (groups * wide, draw(sizes), draw(sizes))
    return shape, draw(windows()) | {"channels": groups * out, "groups": groups}


def conv_twin(shape: tuple[int, ...], options: Options) -> nn.Module:
    known = torch_options(options)
    return nn.Conv2d(shape[0], options["channels"], options["kernel"], groups=options.get("groups", 1), **known)


def conv_count(shape: tuple[int, ...], output: tuple[int, ...], options: Options) -> int:
    weights = options["channels"] * (shape[0] // options.get("groups", 1)) * prod(options["kernel"])
    return weights + options["bias"] * options["channels"]


def depthwise_twin(shape: tuple[int, ...], options: Options) -> nn.Module:
    channels = shape[0] * options.get("multiplier", 1)
    return nn.Conv2d(shape[0], channels, options["kernel"], groups=shape[0], **torch_options(options))


def separable_twin(shape: tuple[int, ...], options: Options) -> nn.Module:
    pointwise = nn.Conv2d(shape[0], options["channels"], 1, bias=options["bias"])
    return nn.Sequential(depthwise_twin(shape, options), pointwise)


def local_by_place(module: nn.Module, x: Tensor, options: Options) -> Tensor:
    """Place by place, each with a convolution of its own that is as large as its input."""
    known = torch_options(options)
    (top, left), (down, right), (far, wide) = known["padding"], known["stride"], known["dilation"]
    padded = F.pad(x, (left, left, top, top))
    kernel = options["kernel"]
    weight, bias = module.get_parameter("weight"), dict(module.named_parameters()).get("bias")
    rows = []
    for i in range(weight.shape[0]):
        places = []
        for j in range(weight.shape[1]):
            y0, x0 = i * down, j * right
            window = padded[:, :, y0 : y0 + far * (kernel[0] - 1) + 1, x0 : x0 + wide * (kernel[1] - 1) + 1]
            value = F.conv2d(window, weight[i, j], dilation=options["dilation"])[:, :, 0, 0]
            places.append(value if bias is None else value + bias[:, i, j])
        rows.append(torch.stack(places, dim=-1))
    return torch.stack(rows, dim=-2)


def pool_options(**more: st.SearchStrategy[Any]) -> st.SearchStrategy[Options]:
    kernels = st.tuples(st.integers(2, 4), st.integers(2, 4))
    padding = st.tuples(st.integers(0, 1), st.integers(0, 1))
    return st.fixed_dictionaries({"kernel": kernels, "stride": st.none() | pairs, "padding": padding, **more})


def blurred(module: nn.Module, x: Tensor, options: Options) -> Tensor:
    """The binomial filter in closed form, rows of Pascal's triangle, at every pixel; then every stride-th."""
    taps = torch.tensor({1: [1.0], 3: [1.0, 2.0, 1.0], 5: [1.0, 4.0, 6.0, 4.0, 1.0]}[options["kernel"]])
    taps = taps / taps.sum()
    half = options["kernel"] // 2
    mode = {"zero": "constant"}.get(options["padding_mode"], options["padding_mode"])
    padded = F.pad(x, (half,) * 4, mode=mode)
    rows = sum(t * padded[:, :, i : i + x.shape[2], :] for i, t in enumerate(taps))
    both = sum(t * rows[:, :, :, i : i + x.shape[3]] for i, t in enumerate(taps))
    down, right = options["stride"]
    return both[:, :, ::down, ::right]


def norm_case(
    reference: Callable[[tuple[int, ...], Options], nn.Module], shapes: st.SearchStrategy[Any] = several, **options: Any
) -> Case:
    """A norm with `affine` or without, which has C gammas and C betas."""
    drawn = st.tuples(shapes, st.fixed_dictionaries({"affine": st.booleans(), "eps": st.just(1e-3), **options}))
    return Case(drawn, like(reference), lambda shape, output, o: 2 * shape[0] * o["affine"])


def plain(name: str, reference: Callable[..., Tensor], **options: st.SearchStrategy[Any]) -> tuple[str, Case]:
    """An activation: elementwise, no parameters."""
    drawn = st.tuples(any_shape, st.fixed_dictionaries(options))
    return name, Case(drawn, lambda module, x, o: reference(x, **o), lambda shape, output, o: 0)


def group_norm_inputs() -> st.SearchStrategy[tuple[tuple[int, ...], Options]]:
    def of(groups: int, wide: int, height: int, width: int, affine: bool) -> tuple[tuple[int, ...], Options]:
        return (groups * wide, height, width), {"groups": groups, "affine": affine}

    return st.builds(of, st.integers(1, 3), st.integers(1, 3), sizes, sizes, st.booleans())


def layer_norm_twin(module: nn.Module, x: Tensor, options: Options) -> Tensor:
    standard = F.layer_norm(x, tuple(x.shape[1:]))
    weight, bias = (dict(module.named_parameters()).get(name) for name in ("weight", "bias"))
    if weight is None or bias is None:
        return standard
    if options["affine"] == "channel":
        weight, bias = (v.view(-1, *[1] * (x.dim() - 2)) for v in (weight, bias))
    return weight * standard + bias


def layer_norm_count(shape: tuple[int, ...], output: tuple[int, ...], options: Options) -> int:
    return {"channel": 2 * shape[0], "element": 2 * prod(shape), "none": 0}[options["affine"]]


def dyt_by_formula(module: nn.Module, x: Tensor, options: Options) -> Tensor:
    alpha, weight, bias = (module.get_parameter(name) for name in ("alpha", "weight", "bias"))
    moved = x.movedim(1, -1)
    return (weight * torch.tanh(alpha * moved) + bias).movedim(-1, 1)


def hidden_units(channels: int, options: Options) -> int:
    """As torchvision's networks count them: a multiple of 8 in MobileNet v3, at least 1 in EfficientNet."""
    hidden = channels // options["ratio"]
    return _make_divisible(hidden, options["multiple"]) if options["multiple"] > 1 else hidden


def excited(module: nn.Module, x: Tensor, options: Options) -> Tensor:
    kinds = {"relu": nn.ReLU, "silu": nn.SiLU, "sigmoid": nn.Sigmoid, "hardsigmoid": nn.Hardsigmoid}
    hidden = hidden_units(x.shape[1], options)
    theirs = SqueezeExcitation(x.shape[1], hidden, kinds[options["activation"]], kinds[options["gate"]]).double()
    with torch.no_grad():
        for convolution, linear in zip(theirs.parameters(), module.parameters(), strict=True):
            convolution.copy_(linear.reshape(convolution.shape))
    return theirs(x)


def excited_count(shape: tuple[int, ...], output: tuple[int, ...], options: Options) -> int:
    hidden = hidden_units(shape[0], options)
    return 2 * shape[0] * hidden + hidden + shape[0]


def split_inputs() -> st.SearchStrategy[tuple[tuple[int, ...], Options]]:
    def of(wide: int, height: int, width: int, branches: list[list[Any]]) -> tuple[tuple[int, ...], Options]:
        return (wide * len(branches), height, width), {"branches": branches}

    kinds = st.sampled_from([[], ["relu6"], [{"conv": {"channels": 2, "bias": False}}]])
    return st.builds(of, st.integers(1, 3), sizes, sizes, st.lists(kinds, min_size=2, max_size=3))


def split_by_parts(module: nn.Module, x: Tensor, options: Options) -> Tensor:
    """By slices of the channels, the layers written out."""
    weights = iter(list(module.parameters()))
    wide, outputs = x.shape[1] // len(options["branches"]), []
    for number, branch in enumerate(options["branches"]):
        part = x[:, number * wide : (number + 1) * wide]
        if branch == ["relu6"]:
            part = part.clamp(0, 6)
        elif branch:
            part = F.conv2d(part, next(weights), padding=1)
        outputs.append(part)
    return torch.cat(outputs, 1)


def scaled_by_channel(module: nn.Module, x: Tensor, options: Options) -> Tensor:
    weight = module.get_parameter("weight")
    return torch.einsum("nc...,c->nc...", x, weight.expand(x.shape[1]))


@st.composite
def blocks(draw: st.DrawFn) -> tuple[tuple[int, ...], Options]:
    shape, options = draw(convolutions())
    options["bias"] = draw(st.none() | st.booleans())
    options["norm"] = draw(st.sampled_from(["batch_norm", "none", "channel_layer_norm"]))
    options["order"] = draw(st.sampled_from(["conv norm act", "conv act norm", "norm conv act", "act conv norm"]))
    options["channels"] *= 2
    return (shape[0] * 2, *shape[1:]), options


def has_bias(options: Options) -> bool:
    if options["bias"] is not None:
        return bool(options["bias"])
    return "conv norm" not in options["order"] or options["norm"] == "none"


def block_twin(module: nn.Module, x: Tensor, options: Options) -> Tensor:
    shape = tuple(x.shape[1:])
    parts: dict[str, nn.Module] = {"conv": conv_twin(shape, options | {"bias": has_bias(options)}), "act": nn.ReLU()}
    width = shape[0] if options["order"].index("norm") < options["order"].index("conv") else options["channels"]
    if options["norm"] == "batch_norm":
        parts["norm"] = nn.BatchNorm2d(width)
    elif options["norm"] == "none":
        parts["norm"] = nn.Identity()
    else:
        parts["norm"] = Moved(nn.LayerNorm(width, eps=1e-6))
    return twin(nn.Sequential(*[parts[part] for part in options["order"].split()]), module)(x)


class Moved(nn.Module):
    """`inner` with the channels last."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x.movedim(1, -1)).movedim(-1, 1)


def block_count(shape: tuple[int, ...], output: tuple[int, ...], options: Options) -> int:
    first = options["order"].index("norm") < options["order"].index("conv")
    norm = 0 if options["norm"] == "none" else 2 * (shape[0] if first else output[0])
    return conv_count(shape, output, options | {"bias": has_bias(options)}) + norm


@st.composite
def residuals(draw: st.DrawFn) -> tuple[tuple[int, ...], Options]:
    shape, stride = draw(images), draw(st.integers(1, 3))
    channels = draw(st.sampled_from([shape[0], 5]))
    body = [{"conv": {"channels": channels, "stride": stride}}, "relu", {"conv": {"channels": channels}}]
    return shape, {"layers": body}


def residual_twin(module: nn.Module, x: Tensor, options: Options) -> Tensor:
    first = options["layers"][0]["conv"]
    channels, stride, inputs = first["channels"], first["stride"], x.shape[1]
    body = nn.Sequential(
        nn.Conv2d(inputs, channels, 3, stride, 1), nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1)
    )
    kept = channels == inputs and stride == 1
    projection = [] if kept else [nn.Conv2d(inputs, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)]
    both = twin(nn.ModuleList([body, nn.Sequential(*projection)]), module)
    return F.relu(both[0](x) + both[1](x))


def residual_count(shape: tuple[int, ...], output: tuple[int, ...], options: Options) -> int:
    kept = tuple(shape) == tuple(output)
    body = output[0] * shape[0] * 9 + output[0] + output[0] * output[0] * 9 + output[0]
    return body + (0 if kept else output[0] * shape[0] + 2 * output[0])


def parallel_twin(module: nn.Module, x: Tensor, options: Options) -> Tensor:
    conv = twin(nn.Conv2d(x.shape[1], x.shape[1], 3, padding=1), module)(x)
    branches = [conv, F.max_pool2d(x, 3, 1, 1), x]
    return torch.cat(branches, 1) if options["join"] == "concat" else branches[0] + branches[1] + branches[2]


def parallel_inputs() -> st.SearchStrategy[tuple[tuple[int, ...], Options]]:
    def of(shape: tuple[int, ...], join: str) -> tuple[tuple[int, ...], Options]:
        pool = {"max_pool": {"kernel": 3, "stride": 1, "padding": 1}}
        return shape, {"join": join, "branches": [[{"conv": {"channels": shape[0]}}], [pool], []]}

    return st.builds(of, images, st.sampled_from(["concat", "add"]))


def repeat_twin(module: nn.Module, x: Tensor, options: Options) -> Tensor:
    layers: list[nn.Module] = []
    for i in range(options["times"]):
        layers += [nn.Conv2d(x.shape[1] if i == 0 else 2, 2, 3, padding=1), nn.ReLU()]
    return twin(nn.Sequential(*layers), module)(x)


def dropout_twin(module: nn.Module, x: Tensor, options: Options) -> Tensor:
    drop = F.dropout2d if options["unit"] == "channel" else F.dropout
    return drop(x, options["probability"], training=module.training)


CASES: dict[str, Case] = {
    "conv": Case(convolutions(), like(conv_twin), conv_count),
    "depthwise": Case(
        st.tuples(images, st.builds(lambda w, m: w | {"multiplier": m}, windows(), st.integers(1, 3))),
        like(depthwise_twin),
        lambda shape, output, o: output[0] * (prod(o["kernel"]) + o["bias"]),
    ),
    "depthwise_separable": Case(
        st.tuples(images, st.builds(lambda w, c: w | {"channels": c}, windows(), st.integers(1, 4))),
        like(separable_twin),
        lambda shape, output, o: (
            shape[0] * prod(o["kernel"]) + shape[0] * output[0] + o["bias"] * (shape[0] + output[0])
        ),
    ),
    "whitening": Case(
        st.tuples(images, st.fixed_dictionaries({"kernel": st.sampled_from([[1, 1], [2, 2], [2, 1]])})),
        lambda module, x, o: F.conv2d(x, module.weight, module.bias),
        lambda shape, output, o: output[0] * (shape[0] * prod(o["kernel"]) + 1),
    ),
    "locally_connected": Case(
        st.tuples(images, st.builds(lambda w, c: w | {"channels": c}, windows(modes=False), st.integers(1, 3))),
        local_by_place,
        lambda shape, output, o: prod(output) * (shape[0] * prod(o["kernel"]) + o["bias"]),
    ),
    "permute_pixels": Case(
        st.tuples(images, st.fixed_dictionaries({"seed": st.integers(0, 3)})),
        lambda module, x, o: x.reshape(*x.shape[:2], -1)[:, :, module.order].reshape(x.shape),
        lambda *_: 0,
    ),
    "channel_shuffle": Case(
        group_norm_inputs().map(lambda drawn: (drawn[0], {"groups": drawn[1]["groups"]})),
        lambda module, x, o: channel_shuffle(x, o["groups"]),
        lambda *_: 0,
    ),
    "multiply": Case(
        st.tuples(any_shape, st.fixed_dictionaries({"factor": st.floats(-3, 3)})),
        lambda module, x, o: torch.full_like(x, o["factor"]) * x,
        lambda *_: 0,
    ),
    "layer_scale": Case(
        st.tuples(any_shape, st.fixed_dictionaries({"each": st.sampled_from(["channel", "layer"])})),
        scaled_by_channel,
        lambda shape, output, o: shape[0] if o["each"] == "channel" else 1,
    ),
    "stochastic_depth": Case(
        st.tuples(
            any_shape,
            st.fixed_dictionaries({"probability": st.floats(0, 0.9), "unit": st.sampled_from(["image", "batch"])}),
        ),
        lambda module, x, o: StochasticDepth(o["probability"], "row" if o["unit"] == "image" else "batch").train(
            module.training
        )(x),
        lambda *_: 0,
    ),
    "linear": Case(
        st.tuples(
            st.tuples(st.integers(1, 9)),
            st.fixed_dictionaries({"features": st.integers(1, 5) | st.just("classes"), "bias": st.booleans()}),
        ),
        like(lambda shape, o: nn.Linear(shape[0], 10 if o["features"] == "classes" else o["features"], o["bias"])),
        lambda shape, output, o: shape[0] * output[0] + o["bias"] * output[0],
    ),
    "none": Case(st.tuples(any_shape, st.just({})), lambda module, x, o: x, lambda *_: 0),
    "batch_norm": norm_case(
        lambda shape, o: (nn.BatchNorm1d if len(shape) == 1 else nn.BatchNorm2d)(shape[0], **o),
        any_shape,
        momentum=st.floats(0, 1),
    ),
    "layer_norm": Case(
        st.tuples(any_shape, st.fixed_dictionaries({"affine": st.sampled_from(["channel", "element", "none"])})),
        layer_norm_twin,
        layer_norm_count,
    ),
    "channel_layer_norm": norm_case(
        lambda shape, o: Moved(nn.LayerNorm(shape[0], eps=o["eps"], elementwise_affine=o["affine"])),
        several | st.tuples(st.integers(2, 9)),
    ),
    "group_norm": Case(
        group_norm_inputs(),
        like(lambda shape, o: nn.GroupNorm(o["groups"], shape[0], affine=o["affine"])),
        lambda shape, output, o: 2 * shape[0] * o["affine"],
    ),
    "instance_norm": norm_case(lambda shape, o: nn.InstanceNorm2d(shape[0], eps=o["eps"], affine=o["affine"])),
    "dyt": Case(st.tuples(any_shape, st.just({})), dyt_by_formula, lambda shape, output, o: 1 + 2 * shape[0]),
    **dict(
        [
            plain("relu", F.relu),
            plain("relu6", F.relu6),
            plain("leaky_relu", lambda x, slope: F.leaky_relu(x, slope), slope=st.floats(0, 1)),
            plain("gelu", F.gelu, approximate=st.sampled_from(["none", "tanh"])),
            plain("silu", F.silu),
            plain("hardswish", F.hardswish),
            plain("hardsigmoid", F.hardsigmoid),
            plain("sigmoid", torch.sigmoid),
            plain("tanh", torch.tanh),
        ]
    ),
    "max_pool": Case(
        st.tuples(images, pool_options()),
        lambda module, x, o: F.max_pool2d(x, o["kernel"], o["stride"], o["padding"]),
        lambda *_: 0,
    ),
    "avg_pool": Case(
        st.tuples(images, pool_options(count_include_pad=st.booleans())),
        lambda module, x, o: F.avg_pool2d(
            x, o["kernel"], o["stride"], o["padding"], count_include_pad=o["count_include_pad"]
        ),
        lambda *_: 0,
    ),
    "blur_pool": Case(
        st.tuples(
            images,
            st.fixed_dictionaries(
                {"kernel": st.sampled_from([1, 3, 5]), "stride": pairs, "padding_mode": st.sampled_from(sorted(MODES))}
            ),
        ),
        blurred,
        lambda *_: 0,
    ),
    "global_avg_pool": Case(
        st.tuples(images, st.just({})),
        lambda module, x, o: nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())(x),
        lambda *_: 0,
    ),
    "global_max_pool": Case(
        st.tuples(images, st.just({})),
        lambda module, x, o: nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten())(x),
        lambda *_: 0,
    ),
    "flatten": Case(st.tuples(images, st.just({})), lambda module, x, o: x.reshape(len(x), -1), lambda *_: 0),
    "dropout": Case(
        st.tuples(
            images,
            st.fixed_dictionaries({"probability": st.floats(0, 0.9), "unit": st.sampled_from(["element", "channel"])}),
        ),
        dropout_twin,
        lambda *_: 0,
    ),
    "conv_bn_act": Case(blocks(), block_twin, block_count),
    "residual": Case(residuals(), residual_twin, residual_count),
    "parallel": Case(parallel_inputs(), parallel_twin, lambda shape, output, o: shape[0] * shape[0] * 9 + shape[0]),
    "split": Case(
        split_inputs(),
        split_by_parts,
        lambda shape, output, o: sum(
            18 * (shape[0] // len(o["branches"])) for branch in o["branches"] if branch not in ([], ["relu6"])
        ),
    ),
    "block": Case(
        st.tuples(images, st.just({"name": "named", "layers": [{"conv": {"channels": 2}}, "relu"]})),
        lambda module, x, o: repeat_twin(module, x, {"times": 1}),
        lambda shape, output, o: shape[0] * 18 + 2,
    ),
    "repeat": Case(
        st.tuples(
            images,
            st.builds(lambda times: {"times": times, "layers": [{"conv": {"channels": 2}}, "relu"]}, st.integers(1, 3)),
        ),
        repeat_twin,
        lambda shape, output, o: (shape[0] * 18 + 2) + (o["times"] - 1) * 38,
    ),
    "squeeze_excite": Case(
        st.tuples(
            st.tuples(st.integers(2, 40), sizes, sizes),
            st.fixed_dictionaries(
                {
                    "ratio": st.integers(1, 2),
                    "multiple": st.sampled_from([1, 8]),
                    "activation": st.sampled_from(["relu", "silu"]),
                    "gate": st.sampled_from(["sigmoid", "hardsigmoid"]),
                }
            ),
        ),
        excited,
        excited_count,
    ),
}


def test_every_layer_has_a_case() -> None:
    ours = {entry.name for entry in LAYERS if entry.factory.__module__.startswith("cnnlab.")}
    assert ours == set(CASES)


@pytest.mark.parametrize("name", sorted(CASES))
def test_layer_is_torchs(name: str, one_layer: Any) -> None:
    case = CASES[name]

    @settings(deadline=None, max_examples=25)
    @given(drawn=case.drawn, training=st.booleans(), seed=st.integers(0, 2**31))
    def check(drawn: tuple[tuple[int, ...], Options], training: bool, seed: int) -> None:
        shape, options = drawn
        torch.manual_seed(seed)
        module, output = one_layer(name, shape, **options)
        assert module.training
        assert parameter_count(module) == case.parameters(shape, output, options)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.normal_()
            for buffer in [b for n, b in module.named_buffers() if n.endswith(("mean", "var"))]:
                buffer.uniform_(0.5, 1.5)
        module.double().train(training)
        x = torch.randn(3, *shape, dtype=torch.float64)
        torch.manual_seed(seed)
        expected = case.expected(module, x, options)
        torch.manual_seed(seed)
        actual = module(x)
        assert tuple(actual.shape) == (3, *output)
        torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-10)

    check()


@pytest.mark.parametrize("name", sorted(CASES))
def test_layer_survives_a_resolved_config(name: str) -> None:
    """Written out with every option as YAML, and read back, it is the same layer."""

    @settings(deadline=None, max_examples=10)
    @given(drawn=CASES[name].drawn)
    def check(drawn: tuple[tuple[int, ...], Options]) -> None:
        written = component("layer", name, **drawn[1])
        tree = parse(yaml.safe_dump({"model": [written.as_data()]}), "x.yaml")
        assert TypeAdapter(list[Layer]).validate_python(tree["model"]) == [written]

    check()


@settings(deadline=None, max_examples=150)
@given(
    shape=st.tuples(st.integers(1, 6), st.integers(1, 5), st.integers(1, 5)),
    channels=st.integers(1, 6),
    groups=st.integers(1, 4),
    kernel=st.integers(1, 6),
    stride=st.integers(1, 3),
    padding=st.integers(0, 6),
    dilation=st.integers(1, 3),
    mode=st.sampled_from(sorted(MODES)),
)
def test_conv_refuses_exactly_what_torch_refuses(
    one_layer: Any, shape: tuple[int, int, int], channels: int, groups: int, mode: str, **window: int
) -> None:
    def theirs() -> Tensor:
        conv = nn.Conv2d(
            shape[0], channels, window["kernel"], window["stride"], window["padding"], window["dilation"], groups,
            padding_mode=MODES[mode],
        )  # fmt: skip
        return conv(torch.zeros(1, *shape))

    _same_verdict(
        theirs, lambda: one_layer("conv", shape, channels=channels, groups=groups, padding_mode=mode, **window)
    )


@settings(deadline=None, max_examples=150)
@given(
    name=st.sampled_from(["max_pool", "avg_pool"]),
    size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    kernel=st.integers(1, 6),
    stride=st.integers(1, 3),
    padding=st.integers(0, 4),
)
def test_pools_refuse_exactly_what_torch_refuses(
    one_layer: Any, name: str, size: tuple[int, int], kernel: int, stride: int, padding: int
) -> None:
    pool = F.max_pool2d if name == "max_pool" else F.avg_pool2d
    _same_verdict(
        lambda: pool(torch.zeros(1, 2, *size), kernel, stride, padding),
        lambda: one_layer(name, (2, *size), kernel=kernel, stride=stride, padding=padding),
    )


def _same_verdict(theirs: Callable[[], Tensor], ours: Callable[[], tuple[nn.Module, tuple[int, ...]]]) -> None:
    try:
        expected: tuple[int, ...] | None = tuple(theirs().shape[1:])
    except (RuntimeError, ValueError):
        expected = None
    try:
        actual: tuple[int, ...] | None = ours()[1]
    except RequestError:
        actual = None
    assert actual == expected


def test_blur_pool_sizes_are_rounded_up(one_layer: Any) -> None:
    for size in range(2, 12):
        for stride in (1, 2, 3):
            assert one_layer("blur_pool", (1, size, size), stride=stride)[1] == (1, *[ceil(size / stride)] * 2)
