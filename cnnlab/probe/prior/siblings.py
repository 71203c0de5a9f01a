"""Networks of the same widths that assume less than a convolution: local windows without sharing, and no windows.

A convolution is the locally connected layer whose weights are the same at all places, and that one a dense layer of
which most weights are 0: what the first can do, the second can, and what the second can, the third. So whatever the
first does better, from the same images, is what it assumes. Source: LeCun 1989, "Generalization and network design
strategies".
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

from cnnlab.config.config import Config
from cnnlab.core.errors import RequestError
from cnnlab.core.registry import Component, component
from cnnlab.models.layers.composite import has_bias
from cnnlab.models.own_model import OwnModel

Kind = Literal["dense", "local", "conv"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""From the fewest assumptions to the most."""

WINDOWS = ("max_pool", "avg_pool", "blur_pool", "global_avg_pool", "global_max_pool", "flatten")
"""Layers without weights that are about places: a dense network has none left."""

EITHER = (
    "permute_pixels", "linear", "none", "batch_norm", "layer_norm", "channel_layer_norm", "group_norm", "dyt",
    "relu", "relu6", "leaky_relu", "gelu", "silu", "hardswish", "hardsigmoid", "sigmoid", "tanh", "dropout",
    "multiply", "layer_scale", "stochastic_depth",
)  # fmt: skip
"""Layers that mean the same in all of them."""

Translation = Callable[[Mapping[str, Any]], Component]
"""From the options of a convolution to the layer that takes its place."""


def kinds_of(text: str) -> tuple[Kind, ...]:
    """Read `dense,local,conv`; they come in the order of `KINDS`.

    Raises: RequestError for a word that is none of them.
    """
    words = [word.strip() for word in text.split(",")]
    if wrong := [word for word in words if word not in KINDS]:
        raise RequestError(f"`kinds` has '{wrong[0]}', expected some of {', '.join(KINDS)}")
    return tuple(kind for kind in KINDS if kind in words)


def sibling(config: Config, kind: Kind, *, width: int) -> Config:
    """Make the sibling of a convolutional network: another network for the same images, trained in the same way.

    Arguments:
        config: of layers in a row; convolutions among them.
        kind: `conv` for the config itself; `local` for locally connected layers of the same channels, kernels and
            strides; `dense` for as many dense layers as there are convolutions.
        width: units of a dense layer for each channel of its convolution.

    Returns:
        The config, called NAME-KIND.

    Raises:
        RequestError: for a network in Python, one without convolutions, and layers that have no such sibling.

    Example:
        >>> from cnnlab.config import QUICKSTART
        >>> from cnnlab.config.config import read_config
        >>> [layer.name for layer in sibling(read_config(QUICKSTART), "local", width=8).model[:4]]
        ['locally_connected', 'batch_norm', 'relu', 'locally_connected']
    """
    if isinstance(config.model, OwnModel):
        raise RequestError(f"{config.name} is in Python; `kinds` makes siblings of layers in a config alone")
    if not any(layer.name in ("conv", "conv_bn_act") for layer in config.model):
        raise RequestError(f"{config.name} has no convolution that `kinds` could make a sibling of")
    if kind == "conv":
        layers = list(config.model)
    elif kind == "local":
        layers = list(_translated(config.model, _local, kept=(*EITHER, *WINDOWS, "instance_norm"), left_out=()))
    else:
        made = list(_translated(config.model, lambda options: _dense(options, width), kept=EITHER, left_out=WINDOWS))
        first = next(number for number, layer in enumerate(made) if layer.name != "permute_pixels")
        layers = [*made[:first], component("layer", "flatten"), *made[first:]]
    return config.model_copy(update={"model": layers, "name": f"{config.name[:90]}-{kind}"})


def permuted(config: Config, seed: int) -> Config:
    """The network behind one fixed permutation of the pixels.

    Arguments:
        config: of layers in a row.
        seed: of the permutation.

    Raises:
        RequestError: for a network in Python.
    """
    if isinstance(config.model, OwnModel):
        raise RequestError(f"{config.name} is in Python; `permute` puts a layer before those of a config alone")
    return config.model_copy(update={"model": [component("layer", "permute_pixels", seed=seed), *config.model]})


def _translated(
    layers: Sequence[Component], translation: Translation, *, kept: Sequence[str], left_out: Sequence[str]
) -> Iterator[Component]:
    for layer in layers:
        if layer.options.get("channels") == "classes":
            raise layer.located(RequestError("there is no sibling of a head made of a convolution; end with `linear`"))
        if layer.name == "conv":
            yield translation(layer.options)
        elif layer.name == "conv_bn_act":
            options = layer.options
            order, norm = options["order"], options["norm"]
            own = {**options, "bias": has_bias(options["bias"], order, norm)}
            parts = {"norm": norm, "act": options["activation"]}
            for part in order.split():
                yield translation(own) if part == "conv" else parts[part]
        elif layer.name in kept:
            yield layer
        elif layer.name not in left_out:
            raise layer.located(
                RequestError("there is no dense or locally connected sibling of this layer; give configs of your own")
            )


def _local(options: Mapping[str, Any]) -> Component:
    odd = {"padding_mode": "zero", "groups": 1, "weight_standardization": False}
    for name, plain in odd.items():
        if options[name] != plain:
            raise RequestError(
                f"a locally connected layer has no {name}, and a convolution has {name}: {options[name]}; give "
                "configs of your own"
            )
    same = ("channels", "kernel", "stride", "padding", "dilation", "bias")
    return component("layer", "locally_connected", **{name: options[name] for name in same})


def _dense(options: Mapping[str, Any], width: int) -> Component:
    return component("layer", "linear", features=width * options["channels"], bias=options["bias"])
