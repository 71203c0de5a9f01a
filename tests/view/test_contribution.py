"""A page of several subjects: every question has a line, and what a subject cannot show is said in its place."""

from collections.abc import Iterator

import pytest

from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.view.blocks import Report, Section, SummaryLine, Text
from cnnlab.view.contribution import Contribution, Question, composed, section_of, unpraised


def one(question: Question, key: str) -> Contribution:
    return Contribution((Section(key, (), key),), (SummaryLine(question, "of it.", "1 %", key),))


def test_a_question_is_answered_or_has_the_command_that_answers_it() -> None:
    said = (one(Question.TRUSTED, "late"), one(Question.GOOD, "early"))
    report = composed("Title", said, lead="Lead.", command="cnnlab report run")
    assert [line.question for line in report.summary] == list(Question)
    assert {line.question: line.section for line in report.summary if line.section} == {
        Question.GOOD: "early",
        Question.TRUSTED: "late",
    }
    assert {line.command for line in report.summary if not line.section} == {"cnnlab report run"}
    assert [section.title for section in report.blocks if isinstance(section, Section)] == ["late", "early"]


def steps(refused: str = "") -> Iterator[Advance | int]:
    yield Advance("counting", 1, 2)
    if refused:
        raise RequestError(refused)
    yield 3


def arranged(facts: int) -> Report:
    return Report(f"{facts} things", (Text("inside"),), "The lead.")


def line(facts: int, key: str) -> SummaryLine:
    return SummaryLine(Question.LOOKS, "things.", str(facts), key)


def test_of_what_has_learned_nothing_nothing_is_told_as_good() -> None:
    texts = (Text("a", "good"), Text("b", "bad"), Section("s", (Text("c", "good"),)))
    said = unpraised(Contribution(texts, (SummaryLine("q", "t", tone="good"), SummaryLine("r", "t", tone="caution"))))
    assert said.blocks == (Text("a"), Text("b", "bad"), Section("s", (Text("c"),)))
    assert [line.tone for line in said.lines] == ["plain", "caution"]


def test_a_report_becomes_a_section_with_its_line() -> None:
    first, made = section_of("Things", "things", steps(), arranged, answers=Question.LOOKS, line=line)
    assert isinstance(first, Advance)
    inside = (Text("3 things. The lead."), Text("inside"))
    assert made == Contribution((Section("Things", inside, "things"),), (line(3, "things"),))


@pytest.mark.parametrize("answers", [None, Question.LOOKS])
def test_a_refusal_is_the_section_and_the_answer(answers: Question | None) -> None:
    *_, made = section_of("Things", "things", steps("no layer has maps"), arranged, answers=answers, line=line)
    assert isinstance(made, Contribution)
    assert made.blocks == (Section("Things", (Text("Nothing to show: no layer has maps.", "note"),), "things"),)
    assert [f"{one.figure} {one.text}" for one in made.lines] == (
        ["Nothing was measured: no layer has maps."] if answers else []
    )
