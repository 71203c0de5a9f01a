"""The command on a tiny run: what it keeps, what predict makes of it, and what is refused."""

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import cnnlab
from cnnlab.evaluation.run import predictions_of
from cnnlab.network.open import open_run
from cnnlab.network.session import Session
from cnnlab.network.studied import Studied
from cnnlab.rejection.contribution import rejection
from cnnlab.rejection.kept import kept
from cnnlab.rejection.measured import measured
from cnnlab.rejection.report import reject_report
from cnnlab.view.blocks import Report, sections, tables
from cnnlab.view.contribution import Contribution

TINY = """
data: {dataset: {shapes: {train_count: 80, test_count: 20, size: 16}}, validation: 0.25}
model: [conv_bn_act: {channels: 4, stride: 2}, global_avg_pool, linear]
training: {epochs: 1, batch_size: 20}
logging: {histograms_every_epochs: 0, pictures: false, graph: false}
"""

REJECT = ("reject", "tiny", "--json", "--outside", "noise", "--outside", "patches", "--count", 12)


@pytest.fixture(scope="module")
def place(place_of: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = place_of(tmp_path_factory.mktemp("reject"))
    made.config(TINY)
    assert made("train", "tiny.yaml", "--no-report").code == 0
    return made


@pytest.fixture(scope="module")
def found(place: Any) -> Any:
    result = place(*REJECT)
    assert result.code == 0, result.err
    return json.loads(result.out)


def test_the_table_has_every_score_on_every_group(found: Any, place: Any) -> None:
    assert len(found["outsiders"]) == 2 * len(found["choosing_auroc"]) == 12
    best = max(found["choosing_auroc"], key=found["choosing_auroc"].get)
    assert best in str(found["score"])
    assert found["accepted"] == 12
    assert all(0 <= one["auroc"] <= 1 and one["n"] == 12 for one in found["outsiders"])
    folder = place.folder / "runs" / "tiny" / "reports" / "reject"
    assert {"accepting.png", "histogram.png", "index.html"} <= {path.name for path in folder.iterdir()}
    page = (folder / "index.html").read_text()
    assert "12 images are few to set a threshold by: of other images of the classes it may accept " in page


def test_outsiders_change_neither_score_nor_threshold(found: Any, place: Any, tmp_path: Path) -> None:
    other = json.loads(place(*REJECT[:3], "--outside", "textures", "--count", 12, "--out", tmp_path).out)
    assert (other["score"], other["threshold"]) == (found["score"], found["threshold"])


def test_predict_rejects_what_lies_below_the_threshold(found: Any, place: Any) -> None:
    from PIL import Image

    for number in range(6):
        pixels = torch.randint(256, (16, 16, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(number))
        Image.fromarray(pixels.numpy()).save(place.folder / f"{number}.png")
    path = place.folder / "runs" / "tiny" / "rejection.safetensors"
    kept = path.read_bytes()
    place("reject", "tiny", "--outside", "noise", "--count", 12, "--score", "mahalanobis", "--share", 0.3)
    files = [f"{number}.png" for number in range(6)]
    rows = json.loads(place("predict", "tiny", *files, "--json", "--reject").out)
    assert {row["answer"] == "none of these" for row in rows} >= {True}
    for row in rows:
        assert (row["answer"] == "none of these") == (row["score"] < row["threshold"]) == (row["label"] is None)
    lines = list(csv.DictReader(io.StringIO(place("predict", "tiny", *files, "--csv", "--reject").out)))
    assert [float(line["score"]) for line in lines] == [row["score"] for row in rows]
    assert "none of these" in place("predict", "tiny", *files, "--reject").out
    assert set(json.loads(place("predict", "tiny", files[0], "--json").out)[0]) == {
        *("path", "label", "probability", "top", "error")
    }
    path.write_bytes(kept)


def test_a_rule_of_other_weights_is_refused(found: Any, place: Any, tmp_path: Path) -> None:
    shutil.copytree(place.folder / "runs", tmp_path / "runs")
    weights = tmp_path / "runs" / "tiny" / "checkpoints" / "best.safetensors"
    values = load_file(weights)
    first = next(name for name, value in values.items() if value.is_floating_point())
    from cnnlab.fit.checkpoints import load_weights_file

    _, facts = load_weights_file(weights)
    save_file({**values, first: values[first] + 1}, weights, metadata={"cnnlab": json.dumps(facts)})
    result = place("predict", "tiny", "x.png", "--reject", "--runs", str(tmp_path / "runs"))
    assert result.code == 2
    assert "rejection.safetensors: was made for other weights of tiny" in result.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--outside", "nowhere"), "'nowhere'"),
        (("--outside", "shapes"), "every class of shapes is one of tiny's"),
        (("--score", "enregy"), "'enregy'"),
        (("--accept", "test"), "the test part is opened by"),
    ],
)
def test_what_cannot_be_asked_is_one_sentence(place: Any, words: tuple[str, ...], said: str) -> None:
    result = place("reject", "tiny", *words)
    assert result.code == 2
    assert said in result.err
    assert len(result.err.strip().splitlines()) == 1


def test_outsiders_lie_in_a_folder_as_they_come(place: Any, tmp_path: Path) -> None:
    flat, kind, ours = (tmp_path / name for name in ("flat", "kind", "ours"))
    class_name = open_run("tiny", Session(runs=place.folder / "runs", device_name="cpu")).classes[0]
    for folder in (flat, kind / "frog", ours / class_name.upper(), flat / ".thumbs"):
        folder.mkdir(parents=True)
        for number in range(5):
            Image.new("RGB", (20, 16), (number, 90, 9)).save(folder / f"{number}.png")
    (flat / "broken.png").write_bytes(b"")
    words = ("reject", "tiny", "--json", "--count", 4, "--out", tmp_path / "out", "--outside")
    result = place(*words, flat, "--outside", kind)
    assert result.code == 0, result.err
    found = json.loads(result.out)
    assert {(one["outsiders"], one["n"]) for one in found["outsiders"]} == {(str(flat), 4), (str(kind), 4)}
    assert "flat: 1 of its images cannot be read and are left out, such as" in result.out
    assert "so none is outside" in place(*words, ours).err


def test_without_a_rule_predict_says_how_to_make_one(place: Any, tmp_path: Path) -> None:
    shutil.copytree(place.folder / "runs" / "tiny", tmp_path / "tiny")
    (tmp_path / "tiny" / "rejection.safetensors").unlink(missing_ok=True)
    result = place("predict", "tiny", "x.png", "--reject", "--runs", str(tmp_path))
    assert result.code == 2
    assert "`cnnlab reject tiny` makes it" in result.err


def test_other_images_of_the_part_tell_how_many_are_accepted(place: Any, tmp_path: Path) -> None:
    found = json.loads(place("reject", "tiny", "--json", "--outside", "noise", "--count", 8, "--out", tmp_path).out)
    assert found["unseen"]["split"] == "validation"
    assert found["unseen"]["n"] == 8  # of 12 that are left
    low, high = found["unseen"]["accepted_ci95"]
    assert low <= found["unseen"]["accepted_rate"] <= high


def test_eval_counts_what_the_kept_rule_accepts(found: Any, place: Any) -> None:
    session = Session(runs=place.folder / "runs", device_name="cpu")
    network = open_run("tiny", session)
    rule = kept(network, session)
    told = json.loads(place("eval", "tiny", "--split", "test", "--reject", "--json").out)
    scores = rule.scores_of(network, network.part("test", session.place).images)
    assert told["rejection"]["accepted"] == sum(score >= rule.threshold for score in scores)
    shares = told["rejection"]["accuracy_of_accepted"] or 0, told["rejection"]["accuracy_of_rejected"] or 0
    count = told["rejection"]["accepted"]
    assert count * shares[0] + (20 - count) * shares[1] == pytest.approx(20 * told["accuracy"])
    opened = cnnlab.open("tiny", runs=session.runs, device="cpu")
    assert opened.evaluate(rejection=rule).to_dict()["rejection"]["threshold"] == rule.threshold


def test_what_was_measured_is_kept_with_the_rule(found: Any, place: Any) -> None:
    session = Session(runs=place.folder / "runs", device_name="cpu")
    network = open_run("tiny", session)
    was = measured(network, session)
    assert was.as_json() == {name: found[name] for name in was.as_json()}
    images, split = network.part("validation", session.place), "validation"
    studied = Studied(network, split, images, predictions_of(network, images), torch.arange(1), session)
    (said,) = rejection(studied)
    assert isinstance(said, Contribution)
    (section,) = sections(Report("r", said.blocks))
    again = reject_report(was)
    assert [type(one) for one in section.blocks[1:]] == [type(one) for one in again.blocks]
    assert tables(again)[0].rows == tables(Report("r", section.blocks))[0].rows
