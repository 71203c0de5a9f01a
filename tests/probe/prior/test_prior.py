"""The whole experiment on images of 16 px: what was trained on what, and what is told of it."""

import json
from pathlib import Path
from typing import Any

import pytest

import cnnlab
from cnnlab.api.asked_config import config_of
from cnnlab.core.errors import RequestError
from cnnlab.data.pairs import MARK, far_apart
from cnnlab.network.session import Session
from cnnlab.probe.prior.run import PriorOptions, planned
from cnnlab.runs.folder import Run
from cnnlab.stats.confidence import mean_interval

CONFIG: dict[str, Any] = {
    "name": "net",
    "data": {"dataset": {"shapes": {"train_count": 80, "size": 16}}, "validation": 0.5, "augment": ["flip"]},
    "model": [{"conv_bn_act": {"channels": 3, "stride": 2}}, "global_avg_pool", "linear"],
    "training": {"epochs": 1, "batch_size": 20},
}
ASKED: dict[str, Any] = {
    "kinds": "dense,conv", "sizes": [20, 40], "repeats": 2, "far": True, "device": "cpu"
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prior")


@pytest.fixture(scope="module")
def found(folder: Path) -> Any:
    return cnnlab.prior(CONFIG, **ASKED, folder=folder)


def test_all_networks_and_repeats_have_the_same_images_and_as_many_steps(found: Any, folder: Path) -> None:
    runs = {run.name: run for run in (Run(path.parent) for path in folder.glob("*/run.json"))}
    assert len(runs) == 16
    for task in ("images", "far"):
        for size in (20, 40):
            same = [run.record.data for name, run in runs.items() if f"-{task}-{size}-" in name]
            assert len(same) == 4
            assert {(data.train, data.mean, data.std) for data in same} == {(size, same[0].mean, same[0].std)}
    assert {run.record.outcome.step for run in runs.values()} == {2}
    config = runs["net-conv-images-20-seed1"].config(allow_plugins=False)
    assert (config.seed, config.data.take, config.data.split_seed, config.training.epoch_images) == (1, 20, 0, 40)


def test_the_seed_is_that_of_the_permutation_and_of_subsets_and_shows_in_the_names() -> None:
    config, _ = config_of(CONFIG, (), allow_plugins=False)
    plan = planned([config], Session(device_name="cpu", seed=3), PriorOptions((20, 40), 1, ("conv",), permute=True))
    trial = plan.trials["permuted", "net-conv", 20, 0]
    assert trial.name == "net-conv-permuted-20-seed0-split3"
    assert trial.config.model[0].as_data() == {"permute_pixels": {"seed": 3}}
    assert trial.config.model[1:] == config.model
    assert trial.config.data.split_seed == 3


def test_accuracies_are_those_of_the_last_epoch(found: Any, folder: Path) -> None:
    runs = [Run(folder / f"net-dense-images-40-seed{seed}") for seed in (0, 1)]
    assert found.accuracy("net-dense", 40) == mean_interval([run.record.outcome.val_accuracy for run in runs])
    with pytest.raises(KeyError):
        found.accuracy("net-dense", 41)


def test_differences_are_paired_by_repeat(found: Any) -> None:
    facts = found.facts
    assert len(facts.differences) == 4
    for one in facts.differences:
        assert (one.first, one.second) == ("net-conv", "net-dense")
        ours, theirs = (facts.cell(one.task, name, one.images).accuracies for name in (one.first, one.second))
        assert one.values == tuple(a - b for a, b in zip(ours, theirs, strict=True))


def test_of_the_far_task_it_is_told_how_far_the_convolution_sees(found: Any) -> None:
    dense, conv = found.facts.networks
    assert (dense.field, conv.field) == (None, 3)
    assert far_apart(16) - MARK == 6
    assert sum("which sees 3 px where 6 px lie between the marks" in one.measured for one in found.claims) == 2


def test_the_matrix_of_a_convolution_does_what_it_does(found: Any) -> None:
    assert found.facts.matrix_error < 1e-12
    assert (found.facts.matrix.entries, found.facts.matrix.weights) == (36 * 36, 9)


@pytest.mark.usefixtures("nothing_is_drawn")
def test_what_is_trained_is_not_trained_again_and_the_page_has_its_files(
    found: Any, folder: Path, tmp_path: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*/run.json")}
    again = cnnlab.prior(CONFIG, **ASKED, folder=folder)
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*/run.json")} == before
    assert again.to_dict() == found.to_dict()
    page = again.save(tmp_path / "page")
    written = {path.name for path in page.parent.iterdir()}
    assert written >= {"prior.png", "lead.png", "matrix.png", "accuracy.csv", "differences.csv", "facts.json"}
    assert json.loads((page.parent / "facts.json").read_text())["claims"] == found.to_dict()["claims"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sizes": [20, 41]}, "`sizes` has 41, and the training part of shapes has 40 images"),
        ({"sizes": [40, 20]}, "`sizes` is 40,20, expected numbers of images from 2 on, each larger"),
        ({"sizes": [5, 40]}, "`sizes` has 5, fewer than the 10 classes of shapes"),
        ({"kinds": ()}, "one network has nothing to be compared with; name another config, or give `kinds`"),
        ({"equal": "time"}, "`equal` is 'time', expected steps or epochs"),
        ({"overrides": {"data.validation": 0}}, "data.validation is 0; networks are compared on a validation part"),
        ({"epochs": 2}, "training.epochs 1, and now it is 2; choose another folder"),
    ],
)
def test_what_cannot_be_asked_is_refused(found: Any, folder: Path, changes: dict[str, Any], message: str) -> None:
    before = len(list(folder.iterdir()))
    with pytest.raises(RequestError, match=message):
        cnnlab.prior(CONFIG, **{**ASKED, **changes}, folder=folder)
    assert len(list(folder.iterdir())) == before


def test_configs_of_different_data_or_of_one_name_are_refused(folder: Path) -> None:
    other = {**CONFIG, "name": "other", "data": {**CONFIG["data"], "validation": 0.25}}
    asked = {**ASKED, "kinds": ()}
    with pytest.raises(RequestError, match="other and net have different data"):
        cnnlab.prior([CONFIG, other], **asked, folder=folder)
    with pytest.raises(RequestError, match="two configs are called net"):
        cnnlab.prior([CONFIG, CONFIG], **asked, folder=folder)


def test_equal_epochs_show_each_image_once(tmp_path: Path) -> None:
    few = {**ASKED, "repeats": 1, "far": False, "equal": "epochs"}
    found = cnnlab.prior(CONFIG, **few, folder=tmp_path)
    steps = {path.parent.name: Run(path.parent).record.outcome.step for path in tmp_path.glob("*/run.json")}
    assert (steps["net-conv-images-20-seed0"], steps["net-conv-images-40-seed0"]) == (1, 2)
    assert "its own images" in found.facts.schedule
