"""What an evaluation answers in the first minute: its figures are those of the facts."""

import pytest
import torch
from torch import Tensor

from cnnlab.evaluation.contribution import summary_lines
from cnnlab.evaluation.report import evaluation_report
from cnnlab.stats.classification import Classification, classify
from cnnlab.view.blocks import Figure, Section, SummaryLine, Table, sections
from cnnlab.view.contribution import Question
from cnnlab.view.drawings import Bars

NAMES = ("cat", "dog", "frog")


def facts(answers: list[int], labels: list[int], sureness: float = 5.0) -> Classification:
    logits: Tensor = sureness * torch.nn.functional.one_hot(torch.tensor(answers), 3)
    return classify(logits.double(), torch.tensor(labels), classes=NAMES)


def lines(found: Classification, split: str = "validation") -> dict[str, SummaryLine]:
    return {line.question: line for line in summary_lines(found, split=split, section="evaluation")}


def test_each_line_leads_to_a_section_of_the_evaluation() -> None:
    found = facts([0, 1, 1, 2], [0, 0, 1, 2])
    inside = evaluation_report(found, name="r", split="validation").blocks
    keys = {section.key for section in sections(Section("Evaluation", inside, "evaluation"))} | {"evaluation"}
    assert {line.section for line in lines(found).values()} <= keys


def test_of_many_classes_those_that_no_image_has_and_no_answer_names_are_counted() -> None:
    names = tuple(f"class {number:02}" for number in range(60))
    logits = torch.nn.functional.one_hot(torch.tensor([7, 7, 59]), 60).double()
    found = classify(logits, torch.tensor([7, 8, 8]), classes=names)
    (section,) = (one for one in sections(evaluation_report(found, name="r", split="test")) if one.title == "Classes")
    figure, table = section.blocks
    assert isinstance(figure, Figure)
    assert isinstance(figure.drawing, Bars)
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == ["class 07", "class 08", "class 59"]
    assert figure.drawing.labels == ("class 07", "class 08", "class 59")
    for text in (figure.caption, table.note):
        assert text.endswith("Left out: 57 classes that no image has and no answer names.")


def test_a_class_without_images_stands_behind_the_others() -> None:
    (section,) = (
        one
        for one in sections(evaluation_report(facts([1, 1, 2], [1, 2, 2]), name="r", split="test"))
        if one.title == "Classes"
    )
    figure, _ = section.blocks
    assert isinstance(figure, Figure)
    assert isinstance(figure.drawing, Bars)
    assert figure.drawing.labels == ("dog", "frog", "cat")


def test_how_good_it_is_beside_chance_and_what_it_has_learned_from() -> None:
    found = facts([0, 1, 1, 2], [0, 0, 0, 2])
    good = lines(found)[Question.GOOD]
    assert good.figure == "50.00\N{NO-BREAK SPACE}%"
    assert "of 4 validation images" in good.text
    assert "would reach 75.0\N{NO-BREAK SPACE}%" in good.text
    assert (good.tone, lines(found, "train")[Question.GOOD].tone) == ("plain", "caution")
    assert "which it has learned from" in lines(found, "train")[Question.GOOD].text


@pytest.mark.parametrize(("sureness", "tone"), [(20.0, "caution"), (1.8, "good")])
def test_how_sure_it_is(sureness: float, tone: str) -> None:
    """Of 200 images 150 are called rightly: a confidence of 1 is too sure, one of 0.75 is not."""
    found = facts([0] * 200, [0] * 150 + [1] * 50, sureness)
    sure = lines(found)[Question.SURE]
    assert sure.tone == tone
    assert f"{100 * found.calibration.mean_confidence:.1f}" in sure.text
    assert sure.figure.startswith(f"{100 * found.calibration.ece:.2f}")


def test_what_it_confuses() -> None:
    confused = lines(facts([1, 1, 0, 2, 0], [0, 0, 1, 1, 2]))[Question.CONFUSED]
    assert (confused.figure, confused.text) == ("3", "of 5 mistakes are between cat and dog; no other two have more.")
    nothing = lines(facts([0, 1, 2], [0, 1, 2]))[Question.CONFUSED]
    assert (nothing.figure, nothing.text) == ("None", "of 3 images is confused.")
