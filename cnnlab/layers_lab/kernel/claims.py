"""What is claimed of correlation, of padding and of ways to compute them, put to this kernel and image."""

from cnnlab.layers_lab.kernel.borders import Borders
from cnnlab.layers_lab.kernel.direction import Directions
from cnnlab.layers_lab.kernel.timing import Timing
from cnnlab.stats.claim import Claim, Finding, claim_above, claim_equal
from cnnlab.stats.confidence import mean_interval

ROUNDING = 1e-5
"""Share of the largest output that single precision may be wrong by, over the terms of a large kernel."""
SYMMETRIC = 1e-9
"""Share of the energy below which a kernel counts as even, or odd: weights in single precision."""
THOUSANDS = 1000
ENOUGH = 2**16
"""Multiplications from which on torch's time is that of the work, and not of the call."""


def claims_of(directions: Directions, borders: Borders, crop: Timing, whole: Timing) -> tuple[Claim, ...]:
    """The claims that this kernel and image can speak to.

    Arguments:
        directions: correlation and convolution.
        borders: the same kernel at every border.
        crop, whole: the ways to compute it, with and without nested loops.

    Returns:
        Four claims, of sections 19.1 and 19.2.
    """
    largest = max(float(way.output.abs().max()) for way in borders.ways)
    inside = borders.spread_inside / largest if largest > 0 else None
    loops, torch = (next(way for way in crop.ways if way.way == name) for name in ("loops", "torch"))
    slower = mean_interval([run / torch.seconds for run in loops.runs]) if crop.multiplications >= ENOUGH else None
    return (
        _turned(directions),
        claim_equal("Padding spoils the outputs whose windows leave the image, and no other", "19.2",
                    "largest difference between four borders elsewhere, over the largest output", inside,
                    tolerance=ROUNDING),
        claim_equal("Nested loops, im2col, FFT and torch compute the same", "19.2",
                    "largest difference over the largest output", max(crop.worst, whole.worst), tolerance=ROUNDING),
        claim_above("The naive convolution is thousands of times slower", "19.2",
                    "time of nested loops in Python over torch's, on a crop", slower, than=THOUSANDS, form=",.0f"),
    )  # fmt: skip


def _turned(found: Directions) -> Claim:
    """What turning this kernel by 180° should do, by its symmetry."""
    scale = found.largest or None
    if found.odd_share >= 1 - SYMMETRIC:
        rest = None if scale is None else found.sum / scale
        measured = "largest |correlation + convolution| over the largest output"
        sentence = "Of an antisymmetric kernel true convolution reverses every sign: edges point the other way"
        return claim_equal(sentence, "19.1", measured, rest, tolerance=ROUNDING)
    difference = None if scale is None else found.difference / scale
    measured = "largest |correlation − convolution| over the largest output"
    if found.odd_share <= SYMMETRIC:
        sentence = "Of a symmetric kernel true convolution and correlation are the same"
        return claim_equal(sentence, "19.1", measured, difference, tolerance=ROUNDING)
    finding = Finding.OPEN
    if difference is not None:
        finding = Finding.SUPPORTED if difference > ROUNDING else Finding.CONTRADICTED
    return Claim(
        "What frameworks compute is correlation, and no true convolution", "19.1", measured, finding, difference
    )
