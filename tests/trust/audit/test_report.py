"""The sentences for which an audit fails: those of all images, or, where these hold, of the groups that do not."""

from dataclasses import replace

import numpy as np

from cnnlab.trust.audit.evidence import ImageEvidence, evidence_by_group, judge_limits, summarize_evidence
from cnnlab.trust.audit.facts import MOST_REASONS, AuditedImage, EvidenceFacts, MeanEvidence, Suspect
from cnnlab.trust.audit.report import evidence_report
from cnnlab.view.blocks import Text

SIZE = (16, 16)


def facts(borders: dict[str, float], *, max_border: float) -> EvidenceFacts:
    """Eight images in each group, each with the group's share in the frame."""
    groups = [group for group in borders for _ in range(8)]
    located = [
        ImageEvidence(
            index=index, evident=True, inside=None, area=None, border=borders[group], corner=0.1, peak=(0, 0), top=0.3,
            gini=0.5, suspicion=0.2,
        )
        for index, group in enumerate(groups)
    ]  # fmt: skip
    images = tuple(
        AuditedImage(one.index, f"train/{one.index}", group, "cat", "dog", 0.9, one)
        for one, group in zip(located, groups, strict=True)
    )
    density = np.ones(SIZE)
    return EvidenceFacts(
        run="tiny",
        split="train",
        method="gradient_x_input",
        options={},
        layers=(),
        reason="asked for",
        seed=0,
        trained=True,
        accuracy=0.5,
        images=images,
        summary=summarize_evidence(located, seed=0),
        even={"inside": None, "border": 0.4375, "corner": 0.25},
        by="group",
        groups=evidence_by_group(located, groups, seed=0),
        limits=judge_limits(located, size=SIZE, max_border=max_border, groups=groups, seed=0),
        means=(MeanEvidence("all", len(groups), density),),
        suspects=(Suspect(images[0], np.zeros((*SIZE, 3), np.uint8), density, None),),
        notes=(),
    )


def labelled(found: EvidenceFacts, label: str) -> list[str]:
    return [block.text for block in evidence_report(found).blocks if isinstance(block, Text) and block.label == label]


def test_what_all_images_break_is_said_once() -> None:
    found = facts({"a": 0.9, "b": 0.8}, max_border=0.3)
    assert len(found.broken) == 3
    (sentence,) = found.reasons
    assert sentence.startswith("85.0 % ")
    assert labelled(found, "broken") == [sentence]
    assert labelled(found, "verdict")[0].startswith("Limits are broken (in 2 of 2 groups): ")


def test_where_all_together_hold_the_groups_are_named() -> None:
    found = facts({"good": 0.0, "bad": 0.5}, max_border=0.3)
    (sentence,) = found.reasons
    assert sentence.startswith("bad: 50.0 % ")
    assert len(labelled(found, "held")) == 1


def test_many_groups_are_counted() -> None:
    found = facts({"good": 0.0} | {f"bad{number}": 0.4 for number in range(12)}, max_border=0.38)
    assert len(found.broken) == 12
    assert len(found.reasons) == MOST_REASONS + 1
    assert found.reasons[-1] == "and 4 more limits in other groups"


def test_nothing_broken_is_no_reason() -> None:
    found = facts({"a": 0.1}, max_border=0.3)
    assert found.reasons == ()
    assert labelled(found, "verdict") == ["Every limit holds: the evidence lies where it may."]
    assert not replace(found, limits=()).broken
