"""The same config with other norms, layer by layer.

Where a norm that takes off the mean is turned into `none`, the layer before it gets the bias that it went without:
otherwise the network would lose two things at once, and the comparison would not be of the norm.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from cnnlab.config.config import Config
from cnnlab.core.errors import ConfigError, Problem, RequestError, unknown
from cnnlab.core.registry import Component, component
from cnnlab.core.yaml import Mark, parse_value
from cnnlab.models.layers import normalization
from cnnlab.models.layers.composite import WITHOUT_MEAN
from cnnlab.models.own_model import OwnModel
from cnnlab.models.registry import LAYERS, Layer

NONE = component("layer", "none")


def is_norm(layer: Component) -> bool:
    """Whether an entry of a config is a layer that normalises."""
    return layer.entry.factory.__module__ == normalization.__name__ and layer.name not in WITHOUT_MEAN


def norm_named(text: str, mark: Mark) -> Component:
    """The norm that YAML names, such as `none` or `{group_norm: {groups: 8}}`.

    Arguments:
        text: on one line.
        mark: where it stands.

    Returns:
        A layer that normalises, or `none`.

    Raises:
        ConfigError: for anything else, with the place.
    """
    try:
        found = TypeAdapter(Layer).validate_python(parse_value(text, mark))
    except ValidationError as error:
        raise ConfigError([Problem(str(mark), error.errors()[0]["msg"])]) from None
    if not is_norm(found) and found.name != NONE.name:
        norms = [entry.name for entry in LAYERS if is_norm(Component(entry, {}))]
        raise ConfigError([Problem(str(mark), unknown("norm", found.name, [NONE.name, *norms]))])
    return found


def norms_of(config: Config) -> tuple[Component, ...]:
    """The norms that a config names, those inside other layers included, in their order.

    Raises: RequestError for a network in Python, whose norms the config does not name.
    """
    return tuple(layer for layer in _every(_layers(config)) if is_norm(layer))


def with_norm(config: Config, norm: Component) -> Config:
    """The config with `norm` in place of each of its norms.

    Arguments:
        config: of a network made of layers.
        norm: such as `component("layer", "none")`.

    Returns:
        The config; where `norm` takes off no mean, layers before it have a bias.

    Raises:
        RequestError: for a network in Python, whose norms the config does not name.

    Example:
        >>> from cnnlab.config import QUICKSTART
        >>> from cnnlab.config.config import read_config
        >>> len(norms_of(read_config(QUICKSTART))), norms_of(with_norm(read_config(QUICKSTART), NONE))
        (5, ())
    """
    return config.model_copy(update={"model": _all_with(_layers(config), norm)})


def _layers(config: Config) -> Sequence[Component]:
    if isinstance(config.model, OwnModel):
        raise RequestError(
            f"{config.name} trains a network in Python ({config.model.python}), whose norms its config does not name; "
            "trainings with other norms need one made of layers"
        )
    return config.model


def _every(value: Any) -> list[Component]:
    """The components in `value`, those inside others included."""
    if isinstance(value, Component):
        return [value, *_every(value.options)]
    if isinstance(value, Mapping):
        return [found for item in value.values() for found in _every(item)]
    if isinstance(value, list | tuple):
        return [found for item in value for found in _every(item)]
    return []


def _all_with(layers: Sequence[Any], norm: Component) -> list[Any]:
    """A list of layers with `norm` for each norm; the layer before one that is lost gets a bias."""
    made: list[Any] = []
    for layer in layers:
        if isinstance(layer, Component) and is_norm(layer) and made and norm.name in WITHOUT_MEAN:
            made[-1] = _with_bias(made[-1], True)
        made.append(_with(layer, norm))
    return made


def _with(value: Any, norm: Component) -> Any:
    if isinstance(value, Component):
        if is_norm(value):
            return replace(norm, mark=value.mark)
        inside = {name: _with(option, norm) for name, option in value.options.items()}
        changed = replace(value, options=inside)
        own = value.options.get("norm")
        return _with_bias(changed, None) if isinstance(own, Component) and is_norm(own) else changed
    return _all_with(value, norm) if isinstance(value, list) else value


def _with_bias(layer: Any, bias: bool | None) -> Any:
    """`layer` with a bias where it was told to have none; None lets the layer decide by its norm."""
    if isinstance(layer, Component) and layer.options.get("bias", True) is False:
        return replace(layer, options={**layer.options, "bias": bias})
    return layer
