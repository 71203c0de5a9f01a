"""Whether the network's confidence can be believed, arranged."""

from cnnlab.stats.calibration import Calibration
from cnnlab.stats.classification import Classification
from cnnlab.stats.confidence import wilson_interval
from cnnlab.view.blocks import Block, Figure, Text, Tone, shown
from cnnlab.view.drawings import Reliability


def calibration_blocks(facts: Classification) -> tuple[Block, ...]:
    """The reliability diagram, and what a temperature would change."""
    blocks: list[Block] = [
        reliability_figure(
            "reliability",
            "Reliability",
            facts.calibration,
            "On the dashed line, of the images it is 80 % sure of 80 % are right; bars below it mean too sure.",
        )
    ]
    if facts.temperature is None or facts.scaled is None:
        return tuple(blocks)
    t, before, after = facts.temperature, facts.calibration, facts.scaled
    advice = (
        f"Dividing the logits by {t.value:.3f} takes the calibration error "
        f"from {shown(before.ece, '.2%')} to {shown(after.ece, '.2%')}."
    )
    fitted = f" This temperature was fitted on {t.n:,} images: {t.fitted_on}."
    bound = " It lies at the end of the range searched: those images have no best temperature." if t.at_bound else ""
    tone: Tone = "caution" if t.at_bound else "good" if after.ece < before.ece else "plain"
    blocks.append(Text(advice + fitted + bound, tone, "temperature"))
    if after.ece < before.ece:
        caption = f"The same images with logits divided by {t.value:.3f}."
        blocks.append(reliability_figure("reliability_scaled", "Reliability at the fitted temperature", after, caption))
    return tuple(blocks)


def reliability_figure(name: str, title: str, calibration: Calibration, caption: str) -> Figure:
    """The reliability diagram of a calibration."""
    bins = calibration.bins
    drawing = Reliability(
        edges=(*(b.low for b in bins), bins[-1].high),
        confidence=tuple(b.confidence for b in bins),
        accuracy=tuple(b.accuracy for b in bins),
        counts=tuple(b.n for b in bins),
        error=calibration.ece,
    )
    return Figure(name, title, drawing, caption)


def sureness(calibration: Calibration) -> str:
    """Whether the network is too sure, in a few words; only where the accuracy's interval leaves its confidence out."""
    difference = calibration.mean_confidence - calibration.accuracy
    if abs(difference) < 0.005:
        return "about as sure as it should be"
    if not beyond_noise(calibration):
        n = sum(one.n for one in calibration.bins)
        return f"as sure as it should be, as far as {n:,} image{'s' * (n > 1)} can tell"
    return f"too {'sure' if difference > 0 else 'unsure'} by {100 * abs(difference):.1f} points"


def beyond_noise(calibration: Calibration) -> bool:
    """Whether the mean confidence differs from the accuracy, and lies outside of its interval."""
    n = sum(one.n for one in calibration.bins)
    interval = wilson_interval(round(calibration.accuracy * n), n)
    differs = abs(calibration.mean_confidence - calibration.accuracy) >= 0.005
    return differs and not interval.low <= calibration.mean_confidence <= interval.high
