"""What an evaluation answers in the summary of a page: how good the network is, how sure, and what it confuses."""

from cnnlab.evaluation.calibration_report import beyond_noise, sureness
from cnnlab.evaluation.report import CALIBRATION, CONFUSION
from cnnlab.stats.classification import Classification
from cnnlab.view.blocks import SummaryLine, Tone, shown
from cnnlab.view.contribution import Question


def summary_lines(facts: Classification, *, split: str, section: str) -> tuple[SummaryLine, ...]:
    """The three answers.

    Arguments:
        facts: what was measured.
        split: the part that was evaluated; of `train`, the first line says that the network has learned from it.
        section: the key of the section that holds the evaluation's blocks.
    """
    return _good(facts, split, section), _sure(facts), _confused(facts)


def _good(facts: Classification, split: str, section: str) -> SummaryLine:
    low, high = (shown(end, ".1%") for end in (facts.interval.low, facts.interval.high))
    most = shown(float(facts.matrix.sum(1).max()) / facts.n, ".1%")
    learned = split == "train"
    text = (
        f"of {facts.n:,} {split} images{', which it has learned from,' if learned else ''} are classified correctly "
        f"(95 % interval {low} to {high}); naming the most frequent class each time would reach {most}."
    )
    tone: Tone = "caution" if learned else "plain"
    return SummaryLine(Question.GOOD, text, shown(facts.accuracy, ".2%"), section, tone=tone)


def _sure(facts: Classification) -> SummaryLine:
    found = facts.calibration
    sure, right = shown(found.mean_confidence, ".1%"), shown(found.accuracy, ".1%")
    text = f"calibration error: its confidence is {sure} on average, {right} are correct, so it is {sureness(found)}."
    tone: Tone = "caution" if beyond_noise(found) else "good"
    return SummaryLine(Question.SURE, text, shown(found.ece, ".2%"), CALIBRATION, tone=tone)


def _confused(facts: Classification) -> SummaryLine:
    if not facts.pairs:
        return SummaryLine(Question.CONFUSED, f"of {facts.n:,} images is confused.", "None", CONFUSION, tone="good")
    first = facts.pairs[0]
    one, other = facts.classes[first.first], facts.classes[first.second]
    mistakes = sum(pair.n for pair in facts.pairs)
    are = "is" if first.n == 1 else "are"
    text = f"of {mistakes:,} mistake{'s' * (mistakes > 1)} {are} between {one} and {other}; no other two have more."
    return SummaryLine(Question.CONFUSED, text, f"{first.n:,}", CONFUSION)
