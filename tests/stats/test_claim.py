"""What a measurement says of a claim."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.stats.claim import Claim, Finding, claim_above, claim_below, claim_equal
from cnnlab.stats.confidence import Interval, MeanInterval, mean_interval
from cnnlab.view.blocks import Text
from cnnlab.view.claims import claim_value, claims_section

LIMITS = st.floats(-10, 10)


@given(low=LIMITS, width=st.floats(0, 5), than=LIMITS)
@settings(max_examples=50)
def test_the_whole_interval_decides(low: float, width: float, than: float) -> None:
    mean = MeanInterval(low + width / 2, 1.0, Interval(low, low + width), 5)
    above = claim_above("it helps", "19.5", "gain", mean, than=than).finding
    below = claim_below("it harms", "19.5", "gain", mean, than=than).finding
    holds = [low > than, low + width < than]
    findings = [Finding.SUPPORTED, Finding.CONTRADICTED]
    assert above == (findings[holds.index(True)] if any(holds) else Finding.OPEN)
    swapped = {Finding.SUPPORTED: Finding.CONTRADICTED, Finding.CONTRADICTED: Finding.SUPPORTED}
    assert below == swapped.get(above, Finding.OPEN)


@pytest.mark.parametrize("mean", [None, mean_interval([0.3])])
def test_one_repeat_or_none_leaves_it_open(mean: MeanInterval | None) -> None:
    assert claim_above("it helps", "19.5", "gain", mean).finding is Finding.OPEN


@pytest.mark.parametrize(
    ("value", "finding"),
    [(1.05, Finding.SUPPORTED), (1.2, Finding.CONTRADICTED), (math.nan, Finding.CONTRADICTED), (None, Finding.OPEN)],
)
def test_a_number_without_chance(value: float | None, finding: Finding) -> None:
    assert claim_equal("it is one", "19.1", "value", value, to=1.0, tolerance=0.1).finding is finding


def test_a_paragraph_says_value_interval_and_finding() -> None:
    claim = claim_above("it helps", "19.5", "gain in accuracy", mean_interval([0.05, 0.06, 0.04]), form=".1%")
    assert claim_value(claim) == "5.0\N{NO-BREAK SPACE}% [2.5, 7.5]"
    (text,) = claims_section([claim]).blocks
    assert isinstance(text, Text)
    assert (text.label, text.tone) == ("supported", "good")
    assert text.text == "it helps (19.5). Gain in accuracy: 5.0\N{NO-BREAK SPACE}% [2.5, 7.5]."
    assert Claim.from_json(claim.as_json()) == claim
    assert claim.as_json()["ci95"] == pytest.approx([0.0252, 0.0748], abs=1e-4)
