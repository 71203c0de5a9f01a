"""A network that does something otherwise with the same weights: padding, subsampling or activations taken away.

The changes are made to the operations while they run, whoever calls them, a module or a function, so that the network
itself is as it was. Blurring before subsampling is Zhang's: "Making Convolutional Networks Shift-Invariant Again",
2019, arXiv:1904.11486.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Literal, final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from cnnlab.core.errors import RequestError, unknown
from cnnlab.models.layers.pooling import binomial
from cnnlab.probe.borders import Beyond, extended

aten = torch.ops.aten

Aspect = Literal["padding", "pool", "activation"]
"""What can be done otherwise."""

WORDS = {"padding": "{} padding", "pool": "blur pool", "activation": "linear"}
"""How a change is said."""

CHANGES: Mapping[str, tuple[str, ...]] = {
    "padding": ("circular", "reflect", "replicate"),
    "pool": ("blur_pool",),
    "activation": ("identity",),
}
"""Each aspect with its values. `pool` is every place that subsamples: strided pools and strided convolutions."""

ASPECTS = {value: aspect for aspect, values in CHANGES.items() for value in values}
"""The aspect that each value is of."""


@dataclass(frozen=True)
class Alteration:
    """What is done otherwise; nothing by default."""

    padding: Literal["circular", "reflect", "replicate"] | None = None
    """What stands beyond the border, in place of zeros or whatever the network has there."""
    pool: Literal["blur_pool"] | None = None
    """A strided pool moves by one place and is blurred before places are left out; a strided convolution reads a
    blurred map."""
    activation: Literal["identity"] | None = None
    """Activations let everything pass."""
    layers: tuple[tuple[str, str], ...] = ()
    """The same inside single layers: (layer, value)."""

    @property
    def name(self) -> str:
        """As it is written: `padding=circular pool=blur_pool`, `layer2=blur_pool`."""
        return " ".join(f"{what}={value}" for what, value in (*self._everywhere, *self.layers)) or "as it is"

    @property
    def words(self) -> str:
        """In words: `circular padding, blur pool`, `blur pool in layer2`."""
        said = [WORDS[aspect].format(value) for aspect, value in self._everywhere]
        said += [f"{WORDS[ASPECTS[value]].format(value)} in {layer}" for layer, value in self.layers]
        return ", ".join(said) or "as it is"

    @property
    def aspects(self) -> tuple[str, ...]:
        """Those that are changed everywhere."""
        return tuple(aspect for aspect, _ in self._everywhere)

    @property
    def _everywhere(self) -> list[tuple[str, str]]:
        return [(aspect, value) for aspect in CHANGES if (value := getattr(self, aspect))]


def alteration_of(text: str) -> Alteration:
    """Read `padding=circular`, `pool=blur_pool`, `activation=identity`, or such a value of a layer: `layer2=blur_pool`.

    Several stand with blanks between them.

    Arguments:
        text: as it was typed.

    Returns: the alteration.

    Raises: RequestError for anything else, with what there is.

    Example:
        >>> alteration_of("pool=blur_pool padding=circular").aspects
        ('padding', 'pool')
    """
    found: dict[str, Any] = {}
    layers: list[tuple[str, str]] = []
    for part in text.split():
        aspect, _, value = part.partition("=")
        if aspect not in CHANGES and value in ASPECTS:
            layers.append((aspect, value))
            continue
        if aspect not in CHANGES:
            ways = ", ".join(f"{name}={'|'.join(values)}" for name, values in CHANGES.items())
            raise RequestError(f"`what_if` {part}: {unknown('change', aspect, CHANGES)} Expected {ways}")
        if value not in CHANGES[aspect]:
            raise RequestError(f"`what_if` {part}: '{value}' is no {aspect}; expected {'|'.join(CHANGES[aspect])}")
        found[aspect] = value
    if not found and not layers:
        raise RequestError(f"`what_if` is '{text}', expected a change such as pool=blur_pool")
    return Alteration(**found, layers=tuple(layers))


def check_layers(alteration: Alteration, model: nn.Module) -> None:
    """Refuse an alteration inside a layer that is not there.

    Raises: RequestError with the nearest name, of the layers and of what can be changed everywhere.
    """
    known = dict(model.named_modules())
    for layer, value in alteration.layers:
        if layer not in known or not layer:
            names = [*CHANGES, *(name for name in known if name)]
            raise RequestError(f"`what_if` {layer}={value}: {unknown('layer', layer, names)}")


LACKING = {
    "padding": "pads nothing",
    "pool": "subsamples nothing: no pool and no convolution has a stride",
    "activation": "has no activation that is known",
}


def check_alters(alteration: Alteration, changed: Mapping[str, int], name: str) -> None:
    """Refuse an alteration that changes nothing in the network of that name.

    Raises: RequestError for an aspect that no operation was `changed` in.
    """
    for aspect in alteration.aspects:
        if not changed.get(aspect):
            raise RequestError(f"`what_if` {alteration.name} changes nothing: {name} {LACKING[aspect]}")
    for layer, value in alteration.layers:
        if not changed.get(f"{layer}={value}"):
            raise RequestError(f"`what_if` {layer}={value} changes nothing: {layer} {LACKING[ASPECTS[value]]}")


def check_on(alteration: Alteration, model: nn.Module, run: Callable[[], object], name: str) -> None:
    """Refuse an alteration that changes nothing while `run` runs the model of that name.

    Raises: RequestError as `check_alters`, and for a layer that is not there.
    """
    with altered(alteration, model) as changed:
        run()
    check_alters(alteration, changed, name)


@contextmanager
def altered(alteration: Alteration, model: nn.Module | None = None) -> Iterator[Counter[str]]:
    """Inside, networks that run do so with the alteration; without one, as they are.

    Arguments:
        alteration: what is done otherwise.
        model: that of the layers which are named in it.

    Yields: how many operations were changed, by aspect or by `LAYER=VALUE`, as they run.

    Raises: RequestError for a layer that is not there.

    Example:
        >>> conv = torch.nn.Conv1d(1, 1, 3), torch.nn.Conv2d(1, 1, 3, padding=1, bias=False)
        >>> image = torch.ones(1, 1, 4, 4)
        >>> with torch.no_grad(), altered(Alteration(padding="circular")):
        ...     round(float(conv[1](image).std()), 5)
        0.0
    """
    changed: Counter[str] = Counter()
    if alteration == Alteration():
        yield changed
        return
    mode = _Altering(alteration, changed)
    with ExitStack() as stack:
        if alteration.layers:
            assert model is not None
            check_layers(alteration, model)
            for change in alteration.layers:
                stack.enter_context(mode.entered(model.get_submodule(change[0]), change))
        stack.enter_context(mode)
        yield changed


@final
class _Altering(TorchDispatchMode):
    def __init__(self, alteration: Alteration, changed: Counter[str]) -> None:
        super().__init__()
        self.alteration, self.changed = alteration, changed
        self.inside: list[tuple[str, str]] = []
        """The changes of the layers that run now."""

    @contextmanager
    def entered(self, layer: nn.Module, change: tuple[str, str]) -> Iterator[None]:
        """While inside, the mode knows when the layer runs."""
        begins = layer.register_forward_pre_hook(lambda *_: self.inside.append(change))
        ends = layer.register_forward_hook(lambda *_: self.inside.remove(change), always_call=True)
        try:
            yield
        finally:
            begins.remove()
            ends.remove()

    def value(self, aspect: Aspect) -> Any:
        """What an aspect is changed to where the network is now; None where it is as it was."""
        here = next((value for _, value in reversed(self.inside) if ASPECTS[value] == aspect), None)
        return getattr(self.alteration, aspect) if here is None else here

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # which would import the compiler, for half a second, and pass every operation through it

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        rule = _RULES.get(func.overloadpacket)
        if rule is not None:
            names = [argument.name for argument in func._schema.arguments]
            defaults = {one.name: one.default_value for one in func._schema.arguments if one.has_default_value()}
            said = {**defaults, **dict(zip(names, args, strict=False)), **given}
            made = rule(self, said)
            if made is not None:
                return made
        elif (parts := self._parts(func, args, given)) is not NotImplemented:
            return parts
        return func(*args, **given)

    def _parts(self, func: Any, args: tuple[Any, ...], given: Mapping[str, Any]) -> Any:
        """What an operation that is made of others puts out, those altered in turn."""
        with self:
            return func.decompose(*args, **given)

    def note(self, aspect: Aspect) -> None:
        """Count a change."""
        if getattr(self.alteration, aspect):
            self.changed[aspect] += 1
        self.changed.update(f"{layer}={value}" for layer, value in self.inside if ASPECTS[value] == aspect)


def _convolution(mode: _Altering, said: dict[str, Any]) -> Any:
    """A convolution in two dimensions; others are as they are."""
    images, weight = said["input"], said["weight"]
    if images.dim() != 4 or said["transposed"]:
        return None
    padding, stride = _pair(said["padding"]), _pair(said["stride"])
    if mode.value("pool") and max(stride) > 1 and not _blurs(weight, said["groups"]):
        mode.note("pool")
        images = _blurred(mode, images, stride)
    images, padding = _padded(mode, images, padding)
    if images is said["input"]:
        return None
    dilation, groups = said["dilation"], said["groups"]
    return aten.convolution(
        images, weight, said["bias"], list(stride), list(padding), dilation, False, said["output_padding"], groups
    )


def _windows(mode: _Altering, said: dict[str, Any]) -> Any:
    """The windows of a locally connected layer."""
    images, padding = _padded(mode, said["self"], _pair(said["padding"]))
    if images is said["self"]:
        return None
    return aten.im2col(images, said["kernel_size"], said["dilation"], list(padding), said["stride"])


def _max_pool(mode: _Altering, said: dict[str, Any]) -> Any:
    def pooled(images: Tensor, stride: Sequence[int], padding: Sequence[int], ceil: bool) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = aten.max_pool2d_with_indices(
            images, said["kernel_size"], list(stride), list(padding), said["dilation"], ceil
        )
        return found

    return _pool(mode, said, pooled)


def _average_pool(mode: _Altering, said: dict[str, Any]) -> Any:
    def pooled(images: Tensor, stride: Sequence[int], padding: Sequence[int], ceil: bool) -> Tensor:
        inside, divisor = said["count_include_pad"], said["divisor_override"]
        found: Tensor = aten.avg_pool2d(images, said["kernel_size"], list(stride), list(padding), ceil, inside, divisor)
        return found

    return _pool(mode, said, pooled)


def _pool(mode: _Altering, said: dict[str, Any], pooled: Callable[..., Any]) -> Any:
    images = said["self"]
    stride = _pair(said["stride"] or said["kernel_size"])
    if images.dim() != 4:
        return None
    padded, padding = _padded(mode, images, _pair(said["padding"]))
    if mode.value("pool") and max(stride) > 1 and min(padded.shape[2:]) > 1:
        mode.note("pool")
        dense = pooled(padded, (1, 1), padding, False)
        maps = _blurred(mode, dense if isinstance(dense, Tensor) else dense[0], stride)
        # in rows, as the pool itself puts them out: what follows may look at them by `view`
        maps = maps[:, :, :: stride[0], :: stride[1]].clone(memory_format=torch.contiguous_format)
        return maps if isinstance(dense, Tensor) else (maps, torch.zeros_like(maps, dtype=torch.long))
    return None if padded is images else pooled(padded, stride, padding, said["ceil_mode"])


def _pad(mode: _Altering, said: dict[str, Any]) -> Any:
    """Padding as an operation of its own: of rows and columns alone, and not cutting off."""
    images, pads = said["self"], list(said.get("pad", said.get("padding", ())))
    kind = mode.value("padding")
    if kind is None or images.dim() != 4 or len(pads) > 4 or min(pads) < 0:
        return None
    mode.note("padding")
    left, right, top, bottom = [*pads, 0, 0][:4]
    return extended(images, (top, bottom), (left, right), kind)


def _activation(mode: _Altering, said: dict[str, Any]) -> Any:
    if mode.value("activation") is None:
        return None
    mode.note("activation")
    return said["self"].clone()


def _activation_in_place(mode: _Altering, said: dict[str, Any]) -> Any:
    if mode.value("activation") is None:
        return None
    mode.note("activation")
    return said["self"]


Rule = Callable[[_Altering, dict[str, Any]], Any]

ACTIVATIONS = (
    *("relu", "leaky_relu", "_prelu_kernel", "elu", "celu", "selu", "gelu", "silu", "mish", "hardswish", "hardtanh"),
    *("softplus", "tanh", "relu6", "rrelu"),
)
"""Operations that are taken for activations: a sigmoid most often is a gate."""


def _named(suffix: str) -> list[Any]:
    return [getattr(aten, name + suffix) for name in ACTIVATIONS if hasattr(aten, name + suffix)]


_RULES: dict[Any, Rule] = {
    aten.convolution: _convolution,
    aten.im2col: _windows,
    aten.max_pool2d_with_indices: _max_pool,
    aten.avg_pool2d: _average_pool,
    aten.constant_pad_nd: _pad,
    aten.reflection_pad2d: _pad,
    aten.replication_pad2d: _pad,
    **dict.fromkeys(_named(""), _activation),
    **dict.fromkeys(_named("_"), _activation_in_place),
}


def _pair(value: Sequence[int]) -> tuple[int, int]:
    return (value[0], value[-1])


def _padded(mode: _Altering, images: Tensor, padding: tuple[int, int]) -> tuple[Tensor, tuple[int, int]]:
    """The images with their padding as the alteration has it, and what is still to be padded."""
    kind = mode.value("padding")
    if kind is None or max(padding) == 0:
        return images, padding
    mode.note("padding")
    return extended(images, (padding[0],) * 2, (padding[1],) * 2, kind), (0, 0)


def _blurred(mode: _Altering, maps: Tensor, stride: tuple[int, int]) -> Tensor:
    """The maps blurred as wide as a `stride` asks for: by (1, 2, 1)/4 for one of 2."""
    kind: Beyond = mode.value("padding") or "reflect"
    for axis, step in enumerate(stride):
        if step > 1 and maps.shape[2 + axis] > 1:
            around = (step - 1, step - 1)
            rows, columns = (around, (0, 0)) if axis == 0 else ((0, 0), around)
            window = binomial(2 * step - 1).to(maps).reshape(1, 1, *((-1, 1) if axis == 0 else (1, -1)))
            channels = maps.shape[1]
            maps = F.conv2d(extended(maps, rows, columns, kind), window.expand(channels, -1, -1, -1), groups=channels)
    return maps


def _blurs(weight: Tensor, groups: int) -> bool:
    """Whether a convolution is a blur already: one filter for each channel, all the same, which sums to 1."""
    if weight.shape[1] != 1 or weight.shape[0] != groups:
        return False
    same = bool((weight == weight[:1]).all()) and bool((weight >= 0).all())
    return same and abs(float(weight[0].sum()) - 1) < 1e-5
