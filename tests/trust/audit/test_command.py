"""`cnnlab audit`: the planted shortcut is caught and its twin passes; shares are those of the analysis."""

import csv
import json
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cnnlab.attribution.attribution import attribute
from cnnlab.data.batches import normalise
from cnnlab.data.dataset import DataPlace
from cnnlab.network.open import open_run
from cnnlab.network.session import Session
from cnnlab.runs.folder import Run
from cnnlab.runs.images import evaluation_images
from cnnlab.trust.audit.evidence import locate

TWIN = """
data:
  dataset: {shapes: {train_count: 1200, test_count: 60, size: 16, difficulty: 0.4}}
model:
  - conv_bn_act: {channels: 16, stride: 2}
  - conv_bn_act: {channels: 32}
  - conv_bn_act: {channels: 48, stride: 2}
  - conv_bn_act: {channels: 64}
  - global_avg_pool
  - linear
training: {epochs: 8, batch_size: 32, clean_train_pictures: 100}
optimizer: {sgd: {lr: 0.1, momentum: 0.9, nesterov: true}}
schedule:
  one_cycle: {rise: 0.2}
logging: {every_steps: 100, histograms_every_epochs: 0, graph: false, pictures: false}
"""


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no sentence is broken."""
    monkeypatch.setenv("COLUMNS", "250")


@pytest.fixture(scope="module")
def audited(trained: Any) -> Any:
    return trained.place("audit", "tiny", "--by", "class", "--json")


def test_shares_are_those_of_the_analysis(trained: Any, audited: Any) -> None:
    document = audited.json()
    run = Run(trained.run)
    network = open_run(run, Session(device_name="cpu"))
    part = evaluation_images(run, network.config, "validation", DataPlace.default())
    inputs = normalise(part.images, network.preparation.statistics)
    with torch.no_grad():
        answers = network.model(inputs).argmax(1)
    (found,) = attribute(network.model, inputs, answers, methods=["gradient_x_input"])
    expected = locate(found.maps, size=(16, 16), masks=part.masks)
    images = {image["number"]: image for image in document["pictures"]}
    assert sorted(images) == list(range(len(part)))
    for one in expected:
        told = images[one.index]
        assert told["predicted"] == network.classes[int(answers[one.index])]
        assert told["truth"] == told["group"] == network.classes[int(part.labels[one.index])]
        assert told["border"] == pytest.approx(one.border, abs=1e-5)
        assert told["inside"] == pytest.approx(one.inside, abs=1e-5)
    suspicion = [image["suspicion"] for image in document["pictures"]]
    assert suspicion == sorted(suspicion, reverse=True)
    assert document["method"] == "gradient_x_input"
    assert document["spread_evenly"]["border"] == pytest.approx(1 - 0.75**2)
    assert {group["name"] for group in document["groups"]} == {one["truth"] for one in document["pictures"]}


def test_the_report_lies_in_the_runs_folder(trained: Any, audited: Any) -> None:
    folder = trained.run / "reports" / "audit-validation"
    names = {path.name for path in folder.iterdir()}
    assert {
        "suspects.png",
        "mean_evidence.png",
        "border_by_group.png",
        "index.html",
        "audit.json",
        "shares.csv",
    } <= names
    assert json.loads((folder / "audit.json").read_text()) == audited.json()
    assert Image.open(folder / "suspects.png").width > 1000
    with (folder / "shares.csv").open(encoding="utf-8") as file:
        assert [row[0] for row in csv.reader(file)][1:3] == ["object", "outer frame"]


@pytest.mark.parametrize(
    ("limits", "code"), [(("--max-border", "1", "--min-inside", "0"), 0), (("--max-border", "0"), 1)]
)
@pytest.mark.usefixtures("nothing_is_drawn")
def test_limits_decide_the_exit_code(trained: Any, limits: tuple[str, ...], code: int) -> None:
    result = trained.place("audit", "tiny", *limits, "--count", "8")
    assert result.code == code, result.err
    assert ("Every limit holds" in result.out) == (code == 0)
    if code:
        assert "Limits are broken: answers rest on what should not matter" in result.out
        assert "of the evidence lies in the outer frame of the image" in result.err
        assert "at most 0.0 % may" in result.err


@pytest.mark.usefixtures("nothing_is_drawn")
def test_a_group_alone_can_break_a_limit(trained: Any) -> None:
    """A limit between the interval of the smallest objects and the mean of all."""
    asked = ("audit", "tiny", "--split", "train", "--by", "class", "--max-border", "1", "--json")
    document = trained.place(*asked).json()
    worst = min(document["groups"], key=lambda group: group["inside"]["interval"]["high"])
    high, whole = worst["inside"]["interval"]["high"], document["all"]["inside"]["mean"]
    assert worst["inside"]["n"] >= 6
    assert high < whole
    result = trained.place(*asked, "--min-inside", (high + whole) / 2)
    assert result.code == 1
    broken = [limit["group"] for limit in result.json()["limits"] if limit["broken"]]
    assert worst["name"] in broken
    assert None not in broken
    assert f"broken: {worst['name']}: " in result.err


@pytest.mark.usefixtures("nothing_is_drawn")
def test_without_masks_the_frame_alone_is_judged(cnnlab: Any, no_report: None) -> None:
    for name, colour in (("cat", (200, 30, 30)), ("dog", (30, 30, 200))):
        (cnnlab.folder / "images" / name).mkdir(parents=True)
        for number in range(12):
            pixels = np.random.default_rng(number).integers(0, 40, (16, 16, 3)) + np.array(colour)
            Image.fromarray(pixels.astype(np.uint8)).save(
                cnnlab.folder / "images" / name / f"ward{number % 2}-{number}.png"
            )
    cnnlab.config(
        "data: {dataset: {folder: {path: images, size: 16}}, validation: 0.5}\n"
        "model: [conv_bn_act: {channels: 4, stride: 2}, global_avg_pool, linear]\n"
        "training: {epochs: 1, batch_size: 4}\n"
        "logging: {graph: false, pictures: false, histograms_every_epochs: 0}\n"
    )
    trained = cnnlab("train", "tiny.yaml", "--device", "cpu", "--json")
    assert trained.code == 0, trained.err
    refused = cnnlab("audit", "tiny", "--min-inside", "0.5")
    assert refused.code == 2
    expected = "--min-inside 0.5 needs masks of the objects, and the data set folder has none; --max-border needs none"
    assert expected in refused.err
    result = cnnlab("audit", "tiny", "--max-border", "1", "--by", r"(ward\d)", "--json")
    assert result.code == 0, result.err
    document = result.json()
    assert [limit["limit"] for limit in document["limits"]] == ["max_border"] * 3
    assert document["all"]["inside"] is None
    assert {group["name"] for group in document["groups"]} == {"ward0", "ward1"}
    for image in document["pictures"]:
        assert image["group"] in image["name"]


@pytest.mark.usefixtures("nothing_is_drawn")
def test_a_layers_map_has_its_caution_and_methods_their_reason(trained: Any) -> None:
    document = trained.place("audit", "tiny", "--layer", "conv_bn_act2", "--count", "8", "--json").json()
    assert (document["method"], document["layers"]) == ("gradcam", ["conv_bn_act2"])
    assert any("a cell of these 4 × 4 maps is 4 px high" in note for note in document["notes"])
    finer = trained.place("audit", "tiny", "--method", "hirescam", "--layer", "conv_bn_act1", "--count", "8", "--json")
    assert finer.json()["reason"] == "asked for"


@pytest.mark.usefixtures("nothing_is_drawn")
def test_the_same_images_for_the_same_seed(trained: Any) -> None:
    def numbers(seed: int) -> list[int]:
        result = trained.place("audit", "tiny", "--count", "7", "--seed", seed, "--json")
        return [image["number"] for image in result.json()["pictures"]]

    assert numbers(1) == numbers(1)
    assert set(numbers(1)) != set(numbers(2))


@pytest.mark.slow
@pytest.mark.parametrize(("shortcut", "code"), [("none", 0), ("corner", 1)])
@pytest.mark.usefixtures("nothing_is_drawn")
def test_a_planted_shortcut_is_caught_and_its_twin_passes(
    cnnlab: Any, no_report: None, shortcut: str, code: int
) -> None:
    """Twins but for a mark of 2 × 2 px: the default limits tell them apart, and so does 0.3 in the frame."""
    cnnlab.config(TWIN)
    trained = cnnlab("train", "tiny.yaml", f"data.dataset.shapes.shortcut={shortcut}", "--device", "cpu", "--json")
    assert trained.code == 0, trained.err
    result = cnnlab("audit", "tiny", "--count", "150", "--json")
    assert result.code == code, result.err
    limits = {limit["limit"]: limit for limit in result.json()["limits"]}
    border, inside = (limits[name]["share"]["mean"] for name in ("max_border", "min_inside"))
    if shortcut == "none":
        assert border < 0.3 < 0.33 < inside
    else:
        assert border > 0.6
        assert inside < 0.11
        assert "broken: " in result.err
    assert cnnlab("audit", "tiny", "--count", "150", "--max-border", "0.3", "--json").code == code


@pytest.mark.usefixtures("nothing_is_drawn")
def test_the_method_has_the_options_that_are_asked_for(trained: Any) -> None:
    """Those of the document are those of the maps: with a window of one pixel, the audit's shares are others."""

    def audited(asked: str) -> Any:
        result = trained.place("audit", "tiny", "--count", "6", "--method", asked, "--max-border", "1", "--json")
        assert result.code == 0, result.err
        return result.json()

    document = audited("occlusion:window=2,baseline=white")
    assert document["method"] == "occlusion"
    assert document["options"] == {"window": 2, "stride": None, "baseline": "white"}
    assert document["all"] != audited("occlusion")["all"]
    page = (trained.run / "reports" / "audit-validation" / "index.html").read_text()
    assert "by occlusion with window null, stride null, baseline zero (asked for)" in page
