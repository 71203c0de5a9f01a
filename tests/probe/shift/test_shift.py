"""Answers that can be told by hand: a lit pixel that is moved over a network that knows columns, or knows none."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import cnnlab
from cnnlab.models.layers.convolution import LocallyConnected2d
from cnnlab.probe.shift.answers import Answers
from cnnlab.probe.shift.windows import moves
from cnnlab.stats.claim import Finding
from cnnlab.stats.confidence import wilson_interval

COLUMNS = np.arange(1, 7)
"""Of the lit pixel in each image."""


@pytest.fixture
def data() -> tuple[Any, list[int]]:
    """A lit pixel in row 4; class 1 from column 4 on."""
    images = np.zeros((len(COLUMNS), 8, 8, 3), np.uint8)
    images[np.arange(len(COLUMNS)), 4, COLUMNS] = 255
    return images, [int(column >= 4) for column in COLUMNS]


def opened(model: nn.Module) -> Any:
    return cnnlab.open(model, size=(3, 8, 8), classes=["left", "right"], mean=(0, 0, 0), std=(1, 1, 1), device="cpu")


def dense() -> nn.Sequential:
    """Class 1 for what is lit from column 4 on; class 0 otherwise, and for nothing."""
    linear = nn.Linear(192, 2, bias=False)
    weight = torch.zeros(2, 3, 8, 8)
    weight[1, :, :, 4:], weight[0, :, :, :4] = 1, 1
    linear.weight = nn.Parameter(weight.flatten(1))
    return nn.Sequential(nn.Flatten(), linear)


def blind() -> nn.Sequential:
    """Says the same of a lit pixel wherever it is."""
    conv = nn.Conv2d(3, 2, 3, padding=1, bias=False)
    conv.weight = nn.Parameter(torch.ones_like(conv.weight) * torch.tensor([1.0, 2.0])[:, None, None, None])
    return nn.Sequential(conv, nn.AdaptiveMaxPool2d(1), nn.Flatten())


@pytest.mark.parametrize("border", ["zero", "circular"])
def test_accuracy_and_flips_of_a_network_that_knows_columns(data: Any, border: str) -> None:
    (found,) = opened(dense()).shift(data, max_shift=3, border=border).networks
    truth = COLUMNS >= 4
    for at in found.shifts:
        place = COLUMNS + at.right
        place = place % 8 if border == "circular" else place
        answers = (place >= 4) & (place < 8)
        assert at.accuracy == pytest.approx((answers == truth).mean()), at
        assert at.flips == pytest.approx((answers != truth).mean()), at
        assert at.flips_interval == wilson_interval(int((answers != truth).sum()), len(COLUMNS))
    assert found.accuracy == 1
    # of a shift by one pixel along the columns one image changes sides, along the rows none does
    assert found.flips[1].mean == pytest.approx(1 / 12)
    assert (found.kind, found.parameters) == ("dense", 384)


def test_where_the_images_lie_it_is_the_accuracy_of_an_evaluation(data: Any) -> None:
    torch.manual_seed(0)
    net = opened(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2)))
    assert net.shift(data, max_shift=1).networks[0].accuracy == net.evaluate(data).facts.accuracy


def test_a_network_that_knows_no_place_never_changes_its_answer(data: Any) -> None:
    (found,) = opened(blind()).shift(data, max_shift=2, border="circular").networks
    assert {at.flips for at in found.shifts} == {0.0}
    n = len(data[1])
    assert found.flips[1].interval == wilson_interval(0, n), "that none of n changed does not say that none can"
    assert found.consistency.interval is not None
    assert found.consistency.interval.low == pytest.approx(wilson_interval(n, n).low)
    assert found.consistency.interval.high == 1
    assert found.consistency.mean == 1
    assert found.always_right == 0.5
    assert found.kind == "convolutional"


def test_networks_side_by_side_and_what_is_claimed_of_them(data: Any) -> None:
    images, labels = (np.concatenate([part] * 8) for part in data)
    asked = opened(dense()).shift((images, labels), beside=[opened(blind())], max_shift=3, border="circular")
    assert [one.label for one in asked.networks] == ["Sequential (1)", "Sequential (2)"]
    (lost,) = [claim for claim in asked.claims if claim.sentence.startswith("A dense network loses more")]
    (steady,) = [claim for claim in asked.claims if claim.sentence.startswith("A shift by one pixel can change")]
    assert lost.finding == Finding.SUPPORTED
    # 3 px along the columns: of columns 1 … 6 those at 1, 2, 3 and 5, 6 change sides to the right, others to the left
    assert lost.value == pytest.approx(0.5 * np.mean([_changed(3), _changed(-3)]))
    assert (steady.finding, steady.value) == (Finding.OPEN, 0)
    assert len(asked.report.blocks) == 7


def _changed(by: int) -> float:
    return float((((COLUMNS + by) % 8 >= 4) != (COLUMNS >= 4)).mean())


def test_a_change_is_made_where_there_is_something_to_change(data: Any) -> None:
    conv = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    asked = opened(conv).shift(data, beside=[opened(dense())], max_shift=1, what_if="pool=blur_pool")
    assert [(one.altered, one.kind) for one in asked.networks] == [
        ("", "convolutional"), ("blur pool", "convolutional"), ("", "dense")
    ]  # fmt: skip
    assert any(claim.sentence.startswith("A blur before subsampling") for claim in asked.claims)
    with pytest.raises(cnnlab.RequestError, match="changes nothing: Sequential subsamples nothing"):
        opened(dense()).shift(data, max_shift=1, what_if="pool=blur_pool")


def test_black_that_comes_in_stays_black_whatever_the_network_does_otherwise(data: Any) -> None:
    conv = nn.Sequential(nn.Conv2d(3, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(cnnlab.RequestError, match="pads nothing"):
        opened(conv).shift(data, max_shift=1, border="zero", what_if="padding=circular")


def test_consistency_is_the_share_of_pairs() -> None:
    classes = torch.tensor([[0, 0], [0, 1], [1, 2], [0, 3], [0, 4]])
    found = Answers(tuple(moves(1)), classes, torch.tensor([0, 0]))
    assert found.consistent.tolist() == pytest.approx([6 / 10, 0])
    assert (found.at(0), found.at(1), found.at(-1)) == ([0], [2, 4], [1, 3])


def test_locally_connected_layers_are_told_from_dense_ones(data: Any) -> None:
    local = nn.Sequential(LocallyConnected2d((3, 8, 8), 1, (3, 3)), nn.Flatten(), nn.Linear(36, 2))
    assert opened(local).shift(data, max_shift=1).networks[0].kind == "locally connected"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_shift": 8}, "`max_shift` is 8: expected 1 to 7 pixels"),
        ({"border": "mirror"}, "`border` is 'mirror', expected reflect, replicate"),
        ({"split": "test"}, "`split` is 'test', expected train or validation"),
    ],
)
def test_what_cannot_be_asked_is_refused(data: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(cnnlab.RequestError, match=message):
        opened(dense()).shift(data, **options)
