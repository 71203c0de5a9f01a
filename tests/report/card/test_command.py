"""`cnnlab report-card`: the chapter's lab on one image."""

import numpy as np
import pytest
from PIL import Image


@pytest.mark.figures
def test_six_panels_on_eleven_by_seven_inches(trained) -> None:
    result = trained.place("report-card", "tiny", "--json")
    assert result.code == 0, result.err
    card = result.json()
    assert card["truth"] == card["answer"]
    assert (card["method"], card["layer"]) == ("gradcam", "conv_bn_act2")
    assert (card["filters"], card["feature"]) == ("conv_bn_act1.conv", "conv_bn_act2.conv")
    path = trained.place.folder / card["picture"]
    assert Image.open(path).size == (1650, 1050)
    assert 0 <= card["located"]["inside"] <= 1


def test_a_wrong_answer_is_picked_on_request(trained) -> None:
    card = trained.place("report-card", "tiny", "--pick", "wrong", "--json").json()
    assert card["truth"] != card["answer"]


def test_a_number_and_a_class_pick_as_well(trained) -> None:
    assert trained.place("report-card", "tiny", "--pick", "3", "--json").json()["index"] == 3
    assert trained.place("report-card", "tiny", "--pick", "star", "--json").json()["truth"] == "star"


@pytest.mark.figures
def test_random_weights_draw_another_card_of_the_same_image(trained) -> None:
    place = trained.place
    learned = place("report-card", "tiny", "--pick", "5", "--out", "learned", "--json").json()
    random = place("report-card", "tiny", "--pick", "5", "--random-weights", "--out", "random", "--json").json()
    assert learned["likeness"] is None
    assert set(random["likeness"]) == {"saliency", "evidence"}
    assert all(-1 <= value <= 1 for value in random["likeness"].values())
    cards = [np.asarray(Image.open(place.folder / card["picture"])) for card in (learned, random)]
    assert cards[0].shape == cards[1].shape
    assert (cards[0] != cards[1]).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--pick", "stars"), "no image or class 'stars'"),
        (("--pick", "999"), "--pick is 999; there are images 0 to 19"),
        (("--split", "test"), "the test part is opened by `cnnlab eval --split test` alone"),
    ],
)
def test_what_cannot_be_picked_is_told(trained, arguments, message) -> None:
    result = trained.place("report-card", "tiny", *arguments)
    assert result.code == 2
    assert message in result.err
