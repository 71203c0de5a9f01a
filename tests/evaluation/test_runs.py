"""`evaluate` and `predict_images` called from Python, held against a forward pass of torch."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from cnnlab.core.errors import RequestError
from cnnlab.data.batches import normalise
from cnnlab.data.dataset import Dataset
from cnnlab.evaluation.predict import Prediction, predict_images
from cnnlab.evaluation.run import EvaluateOptions, evaluate
from cnnlab.fit.views import AveragedViews
from cnnlab.network.image_files import Source, Unreadable
from cnnlab.network.network import RunNetwork
from cnnlab.network.open import open_run
from cnnlab.network.session import Session
from cnnlab.runs.folder import TEST_EVALUATIONS, Run
from cnnlab.runs.images import evaluation_images

SESSION = Session(device_name="cpu")

pytestmark = pytest.mark.usefixtures("nothing_is_drawn")


@pytest.fixture
def run(trained: Any, tmp_path: Path) -> Run:
    copy = Run(shutil.copytree(trained.run, tmp_path / "runs" / "tiny"))
    (copy.path / TEST_EVALUATIONS).unlink(missing_ok=True)  # another test of the shared run may have opened the part
    return copy


@pytest.fixture
def network(run: Run) -> RunNetwork:
    return open_run(run, SESSION)


def part(run: Run, network: RunNetwork, split: str) -> Dataset:
    return evaluation_images(run, network.config, split, SESSION.place)


def answers(network: RunNetwork, images: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = network.model(normalise(images, network.preparation.statistics))
    return logits


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_evaluate(run: Run, network: RunNetwork, split: str) -> None:
    result = evaluate(open_run(run, SESSION), SESSION, EvaluateOptions(split=split, by="class"))
    images = part(run, network, split)
    logits = answers(network, images.images)
    right = logits.argmax(1) == images.labels
    assert result.facts.n == len(images)
    assert result.facts.accuracy == pytest.approx(float(right.double().mean()))
    loss = torch.nn.functional.cross_entropy(logits, images.labels)
    assert result.facts.loss == pytest.approx(float(loss), rel=1e-5)
    pairs = list(zip(images.labels.tolist(), logits.argmax(1).tolist(), strict=True))
    assert {place: n for place, n in counted(result.facts.matrix) if n} == {pair: pairs.count(pair) for pair in pairs}
    assert {group.name: (group.accuracy, group.n) for group in result.groups} == {
        images.classes[label]: (
            pytest.approx(float(right[images.labels == label].double().mean())),
            int((images.labels == label).sum()),
        )
        for label in images.labels.unique().tolist()
    }
    assert result.folder == run.path / "reports" / f"eval-{split}"
    assert (result.folder / "confusion.png").exists()
    assert result.test_evaluations == (split == "test")


def counted(matrix: torch.Tensor) -> list[tuple[tuple[int, int], int]]:
    return [((i, j), int(n)) for i, row in enumerate(matrix.tolist()) for j, n in enumerate(row)]


def test_evaluate_on_an_image_and_its_mirror_image(run: Run, network: RunNetwork) -> None:
    result = evaluate(open_run(run, SESSION), SESSION, EvaluateOptions(tta=AveragedViews("flip")))
    some_images = part(run, network, "validation")
    both = [answers(network, images).softmax(1) for images in (some_images.images, some_images.images.flip(-1))]
    mean = (both[0] + both[1]) / 2
    assert result.facts.accuracy == float((mean.argmax(1) == some_images.labels).double().mean())
    assert result.folder.name == "eval-validation-flip"


def test_the_test_part_is_counted_each_time(run: Run) -> None:
    assert [
        evaluate(open_run(run, SESSION), SESSION, EvaluateOptions(split="test")).test_evaluations for _ in range(2)
    ] == [1, 2]


def test_evaluate_refuses_groups_that_are_not_there(run: Run) -> None:
    with pytest.raises(RequestError, match="group"):
        evaluate(open_run(run, SESSION), SESSION, EvaluateOptions(by="group"))


def test_predict(run: Run, network: RunNetwork, tmp_path: Path) -> None:
    images = part(run, network, "validation")
    paths = []
    for number in range(3):
        paths.append(tmp_path / f"{number}.png")
        Image.fromarray(images.images[number].permute(1, 2, 0).numpy()).save(paths[-1])
    (tmp_path / "broken.png").write_bytes(paths[0].read_bytes()[:60])
    sources = [Source(str(path)) for path in (paths[0], tmp_path / "broken.png", *paths[1:])]
    found = list(predict_images(network, sources, top=3, reject_below=0.0))
    assert [type(one) for one in found] == [Prediction, Unreadable, Prediction, Prediction]
    probabilities = answers(network, images.images[:3]).softmax(1)
    told = [one for one in found if isinstance(one, Prediction)]
    for one, expected in zip(told, probabilities, strict=True):
        assert one.probabilities == pytest.approx(expected.tolist(), abs=1e-6)
        assert one.label == network.classes[int(expected.argmax())]
        values, places = expected.topk(3)
        assert one.top == tuple(
            (network.classes[place], pytest.approx(value, abs=1e-6))
            for value, place in zip(values.tolist(), places.tolist(), strict=True)
        )
    pair = predict_images(network, sources[2:], tta=AveragedViews("flip", 0.5))  # one of two is shown mirrored
    turned = (probabilities.log()[1:] + answers(network, images.images[1:3].flip(-1)).log_softmax(1)) / 2
    margins = answers(network, images.images[1:3]).topk(2).values.diff(dim=1).abs()[:, 0]
    unsure_one = int(margins.argmin())
    for number, one in enumerate(pair):
        expected = turned[number].softmax(0) if number == unsure_one else probabilities[1 + number]
        assert isinstance(one, Prediction)
        assert one.probabilities == pytest.approx(expected.tolist(), abs=1e-6)
    (unsure,) = predict_images(network, sources[:1], top=1, reject_below=1.0)
    assert isinstance(unsure, Prediction)
    assert (unsure.label, len(unsure.top)) == (None, 1)
