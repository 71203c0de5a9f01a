"""`cnnlab visualize` from the command line, held against what torch says of the same weights and images."""

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import cnnlab.training.loop
from cnnlab.data.batches import normalise
from cnnlab.data.dataset import DataPlace, Dataset
from cnnlab.fit.checkpoints import load_weights_file
from cnnlab.inside.filters.measure import measure
from cnnlab.models.filters import convolution_filters
from cnnlab.network.fresh import new_network
from cnnlab.network.network import RunNetwork
from cnnlab.network.open import open_run
from cnnlab.network.session import Session
from cnnlab.runs.folder import Run
from cnnlab.runs.images import evaluation_images

CONFIG = """
data: {dataset: {shapes: {train_count: 200, test_count: 60, size: 16}}}
model:
  - conv_bn_act: {channels: 4, stride: 2}
  - conv_bn_act: {channels: 6, stride: 2}
  - global_avg_pool
  - linear
training: {epochs: 2, batch_size: 32}
optimizer: {sgd: {lr: 0.1}}
logging: {histograms_every_epochs: 0, snapshots_every_epochs: 1, graph: false, pictures: false}
"""


@pytest.fixture(scope="module")
def seen(place_of: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run that kept its epochs, a photo, and a file that is no image."""
    place = place_of(tmp_path_factory.mktemp("seen"))
    place.config(CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        # the report takes most of the time of a tiny training
        patch.setattr(cnnlab.training.loop, "write_training_report", lambda *arguments, **options: (None, None))
        result = place("train", "tiny.yaml", "--device", "cpu")
    assert result.code == 0, result.err
    pixels = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(place.folder / "photo.png")
    (place.folder / "broken.png").write_bytes((place.folder / "photo.png").read_bytes()[:200])
    return place


@pytest.fixture(scope="module")
def run(seen: Any) -> Run:
    return Run.open("tiny", seen.runs)


@pytest.fixture(scope="module")
def network(run: Run) -> RunNetwork:
    return open_run(run, Session(device_name="cpu"))


@pytest.fixture(scope="module")
def validation(run: Run, network: RunNetwork, seen: Any) -> Dataset:
    return evaluation_images(run, network.config, "validation", DataPlace(seen.folder / "data"))


def output(network: RunNetwork, layer: str, images: torch.Tensor) -> torch.Tensor:
    """What `layer` puts out, by a hook of torch's."""
    found: list[torch.Tensor] = []
    handle = network.model.get_submodule(layer).register_forward_hook(lambda m, i, o: found.append(o.detach()))
    with torch.no_grad():
        network.model(normalise(images, network.preparation.statistics))
    handle.remove()
    return found[0]


def written(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def bootstrap_of_a_difference(ours: list[float], theirs: list[float]) -> tuple[float, float]:
    """95 % of the differences of means between resamples of both."""
    values = np.random.default_rng(0)
    means = [values.choice(one, (20_000, len(one))).mean(1) for one in (ours, theirs)]
    low, high = np.quantile(means[0] - means[1], (0.025, 0.975))
    return float(low), float(high)


def test_filters_beside_their_untrained_twin_and_random_ones(seen: Any, run: Run, network: RunNetwork) -> None:
    result = seen("visualize", "filters", "tiny", "--random", "6", "--json")
    assert result.code == 0, result.err
    facts = result.json()
    assert facts["layer"] == "conv_bn_act1.conv"
    assert facts["shape"] == [4, 3, 3, 3]
    assert not facts["evidence"]["evidence"]
    assert "R² is no evidence here" in facts["evidence"]["sentence"]
    assert [(null["name"], null["bank"]["n"]) for null in facts["nulls"]] == [("untrained", 4), ("random", 6)]
    assert sum(facts["bank"]["kinds"].values()) == 4
    twin = new_network(network.config, network.shape, len(network.classes))
    before = [one.explained["gabor"] for one in measure(convolution_filters(twin)[1])]
    gabor = next(one for one in facts["nulls"][0]["families"] if one["family"] == "gabor")
    assert gabor["null_mean"] == pytest.approx(sum(before) / 4)
    now = [one["explained"]["gabor"] for one in facts["filters"]]
    assert gabor["mean"] == pytest.approx(sum(now) / 4)
    assert gabor["rediscovered"] == (bootstrap_of_a_difference(now, before)[0] > 0)
    assert list(gabor["interval"].values()) == pytest.approx(bootstrap_of_a_difference(now, before), abs=0.02)
    folder = run.path / "reports" / "visualize-filters"
    assert {"filters.png", "families.png", "frequencies.png", "each_filter.csv", "index.html", "facts.json"} <= written(
        folder
    )


@pytest.mark.usefixtures("nothing_is_drawn")
def test_filters_of_a_network_that_learned_nothing_have_one_null(cnnlab: Any) -> None:
    result = cnnlab("visualize", "filters", "tiny.yaml", "--random", "2", "--layer", "conv_bn_act2.conv", "--json")
    assert result.code == 0, result.err
    assert not result.json()["trained"]
    assert [null["name"] for null in result.json()["nulls"]] == ["random"]
    assert "filters.png" in written(cnnlab.runs / "visualize" / "filters-tiny")
    assert cnnlab("runs").code == 0
    assert "visualize" not in cnnlab("runs").out


@pytest.mark.usefixtures("nothing_is_drawn")
def test_weights_of_a_file_are_held_against_random_ones(cnnlab: Any, run: Run) -> None:
    cnnlab.config(CONFIG)
    weights, _ = run.weights("best")
    torch.save(weights, cnnlab.folder / "weights.pt")
    result = cnnlab("visualize", "filters", "tiny.yaml", "--weights", "weights.pt", "--random", "2", "--json")
    assert result.code == 0, result.err
    facts = result.json()
    assert facts["trained"]
    assert [null["name"] for null in facts["nulls"]] == ["untrained", "random"]
    energy = [one["energy"] for one in facts["filters"]]
    assert energy == pytest.approx(weights["conv_bn_act1.conv.weight"].double().square().sum((1, 2, 3)).tolist())


def test_feature_maps_and_silent_channels_are_those_of_a_hook(
    seen: Any, run: Run, network: RunNetwork, validation: Dataset
) -> None:
    result = seen("visualize", "features", "tiny", "photo.png", "--layer", "conv_bn_act2", "--json")
    assert result.code == 0, result.err
    facts = result.json()
    assert facts["samples"] == f"{len(validation)} validation images"
    (figures,) = [one for one in facts["layers"] if one["layer"] == "conv_bn_act2"]
    maps = output(network, "conv_bn_act2", validation.images)
    assert figures["active"] == pytest.approx((maps > 0).double().mean((0, 2, 3)).tolist())
    assert figures["maximum"] == pytest.approx(maps.amax((0, 2, 3)).tolist(), rel=1e-5)
    assert facts["dead"] == [i for i in range(6) if not bool((maps[:, i] > 0).any())]
    assert [step["layer"] for step in facts["of"][0]["walk"]] == ["conv_bn_act1", "conv_bn_act2"]
    assert {"maps_1.png", "walk_1.png", "activity.csv"} <= written(run.path / "reports" / "visualize-features")


@pytest.mark.usefixtures("nothing_is_drawn")
def test_an_image_that_cannot_be_read_is_named_after_the_others(seen: Any) -> None:
    result = seen("visualize", "features", "tiny", "broken.png", "photo.png", "--channels", "1,2", "--json")
    assert result.code == 1
    assert [one["picture"] for one in result.json()["of"]] == ["photo.png"]
    assert [one["path"] for one in result.json()["unreadable"]] == ["broken.png"]
    assert "unreadable: broken.png" in result.err


def test_patches_are_the_strongest_units_of_distinct_images(
    seen: Any, network: RunNetwork, validation: Dataset
) -> None:
    result = seen("visualize", "patches", "tiny", "--layer", "conv_bn_act2", "--top", "3", "--out", "patches", "--json")
    assert result.code == 0, result.err
    facts = result.json()
    maps = output(network, "conv_bn_act2", validation.images)
    assert facts["seen"] == len(validation)
    for one in facts["channels"]:
        best = maps[:, one["channel"]].flatten(1).amax(1).sort(descending=True).values[:3]
        assert [patch["value"] for patch in one["patches"]] == pytest.approx(best.tolist(), rel=1e-5)
        assert len({patch["picture"] for patch in one["patches"]}) == 3
        for patch in one["patches"]:
            row, column = patch["unit"]
            # two 3×3 kernels of stride 2 with padding 1: 7 pixels wide, 4 apart, the first from −3 to 3
            assert patch["box"] == [max(0, 4 * row - 3), max(0, 4 * column - 3),
                                    min(15, 4 * row + 3), min(15, 4 * column + 3)]  # fmt: skip
            assert patch["class"] == validation.classes[int(validation.labels[patch["picture"]])]


def test_a_patch_is_cut_from_its_image(seen: Any, validation: Dataset) -> None:
    from cnnlab.inside.patches.run import found_patches
    from cnnlab.network.open import open_network

    session = Session(runs=seen.runs, device_name="cpu")
    prepared = open_network("tiny", session, for_images=True)
    steps = found_patches(prepared, validation, session, split="validation", channels=(1,), top=2)
    facts = list(steps)[-1]
    (drawn,) = facts.drawn  # type: ignore[union-attr]
    for patch in drawn.patches:
        top, left, bottom, right = patch.box
        cut = validation.images[patch.number][:, top : bottom + 1, left : right + 1].permute(1, 2, 0)
        assert (patch.image == cut.numpy()).all()


def test_a_dream_follows_from_its_seed(seen: Any, network: RunNetwork) -> None:
    made = {}
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        words = ("--class", "star", "--steps", "12", "--seed", seed, "--out", name, "--json")
        result = seen("visualize", "dream", "tiny", *words)
        assert result.code == 0, result.err
        (dream,) = result.json()["dreams"]
        assert dream["end"] > dream["start"]
        assert len(dream["scores"]) == 12
        path = seen.folder / name / "pixels" / f"class-{network.classes.index('star')}.png"
        made[name] = (path.read_bytes(), dream["scores"])
    assert made["one"] == made["again"]
    assert made["one"][0] != made["other"][0]
    pixels = torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1)[None]
    with torch.no_grad():
        logits = network.model(normalise(pixels, network.preparation.statistics))
    # pixels were rounded to bytes on their way into the file
    assert float(logits[0, network.classes.index("star")]) == pytest.approx(dream["end"], rel=0.05)


@pytest.mark.usefixtures("nothing_is_drawn")
def test_dreams_of_channels_beside_what_images_reach(seen: Any, network: RunNetwork, validation: Dataset) -> None:
    words = ("--layer", "conv_bn_act1", "--channel", "0,2", "--steps", "2", "--json")
    result = seen("visualize", "dream", "tiny", *words)
    assert result.code == 0, result.err
    maps = output(network, "conv_bn_act1", validation.images).mean((2, 3)).amax(0)
    natural = [dream["natural"] for dream in result.json()["dreams"]]
    assert natural == pytest.approx([float(maps[0]), float(maps[2])], rel=1e-5)


def test_an_embedding_for_the_projector_and_neighbours(
    seen: Any, run: Run, network: RunNetwork, validation: Dataset
) -> None:
    for _ in range(2):  # the second takes the place of the first
        result = seen("visualize", "embedding", "tiny", "--like", "3", "--like", "photo.png", "--neighbours", "4",
                      "--json")  # fmt: skip
        assert result.code == 0, result.err
    facts = result.json()
    features = output(network, "conv_bn_act2", validation.images).mean((2, 3)).double()
    rows = torch.nn.functional.normalize(features, dim=1)
    like = rows @ rows[3]
    like[3] = -2
    nearest = facts["queries"][0]["neighbours"]
    assert [one["similarity"] for one in nearest] == pytest.approx(like.sort(descending=True).values[:4].tolist())
    assert facts["queries"][1]["class"] is None
    assert sum(facts["share"]) <= 1 + 1e-9
    folder = run.path / "tensorboard" / "embedding"
    inside = folder / "00000" / "linear1"
    values = list(csv.reader((inside / "tensors.tsv").open(), delimiter="\t"))
    assert np.array(values, dtype=float) == pytest.approx(features.numpy(), rel=1e-3, abs=1e-5)
    named = list(csv.reader((inside / "metadata.tsv").open(), delimiter="\t"))
    assert named[0] == ["class", "number"]
    assert [row[0] for row in named[1:]] == [validation.classes[int(label)] for label in validation.labels]
    side = int(np.ceil(np.sqrt(len(validation))))
    assert Image.open(inside / "sprite.png").size == (16 * side, 16 * side)
    assert len(list(folder.glob("events.out.tfevents.*"))) == 1


def test_the_projector_replaces_nothing_else(seen: Any) -> None:
    (seen.folder / "mine" / "embedding").mkdir(parents=True)
    (seen.folder / "mine" / "embedding" / "thesis.txt").write_text("years of work")
    result = seen("visualize", "embedding", "tiny", "--out", "mine")
    assert result.code == 2
    assert "holds other files" in result.err
    assert (seen.folder / "mine" / "embedding" / "thesis.txt").exists()


def test_a_training_as_a_film(seen: Any, run: Run, network: RunNetwork) -> None:
    result = seen("visualize", "training", "tiny", "--json")
    assert result.code == 0, result.err
    facts = result.json()
    assert [one["epoch"] for one in facts["epochs"]] == [0, 1, 2]
    assert facts["epochs"][-1]["similarity"] == pytest.approx([1.0] * 4)
    first = new_network(network.config, network.shape, len(network.classes))
    last, _ = load_weights_file(run.snapshots()[2])
    pair = [convolution_filters(first)[1].flatten(1), last["conv_bn_act1.conv.weight"].flatten(1)]
    cosine = torch.nn.functional.cosine_similarity(*pair).tolist()
    assert facts["epochs"][0]["similarity"] == pytest.approx(cosine, abs=1e-5)
    assert facts["epochs"][0]["validation_accuracy"] is None
    assert facts["epochs"][2]["validation_accuracy"] == run.epochs()[-1]["validation/accuracy"]
    folder = run.path / "reports" / "visualize-training"
    for name in ("filters.gif", "evidence.gif"):
        assert Image.open(folder / name).n_frames in (2, 3)  # frames that look alike are one
    assert {"filters.png", "evidence.png", "epochs.png", "epochs.csv"} <= written(folder)
    beside = {"unreadable", "pictures", "page"}
    assert cnnlab.open(run.path, device="cpu").film().to_dict() == {k: v for k, v in facts.items() if k not in beside}


def test_a_film_of_a_later_layer_keeps_the_signs_of_its_patterns(seen: Any, run: Run) -> None:
    from cnnlab.inside.film.run import filmed

    steps = filmed(run, Session(device_name="cpu"), layer="conv_bn_act2.conv", picture=1)
    facts = list(steps)[-1]
    before, after = (pattern.flatten(1).double() for pattern in facts.patterns[1:])  # type: ignore[union-attr]
    near = torch.nn.functional.cosine_similarity(before, after)
    assert float(near.min()) > 0


def test_a_run_without_snapshots_says_how_to_get_them(seen: Any, run: Run) -> None:
    shutil.copytree(run.path, seen.runs / "bare")
    for path in Run.open("bare", seen.runs).snapshots().values():
        path.unlink()
    result = seen("visualize", "training", "bare")
    assert result.code == 2
    assert "train with logging.snapshots_every_epochs=1 to film it" in result.err
