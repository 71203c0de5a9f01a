"""The options of an optimizer that a config chose, those of optimizers inside it included."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from cnnlab.core.registry import Component

LR = "lr"


def every_option(optimizer: Component, within: str = "") -> Iterator[tuple[str, Any]]:
    """Each option with its path, such as `lr` or `rest.sgd.lr`.

    Arguments:
        optimizer: as a config chose it.
        within: what stands before each path.

    Example:
        >>> from cnnlab.core.registry import component
        >>> from cnnlab.fit import catalog
        >>> dict(every_option(component("optimizer", "sgd", lr=0.5)))["lr"]
        0.5
    """
    for name, value in optimizer.options.items():
        if isinstance(value, Component):
            yield from every_option(value, f"{within}{name}.{value.name}.")
        else:
            yield f"{within}{name}", value


def rates(optimizer: Component) -> list[tuple[str, float]]:
    """Each learning rate with its path."""
    return [(path, value) for path, value in every_option(optimizer) if path.rpartition(".")[2] == LR]


def largest_decay(optimizer: Component) -> float:
    """The largest weight decay among its options; 0 for none."""
    decays = (value for path, value in every_option(optimizer) if path.rpartition(".")[2] == "weight_decay")
    return max((float(value) for value in decays), default=0.0)


def with_rate_times(optimizer: Component, factor: float) -> Component:
    """The optimizer with each of its learning rates multiplied by `factor`.

    Example:
        >>> from cnnlab.core.registry import component
        >>> from cnnlab.fit import catalog
        >>> with_rate_times(component("optimizer", "sgd", lr=0.5), 0.25).options["lr"]
        0.125
    """

    def changed(name: str, value: Any) -> Any:
        if isinstance(value, Component):
            return with_rate_times(value, factor)
        return value * factor if name == LR else value

    return replace(optimizer, options={name: changed(name, value) for name, value in optimizer.options.items()})
