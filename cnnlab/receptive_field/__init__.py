"""What each layer of a network sees: `receptive-field`."""

from typing import TYPE_CHECKING

from cnnlab.core.lazy import lazily

if TYPE_CHECKING:
    from cnnlab.receptive_field.fields import Field, Fields, receptive_fields
else:
    __getattr__, __dir__ = lazily(
        __name__, {name: f"{__name__}.fields:{name}" for name in ("Field", "Fields", "receptive_fields")}
    )

__all__ = ["Field", "Fields", "receptive_fields"]
