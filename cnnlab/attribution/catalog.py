"""Every method of attribution that comes with the package, by its file: importing this module registers them."""

from importlib import import_module

from cnnlab.attribution.method import METHODS

MODULES = (
    "gradient_cams",
    "eigen_cams",
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

__all__ = ["METHODS"]
