"""Claims and what a measurement says of them: supported, contradicted, or too small to tell."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from cnnlab.stats.confidence import Interval, MeanInterval


class Finding(StrEnum):
    """What a measurement says of a claim."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    OPEN = "too small to tell"


@dataclass(frozen=True)
class Claim:
    """A sentence that may be true or not, and what was measured of it."""

    sentence: str
    """What is claimed, such as "A convolution needs fewer images than a dense layer"."""
    source: str
    """Where it is claimed: a section of the chapter, such as "19.1", or a paper."""
    measured: str
    """What was measured, such as "accuracy of the convolution less that of the dense layer, 300 images"."""
    finding: Finding
    value: float | None
    """What came out; None where nothing could be measured."""
    interval: Interval | None = None
    """The 95 % interval of `value`, where chance has a part in it."""
    form: str = ".3g"
    """How the value is written: a format specification, ".1%" for a share in per cent."""

    def as_json(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "claim": self.sentence,
            "source": self.source,
            "measured": self.measured,
            "value": self.value,
            "ci95": [self.interval.low, self.interval.high] if self.interval else None,
            "finding": self.finding.value,
            "form": self.form,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Claim":
        """The claim of which `as_json` is `document`.

        Raises: KeyError, TypeError, ValueError for another document.
        """
        ends = document["ci95"]
        interval = None if ends is None else Interval(float(ends[0]), float(ends[1]))
        value = None if document["value"] is None else float(document["value"])
        sentence, source, measured, form = (str(document[key]) for key in ("claim", "source", "measured", "form"))
        return cls(sentence, source, measured, Finding(document["finding"]), value, interval, form)


def claim_above(
    sentence: str, source: str, measured: str, mean: MeanInterval | None, *, than: float = 0.0, form: str = ".3g"
) -> Claim:
    """The claim that what was measured lies above `than`: supported or contradicted only by the whole interval.

    Arguments:
        sentence, source, measured, form: of the claim.
        mean: over repeats or images; None where nothing could be measured.
        than: the limit, in the unit of `mean`.

    Example:
        >>> from cnnlab.stats.claim import claim_above
        >>> from cnnlab.stats.confidence import mean_interval
        >>> gain = mean_interval([0.05, 0.06, 0.04])
        >>> claim_above("augmentation helps", "19.5", "gain in accuracy", gain).finding.value
        'supported'
    """
    return _claim(sentence, source, measured, mean, than, form, above=True)


def claim_below(
    sentence: str, source: str, measured: str, mean: MeanInterval | None, *, than: float = 0.0, form: str = ".3g"
) -> Claim:
    """The claim that what was measured lies below `than`; as `claim_above`."""
    return _claim(sentence, source, measured, mean, than, form, above=False)


def claim_equal(
    sentence: str,
    source: str,
    measured: str,
    value: float | None,
    *,
    to: float = 0.0,
    tolerance: float = 0.0,
    form: str = ".3g",
) -> Claim:
    """The claim that a number without chance in it is `to`, within `tolerance`.

    Arguments:
        sentence, source, measured, form: of the claim.
        value: what was found; None where nothing could be measured. NaN contradicts.
        to, tolerance: in the unit of `value`.

    Example:
        >>> from cnnlab.stats.claim import claim_equal
        >>> claim_equal("circular padding is exact", "19.1", "largest error", 0.0).finding.value
        'supported'
    """
    if value is None:
        finding = Finding.OPEN
    else:
        finding = Finding.SUPPORTED if abs(value - to) <= tolerance else Finding.CONTRADICTED
    return Claim(sentence, source, measured, finding, value, None, form)


def _claim(
    sentence: str, source: str, measured: str, mean: MeanInterval | None, than: float, form: str, *, above: bool
) -> Claim:
    interval = None if mean is None else mean.interval
    finding = Finding.OPEN
    if interval is not None and not math.isnan(interval.low) and not math.isnan(interval.high):
        if interval.low > than:
            finding = Finding.SUPPORTED if above else Finding.CONTRADICTED
        elif interval.high < than:
            finding = Finding.CONTRADICTED if above else Finding.SUPPORTED
    return Claim(sentence, source, measured, finding, None if mean is None else mean.mean, interval, form)
