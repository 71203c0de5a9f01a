"""Where in an image an answer comes from: `gradcam` and `saliency`."""

from typing import TYPE_CHECKING

from cnnlab.core.lazy import lazily

if TYPE_CHECKING:
    from cnnlab.attribution.attribution import Attribution, attribute
else:
    __getattr__, __dir__ = lazily(
        __name__, {name: f"{__name__}.attribution:{name}" for name in ("Attribution", "attribute")}
    )

__all__ = ["Attribution", "attribute"]
