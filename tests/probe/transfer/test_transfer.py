"""The whole experiment on images of 16 px: which network began with what, on which images, and what is told of it."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import cnnlab
from cnnlab.api.asked_config import config_of
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.network.session import Session
from cnnlab.probe.transfer.run import TransferOptions, planned
from cnnlab.runs.folder import Run
from cnnlab.stats.confidence import mean_interval

CONFIG: dict[str, Any] = {
    "name": "net",
    "data": {"dataset": {"shapes": {"train_count": 80, "size": 16}}, "validation": 0.5, "augment": ["flip"]},
    "model": [{"conv_bn_act": {"channels": 3, "stride": 2}}, {"conv": {"channels": 3}}, "global_avg_pool", "linear"],
    "training": {"epochs": 2, "batch_size": 10},
    "optimizer": {"sgd": {"lr": 0.05}},
}
ASKED: dict[str, Any] = {"per_class": [2, 4], "repeats": 1, "epochs": 1, "device": "cpu"}
SOURCE = ["disc", "ring", "square", "triangle", "star"]
ARMS = ("scratch", "tuned", "head")
TARGET = ["cross", "crescent", "heart", "arrow", "pill"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("transfer")


@pytest.fixture(scope="module")
def found(folder: Path) -> Any:
    return cnnlab.transfer(CONFIG, **ASKED, folder=folder)


def test_in_a_repeat_all_arms_have_the_same_images_and_as_many_steps(found: Any, folder: Path) -> None:
    runs = {path.parent.name: Run(path.parent) for path in folder.glob("*/run.json")}
    source = runs.pop("net-source-seed0")
    assert list(source.record.data.classes) == SOURCE
    assert source.record.outcome.step == 4, "two epochs of 20 images"
    assert len(runs) == 4 * 2
    assert {run.record.outcome.step for run in runs.values()} == {2}
    configs = {name: run.config() for name, run in runs.items()}
    for name, config in configs.items():
        _, arm, size, _ = name.split("-")
        assert config.data.classes == TARGET
        assert (config.data.take, config.training.epoch_images) == (5 * int(size), 20)
        assert tuple(config.data.mean or ()) == source.record.data.mean, "prepared alike"
        assert config.init_from == (None if arm == "scratch" else "net-source-seed0")
    assert {run.record.data.train for run in runs.values()} == {10, 20}


def test_what_is_frozen_is_the_sources_to_the_bit(found: Any, folder: Path) -> None:
    theirs, _ = Run(folder / "net-source-seed0").weights("best")
    arms = {arm: Run(folder / f"net-{arm}-4-seed0").weights("last")[0] for arm in (*ARMS, "frozen1")}
    changed = {
        arm: {name.split(".")[0] for name, value in own.items() if not torch.equal(value, theirs[name])}
        for arm, own in arms.items()
    }
    assert changed["frozen1"] == {"conv1", "linear1"}
    assert changed["head"] == {"linear1"}
    assert changed["tuned"] == changed["scratch"] == {"conv_bn_act1", "conv1", "linear1"}


def test_repeats_have_other_images_and_seeds_and_the_seed_shows_in_the_names() -> None:
    config, _ = config_of(CONFIG, (), allow_plugins=False)
    plan = planned(config, Session(device_name="cpu", seed=3), TransferOptions((2,), repeats=2, freeze=()))
    assert plan.source is not None
    assert (plan.source.name, plan.source.config.data.split_seed) == ("net-source-seed0-split3", 3)
    second = plan.trials["head", 2, 1]
    assert second.name == "net-head-2-seed1-split3"
    assert (second.config.seed, second.config.data.split_seed) == (1, 4)
    assert [trial.name for trial in plan.in_order][1:4] == [f"net-{arm}-2-seed0-split3" for arm in ARMS]


def test_accuracies_are_of_the_last_epoch_and_gains_paired_by_repeat(found: Any, folder: Path) -> None:
    mean = found.accuracy("head", 2)
    assert mean == mean_interval([Run(folder / "net-head-2-seed0").record.outcome.val_accuracy])
    cells = {(one.arm, one.images): one for one in found.facts.cells}
    for (arm, size), cell in cells.items():
        scratch = cells["scratch", size].accuracies
        assert cell.gains == tuple(a - b for a, b in zip(cell.accuracies, scratch, strict=True)), arm
    assert found.gain("scratch", 4).mean == 0
    with pytest.raises(KeyError):
        found.accuracy("frozen2", 4)


@pytest.mark.usefixtures("nothing_is_drawn")
def test_what_is_trained_is_not_trained_again_and_the_page_has_its_files(
    found: Any, folder: Path, tmp_path: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*/run.json")}
    again = cnnlab.transfer(CONFIG, **ASKED, folder=folder)
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*/run.json")} == before
    assert again.to_dict() == found.to_dict()
    page = again.save(tmp_path / "page")
    written = {path.name for path in page.parent.iterdir()}
    assert written >= {"transfer.png", "depth.png", "accuracy.csv", "gains.csv", "facts.json"}
    kept = json.loads((page.parent / "facts.json").read_text())
    assert kept["claims"] == found.to_dict()["claims"]
    assert [one["frozen"] for one in kept["arms"]] == [None, 0, 1, 2]
    assert kept["source"]["classes"] == SOURCE


def test_a_run_that_is_there_is_taken_for_the_source(found: Any, folder: Path, tmp_path: Path) -> None:
    asked = {**ASKED, "per_class": [2], "repeats": 1, "freeze": []}
    other = cnnlab.transfer(CONFIG, **asked, source="net-source-seed0", runs=folder, folder=tmp_path)
    assert other.facts.source == found.facts.source
    assert [arm.key for arm in other.facts.arms] == ["scratch", "tuned", "head"]
    assert other.accuracy("head", 2).mean == found.facts.cell("head", 2).accuracies[0]
    assert len(list(tmp_path.glob("*/run.json"))) == 3
    for changes, message in (
        ({"target_classes": ["pill", "star"]}, "the source has learned star as well: nothing would be transferred"),
        ({"source_epochs": 3}, "`source_epochs` is of a source that is trained, and `source` names one"),
        ({"overrides": {"model": [{"conv": {"channels": 4}}, "relu", "global_avg_pool", "linear"]}}, "does not fit"),
    ):
        with pytest.raises(RequestError, match=message):
            cnnlab.transfer(CONFIG, **{**asked, **changes}, source="net-source-seed0", runs=folder, folder=tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"per_class": [2, 5]}, "`per_class` has 5, and the training part of shapes has 4 images of 'cross'"),
        ({"per_class": [4, 2]}, "`per_class` is 4,2, expected numbers of images from 1 on, each larger"),
        ({"freeze": [2]}, "`freeze` is 2, expected numbers from 1 to 1, .* the network has 2 layers"),
        ({"source_classes": ["ring", "rign"]}, "`source_classes`: no class 'rign'; .* Did you mean 'ring'?"),
        ({"source_classes": ["ring", "1"]}, "`source_classes`: 'ring' is there twice"),
        ({"source_classes": SOURCE, "target_classes": ["pill"]}, "`target_classes` has pill, expected two classes"),
        ({"target_classes": [*SOURCE, *TARGET[:4]]}, "`source_classes` has pill, expected two classes"),
        ({"source_classes": SOURCE, "target_classes": ["pill", "star"]}, "the source has learned star as well"),
        ({"overrides": {"data.classes": SOURCE[:3]}}, "has 3 classes .disc, ring, square., and 4 are needed: two for"),
        ({"overrides": {"data.validation": 0}}, "data.validation is 0; networks are compared on a validation part"),
        ({"overrides": {"model": ["global_avg_pool", "linear"]}}, "a single layer with weights"),
        ({"epochs": 2}, "training.epochs 1, and now it is 2; choose another folder"),
        ({"repeats": 0}, "`repeats` is 0, expected 1 or more"),
    ],
)
def test_what_cannot_be_asked_is_refused(found: Any, folder: Path, changes: dict[str, Any], message: str) -> None:
    before = len(list(folder.iterdir()))
    with pytest.raises(RequestError, match=message):
        cnnlab.transfer(CONFIG, **{**ASKED, **changes}, folder=folder)
    assert len(list(folder.iterdir())) == before


def test_a_source_that_diverged_is_no_source(tmp_path: Path) -> None:
    wild = {"optimizer.sgd.lr": 1e6, "model": [{"conv": {"channels": 3}}, "relu", "global_avg_pool", "linear"]}
    with pytest.raises(WorkError, match="the loss of the source net-source-seed0 diverged"):
        cnnlab.transfer(CONFIG, **ASKED, overrides=wild, source_epochs=20, folder=tmp_path)
    assert len(list(tmp_path.glob("*/run.json"))) == 1
