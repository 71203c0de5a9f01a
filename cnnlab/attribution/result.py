"""What a method of attribution gives: raw maps, the scores that they explain, and what to know about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float, Float32, Int64
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Attribution:
    """One method's maps for n images, with t targets each where several were asked for (then (n, t, …)).

    Nothing is brought to 0 … 1 or cut at 0: values compare between images. Only several layers, which have no common
    unit, are scaled to be averaged (`maps.fused`).
    """

    method: str
    options: Mapping[str, Any]
    """All that can be chosen of the method, as it was used."""
    layers: tuple[str, ...]
    """The layers looked at; none for a method of pixels."""
    targets: Int64[Tensor, "n *t"] | None
    """Classes; None where a function of the logits was explained."""
    maps: Float32[Tensor, "n *t h w"]
    """Maps at the layer's own size, or at the image's; positive speaks for the target unless the method has no sign."""
    per_channel: Float32[Tensor, "n *t c hi wi"] | None
    """Signed values of each colour channel, which `maps` sums or takes the largest size of."""
    scores: Float32[Tensor, "n *t"]
    """The target's logit."""
    probabilities: Float32[Tensor, "n *t"]
    """Softmax of the logits at the target; the score again where it is a function."""
    passes: int
    """Runs of the network, forward or backward, that the method needs by itself; shared ones count for each."""
    notes: tuple[str, ...]
    """Sentences to show with the maps."""
    delta: Float32[Tensor, "n *t"] | None
    """Sum of all parts less what they should add up to, for methods that have such a sum."""


def without_evidence(maps: Float[Tensor, "n t h w"]) -> str | None:
    """The sentence for maps without a positive value, if there are any."""
    empty = (maps.amax((2, 3)) <= 0).nonzero()[:, 0].tolist()
    if not empty:
        return None
    images = list(dict.fromkeys(empty))
    listed = ", ".join(map(str, images[:8])) + (" …" if len(images) > 8 else "")
    return f"no positive evidence in {len(empty)} of {maps.shape[0] * maps.shape[1]} maps (images {listed})"
