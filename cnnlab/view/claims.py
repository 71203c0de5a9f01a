"""Claims in a report: what is said, whether this measurement supports it, and what was measured."""

from collections.abc import Sequence

from cnnlab.stats.claim import Claim, Finding
from cnnlab.view.blocks import Section, Text, Tone, shown

TONES: dict[Finding, Tone] = {Finding.SUPPORTED: "good", Finding.CONTRADICTED: "caution", Finding.OPEN: "plain"}


def claims_section(claims: Sequence[Claim], *, title: str = "Claims, and what this says of them") -> Section:
    """A paragraph for each claim, in their order; the page finds the section by the key `claims`.

    Arguments:
        claims: at least one.
        title: of the section.

    Returns: the section; a paragraph's label is the finding.
    """
    return Section(title, tuple(claim_text(one) for one in claims), "claims")


def claim_text(claim: Claim) -> Text:
    """The claim with its finding, such as `supported: Augmentation helps (19.5). Gain: 5.0 % [2.5, 7.5].`"""
    measured = claim.measured[:1].upper() + claim.measured[1:]
    words = f"{claim.sentence} ({claim.source}). {measured}: {claim_value(claim)}."
    return Text(words, TONES[claim.finding], claim.finding.value)


def claim_value(claim: Claim) -> str:
    """The value with its 95 % interval, such as `5.0 % [2.5, 7.5]`; `–` where nothing could be measured."""
    text = shown(claim.value, claim.form)
    if claim.interval is None:
        return text
    ends = (shown(end, claim.form) for end in (claim.interval.low, claim.interval.high))
    low, high = (end.removesuffix("\N{NO-BREAK SPACE}%") for end in ends)
    return f"{text} [{low}, {high}]"
