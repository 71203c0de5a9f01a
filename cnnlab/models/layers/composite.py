"""Layers made of layers: blocks, branches, repetitions."""

import re
from collections import OrderedDict
from collections.abc import Sequence
from typing import Annotated, Literal, final

import torch
from jaxtyping import Float
from pydantic import BeforeValidator, Field
from torch import Tensor, nn

from cnnlab.core.arithmetic import Shape, window_shape
from cnnlab.core.errors import ShapeError
from cnnlab.core.quantities import Pair, Positive
from cnnlab.core.registry import Component, component
from cnnlab.models.layers import activation as _activation  # noqa: F401  registers 'relu', the default below
from cnnlab.models.layers import normalization as _normalization  # noqa: F401  registers 'batch_norm', a default below
from cnnlab.models.layers.convolution import conv
from cnnlab.models.layers.inputs import Padding, PaddingMode, image, pixels
from cnnlab.models.registry import LAYERS, Layer, LayerBuilder, LayerFacts, Layers

RELU = component("layer", "relu")
BATCH_NORM = component("layer", "batch_norm")
WITHOUT_MEAN = {"none", "dyt"}
"""Norms that subtract no mean, so that the bias of a convolution before them is not lost."""

Order = Literal["conv norm act", "conv act norm", "norm conv act", "norm act conv", "act conv norm", "act norm conv"]
Join = Literal["concat", "add"]


@LAYERS.register("conv_bn_act")
def conv_bn_act(
    shape: Shape,
    build: LayerBuilder,
    *,
    channels: Positive,
    kernel: Pair = (3, 3),
    stride: Pair = (1, 1),
    padding: Padding = "same",
    padding_mode: PaddingMode = "zero",
    dilation: Pair = (1, 1),
    groups: Positive = 1,
    bias: bool | None = None,
    weight_standardization: bool = False,
    norm: Layer = BATCH_NORM,
    activation: Layer = RELU,
    order: Order = "conv norm act",
) -> nn.Sequential:
    """Convolution, norm, activation, in any `order` ("norm act conv" is the pre-activation of ResNet v2).

    (C, H, W) → (channels, H', W'), the options as in `conv`. Unless `bias` is given, the convolution has one only
    where no norm comes right after it: a norm subtracts the mean and the bias with it (`none` and `dyt` do not, so it
    stays).
    Sources: Ioffe & Szegedy 2015, arXiv:1502.03167, section 3.2; He et al. 2016, arXiv:1603.05027.
    """
    image(shape)
    bias = has_bias(bias, order, norm)
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    for part in order.split():
        if part == "conv":
            parts["conv"] = conv(
                shape,
                channels=channels,
                kernel=kernel,
                stride=stride,
                padding=padding,
                padding_mode=padding_mode,
                dilation=dilation,
                groups=groups,
                bias=bias,
                weight_standardization=weight_standardization,
            )
            pad = pixels(padding, kernel, dilation)
            size = window_shape(shape, kernel, stride=stride, padding=pad, dilation=dilation)
            shape = (channels, *size)
        else:
            name, layer = ("norm", norm) if part == "norm" else ("activation", activation)
            built, shape = build([layer], shape)
            parts[name] = built[0]
    return nn.Sequential(parts)


def has_bias(bias: bool | None, order: Order, norm: Component) -> bool:
    """Whether the convolution of a `conv_bn_act` with these options has a bias."""
    return "conv norm" not in order or norm.name in WITHOUT_MEAN if bias is None else bias


@LAYERS.register("residual")
def residual(
    shape: Shape,
    build: LayerBuilder,
    *,
    layers: Layers,
    shortcut: list[Layer] | None = None,
    norm: Layer = BATCH_NORM,
    activation: Layer = RELU,
) -> "Residual":
    """The layers' output plus their input, then an activation: y = activation(layers(x) + shortcut(x)).

    Where the layers keep the shape, the shortcut is x itself. Where they change it, the shortcut is a projection: a
    1×1 convolution with the stride that fits (a `linear` for flat shapes), without bias, then `norm`. A list under
    `shortcut` stands in for both. Sources: He et al. 2015, arXiv:1512.03385, equations 1 and 2 and option B.
    """
    body, target = build(layers, shape)
    if shortcut is None:
        shortcut = [] if target == shape else [*_projection(shape, target), norm]
    path, reached = build(shortcut, shape)
    if reached != target:
        raise ShapeError(
            f"its layers turn {shape} into {target}, its shortcut into {reached}; the sum needs equal shapes"
        )
    after, _ = build([activation], target)
    return Residual(body, path, after[0])


@LAYERS.register("parallel")
def parallel(
    shape: Shape,
    build: LayerBuilder,
    *,
    branches: Annotated[list[list[Layer]], Field(min_length=1)],
    join: Join = "concat",
) -> "Parallel":
    """Several lists of layers on the same input; their outputs one behind the other (`concat`) or summed (`add`).

    (C, H, W) → (sum of the branches' channels, H', W'), or the branches' common shape for `add`. An empty branch, [],
    passes its input on. Sources: Szegedy et al. 2014 (Inception), arXiv:1409.4842; Chen et al. 2017 (ASPP),
    arXiv:1706.05587.
    """
    return Parallel(_joinable(branches, shape, build, join), join)


@LAYERS.register("split")
def split(shape: Shape, build: LayerBuilder, *, branches: Annotated[list[list[Layer]], Field(min_length=2)]) -> "Split":
    """The channels in equal parts, each through a list of layers of its own; the outputs one behind the other.

    (C, H, W) → (sum of the branches' channels, H', W'). As many parts as branches, whose number has to divide C; an
    empty branch, [], passes its part on. Source: Ma et al. 2018 (ShuffleNet v2), arXiv:1807.11164, section 3.2.
    """
    channels, parts = shape[0], len(branches)
    if channels % parts:
        fits = ", ".join(str(n) for n in range(2, channels + 1) if channels % n == 0)
        advice = f"give it as many branches as divide them: {fits}" if fits else "put a convolution before it"
        raise ShapeError(
            f"its {channels} input channels cannot be cut into {parts} equal parts, one for each branch; {advice}"
        )
    return Split(_joinable(branches, (channels // parts, *shape[1:]), build, "concat"))


@LAYERS.register("repeat")
def repeat(
    shape: Shape, build: LayerBuilder, *, times: Annotated[int, Field(gt=0, le=1000)], layers: Layers
) -> nn.Sequential:
    """A list of layers several times in a row, each time with weights of its own."""
    rounds: OrderedDict[str, nn.Module] = OrderedDict()
    for number in range(1, times + 1):
        rounds[f"round{number}"], shape = build(layers, shape)
    return nn.Sequential(rounds)


BLOCK_NAME = re.compile(r"[a-z_][a-z0-9_]*")


def _block_name(text: object) -> object:
    if not isinstance(text, str) or not BLOCK_NAME.fullmatch(text):
        raise ValueError("is no name for a block: expected small letters, digits and '_', no digit first")
    return str(text)


BlockName = Annotated[str, Field(pattern=f"^{BLOCK_NAME.pattern}$"), BeforeValidator(_block_name)]


@LAYERS.register("block", facts=LayerFacts(named_by="name"))
def block(shape: Shape, build: LayerBuilder, *, name: BlockName, layers: Layers) -> nn.Module:
    """A list of layers under a name: modules of the network are called NAME1, NAME2, … instead of block1, block2, ….

    A use of one of a config's `blocks` is read as this. A block of one layer is that layer.
    """
    built, _ = build(layers, shape)
    return built if len(built) > 1 else built[0]


def _joinable(
    branches: Sequence[list[Component]], shape: Shape, build: LayerBuilder, join: Join
) -> list[nn.Sequential]:
    """The branches, each for inputs of `shape`.

    Raises: ShapeError where their outputs cannot be joined.
    """
    built = [build(branch, shape) for branch in branches]
    shapes = [reached for _, reached in built]
    agree = {reached[1:] if join == "concat" else reached for reached in shapes}
    if len(agree) > 1 or len({len(reached) for reached in shapes}) > 1:
        need = "equal heights and widths" if join == "concat" else "equal shapes"
        given = ", ".join(map(str, shapes))
        raise ShapeError(f"join: {join} needs {need}, its {len(shapes)} branches turn {shape} into {given}")
    return [branch for branch, _ in built]


def _projection(shape: Shape, target: Shape) -> list[Component]:
    """The layer without bias that turns `shape` into `target`: a 1×1 convolution, or `linear` where both are flat.

    Raises: ShapeError where no stride does.
    """
    if len(shape) != len(target):
        raise ShapeError(f"its layers turn {shape} into {target}, and the sum needs as many axes as its input has")
    if len(shape) == 1:
        return [component("layer", "linear", features=target[0], bias=False)]
    strides = [_stride(size, wanted, shape, target) for size, wanted in zip(shape[1:], target[1:], strict=True)]
    return [component("layer", "conv", channels=target[0], kernel=1, stride=strides, bias=False)]


def _stride(size: int, wanted: int, shape: Shape, target: Shape) -> int:
    for stride in range(1, size + 1):
        if (size - 1) // stride + 1 == wanted:
            return stride
    raise ShapeError(
        f"its layers turn {shape} into {target}, and no stride of a 1×1 shortcut makes {wanted} of {size}: "
        f"floor(({size} − 1)/stride) + 1; pad its layers (padding: same) or write a 'shortcut' list"
    )


@final
class Residual(nn.Module):
    """See `residual`. An empty `shortcut` is the identity."""

    def __init__(self, body: nn.Sequential, shortcut: nn.Sequential, activation: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut
        self.activation = activation

    def forward(self, images: Float[Tensor, "n *shape"]) -> Float[Tensor, "n *target"]:
        """(n, …) → (n, …), as the layers say."""
        total: Tensor = self.activation(self.body(images) + self.shortcut(images))
        return total

    def summed(self) -> tuple[nn.Module, ...]:
        """Whose outputs are added."""
        return self.body, self.shortcut

    def with_sum(self, layer: nn.Module) -> nn.Module:
        """The same with `layer` in place of both paths."""
        return nn.Sequential(OrderedDict(body=layer, activation=self.activation))


@final
class Parallel(nn.Module):
    """See `parallel`. The branches are its children `branch1`, `branch2`, …."""

    def __init__(self, branches: Sequence[nn.Module], join: Join) -> None:
        super().__init__()
        self.join = join
        for number, branch in enumerate(branches, 1):
            self.add_module(f"branch{number}", branch)

    def forward(self, images: Float[Tensor, "n *shape"]) -> Float[Tensor, "n *target"]:
        """(n, …) → (n, …), joined along the channels or summed."""
        outputs = [branch(images) for branch in self.children()]
        return torch.cat(outputs, dim=1) if self.join == "concat" else sum(outputs[1:], start=outputs[0])

    def summed(self) -> tuple[nn.Module, ...]:
        """Whose outputs are added; none where they are joined along the channels."""
        return tuple(self.children()) if self.join == "add" else ()

    def with_sum(self, layer: nn.Module) -> nn.Module:
        """What stands for the same sum where `layer` computes it."""
        return layer

    def extra_repr(self) -> str:
        """How the branches are joined, for printing."""
        return f"join={self.join}"


@final
class Split(nn.Module):
    """See `split`. The branches are its children `branch1`, `branch2`, …."""

    def __init__(self, branches: Sequence[nn.Module]) -> None:
        super().__init__()
        for number, branch in enumerate(branches, 1):
            self.add_module(f"branch{number}", branch)

    def forward(self, images: Float[Tensor, "n *shape"]) -> Float[Tensor, "n *target"]:
        """(n, …) → (n, …), joined along the channels."""
        branches = list(self.children())
        parts = images.chunk(len(branches), dim=1)
        return torch.cat([branch(part) for branch, part in zip(branches, parts, strict=True)], dim=1)
