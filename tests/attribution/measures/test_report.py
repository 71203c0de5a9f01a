"""Measures of maps, arranged: the verdict first, controls in every table, intervals in words."""

from dataclasses import replace

import pytest
import torch
from networks import small

from cnnlab.attribution.measures.comparison import OUTCOMES, Comparison, compare_maps
from cnnlab.attribution.measures.report import (
    evidence_line,
    faithfulness_document,
    faithfulness_section,
    image_metrics,
    label,
)
from cnnlab.view import json as as_json
from cnnlab.view import png
from cnnlab.view.blocks import Report, Text, figures, tables

N = 7


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(N, 3, 12, 12, generator=generator)
    maps = {"gradcam": torch.rand(N, 3, 3, generator=generator), "gradient": torch.zeros(N, 12, 12)}
    masks = torch.zeros(N, 12, 12, dtype=torch.bool)
    masks[:, 3:7, 3:7] = True
    facts = list(compare_maps(small(), images, torch.arange(N) % 4, maps, seed=0, masks=masks, steps=4))
    assert isinstance(facts[-1], Comparison)
    return facts[-1]


def test_the_verdict_comes_first_and_controls_are_in_every_table(comparison: Comparison) -> None:
    section = faithfulness_section(comparison)
    assert section.title == "How far to trust the maps (7 images)"
    sentences = [block for block in section.blocks if isinstance(block, Text)]
    assert list(section.blocks[: len(sentences)]) == sentences
    for verdict in comparison.verdicts:
        (said,) = [one for one in sentences if one.label == verdict.outcome]
        (part,) = [part for part in said.text.split("; ") if part.startswith(f"{verdict.level} removed: ")]
        assert label(verdict.name) in part.split(": ")[1].split(", ")
    reached = {verdict.outcome for verdict in comparison.verdicts}
    assert [one.label for one in sentences] == [outcome for outcome in OUTCOMES if outcome in reached]
    found = {table.name: table for table in tables(section)}
    judged = found.pop("against_controls")
    assert [row[0] for row in judged.rows] == ["Grad-CAM", "Grad-CAM", "gradient", "gradient"]
    assert [row[-1] for row in judged.rows] == [verdict.outcome for verdict in comparison.verdicts]
    assert set(found) == {"pixels_removed", "blocks_removed", "shown_alone", "evidence"}
    expected = ["Grad-CAM", "gradient", "control: random", "control: centre", "control: edges"]
    for table in found.values():
        assert [row[0] for row in table.rows][:5] == expected
    assert found["evidence"].rows[-1][:2] == ("a uniform map", pytest.approx(16 / 144))
    assert "gradient: 7 maps have no positive evidence" in found["evidence"].note
    assert found["evidence"].rows[1][1] is None
    assert [figure.name for figure in figures(section)] == ["deletion", "insertion"]
    for figure in figures(section):
        png.encode(figure)


def test_where_the_evidence_lies_in_one_line(comparison: Comparison) -> None:
    place = comparison.methods[0].place
    assert place.inside is not None
    assert place.border is not None
    known = evidence_line(comparison, "key")
    assert known.figure == f"{100 * place.inside.mean:.0f}\N{NO-BREAK SPACE}%"
    assert "Grad-CAM lies in the object, which covers 11\N{NO-BREAK SPACE}% of the image" in known.text
    assert known.tone == ("plain" if place.inside.mean > 16 / 144 else "caution")
    without = replace(comparison, object_area=None)
    assert evidence_line(without, "key").figure == f"{100 * place.border.mean:.0f}\N{NO-BREAK SPACE}%"
    assert "on the border" in evidence_line(without, "key").text
    nothing = evidence_line(replace(comparison, methods=comparison.methods[1:]), "key")
    assert (nothing.figure, nothing.tone) == ("None", "bad")


def test_several_targets_have_files_of_their_own(comparison: Comparison) -> None:
    sections = [faithfulness_section(comparison, target=f"class {i}", suffix=f"_{i}") for i in (1, 2)]
    Report("both", tuple(sections))
    assert "for class 2" in sections[1].title


def test_one_image_beside_its_controls(comparison: Comparison) -> None:
    found = image_metrics(comparison, "gradcam", 2)
    scores = comparison.methods[0].images
    assert found["gain"] == pytest.approx(found["insertion"] - found["deletion"])
    assert found["deletion"] == float(scores.pixels.deletion_area[2])
    assert found["road"] == pytest.approx((found["road_lerf"] - found["road_morf"]) / 2)
    assert set(found["controls"]) == {"random", "centre", "edges"}
    assert set(found["controls"]["random"]) == set(found) - {"controls"}
    nothing = image_metrics(comparison, "gradient", 0)
    assert nothing["inside"] is None, "a map without evidence has none anywhere"
    assert nothing["pointing"] == 0


def test_the_document_is_plain(comparison: Comparison) -> None:
    found = as_json.plain(faithfulness_document(comparison))
    assert set(found["methods"]) == {"gradcam", "gradient"}
    gain = found["methods"]["gradcam"]["pixels"]["gain"]
    assert gain["n"] == N
    assert gain["interval"]["low"] <= gain["mean"] <= gain["interval"]["high"]
    assert len(found["verdicts"]) == 4
    assert found["areas"]["object"] == pytest.approx(16 / 144)
