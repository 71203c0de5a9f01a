"""`cnnlab data label-errors`: from a config to the labels that were swapped on purpose, and back into a config."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import cnnlab
from cnnlab.config.config import read_config
from cnnlab.core.errors import RequestError
from cnnlab.data.dataset import DataPlace
from cnnlab.evaluation.label_errors.facts import LabelErrorFacts
from cnnlab.evaluation.label_errors.run import LabelErrorOptions, find_label_errors, prepared
from cnnlab.network.open import open_run
from cnnlab.network.session import Session
from cnnlab.runs.folder import Run
from cnnlab.runs.images import evaluation_images, images_of, training_images
from cnnlab.view.blocks import figures

COLOURS = {"blue": (40, 60, 200), "green": (40, 180, 60), "red": (200, 50, 40)}
EACH = 20


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A config of plain colours, which any network tells apart, and 4 of 60 labels swapped."""
    folder = tmp_path_factory.mktemp("colours")
    rng = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (folder / "photos" / name).mkdir(parents=True)
        for k in range(EACH):
            pixels = np.clip(np.array(colour) + rng.normal(0, 12, (8, 8, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / name / f"{k:02}.png")
    (folder / "colours.yaml").write_text(
        "data: {dataset: {folder: {path: photos, size: 8, cache: false}}, label_noise: {swap: 0.06, seed: 1}}\n"
        "model: [conv_bn_act: {channels: 8}, global_avg_pool, linear]\n"
        "training: {epochs: 5, batch_size: 8}\n"
        "optimizer: {sgd: {lr: 0.05}}\n"
        "logging: {graph: false, pictures: false, histograms_every_epochs: 0}\n"
    )
    return folder


@pytest.fixture(scope="module")
def found(place: Path) -> Any:
    return cnnlab.label_errors(place / "colours.yaml", folds=3, runs=place / "runs", device="cpu")


def truth(place: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """The labels as they are searched, and as they were."""
    noisy = read_config(place / "colours.yaml")
    clean = read_config(place / "colours.yaml", ["data.label_noise=null"])
    labels = [images_of(config, DataPlace.default(), "train").labels for config in (noisy, clean)]
    return labels[0], labels[1]


def test_swapped_labels_are_found_with_what_they_were(found: Any, place: Path) -> None:
    noisy, clean = truth(place)
    wrong = (noisy != clean).nonzero()[:, 0].tolist()
    assert len(wrong) == 4
    names = sorted(COLOURS)
    assert {one.index: one.likely for one in found.candidates} == {k: names[int(clean[k])] for k in wrong}
    confidences = [one.self_confidence for one in found.candidates]
    assert confidences == sorted(confidences)
    for name in ("normalized_margin", "self_confidence"):
        one = found.to_dict()["swapped"][name]
        assert (one["there"], one["named"], one["precision"], one["recall"]) == (4, 4, 1.0, 1.0)
        assert one["average_precision"] == pytest.approx(1)
    assert found.facts.errors.estimated == 4
    (claim,) = found.facts.claims
    assert (claim.finding.value, claim.value) == ("supported", 1.0)
    assert [figure.name for figure in figures(found.report)] == ["label-errors", "joint"]
    assert any("wrong on purpose" in one for one in found.facts.cautions)


def test_the_answers_are_of_networks_that_were_not_shown_the_image(found: Any, place: Path) -> None:
    """Each fold's run, opened again, gives the rows of its validation part and of no other image."""
    seen = torch.zeros(len(found.probabilities))
    for number in (1, 2, 3):
        run = place / f"runs/label-errors/colours/trainings/colours-fold{number}of3"
        network = open_run(Run(run), Session(device_name="cpu"), "last")
        config = read_config(run / "config.yaml")
        assert config.data.fold is not None
        assert (config.data.fold.number, config.data.fold.of) == (number, 3)
        whole = images_of(config, DataPlace.default(), "train")
        halves = training_images(config, DataPlace.default(), whole=whole)
        assert halves.validation is not None
        held = set(halves.validation.paths or ())
        rows = [k for k, path in enumerate(whole.paths or ()) if path in held]
        seen[rows] += 1
        with torch.no_grad():
            logits = network.model(network.preparation.inputs(halves.validation.images))
        torch.testing.assert_close(logits.softmax(1), found.probabilities[rows], atol=1e-5, rtol=1e-4)
    assert seen.tolist() == [1] * 60


def test_the_table_leads_back_into_a_config(found: Any, place: Path) -> None:
    with found.table.open() as file:
        header, *rows = list(csv.reader(file))
    assert [len(row) for row in rows] == [len(header)] * 4
    decision = header.index("decision")
    for row, word in zip(rows, ("relabel", "exclude", "", "Relabel"), strict=True):
        row[decision] = word
    decided = place / "decided.csv"
    with decided.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    noisy, clean = truth(place)
    config = read_config(place / "colours.yaml", ["data.corrections=decided.csv"])
    images = images_of(config, DataPlace.default(), "train")
    numbers = [int(row[header.index("index")]) for row in rows]
    assert images.numbers is not None
    assert images.numbers.tolist() == [k for k in range(60) if k != numbers[1]]
    now = dict(zip(images.numbers.tolist(), images.labels.tolist(), strict=True))
    assert [now[k] for k in (numbers[0], numbers[2], numbers[3])] == [
        int(clean[numbers[0]]),
        int(noisy[numbers[2]]),
        int(clean[numbers[3]]),
    ]
    run = cnnlab.train(
        place / "colours.yaml",
        overrides=["data.corrections=decided.csv", "data.validation=0.2"],
        epochs=1,
        runs=place / "runs",
        report=False,
        device="cpu",
        name="mended",
    )
    decided.unlink()  # the run has a copy
    assert (place / "runs/mended/corrections.csv").exists()
    assert "corrections: corrections.csv" in (place / "runs/mended/config.yaml").read_text()
    kept = Run(place / "runs/mended")
    held = evaluation_images(kept, kept.config(), "validation", DataPlace.default())
    assert len(held) + kept.record.data.train == 59
    assert run.status == "finished"


def test_probabilities_are_read_in_place_of_trainings(found: Any, place: Path) -> None:
    again = cnnlab.label_errors(
        place / "colours.yaml",
        probabilities=found.folder / "probabilities.safetensors",
        rank="normalized_margin",
        out=place / "again",
        device="cpu",
    )
    assert {one.index for one in again.candidates} == {one.index for one in found.candidates}
    margins = [one.margin for one in again.candidates]
    assert margins == sorted(margins)
    np.save(place / "p.npy", found.probabilities.numpy())
    third = cnnlab.label_errors(place / "colours.yaml", probabilities=place / "p.npy", out=place / "third")
    assert third.candidates == found.candidates
    assert not (place / "third" / "trainings").exists()


def test_finished_folds_are_kept(place: Path) -> None:
    """Stopped after the first fold, the second call trains the others alone."""
    session = Session(runs=place / "stopped", device_name="cpu")
    config = read_config(place / "colours.yaml", ["training.epochs=1"])
    options = LabelErrorOptions(folds=2)
    asked = prepared(config, options, session, out=place / "stopped", config_folder=place)
    steps = find_label_errors(asked, session)
    first = asked.trainings / "colours-fold1of2"
    while not (first / "run.json").exists() or '"finished"' not in (first / "run.json").read_text():
        next(steps)
    steps.close()
    before = (first / "run.json").stat().st_mtime_ns
    assert not (asked.trainings / "colours-fold2of2" / "checkpoints" / "last.pt").exists()
    *_, facts = find_label_errors(asked, session)
    assert isinstance(facts, LabelErrorFacts)
    assert (first / "run.json").stat().st_mtime_ns == before
    assert [fold.images for fold in facts.folds] == [30, 30]
    assert any("agree with" in caution for caution in facts.cautions) == (facts.accuracy < 0.5)
    other = config.model_copy(update={"seed": 1, "data": config.data.model_copy(update={"split_seed": 0})})
    with pytest.raises(RequestError, match="was trained with seed 0, and now it is 1; choose another folder"):
        prepared(other, options, session, out=place / "stopped", config_folder=place)
    seen = place / "photos/red/00.png"
    content = seen.read_bytes()
    try:
        Image.new("RGB", (8, 8)).save(seen)  # as many images, and another one among them
        asked = prepared(config, options, session, out=place / "stopped", config_folder=place)
        with pytest.raises(RequestError, match=r"data has changed since the run|has kept out other"):
            list(find_label_errors(asked, session))
    finally:
        seen.write_bytes(content)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"folds": 1}, "`folds` is 1, expected 2 or more"),
        ({"folds": 25}, r"the class 'blue' of folder .* has \d+ images, fewer than the 25 folds"),
        ({"overrides": ["data.fold={number: 1, of: 2}"]}, "data.fold divides the training part already"),
        ({"rank": "loss"}, "`rank` is 'loss', expected self_confidence or normalized_margin"),
        ({"epochs": 0}, "epochs"),
        ({"probabilities": "none.npy"}, "none.npy: no such file"),
    ],
)
def test_what_cannot_be_searched_is_said(place: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        cnnlab.label_errors(place / "colours.yaml", out=place / "nothing", device="cpu", **options)
    assert not (place / "nothing").exists()


def test_probabilities_of_other_images_are_refused(found: Any, place: Path) -> None:
    kept = found.folder / "probabilities.safetensors"
    even = np.full((60, 3), 1 / 3)
    files = {
        "few.npy": (even[:50], r"probabilities 50 × 3, and .* 60 .* of another data set"),
        "ones.npy": (np.ones((60, 3)), "row 0 is 1, 1, 1, expected probabilities"),
        "whole.npy": (np.ones((60, 3), dtype=np.int64), "floating-point"),
        "objects.npy": (np.array([[None]]), "is no array of NumPy"),
    }
    for name, (array, message) in files.items():
        np.save(place / name, array, allow_pickle=True)
        with pytest.raises(RequestError, match=message):
            cnnlab.label_errors(place / "colours.yaml", probabilities=place / name, out=place / "nothing")
    with pytest.raises(RequestError, match=r"is of other labels: image \d+ was"):
        cnnlab.label_errors(place / "colours.yaml", overrides=["data.label_noise=null"], probabilities=kept)
    (place / "cut.safetensors").write_bytes(kept.read_bytes()[:100])
    with pytest.raises(RequestError, match="is no file of probabilities"):
        cnnlab.label_errors(place / "colours.yaml", probabilities=place / "cut.safetensors")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("index,given\n", "c.csv:1: no column 'likely'; expected index, given, likely, decision"),
        ("index,given,likely,decision\nx,blue,red,relabel", "c.csv:2: 'index' is 'x', expected a whole number"),
        ("index,given,likely,decision\n60,blue,red,keep", "c.csv:2: image 60, and there are 60 from 0 on"),
        ("index,given,likely,decision\n0,red,green,keep", "c.csv:2: image 0 is labelled 'blue', not 'red'"),
        ("index,given,likely,decision\n0,blue,rod,relabel", "c.csv:2: no class 'rod'.* Did you mean 'red'"),
        ("index,given,likely,decision\n0,blue,red,drop", "c.csv:2: 'decision' is 'drop', expected keep, relabel, excl"),
        ("index,given,likely,decision\n0,blue,red,\n0,blue,red,", "c.csv:3: image 0 is there twice; first on line 2"),
        ("index,file,given,likely,decision\n0,a/9.png,blue,red,keep", "c.csv:2: image 0 is .*00.png, not a/9.png"),
        (
            "index,given,likely,decision\n" + "".join(f"{k},blue,red,exclude\n" for k in range(EACH)),
            "leaves no image of the class 'blue'",
        ),
    ],
)
def test_a_table_of_corrections_that_does_not_fit(place: Path, text: str, message: str) -> None:
    (place / "c.csv").write_text(text)
    config = read_config(place / "colours.yaml", ["data.corrections=c.csv", "data.label_noise=null"])
    with pytest.raises(RequestError, match=message):
        images_of(config, DataPlace.default(), "train")
