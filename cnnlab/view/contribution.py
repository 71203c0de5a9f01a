"""What a subject hands to a page that is made of several: its blocks, with its lines for the summary above them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.view.blocks import Block, Report, Section, SummaryLine, Text, Tone

T = TypeVar("T")


class Question(StrEnum):
    """What a reader wants to know of a trained network in the first minute, in the order of the summary."""

    GOOD = "How good is it?"
    SURE = "How sure is it?"
    CONFUSED = "What does it confuse?"
    OVERFITTED = "Does it over-fit?"
    LOOKS = "What does it look at?"
    TRUSTED = "Can that be trusted?"


@dataclass(frozen=True)
class Contribution:
    """The blocks of one subject, and the questions that they answer, each line leading to one of their sections."""

    blocks: tuple[Block, ...]
    lines: tuple[SummaryLine, ...] = ()


def unpraised(contribution: Contribution) -> Contribution:
    """The same in the same words, but nothing of it told as good: of a network that has learned nothing."""
    lines = tuple(replace(line, tone=_PLAINLY.get(line.tone, line.tone)) for line in contribution.lines)
    return Contribution(plainly(contribution.blocks), lines)


def plainly(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """The same blocks, nothing of them told as good."""
    return tuple(map(_unpraised, blocks))


_PLAINLY: Mapping[Tone, Tone] = {"good": "plain"}


def _unpraised(block: Block) -> Block:
    if isinstance(block, Section):
        return replace(block, blocks=plainly(block.blocks))
    return replace(block, tone=_PLAINLY.get(block.tone, block.tone)) if isinstance(block, Text) else block


def composed(title: str, contributions: Sequence[Contribution], *, lead: str, command: str) -> Report:
    """A report of what several subjects say, in their order, under a summary with a line for every `Question`.

    Arguments:
        title, lead: of the report.
        contributions: of the subjects; none answers what another has answered.
        command: what makes the page that answers the rest, such as `cnnlab report quickstart`.

    Returns: the report; a question that nobody answers has a line with the command.
    """
    lines = {line.question: line for contribution in contributions for line in contribution.lines}
    summary = tuple(
        lines.get(question, SummaryLine(question, "Not measured on this page; it comes with", command=command))
        for question in Question
    )
    blocks = tuple(block for contribution in contributions for block in contribution.blocks)
    return Report(title, blocks, lead, summary)


def section_of(
    title: str,
    key: str,
    steps: Iterator[Advance | T],
    arrange: Callable[[T], Report],
    *,
    answers: Question | None = None,
    line: Callable[[T, str], SummaryLine] | None = None,
) -> Iterator[Advance | Contribution]:
    """A command's own report as one section of a page.

    Arguments:
        title, key: of the section.
        steps: how far the work is, at last its facts.
        arrange: the report on the facts; its title and lead become the section's first sentence.
        answers: the question that is answered, if any …
        line: … and the answer, from the facts and the key.

    Yields: how far the work is; at last the section, which says why there is nothing to show where the request for the
        facts is refused.
    """
    blocks: tuple[Block, ...] = ()
    lines: tuple[SummaryLine, ...] = ()
    try:
        for step in steps:
            if isinstance(step, Advance):
                yield step
            else:
                report = arrange(step)
                blocks = (Text(f"{report.title}. {report.lead}"), *report.blocks)
                lines = () if line is None else (line(step, key),)
    except RequestError as error:
        blocks = (Text(f"Nothing to show: {error}.", "note"),)
        lines = (
            () if answers is None else (SummaryLine(answers, f"was measured: {error}.", "Nothing", key, tone="note"),)
        )
    yield Contribution((Section(title, blocks, key),), lines)
