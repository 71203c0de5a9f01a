"""The learning-rate range test: loss while the rate grows a little with every step.

L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017, https://arxiv.org/abs/1506.01186.
"""

from collections.abc import Sequence

from cnnlab.view.blocks import Figure, Number, Numbers, Report, Text
from cnnlab.view.drawings import Curves, Mark, Series


def learning_rate_report(
    rates: Sequence[float],
    losses: Sequence[float],
    smoothed: Sequence[float],
    *,
    suggestion: float | None,
    name: str,
) -> Report:
    """The curve with the rate to use.

    rates: of each step; losses in nats, of each step; smoothed: the curve the suggestion was read from;
    suggestion: None where the curve shows none.
    """
    x = tuple(rates)
    figure = Figure(
        "lr_find",
        "Loss while the learning rate grows",
        Curves(
            (
                Series("loss of one batch", x, tuple(losses), "faint", colour=0),
                Series("smoothed", x, tuple(smoothed), colour=0),
            ),
            "learning rate",
            "loss (nats)",
            x_scale="log",
            marks=() if suggestion is None else (Mark(suggestion, f"suggestion {suggestion:.2g}"),),
            y_range=_readable(smoothed),
        ),
        "Left: too small to learn. The steepest fall: learns fastest. Right: diverges.",
    )
    if suggestion is None:
        text = Text(
            "The loss never fell clearly, so no rate can be suggested: try a wider range, or more steps.",
            "caution",
            "no suggestion",
        )
        return Report(f"Learning rate of {name}", (text, figure))
    number = Number("learning rate", suggestion, ".2g", detail=f"optimizer.lr={suggestion:.2g}")
    reason = Text("The rate of the steepest fall, at most a third of the rate where the loss is least.")
    return Report(f"Learning rate of {name}", (Numbers((number,)), reason, figure))


def _readable(smoothed: Sequence[float]) -> tuple[float | None, float | None]:
    """The loss explodes at the end: what is far above its start would press the part that matters flat."""
    finite = [value for value in smoothed if value == value and abs(value) != float("inf")]
    if not finite:
        return None, None
    low, start = min(finite), max(finite[: max(1, len(finite) // 10)])
    span = max(start - low, 1e-6)
    return low - 0.15 * span, start + 0.6 * span
