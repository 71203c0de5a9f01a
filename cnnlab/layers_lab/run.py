"""`cnnlab layer` and `cnnlab compare-layers`: layers built from words, their arithmetic, and one run on a matrix.

On a command line a layer is `conv channels=16 kernel=3`, each value YAML, and a stack has ` + ` between its layers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import TypeAdapter
from torch import Tensor, nn

from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import ConfigError, Problem, RequestError
from cnnlab.core.registry import Chosen, Component
from cnnlab.core.yaml import Mark, Table, parse_value
from cnnlab.layers_lab.alternatives import Alternative, alternatives
from cnnlab.layers_lab.comparison_report import ComparedStack
from cnnlab.layers_lab.stack import Arithmetic, arithmetic
from cnnlab.layers_lab.toeplitz import ConvolutionMatrix, convolution_matrix
from cnnlab.models.build import sequence
from cnnlab.models.catalog import LAYERS
from cnnlab.models.layers.convolution import LocallyConnected2d

MOST_VALUES = 2**28
LARGEST_SIDE = 2**14
"""Largest side of an input, in pixels: nothing is computed, but every row and column is followed."""
LARGEST_MATRIX = 144
"""Most rows and columns of a convolution's matrix that is drawn: more are finer than a page shows."""
MOST_PLACES = 2**22
"""Most places of an input to layers that have something of their own for each of its places."""


@dataclass(frozen=True, eq=False)
class Examined:
    """One layer."""

    layer: Component
    image: Shape
    """(channels, height, width); a dense layer gets it flattened."""
    arithmetic: Arithmetic
    alternatives: tuple[Alternative, ...]
    matrix: Float[Tensor, "h w"] | None = None
    """The input that it ran on, if it did."""
    result: Float[Tensor, "..."] | None = None
    """What it made of `matrix`, (channels, height, width) or (features,)."""
    dense: ConvolutionMatrix | None = None
    """A convolution that ran as the dense layer that it is; None of other layers, and of one that would be too large to
    be looked at."""
    dense_error: float = 0.0
    """The largest difference between what the two make of `matrix`."""


def examine(kind: str, options: Sequence[str], shape: Shape, *, classes: int = 10) -> Examined:
    """Work out one layer's arithmetic.

    Arguments:
        kind: a layer of the registry.
        options: such as `channels=16`.
        shape: (channels, height, width) of its input; a dense layer gets it flattened.
        classes: what `features: classes` means.

    Returns:
        The layer's arithmetic, and beside it that of the dense and the locally connected layer of the same shapes.

    Raises:
        RequestError: for a layer that is not there or does not fit.
        ConfigError: for wrong options.

    Example:
        >>> examine("conv", ["channels=16", "stride=2", "padding=1"], (3, 32, 32)).arithmetic.output
        (16, 16, 16)
    """
    layer = layer_of(kind, options)
    found = _arithmetic([layer], shape, classes, " ".join([kind, *options]))
    return Examined(layer, shape, found, alternatives(found))


def examine_on(
    kind: str,
    options: Sequence[str],
    matrix: Float[Tensor, "h w"],
    weights: Float[Tensor, "kh kw"] | None = None,
    *,
    classes: int = 10,
) -> Examined:
    """Work out one layer's arithmetic, and run the layer on a matrix.

    Arguments:
        kind, options, classes: as `examine`.
        matrix: the input, of one channel.
        weights: of every filter of a convolution, applied as they are (cross-correlation); biases are 0.

    Returns:
        As `examine`, with the matrix and what the layer makes of it.

    Raises:
        RequestError: as `examine`, and for a layer with other weights than one filter bank.

    Example:
        >>> from cnnlab.layers_lab.matrix import matrix_of
        >>> examine_on("max_pool", [], matrix_of("1 3 2 0 / 4 2 1 5 / 0 1 6 2 / 2 3 1 0", "matrix")).result.tolist()
        [[[4.0, 5.0], [3.0, 6.0]]]
    """
    if weights is not None and not any(option.startswith("kernel=") for option in options):
        options = [*options, f"kernel=[{weights.shape[0]},{weights.shape[1]}]"]
    shape = (1, *matrix.shape)
    found = examine(kind, options, shape, classes=classes)
    with torch.random.fork_rng(devices=[]):  # weights that are drawn and overwritten are nobody's random numbers
        network, _ = sequence([found.layer], found.arithmetic.input, classes=classes, owner=" ".join([kind, *options]))
    network = network.double().eval()
    with torch.no_grad():
        _fill(network, kind, weights)
        result = network(matrix[None, None].double())[0]
    found = replace(found, matrix=matrix, result=result)
    dense = _dense(network, (matrix.shape[0], matrix.shape[1]), found.arithmetic)
    if dense is None:
        return found
    return replace(found, dense=dense, dense_error=float((dense(matrix[None]) - result).abs().max()))


def _dense(network: nn.Module, size: tuple[int, int], made: Arithmetic) -> ConvolutionMatrix | None:
    """The matrix of a single convolution whose outside is black."""
    layers = list(network.children())
    if len(layers) != 1 or type(layers[0]) is not nn.Conv2d or layers[0].padding_mode != "zeros":
        return None
    if max(prod(size), made.output_values) > LARGEST_MATRIX:
        return None
    conv = layers[0]
    stride, padding, dilation = ((int(one[0]), int(one[1])) for one in (conv.stride, conv.padding, conv.dilation))
    return convolution_matrix(conv.weight, size, stride=stride, padding=padding, dilation=dilation, groups=conv.groups)


def compare(texts: Sequence[str], shape: Shape, *, classes: int = 10) -> tuple[ComparedStack, ...]:
    """Work out the arithmetic of stacks of layers side by side.

    Arguments:
        texts: two or more, each `KIND key=value … + KIND …`.
        shape: (channels, height, width) of their input.
        classes: what `features: classes` means.

    Returns:
        One for each text, in order.

    Raises:
        RequestError: for fewer than two, and as `examine`.
    """
    if len(texts) < 2:
        raise RequestError("one stack has nothing to be compared with; cnnlab layer shows a layer alone")
    return tuple(ComparedStack(text, _arithmetic(stack_of(text), shape, classes, text)) for text in texts)


def _arithmetic(layers: Sequence[Component], shape: Shape, classes: int, text: str) -> Arithmetic:
    """The arithmetic, on the meta device: a dense layer of a gigabyte costs nothing there."""
    if layers[0].name == "linear":
        shape = (prod(shape),)
    with torch.device("meta"):
        network, _ = sequence(layers, shape, classes=classes, owner=text)
    placed = any(isinstance(module, nn.Flatten | LocallyConnected2d) for module in network.modules())
    if placed and prod(shape) > MOST_PLACES:
        raise RequestError(
            f"`shape` has {prod(shape):,} values; with a layer that is bound to one size, such as flatten and "
            f"locally_connected, {MOST_PLACES:,} at most"
        )
    return arithmetic(network, shape)


def _fill(network: nn.Module, kind: str, weights: Tensor | None) -> None:
    """Put `weights` into the one filter bank that there is, and 0 into its biases."""
    parameters = dict(network.named_parameters())
    banks = [p for name, p in parameters.items() if name.endswith("weight") and p.dim() in (4, 6)]
    others = [name for name in parameters if not name.endswith(("weight", "bias"))]
    if not parameters:
        if weights is not None:
            raise RequestError(f"`weights`: layer '{kind}' has no weights")
        return
    if len(banks) != 1 or len(parameters) > 2 or others:
        raise RequestError(
            f"`matrix`: layer '{kind}' has {len(parameters)} parameters; on a matrix run layers without any, and "
            f"those with one filter bank (conv, depthwise, locally_connected) with `weights`"
        )
    if weights is None:
        raise RequestError(f"`matrix`: layer '{kind}' needs its weights, such as `weights` '1 0 -1 / 2 0 -2 / 1 0 -1'")
    (bank,) = banks
    if tuple(bank.shape[-2:]) != tuple(weights.shape):
        (height, width), (rows, columns) = bank.shape[-2:], weights.shape
        raise RequestError(f"`weights` is {rows}×{columns}, and the kernel {height}×{width}; leave 'kernel' out")
    bank.copy_(weights.to(bank).expand_as(bank))
    for name, parameter in parameters.items():
        if name.endswith("bias"):
            parameter.zero_()


def input_of(text: str) -> Shape:
    """`3,32,32` as (channels, height, width).

    Raises: RequestError for anything else.
    """
    parts = [part.strip() for part in text.replace("x", ",").split(",")]
    if len(parts) != 3 or not all(part.isascii() and part.isdecimal() and int(part) > 0 for part in parts):
        raise RequestError(f"`shape` is '{text}', expected channels, height and width, such as 3,32,32")
    shape = tuple(map(int, parts))
    if prod(shape) > MOST_VALUES or max(shape[1:]) > LARGEST_SIDE:
        raise RequestError(
            f"`shape` is '{text}'; an input has {LARGEST_SIDE:,} rows and columns and {MOST_VALUES:,} values at most"
        )
    return shape


_LAYER: TypeAdapter[Component] = TypeAdapter(Annotated[Component, Chosen("layer")])
_OPENING, _CLOSING, _QUOTES = "[{", "]}", "'\""


def layer_of(kind: str, options: Sequence[str]) -> Component:
    """The layer `kind` with its options, each written KEY=VALUE.

    Raises: RequestError where there is no such layer; ConfigError with every wrong option.
    """
    _ = LAYERS[kind]
    table, problems = Table(Mark("")), []
    for text in options:
        mark = Mark(f"'{text}'")
        key, equals, value = text.partition("=")
        if not equals or not key:
            problems.append(Problem(str(mark), "expected KEY=VALUE, such as kernel=3"))
        elif key in table:
            problems.append(Problem(str(mark), f"'{key}' is given twice"))
        else:
            try:
                table.put(key, parse_value(value, mark), mark)
            except ConfigError as error:
                problems.extend(Problem(str(mark), problem.message) for problem in error.problems)
    if problems:
        raise ConfigError(problems)
    made = _LAYER.validate_python({kind: table}, context=problems)
    if problems:
        raise ConfigError(problems)
    return made


def stack_of(text: str) -> list[Component]:
    """The layers of `KIND key=value … + KIND …`, in their order.

    Raises: RequestError and ConfigError as `layer_of` does, and RequestError where a ` + ` has no layer beside it.
    """
    layers: list[list[str]] = [[]]
    for word in words_of(text):
        if word == "+":
            layers.append([])
        else:
            layers[-1].append(word)
    if not all(layers):
        raise RequestError(f"'{text}': a layer is missing; expected KIND key=value … + KIND key=value …")
    return [layer_of(kind, options) for kind, *options in layers]


def words_of(text: str) -> list[str]:
    """`text` cut at blanks, but for those inside brackets and quotes, as in `layers=[{conv: {channels: 8}}]`."""
    words, word, depth, quote = [], "", 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in _QUOTES:
            quote = character
        else:
            depth += (character in _OPENING) - (character in _CLOSING)
        if character.isspace() and depth <= 0 and not quote:
            words.append(word)
            word = ""
        else:
            word += character
    return [word for word in [*words, word] if word]
