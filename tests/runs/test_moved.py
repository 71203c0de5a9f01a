"""Runs and images that are looked for from elsewhere, or that have moved."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from cnnlab.config.config import check_config
from cnnlab.core.errors import RequestError
from cnnlab.core.yaml import parse
from cnnlab.data.dataset import DataPlace
from cnnlab.runs.folder import Run
from cnnlab.runs.images import _check_kind, training_images

CONFIG = """
data: {dataset: {folder: {path: images, test: more, size: 8, cache: false}}, validation: 0.25}
model: [{conv_bn_act: {channels: 4}}, global_avg_pool, linear]
training: {epochs: 2, batch_size: 8}
logging: {every_steps: 1, histograms_every_epochs: 0, graph: false, pictures: false}
"""


def draw(folder: Path, seed: int) -> None:
    """Eight images in each of two classes."""
    values = np.random.default_rng(seed)
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for number in range(8):
            Image.fromarray(values.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(folder / name / f"{number}.png")


@pytest.fixture(scope="module")
def paused(tmp_path_factory, place_of) -> Path:
    """A folder `study` with config, images and runs; `runs/tiny` was trained from the folder above, for one epoch."""
    above = tmp_path_factory.mktemp("above")
    study = above / "study"
    draw(study / "images", 0)
    draw(study / "more", 1)
    (study / "tiny.yaml").write_text(CONFIG)
    draw(above / "images", 2)  # of another study: those beside the config are meant
    done = place_of(above)("train", "study/tiny.yaml", "--runs", "study/runs", "--stop-after", 1, "--no-report")
    assert done.code == 0, done.err
    assert f"'images' is study/images, beside the config; the {above}/images of the working folder" in done.err
    return study


@pytest.fixture
def study(paused: Path, tmp_path: Path) -> Path:
    """Its own copy under another name: the paths that the run keeps still lead to the first one."""
    return shutil.copytree(paused, tmp_path / "moved")


def test_the_run_keeps_where_its_images_are_and_what_was_written(paused: Path) -> None:
    record = json.loads((paused / "runs/tiny/run.json").read_text())["data"]
    assert record["places"] == {"train": f"{paused}/images", "test": f"{paused}/more"}
    assert record["written"] == {"path": "images", "test": "more"}
    config = (paused / "runs/tiny/config.yaml").read_text()
    assert f"path: {paused}/images" in config
    assert f"test: {paused}/more" in config


def test_from_another_working_folder(paused: Path, study: Path, place_of) -> None:
    """The run has moved, its images have not."""
    elsewhere = place_of(study.parent)
    for name, split in (("moved/runs/tiny", "test"), (study / "runs" / "tiny", "validation")):
        found = elsewhere("eval", name, "--split", split, "--json")
        assert found.code == 0, found.err
        part, folder = ("test", "more") if split == "test" else ("train", "images")
        assert f"{part} images: {paused}/{folder}" in found.err.replace("\n", "")
    assert elsewhere("predict", "moved/runs/tiny", study / "images" / "cat").code == 0


def without_the_first(study: Path, path: Path) -> None:
    """As if the folder that the run knows were gone."""
    config = study / "runs" / "tiny" / "config.yaml"
    config.write_text(config.read_text().replace(str(path), "/gone"))


def test_a_working_folder_that_moved_with_all_that_is_in_it(paused: Path, study: Path, place_of) -> None:
    without_the_first(study, paused)
    found = place_of(study)("eval", "tiny", "--json")
    assert found.code == 0, found.err
    assert "train images: images\n" in found.err
    lost = place_of(study.parent)("eval", "moved/runs/tiny")
    assert (lost.code, lost.err.count("\n")) == (2, 1)
    assert lost.err == (
        "error: /gone/images: no such folder or CSV file, and the run tiny had its images there; name where they "
        "are now with --data\n"
    )


def test_data_names_where_the_images_are_now(paused: Path, study: Path, place_of) -> None:
    without_the_first(study, paused)
    (study / "images").rename(study / "elsewhere")
    shutil.rmtree(study / "more")
    elsewhere = place_of(study.parent)
    found = elsewhere("eval", "moved/runs/tiny", "--data", "moved/elsewhere", "--json")
    assert found.code == 0, found.err
    assert elsewhere("predict", "moved/runs/tiny", study / "elsewhere/cat", "--data", study / "elsewhere").code == 0
    for command in ("eval", "report", "report-card", "sanity", "audit"):
        gone = elsewhere(command, "moved/runs/tiny", "--data", "moved/nowhere")
        assert (gone.code, gone.err) == (2, "error: --data is 'moved/nowhere': no such folder or CSV file\n")
    some = ("--split", "validation", "--count", "1")
    for words in (("gradcam", some), ("visualize patches", some[:2]), ("receptive-field", ("--effective",))):
        command = (*words[0].split(), "moved/runs/tiny", *words[1])
        lost = elsewhere(*command)
        assert (lost.code, lost.err.endswith("name where they are now with --data\n")) == (2, True)
        assert elsewhere(*command, "--data", "moved/elsewhere", "--json").code == 0
    resumed = elsewhere("train", "--resume", "moved/runs/tiny", "--data", "moved/elsewhere", "--no-report")
    assert resumed.code == 0, resumed.err
    record = json.loads((study / "runs/tiny/run.json").read_text())
    assert (record["outcome"]["status"], record["outcome"]["epochs"]) == ("finished", 2)
    assert record["data"]["places"]["train"] == str(study / "elsewhere")
    assert elsewhere("eval", "moved/runs/tiny", "--json").code == 0  # the run knows the new place


def test_what_data_is_not_for(cnnlab, trained) -> None:
    new = cnnlab("train", "tiny.yaml", "--data", ".")
    assert (new.code, new.err) == (
        2, "error: --data is for --resume; a new run's images are named by the config\n"
    )  # fmt: skip
    made = cnnlab("eval", trained.run, "--data", ".")
    assert (made.code, made.err) == (
        2, "error: --data has nothing to name: the images of the data set shapes are made, not read\n"
    )  # fmt: skip


def test_data_is_the_folder_of_the_archives(tmp_path: Path) -> None:
    (tmp_path / "now").mkdir()
    tree = parse("data: {dataset: cifar10}\nmodel: [global_avg_pool, linear]", "c.yaml")
    config = check_config(tree, [], default_name="c", base=tmp_path)
    with pytest.raises(RequestError, match=f"cifar10 is not in {tmp_path / 'now'}"):
        training_images(config, DataPlace(tmp_path / "then", download=False, moved=tmp_path / "now"))
    with pytest.raises(RequestError, match=r"`data` is '.*gone': no such folder"):
        training_images(config, DataPlace(tmp_path / "then", download=False, moved=tmp_path / "gone"))


def test_long_lists_of_classes_are_told_by_where_they_differ() -> None:
    names = tuple(f"class {number}" for number in range(1000))
    run = Run(Path("r"))
    vars(run)["record"] = SimpleNamespace(data=SimpleNamespace(classes=names, shape=(3, 8, 8)))
    with pytest.raises(RequestError) as caught:
        _check_kind(run, (*names[:500], "x" * 5000, *names[501:]), (3, 8, 8))
    assert len(str(caught.value)) < 500
    assert str(caught.value).endswith(f"; the first that differ are '{'x' * 60}' and 'class 500'")
