"""`cnnlab landscape`: of a run, of several, resumed, and what cannot be asked."""

from copy import deepcopy
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from command_line import TINY, undrawn
from torch.nn.functional import cross_entropy

import cnnlab.landscape.run as landscape_run
from cnnlab.core.advance import Advance
from cnnlab.core.errors import WorkError
from cnnlab.data.batches import normalise
from cnnlab.landscape.facts import Landscape
from cnnlab.landscape.run import LandscapeOptions, landscape
from cnnlab.landscape.surface import batch_norms
from cnnlab.network.open import open_network, open_run
from cnnlab.network.session import Session
from cnnlab.runs.folder import Run
from cnnlab.runs.images import sample_indices
from cnnlab.view import png

LEAST = ("--points", "3", "--draws", "2", "--count", "1000", "--device", "cpu", "--split", "validation")


@pytest.fixture(scope="module")
def two(place_of: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two runs with snapshots, the second without batch norm."""
    place = place_of(tmp_path_factory.mktemp("landscape"))
    config = place.config().read_text()
    place.config(config.replace("conv_bn_act: {", "conv_bn_act: {norm: none, "), "bare.yaml")
    for name in ("tiny", "bare"):
        words = ("logging.snapshots_every_epochs=1", "--no-report", "--device", "cpu", "--name", name)
        result = place("train", f"{name}.yaml", *words)
        assert result.code == 0, result.err
    return place


@pytest.fixture(scope="module")
def measured(two: Any) -> Any:
    with undrawn():
        return two("landscape", "tiny", "bare", *LEAST, "--statistics", "kept", "--json").json()


def test_the_centre_is_the_runs_own_loss(two: Any, measured: Any) -> None:
    for found in measured["networks"]:
        run = Run(two.runs / found["model"])
        (best,) = [p for p in run.epochs() if p["epoch"] == run.record.outcome.best_epoch]
        middle = found["surface"]["losses"][1][1]
        assert middle == found["centre"]
        assert found["centre"] == pytest.approx(best["validation/loss"], rel=1e-5)


def test_the_path_ends_at_the_network(two: Any, measured: Any) -> None:
    for found in measured["networks"]:
        run, path = Run(two.runs / found["model"]), found["path"]
        assert path["epochs"] == [0, *run.snapshots()]
        place = path["places"][path["epochs"].index(run.record.outcome.best_epoch)]
        assert place == pytest.approx([0, 0], abs=1e-3 * abs(path["places"][0][0]))
        assert 0.3 < sum(path["shares"]) <= 1 + 1e-9


def test_what_is_claimed_of_batch_norm_compares_the_two(measured: Any) -> None:
    claim = measured["claims"][-1]
    assert "tiny against bare" in claim["claim"]
    rises = [[np.mean(losses[2]) - one["centre"] for losses in one["lines"]["losses"]] for one in measured["networks"]]
    if claim["value"] is not None:
        assert claim["value"] == pytest.approx(np.mean(rises[1]) - np.mean(rises[0]))


def test_a_path_of_few_epochs_says_nothing_of_its_dimensions(measured: Any) -> None:
    found = [claim for claim in measured["claims"] if "Two dimensions" in claim["claim"]]
    assert [claim["finding"] for claim in found] == ["too small to tell"] * 2


def test_a_network_that_diverged_has_no_landscape(two: Any) -> None:
    network = open_run(Run(two.runs / "bare"), Session(device_name="cpu"))
    next(network.model.parameters()).data.fill_(float("nan"))
    with pytest.raises(WorkError, match="the answers of bare are NaN"):
        list(landscape([network], Session(device_name="cpu"), LandscapeOptions("validation", count=4, points=3)))


def test_statistics_are_retaken_over_images_as_training_saw_them(place_of: Any, tmp_path: Path) -> None:
    """Where every image is mirrored, and all are one batch, torch alone tells them."""
    place = place_of(tmp_path)
    place.config(TINY.replace("[flip]", "[]"), "bare.yaml")
    place.config(TINY.replace("[flip]", "[flip: {probability: 1}]"), "mirrored.yaml")
    session = Session(device_name="cpu")
    centres = {}
    for name, statistics in (("mirrored", "augmented images"), ("bare", "images")):
        network = open_network(place.folder / f"{name}.yaml", session, for_images=True)
        options = LandscapeOptions("validation", count=16, points=3, draws=2, path=False)
        *_, found = landscape([network], session, options)
        assert isinstance(found, Landscape)
        assert found.as_json()["networks"][0]["statistics_over"] == statistics
        images = network.part("validation", session.place)
        chosen = images.take(sample_indices(len(images), 16, 0, "landscape"))
        inputs = normalise(chosen.images, network.preparation.statistics)
        twin = deepcopy(network.model)
        for norm in batch_norms(twin):
            norm.reset_running_stats()
            norm.momentum = None
            norm.train()
        with torch.no_grad():
            twin(inputs.flip(3) if name == "mirrored" else inputs)
            centres[name] = float(cross_entropy(twin.eval()(inputs), chosen.labels))
        assert found.networks[0].centre == pytest.approx(centres[name], rel=1e-5)
    assert abs(centres["mirrored"] - centres["bare"]) > 1e-4


def test_stopped_it_goes_on_where_it_was(two: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = open_run(Run(two.runs / "bare"), Session(device_name="cpu"))
    options = LandscapeOptions("validation", count=20, points=3, draws=2, path=False)

    def work(keep: Path) -> Landscape:
        *_, found = landscape([network], Session(device_name="cpu"), options, keep=keep)
        assert isinstance(found, Landscape)
        return found

    whole = work(tmp_path / "whole")
    for step in landscape([network], Session(device_name="cpu"), options, keep=tmp_path / "cut"):
        if isinstance(step, Advance) and step.done == 5:
            break
    asked: list[int] = []
    real = landscape_run.losses

    def counted(*arguments: Any, **more: Any) -> Any:
        asked.append(len(arguments[2]))
        return real(*arguments, **more)

    monkeypatch.setattr(landscape_run, "losses", counted)
    resumed = work(tmp_path / "cut")
    assert np.array_equal(resumed.networks[0].surface.losses, whole.networks[0].surface.losses)
    assert asked.count(3) == 2, "the first row is not measured again"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tiny", "--points", "4"), "--points is 4; expected an odd number from 3"),
        (("tiny", "tiny"), "tiny is named twice"),
        (("tiny", "nowhere"), "nowhere"),
        (("tiny", "--span", "0"), "--span"),
        (("tiny", "--draws", "1"), "--draws"),
        (("tiny", "--split", "test"), "test"),
        (("torchvision:squeezenet1_1", "--input", "32"), "no images of its own"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(two: Any, words: tuple[str, ...], said: str) -> None:
    result = two("landscape", *words, "--device", "cpu")
    assert result.code == 2
    assert said in " ".join(result.err.split())


def test_each_network_is_asked_about_the_first_ones_images(two: Any) -> None:
    two.config((two.folder / "bare.yaml").read_text() + "seed: 1\n", "elsewhere.yaml")
    words = ("landscape", "tiny", "elsewhere.yaml", *LEAST, "--no-path", "--json")
    with undrawn():
        first, other = two(*words).json()["networks"]
    assert (first["model"], other["model"]) == ("tiny", "elsewhere")
    assert (first["statistics"], other["statistics"]) == ("retaken", "none")
    with patch.object(png, "pixels", lambda *figure, **theme: np.zeros((2, 2, 3), np.uint8)):  # of what turns
        second = two(*words, "--data", "elsewhere.yaml").json()["networks"][1]
    assert second["own_loss"] != other["own_loss"]
