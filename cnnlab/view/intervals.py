"""Means with their intervals, in words."""

from cnnlab.stats.confidence import MeanInterval
from cnnlab.view.blocks import shown


def interval_text(mean: MeanInterval | None, form: str) -> str:
    """`+0.412 [+0.380, +0.445]` for "+.3f"; the mean alone where there is no interval, `–` where there is no mean."""
    if mean is None or mean.interval is None:
        return shown(None if mean is None else mean.mean, form)
    low, high = shown(mean.interval.low, form), shown(mean.interval.high, form)
    return f"{shown(mean.mean, form)} [{low}, {high}]"
