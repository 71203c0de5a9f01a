import pytest
import torch

from cnnlab.attribution.measures.comparison import FEWEST
from cnnlab.trust.sanity.similarity import MapSimilarity, SanityVerdict, summarize_similarity


def around(signed: float, absolute: float, *, n: int = 20, noise: float = 0.02, flat: int = 0) -> MapSimilarity:
    wobble = noise * torch.randn(n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    which = torch.zeros(n, 2, dtype=torch.bool)
    which[:flat, 0] = True
    return MapSimilarity(signed + wobble, absolute + wobble, torch.full((n,), 0.125, dtype=torch.float64), which)


@pytest.mark.parametrize(
    ("signed", "absolute", "outcome"),
    [
        (0.02, 0.05, "passes"),
        (-0.1, 0.2, "passes"),
        (0.02, 0.6, "passes in sign only"),
        (0.45, 0.45, "fails"),
        (-0.9, 0.9, "fails"),
        (0.25, 0.1, "undecided"),
        (0.1, 0.25, "undecided"),
    ],
)
def test_outcomes(signed: float, absolute: float, outcome: str) -> None:
    summary = summarize_similarity(around(signed, absolute), seed=0)
    assert SanityVerdict("x", summary, "all").outcome == outcome


def test_few_images_and_flat_maps() -> None:
    assert SanityVerdict("x", summarize_similarity(around(0.9, 0.9, n=5), seed=0), "all").outcome == "undecided"
    nothing = summarize_similarity(around(0.0, 0.0, n=7, flat=7), seed=0)
    assert (nothing.signed, nothing.flat) == (None, 7)
    assert SanityVerdict("x", nothing, "all").sentence == (
        "x: no maps: each has one value everywhere, and there is nothing to compare"
    )
    some = summarize_similarity(around(0.0, 0.0, n=20, flat=7), seed=0)
    assert some.signed is not None
    assert (some.signed.n, some.flat) == (13, 7)


def test_a_map_that_vanishes_with_the_weights_is_without_similarity() -> None:
    made = around(0.0, 0.0)
    made.flat[:3, 1] = True
    summary = summarize_similarity(made, seed=0)
    assert summary.signed is not None
    assert (summary.signed.n, summary.flat, summary.vanished) == (20, 0, 3)


def test_maps_that_nearly_all_vanish_tell_nothing_of_the_method() -> None:
    made = around(0.0, 0.0)
    gone = 20 - FEWEST + 1
    made.flat[:gone, 1] = True
    verdict = SanityVerdict("x", summarize_similarity(made, seed=0), "all")
    assert verdict.outcome == "undecided"
    assert f"undecided: {gone} maps are blank in the other network, as any method's would be" in verdict.sentence
    made.flat[0, 1] = False
    assert SanityVerdict("x", summarize_similarity(made, seed=0), "all").outcome == "passes"


def test_the_sentence() -> None:
    summary = summarize_similarity(around(0.5, 0.5, noise=0.0), seed=0)
    assert SanityVerdict("guided", summary, "all 4 layers randomised").sentence == (
        "guided: fails: the maps depend little on what the network has learned; with all 4 layers randomised: rank "
        "correlation 0.50 [0.50, 0.50], of absolute values 0.50 [0.50, 0.50], SSIM 0.12 [0.12, 0.12] "
        "(small is within ±0.25)"
    )
