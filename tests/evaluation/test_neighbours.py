"""The training images beside mistakes, against all of them compared at once in float64."""

import csv
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import cnnlab
from cnnlab.core.errors import RequestError
from cnnlab.evaluation import neighbours
from cnnlab.evaluation.run import predictions_of
from cnnlab.network.network import RunNetwork
from cnnlab.network.open import open_run
from cnnlab.network.session import Session
from cnnlab.runs.images import sample_indices
from cnnlab.view.blocks import Block, Section, Text, sections

TINY = """
data: {dataset: {shapes: {train_count: 80, test_count: 30, size: 16}}, validation: 0.25}
model: [conv_bn_act: {channels: 4, stride: 2}, global_avg_pool, linear]
training: {epochs: 1, batch_size: 20}
logging: {histograms_every_epochs: 0, pictures: false, graph: false}
"""


@pytest.fixture(scope="module")
def place(place_of: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = place_of(tmp_path_factory.mktemp("neighbours"))
    made.config(TINY)
    assert made("train", "tiny.yaml", "--no-report").code == 0
    return made


@pytest.fixture(scope="module")
def network(place: Any) -> RunNetwork:
    return open_run("tiny", session_of(place))


def session_of(place: Any) -> Session:
    return Session(runs=place.folder / "runs", device_name="cpu")


@pytest.fixture(scope="module")
def features(place: Any, network: RunNetwork) -> dict[str, np.ndarray]:
    """What enters the last layer for each part, from one pass over all its images."""
    found = {}
    for part in ("train", "validation", "test"):
        entered = []
        hook = network.model.linear1.register_forward_pre_hook(lambda _, inputs, seen=entered: seen.append(inputs[0]))
        with torch.no_grad():
            network.model.eval()(network.preparation.inputs(network.part(part, session_of(place).place).images))
        hook.remove()
        found[part] = entered[0].double().numpy()
    return found


def expected(bank: np.ndarray, query: np.ndarray, rows: Iterable[int] = range(60)) -> list[int]:
    """The training images `rows` from the nearest on."""
    rows = np.array([*rows])
    cosine = bank[rows] @ query / (np.linalg.norm(bank[rows], axis=1) * np.linalg.norm(query))
    return rows[np.argsort(-cosine, kind="stable")].tolist()


@pytest.mark.figures
def test_they_are_the_nearest_of_all_and_scored_as_eval_scores(place: Any, network: RunNetwork, features: Any) -> None:
    result = place("eval", "tiny", "--split", "test", "--nearest", "4", "--json")
    found = result.json()["neighbours"]
    assert (found["searched"], found["of"], found["layer"], found["missing"]) == (60, 60, "linear1", None)
    assert "nearest training images: 60 of 60 searched in" in result.err
    train = network.part("train", session_of(place).place)
    answers = predictions_of(network, train).logits.softmax(1)
    assert len(found["mistakes"]) == 8
    for mistake in found["mistakes"]:
        near = [one["index"] for one in mistake["nearest"]]
        assert near == expected(features["train"], features["test"][mistake["index"]])[:4]
        for one in mistake["nearest"]:
            assert one["label"] == train.classes[int(train.labels[one["index"]])]
            probability, answer = answers[one["index"]].max(0)
            assert one["answer"] == train.classes[int(answer)]
            assert one["probability"] == pytest.approx(float(probability), abs=1e-6)
    folder = place.folder / "runs" / "tiny" / "reports" / "eval-test"
    with Image.open(folder / "mistake_neighbours.png") as image:
        assert image.width > 600
    with (folder / "mistake_neighbours.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["near image"]) for row in rows[:4]] == [one["index"] for one in found["mistakes"][0]["nearest"]]


@pytest.mark.parametrize(("fewest", "most", "searched"), [(1, 7, 7), (50, 2000, 50), (1, 2000, 20)])
def test_as_many_are_searched_as_are_evaluated_within_limits(
    place: Any, monkeypatch: pytest.MonkeyPatch, fewest: int, most: int, searched: int
) -> None:
    monkeypatch.setattr(neighbours, "FEWEST", fewest)
    monkeypatch.setattr(neighbours, "MOST", most)
    assert network_evaluated(place, nearest=1).searched == searched  # of 60, where 20 are evaluated


def test_of_some_training_images_they_are_the_nearest_of_those(place: Any, network: RunNetwork, features: Any) -> None:
    few = network_evaluated(place, nearest=2, among=9)
    assert (few.searched, few.of) == (9, 60)
    assert "`among` 60 searches all" in few.sentence
    rows = sample_indices(60, 9, 0, "neighbours").tolist()
    for mistake, near in few.beside:
        order = expected(features["train"], features["validation"][mistake.index], rows)
        assert [one.index for one in near] == order[:2]
    assert network_evaluated(place, nearest=2, among=9).as_json(network.classes) == few.as_json(network.classes)
    net, images = cnnlab.open("tiny", runs=place.folder / "runs", device="cpu"), np.zeros((4, 16, 16, 3), np.uint8)
    assert net.evaluate(nearest=0).neighbours is net.evaluate((images, [0, 1, 2, 3])).neighbours is None


def network_evaluated(place: Any, **options: Any) -> Any:
    found = cnnlab.open("tiny", runs=place.folder / "runs", device="cpu").evaluate(**options).neighbours
    assert found is not None
    return found


def test_no_training_image_is_its_own_neighbour(place: Any, features: Any) -> None:
    for among in (None, 20):
        for mistake, near in network_evaluated(place, split="train", nearest=5, among=among).beside:
            assert mistake.index not in [one.index for one in near]
            if among is None:
                order = expected(features["train"], features["train"][mistake.index])
                assert [one.index for one in near] == [i for i in order if i != mistake.index][:5]


def texts_of(block: Block) -> list[str]:
    inside = block.blocks if isinstance(block, Section) else ()
    return [block.text] if isinstance(block, Text) else [text for one in inside for text in texts_of(one)]


@pytest.mark.usefixtures("nothing_is_drawn")
def test_the_rest_is_measured_where_training_images_are_gone(place: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*arguments: object) -> None:
        raise RequestError("no training images under data")

    before = place("eval", "tiny", "--split", "test", "--json").json()
    monkeypatch.setattr("cnnlab.runs.images.training_images", gone)
    result = place("eval", "tiny", "--split", "test", "--json")
    after = result.json()
    assert after["neighbours"]["missing"] == "no training images under data"
    assert "no nearest training images: no training images under data\n" in result.err
    ignored = {"neighbours": None, "temperature": None, "seconds": None}
    assert after | ignored == before | ignored
    made = cnnlab.open("tiny", runs=place.folder / "runs", device="cpu").evaluate(split="test", nearest=1)
    said = [text for block in made.report.blocks for text in texts_of(block)]
    assert "The nearest training images are not shown: no training images under data." in said
    assert "No temperature is fitted: no training images under data." in said


def test_none_are_looked_for_where_none_are_asked(place: Any, tmp_path: Path) -> None:
    result = place("eval", "tiny", "--nearest", "0", "--json", "--out", tmp_path)
    assert "neighbours" not in result.json()
    assert not (tmp_path / "mistake_neighbours.png").exists()
    assert result.err.endswith(f" s\nwritten to {tmp_path}\n")
    assert "nearest" not in result.err


def test_a_network_without_a_known_head_says_so(place: Any, network: RunNetwork) -> None:
    from cnnlab.evaluation.run import EvaluateOptions, NeighbourOptions, evaluated

    class Hidden(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.flatten(1)[:, :10]

    headless = replace(network, model=Hidden())
    made = evaluated(headless, session_of(place), EvaluateOptions(neighbours=NeighbourOptions(2)))
    (section,) = (one for one in sections(made.report) if one.title == "The most confident mistakes")
    assert isinstance(section.blocks[-1], Text)
    assert "no layer of this network gives one score per class" in section.blocks[-1].text
