"""Every method of attribution that comes with the package, by its file: importing this module registers them.

A person names them with their options: `gradcam,integrated_gradients:steps=200,baseline=blur`.
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, TypeAlias

from torch import Tensor

from cnnlab.attribution.method import METHODS as METHODS
from cnnlab.attribution.method import Method, Occasion
from cnnlab.attribution.tail import HeadKind
from cnnlab.core.characters import printable
from cnnlab.core.errors import ConfigError, RequestError, did_you_mean
from cnnlab.core.named import NONE, names_with_options
from cnnlab.core.registry import Component, as_data, component

MODULES = (
    "gradient_cams",
    "perturbation_cams",
    "full_gradient",
    "gradients",
    "integrated_gradients",
    "rectifiers",
    "occlusion",
    "rise",
    "lrp",
)
"""Files of methods, in the order in which methods are shown."""

_PLACES = {import_module(f"{__package__}.methods.{name}").__name__: place for place, name in enumerate(MODULES)}


def _order() -> None:
    """Sort by file, since which of them another one imported first tells nothing."""
    found = sorted(METHODS.values(), key=lambda method: _PLACES.get(method.entry.factory.__module__, len(_PLACES)))
    METHODS.clear()
    METHODS.update({method.name: method for method in found})


_order()

Asked: TypeAlias = str | Mapping[str, Mapping[str, Any] | None] | Component
"""`"rise"`, `"rise:masks=4000,keep=0.3"`, `{"rise": {"masks": 4000}}`, or what `chosen_methods` made of one of them."""


def chosen_methods(asked: str | Sequence[Asked]) -> tuple[Component, ...]:
    """The methods that are asked for, each once, their options checked.

    Raises: RequestError for a name that is no method, an option that it has not or that is out of range, a method that
    is asked for twice with other options, and for none at all.

    Example:
        >>> from cnnlab.attribution.catalog import chosen_methods
        >>> [one.options["masks"] for one in chosen_methods("gradcam,rise:masks=4000,keep=0.3")[1:]]
        [4000]
    """
    found: dict[str, Component] = {}
    for one in [asked] if isinstance(asked, str) else asked:
        for name, options in [(one.name, one.options)] if isinstance(one, Component) else _named(one):
            made = one if isinstance(one, Component) else chosen(name, **options)
            before = found.setdefault(name, made)
            if not _same(before.options, made.options):
                raise RequestError(
                    f"{name} is asked for twice, as {written(before)} and as {written(made)}; expected each method once"
                )
    if not found:
        raise RequestError(f"no method was asked for; known: {', '.join(METHODS)}")
    return tuple(found.values())


def chosen(name: str, **options: Any) -> Component:
    """A method with its options, checked; those that are left out have their defaults.

    Raises: RequestError for a name that is no method, and for options that it has not, or that are out of range.
    """
    if name not in METHODS:
        raise RequestError(no_method(name, METHODS))
    try:
        made = component("method", name, **options)
        METHODS[name].check(**made.options)
    except ConfigError as error:
        raise RequestError(*(_told(name, problem.message) for problem in error.problems)) from None
    except RequestError as error:
        raise RequestError(_told(name, str(error))) from None
    return made


def no_method(name: str, known: Mapping[str, Method] | Sequence[str], what: str = "method") -> str:
    """The sentence for a name that is none of the known methods."""
    return f"no {what} '{printable(name)}'.{did_you_mean(name, known)} All of them: cnnlab list methods"


def _told(name: str, fault: str) -> str:
    see = f"ee cnnlab list methods {name}"
    return f"{name}: {fault} S{see}" if fault.endswith((".", "?")) else f"{name}: {fault}; s{see}"


def _named(asked: str | Mapping[str, Mapping[str, Any] | None]) -> list[tuple[str, dict[str, Any]]]:
    if isinstance(asked, str):
        return names_with_options(asked)
    return [(name, dict(options or {})) for name, options in asked.items()]


def used(one: Component) -> dict[str, Any]:
    """Every option of a chosen method, in plain lists, numbers and words."""
    return {name: _plain(value) for name, value in one.options.items()}


def written(one: Component) -> str:
    """A chosen method as it is written, every option spelled out: `rise:masks=500,cells=7,keep=0.5,centred=true`."""
    return one.name + (f":{listed(used(one), '=', ',')}" if one.options else "")


def listed(options: Mapping[str, Any], equals: str = " ", comma: str = ", ") -> str:
    """Options in a line: `masks 500, cells 7, keep 0.5, centred true`."""
    return comma.join(f"{name}{equals}{_word(value)}" for name, value in options.items())


def methods_for_head(kind: HeadKind) -> tuple[str, ...]:
    """The methods to begin with: the map that is exact, or nearest to it, for this head.

    Behind a global average Grad-CAM is CAM (Selvaraju et al. 2017, arXiv:1610.02391, section 3.1). Where places have
    weights of their own, averaging gradients over them loses the explanation (Draelos and Carin 2020, HiResCAM,
    arXiv:2011.08891, section 3).
    """
    return tuple(name for name, method in METHODS.items() if kind in method.first_for)


def unasked(occasion: Occasion) -> tuple[str, ...]:
    """The methods that are shown on this occasion where nobody named any."""
    return tuple(name for name, method in METHODS.items() if occasion in method.unasked)


def _same(some: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
    return all(
        one is other if isinstance(one, Tensor) or isinstance(other, Tensor) else one == other
        for one, other in zip(some.values(), others.values(), strict=True)
    )


def _plain(value: object) -> Any:
    if isinstance(value, Tensor):
        return f"a tensor of {' x '.join(map(str, value.shape)) or 'one number'}"
    return as_data(value)


def _word(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: NONE}[value]
    return str(value)
