"""`cnnlab sanity`: the whole command on a tiny run, its numbers those of the analysis, its files with the run's."""

import json
from typing import Any

import pytest
import torch
from trust.sanity.judged import judged

from cnnlab.attribution.attribution import attribute
from cnnlab.data.batches import normalise
from cnnlab.data.dataset import DataPlace
from cnnlab.network.open import open_run
from cnnlab.network.session import Session
from cnnlab.runs.folder import Run
from cnnlab.runs.images import evaluation_images
from cnnlab.trust.sanity.weights import WeightRandomization, randomize_weights


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no sentence is broken."""
    monkeypatch.setenv("COLUMNS", "250")


@pytest.fixture(scope="module")
def checked(trained: Any) -> Any:
    return trained.place("sanity", "tiny", "--method", "gradcam,gradient", "--labels", "--epochs", "2", "--json")


def test_similarities_are_those_of_the_analysis(trained: Any, checked: Any) -> None:
    assert checked.code == 0, checked.err
    document = checked.json()
    run = Run(trained.run)
    network = open_run(run, Session(device_name="cpu"))
    part = evaluation_images(run, network.config, "validation", DataPlace.default())
    inputs = normalise(part.images, network.preparation.statistics)
    with torch.no_grad():
        answers = network.model(inputs).argmax(1)

    def explain(model: torch.nn.Module, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return attribute(model, images, targets, methods=["gradient"])[0].maps

    assert document["n"] == len(part) <= 32
    for mode in ("cascading", "independent"):
        *_, expected = randomize_weights(network.model, inputs, answers, {"gradient": explain}, seed=0, mode=mode)
        assert isinstance(expected, WeightRandomization)
        told = document[mode]["gradient"]
        assert [one["layer"] for one in told] == [layer.name for layer in expected.layers]
        for one, depth in zip(told, expected.methods[0].depths, strict=True):
            assert depth.similarity.absolute is not None
            assert one["absolute"]["mean"] == pytest.approx(depth.similarity.absolute.mean, abs=1e-6)


def test_each_method_has_its_verdict(checked: Any) -> None:
    document = checked.json()
    assert [one["name"] for one in document["methods"]] == ["gradcam", "gradient"]
    for one in document["methods"]:
        last = document["cascading"][one["name"]][-1]
        assert (one["signed"], one["absolute"]) == (last["signed"], last["absolute"])
        assert one["outcome"] == judged(one["signed"]["interval"], one["absolute"]["interval"])
        assert one["sentence"].startswith(f"{one['name']}: {one['outcome']}: ")
        assert "with all 5 layers randomised" in one["sentence"]
    assert document["layer"] == ["conv_bn_act2"]


def test_labels_that_were_not_learned_are_no_test(checked: Any) -> None:
    labels = checked.json()["labels"]
    assert (labels["epochs"], labels["steps"]) == (2, 2 * -(-labels["pictures"] // 32))
    assert not labels["learned"]
    assert labels["accuracy"] < 0.95
    assert labels["sentence"].endswith("says no more than random weights; more epochs give it longer")
    assert [one["against"] for one in labels["methods"]] == ["a network trained on random labels"] * 2


@pytest.mark.usefixtures("nothing_is_drawn")
def test_the_report_lies_in_the_runs_folder_and_the_run_is_as_it_was(trained: Any, checked: Any) -> None:
    folder = trained.run / "reports" / "sanity"
    names = {path.name for path in folder.iterdir()}
    assert {"cascading_curves.png", "independent_curves.png", "randomised_maps.png", "index.html"} <= names
    assert {"sanity.json", "verdicts.csv", "cascading_depths.csv", "label_verdicts.csv"} <= names
    assert json.loads((folder / "sanity.json").read_text()) == checked.json()
    again = trained.place("sanity", "tiny", "--method", "gradcam,gradient", "--labels", "--epochs", "2", "--json")
    assert again.json() == checked.json()


@pytest.mark.usefixtures("nothing_is_drawn")
def test_by_itself_a_map_and_three_methods_of_pixels_in_words(trained: Any) -> None:
    result = trained.place("sanity", "tiny", "--count", "8", "--depths", "2")
    assert result.code == 0, result.err
    for label in ("Grad-CAM: ", "gradient: ", "gradient × input: ", "guided backpropagation: "):
        assert label in result.out
    assert "5 conv_bn_act1.conv" in result.out
    assert "1 linear1" not in result.out  # two depths of five: the third and the last
    assert "Trained on random labels" not in result.out


@pytest.mark.usefixtures("nothing_is_drawn")
def test_methods_have_the_options_that_are_asked_for(trained: Any) -> None:
    asked = ("--method", "smoothgrad:samples=2,noise=0.3", "--method", "occlusion:window=8,baseline=black")
    result = trained.place("sanity", "tiny", *asked, "--count", "2", "--depths", "1", "--json")
    assert result.code == 0, result.err
    assert {one["name"]: one["options"] for one in result.json()["methods"]} == {
        "smoothgrad": {"samples": 2, "noise": 0.3},
        "occlusion": {"window": 8, "stride": None, "baseline": "black"},
    }
    page = (trained.run / "reports/sanity/index.html").read_text()
    assert "with samples 2, noise 0.3" in page
    assert "with window 8, stride null, baseline black" in page


@pytest.mark.usefixtures("nothing_is_drawn")
def test_a_method_that_the_network_is_not_made_for_is_left_out_and_named(cnnlab: Any, no_report: None) -> None:
    config = cnnlab.config(
        "data: {dataset: {shapes: {train_count: 60, size: 16}}}\n"
        "model: [conv_bn_act: {channels: 4, stride: 2}, flatten, linear]\n"
        "training: {epochs: 1}\nlogging: {graph: false, pictures: false, histograms_every_epochs: 0}\n"
    )
    assert cnnlab("train", config, "--device", "cpu", "--json").code == 0
    result = cnnlab("sanity", "tiny", "--method", "cam,gradient", "--json")
    assert result.code == 0, result.err
    assert [one["name"] for one in result.json()["methods"]] == ["gradient"]
    assert any(note.startswith("CAM was left out: ") for note in result.json()["notes"])


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_is_drawn")
def test_random_labels_are_learned_by_heart_by_default(cnnlab: Any, no_report: None) -> None:
    """As many steps as the run's own epochs had, over few images."""
    cnnlab.config(
        """
data:
  dataset: {shapes: {train_count: 1300, test_count: 60, size: 16}}
model:
  - conv_bn_act: {channels: 16, stride: 2}
  - conv_bn_act: {channels: 32}
  - conv_bn_act: {channels: 48, stride: 2}
  - global_avg_pool
  - linear
training: {epochs: 12, batch_size: 32}
optimizer: {sgd: {lr: 0.1, momentum: 0.9}}
logging: {every_steps: 100, histograms_every_epochs: 0, graph: false, pictures: false}
"""
    )
    assert cnnlab("train", "tiny.yaml", "--device", "cpu", "--json").code == 0
    result = cnnlab("sanity", "tiny", "--method", "gradient,guided_backprop", "--count", "16", "--labels", "--json")
    assert result.code == 0, result.err
    document = result.json()
    assert document["labels"]["learned"], document["labels"]["sentence"]
    # guided backpropagation restores the image whatever the weights (Adebayo et al. 2018)
    assert {one["name"]: one["outcome"] for one in document["methods"]}["guided_backprop"] == "fails"
