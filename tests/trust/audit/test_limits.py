"""Limits on means: exact at the limit, the same as counted by hand, and groups that break them only beyond doubt."""

from dataclasses import replace
from statistics import fmean

import pytest
import torch

from cnnlab.core.errors import RequestError, WorkError
from cnnlab.trust.audit.evidence import ImageEvidence, judge_limits, locate

SIZE = (16, 16)
FRAME = 1 - 0.75**2


def evidence(border: float, inside: float | None = None, area: float = 0.2, *, index: int = 0) -> ImageEvidence:
    return ImageEvidence(
        index=index, evident=True, inside=inside, area=None if inside is None else area, border=border, corner=0.0,
        peak=(0, 0), top=0.1, gini=0.0, suspicion=0.0,
    )  # fmt: skip


def numbered(*borders: float) -> list[ImageEvidence]:
    return [evidence(border, index=index) for index, border in enumerate(borders)]


def test_without_limits_evidence_may_lie_as_if_spread_evenly() -> None:
    maps = torch.ones(4, *SIZE)
    masks = torch.zeros(4, *SIZE, dtype=torch.bool)
    masks[:, 4:10, 4:10] = True
    even = judge_limits(locate(maps, size=SIZE, masks=masks), size=SIZE, seed=0)
    assert [(one.limit, one.even) for one in even] == [("max_border", True), ("min_inside", True)]
    assert even[0].allowed == pytest.approx(FRAME)
    assert even[1].allowed == pytest.approx(36 / 256)
    # a breath more in the corner breaks the first limit, a breath less on the object the second
    maps[:, 0, 0] += 0.5
    worse = judge_limits(locate(maps, size=SIZE, masks=masks), size=SIZE, seed=0)
    assert all(one.broken and one.beyond == 4 for one in worse)
    maps[:, 0, 0] -= 0.5
    maps[:, 5, 5] += 0.5
    assert not any(one.broken for one in judge_limits(locate(maps, size=SIZE, masks=masks), size=SIZE, seed=0))


def test_the_mean_decides_and_not_single_images() -> None:
    images = numbered(0.0, 0.1, 0.2, 0.9)
    (held,) = judge_limits(images, size=SIZE, max_border=0.31, seed=0)
    (broken,) = judge_limits(images, size=SIZE, max_border=0.29, seed=0)
    assert (held.broken, broken.broken) == (False, True)
    assert (held.beyond, held.share.n, held.even) == (1, 4, False)
    assert held.share.mean == pytest.approx(fmean((0.0, 0.1, 0.2, 0.9)))
    assert held.close
    assert broken.close


def test_a_limit_that_is_met_exactly_holds() -> None:
    (judged,) = judge_limits(numbered(0.25, 0.25), size=SIZE, max_border=0.25, seed=0)
    assert not judged.broken
    inside = [evidence(0.0, 0.5), evidence(0.0, 0.5, index=1)]
    assert not any(one.broken for one in judge_limits(inside, size=SIZE, min_inside=0.5, seed=0))


def test_a_group_breaks_a_limit_beyond_doubt_only() -> None:
    """By the whole interval, and not with a handful of images."""
    quiet, loud = [0.1] * 30, [0.8, 0.81] * 5
    images = numbered(*quiet, *loud, 0.9)
    groups = ["quiet"] * 30 + ["loud"] * 10 + ["single"]
    judged = {one.group: one for one in judge_limits(images, size=SIZE, max_border=0.4, groups=groups, seed=0)}
    assert not judged[None].broken
    assert judged["loud"].broken
    assert not judged["quiet"].broken
    assert not judged["single"].broken  # one image has no interval
    doubtful = numbered(0.0, 0.0, 0.0, 0.9, 0.9, 0.9, 0.9)
    (_, group) = judge_limits(doubtful, size=SIZE, max_border=0.4, groups=["a"] * 7, seed=0)
    assert group.share.mean > 0.4
    assert not group.broken
    assert group.close


def test_the_limit_on_the_object_is_each_groups_own_area() -> None:
    images = [evidence(0.0, 0.3, 0.1), evidence(0.0, 0.3, 0.5, index=1)]
    judged = judge_limits(images, size=SIZE, groups=["small", "large"], seed=0)
    allowed = {one.group: one.allowed for one in judged if one.limit == "min_inside"}
    assert allowed == {None: pytest.approx(0.3), "small": 0.1, "large": 0.5}


def test_images_without_evidence_are_in_no_mean_and_no_group_of_them_is_judged() -> None:
    nothing = replace(evidence(0.0, index=1), evident=False)
    judged = judge_limits([evidence(0.7), nothing], size=SIZE, max_border=0.5, groups=["a", "b"], seed=0)
    assert [(one.group, one.share.n) for one in judged] == [(None, 1), ("a", 1)]
    assert judged[0].broken
    with pytest.raises(WorkError, match="no positive evidence in any of 1 maps"):
        judge_limits([nothing], size=SIZE, seed=0)


def test_sentences_have_the_share_the_limit_and_the_images() -> None:
    (judged,) = judge_limits(numbered(0.6, 0.6), size=SIZE, max_border=0.3, seed=0)
    assert judged.sentence == (
        "60.0 % [60.0, 60.0] of the evidence lies in the outer frame of the image, an eighth of each side wide; "
        "at most 30.0 % may (2 of 2 images beyond it)"
    )
    (_, inside) = judge_limits([evidence(0.0, 0.1, 0.25)], size=SIZE, seed=0)
    assert inside.sentence == (
        "10.0 % of the evidence lies on the object; at least 25.0 % must, which is its share of the image (1 of 1 "
        "image beyond it)"
    )


def test_images_beyond_a_limit_are_those_with_evidence_and_for_the_object_a_mask() -> None:
    images = [evidence(0.2, 0.9), evidence(0.6, 0.3, index=1), evidence(0.7, index=2), evidence(0.0, 0.0, index=3)]
    images[3] = replace(images[3], evident=False)
    border, inside = judge_limits(images, size=SIZE, max_border=0.5, min_inside=0.5, seed=0)
    assert (border.beyond, border.share.n, inside.beyond, inside.share.n) == (2, 3, 1, 2)
    (at_the_limit, _) = judge_limits(images, size=SIZE, max_border=0.7, seed=0)
    assert at_the_limit.beyond == 0


@pytest.mark.parametrize(("name", "limit"), [("max_border", 1.5), ("min_inside", -0.1)])
def test_limits_that_cannot_be(name: str, limit: float) -> None:
    with pytest.raises(RequestError, match=f"`{name}` is {limit}"):
        judge_limits(numbered(0.1), size=SIZE, seed=0, **{name: limit})


def test_each_image_has_one_group() -> None:
    with pytest.raises(ValueError, match="zip"):
        judge_limits(numbered(0.1, 0.2), size=SIZE, groups=["one"], seed=0)
