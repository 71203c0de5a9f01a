"""`cnnlab gradcam` from the command line: images in, signed maps and overlays out."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from cnnlab.attribution.attribution import attribute
from cnnlab.config.config import read_config
from cnnlab.data.batches import normalise
from cnnlab.data.dataset import DataPlace
from cnnlab.network.open import open_run
from cnnlab.network.session import Session
from cnnlab.runs.folder import Run

FLAT = """
data:
  dataset: {shapes: {train_count: 60, test_count: 20, size: 16}}
model:
  - conv_bn_act: {channels: 4, stride: 2}
  - flatten
  - linear: {features: 16}
  - relu
  - linear
"""


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def photos(trained: Any) -> Path:
    """Images of odd sizes and modes."""
    folder = trained.place.folder / "photos"
    (folder / "star").mkdir(parents=True)
    Image.fromarray(noise(60, 90)).save(folder / "wide.png")
    Image.fromarray(noise(70, 40, 1)).convert("CMYK").save(folder / "star" / "tall.tif")
    Image.fromarray(noise(9, 9, 2)).convert("LA").save(folder / "star" / "tiny.png")
    return folder


@pytest.fixture(scope="module")
def several(trained: Any, photos: Path) -> Any:
    """`gradcam tiny photos --method gradcam,layercam --target top2 --json`."""
    result = trained.place(
        "gradcam", "tiny", "photos", "--method", "gradcam,layercam", "--target", "top2", "--out", "several", "--json"
    )
    assert result.code == 0, result.err
    return result


def test_an_entry_for_each_image_target_and_method(several: Any) -> None:
    images = several.json()["images"]
    assert len(images) == 3 * 2 * 2
    assert len({(one["path"], one["method"], one["target"]) for one in images}) == len(images)
    wanted = {"path", "predicted", "probability", "target", "method", "layer", "raw", "overlay", "metrics"}
    assert all(wanted <= set(one) for one in images)
    assert {one["layer"] for one in images} == {"conv_bn_act2"}
    assert {one["truth"] for one in images if "star/" in one["path"]} == {"star"}
    assert {one["truth"] for one in images if "wide" in one["path"]} == {None}
    first, second = (one for one in images if "wide" in one["path"] and one["method"] == "gradcam")
    assert first["target"] == first["predicted"]
    assert second["target_probability"] < first["target_probability"] == first["probability"]


def test_answers_are_those_of_predict(trained: Any, several: Any, photos: Path) -> None:
    """The same images, prepared by the same code."""
    predicted = {one["path"]: one for one in trained.place("predict", "tiny", "photos", "--json").json()}
    assert len(predicted) == 3
    for one in several.json()["images"]:
        assert one["predicted"] == predicted[one["path"]]["label"]
        assert one["probability"] == pytest.approx(predicted[one["path"]]["probability"], rel=1e-5)


def test_raw_maps_are_signed_and_at_the_layer_s_resolution(trained: Any, several: Any) -> None:
    for one in several.json()["images"]:
        raw = np.load(trained.place.folder / one["raw"], allow_pickle=False)
        assert (raw.dtype, raw.shape) == (np.float32, (4, 4))
        assert one["evident"] == bool((raw > 0).any())
    raws = [np.load(trained.place.folder / one["raw"]) for one in several.json()["images"]]
    assert any((raw < 0).any() for raw in raws)


def test_provenance_goes_along(several: Any, trained: Any) -> None:
    document = several.json()
    made = document["provenance"]
    assert set(made["versions"]) >= {"cnnlab", "torch", "python"}
    assert made["seed"] == 0
    assert made["passes"] == {"gradcam": 3, "layercam": 3}
    assert made["preparation"]["fit"] == "crop"
    assert "align_corners=False" in made["conventions"]["enlarging"]
    assert [one["name"] for one in document["layers"]] == ["conv_bn_act2"]
    assert document["layers"][0]["head"]["kind"] == "gap_linear"
    assert set(document["layers"][0]) == {
        "name", "channels", "height", "width", "post_activation", "reason", "head", "candidates", "tokens"
    }  # fmt: skip
    assert document["methods"][0]["paper"] == "arXiv:1610.02391"
    assert several.err.startswith("passes through the network, of at most 64 images each: Grad-CAM 3, LayerCAM 3")
    assert json.loads((trained.place.folder / "several" / "explanations.json").read_text()) == document
    written = {path.name for path in (trained.place.folder / "several").iterdir()}
    assert {"index.html", "maps.png", "each_map.csv", "explanations.json", "maps"} <= written


@pytest.mark.usefixtures("nothing_is_drawn")
def test_maps_over_a_run_s_own_images_are_those_of_the_analysis(trained: Any) -> None:
    result = trained.place("gradcam", "tiny", "--split", "validation", "--count", "5", "--target", "true", "--json")
    assert result.code == 0, result.err
    images = result.json()["images"]
    assert len(images) == 5
    run = Run.open("tiny", trained.place.runs)
    network = open_run(run, Session(device_name="cpu"))
    config = read_config(run.path / "config.yaml")
    from cnnlab.runs.images import training_images

    part = training_images(config, DataPlace(trained.place.folder / "data")).validation
    assert part is not None
    for one in images:
        number = int(one["path"].removeprefix("validation/"))
        image, label = part.images[number][None], int(part.labels[number])
        assert one["target"] == one["truth"] == network.classes[label]
        inputs = normalise(image, network.preparation.statistics)
        (expected,) = attribute(network.model, inputs, [label], methods=["gradcam"])
        np.testing.assert_allclose(np.load(trained.place.folder / one["raw"]), expected.maps[0], rtol=1e-4, atol=1e-5)
    assert images[0]["raw"].startswith("runs/tiny/reports/gradcam/maps/")


@pytest.mark.figures
def test_an_overlay_keeps_the_image_at_its_own_size(trained: Any) -> None:
    """Outside the middle square, which is all that the network sees, each pixel is the image's."""
    pixels = noise(500, 1100, 3)
    Image.fromarray(pixels).save(trained.place.folder / "large.png")
    result = trained.place("gradcam", "tiny", "large.png", "--method", "layercam", "--out", "large", "--json")
    (one,) = result.json()["images"]
    drawn = np.asarray(Image.open(trained.place.folder / one["overlay"]).convert("RGB"))
    corner = pixels[200:212, 100:112]
    windows = sliding_window_view(drawn[:, :600], (12, 12, 3))[:, :, 0]
    (place,) = np.argwhere((windows == corner).all((2, 3, 4)))
    top, left = place - (200, 100)
    outside = drawn[top + 5 : top + 490, left + 5 : left + 290]
    assert (outside == pixels[5:490, 5:290]).all()
    inside = drawn[top + 5 : top + 490, left + 310 : left + 790]
    assert (inside != pixels[5:490, 310:790]).any()
    assert one["evident"]
    row, column = one["peak"]
    assert 300 <= column < 800
    assert 0 <= row < 500


@pytest.mark.figures
def test_a_large_image_s_overlay_is_as_large_as_a_screen_and_whole_on_request(trained: Any) -> None:
    Image.fromarray(noise(40, 2000, 3)).save(trained.place.folder / "wide.png")
    widths, peaks = [], []
    for options in ((), ("--full-size",)):
        result = trained.place(
            "gradcam", "tiny", "wide.png", "--method", "gradcam", "--out", "wide", "--json", *options
        )
        (one,) = result.json()["images"]
        widths.append(Image.open(trained.place.folder / one["overlay"]).width)
        peaks.append(one["peak"])
    assert widths[1] >= 2000
    assert abs(widths[0] / widths[1] - 0.8) < 0.01
    # places are the image's own, whatever is drawn: in the middle square, which is all that the network sees
    assert all(0 <= row < 40 and 979 <= column <= 1021 for row, column in peaks)


@pytest.mark.usefixtures("nothing_is_drawn")
def test_metrics_stand_beside_three_controls(trained: Any) -> None:
    result = trained.place(
        "gradcam", "tiny", "--split", "validation", "--count", "6", "--metrics", "--json", "--out", "m"
    )
    assert result.code == 0, result.err
    document = result.json()
    (found,) = document["faithfulness"]
    assert set(found["controls"]) == {"random", "centre", "edges"}
    assert [verdict["level"] for verdict in found["verdicts"]] == ["pixels", "blocks of 2×2"]
    assert "chance" in found["verdicts"][0]["sentence"]
    metrics = document["images"][0]["metrics"]
    assert {"deletion", "insertion", "road", "drop", "increase", "pointing", "inside", "top_tenth", "border"} <= set(
        metrics
    )
    assert set(metrics["controls"]) == {"random", "centre", "edges"}
    means = [one["metrics"]["gain"] for one in document["images"]]
    assert found["methods"]["gradcam"]["pixels"]["gain"]["mean"] == pytest.approx(np.mean(means))
    assert "changed images" in result.err
    assert (trained.place.folder / "m" / "deletion.png").exists()


@pytest.mark.usefixtures("nothing_is_drawn")
def test_layers_are_named_or_chosen_with_a_reason(trained: Any) -> None:
    place = trained.place
    said = place("gradcam", "tiny", "--split", "validation", "--count", "1", "--out", "auto").out
    assert "conv_bn_act2 (16 × 4 × 4): the last feature map before the head, after its activation" in " ".join(
        said.split()
    )
    assert "Other layers: conv_bn_act1 (8 × 8)" in " ".join(said.split())
    fused = place(
        "gradcam", "tiny", "--split", "validation", "--count", "1", "--layer", "conv_bn_act1,conv_bn_act2",
        "--method", "gradcam", "--smooth", "eigen", "--out", "fused", "--json",
    )  # fmt: skip
    assert fused.code == 0, fused.err
    (one,) = fused.json()["images"]
    assert one["layer"] == "conv_bn_act1+conv_bn_act2"
    raw = np.load(place.folder / one["raw"])
    assert raw.shape == (8, 8)
    assert 0 <= raw.min() <= raw.max() <= 1
    assert fused.json()["provenance"]["smooth"] == "eigen"


@pytest.mark.usefixtures("nothing_is_drawn")
def test_a_corrupt_image_is_named_and_the_others_are_done(trained: Any, photos: Path) -> None:
    folder = trained.place.folder / "mixed"
    folder.mkdir()
    whole = (photos / "wide.png").read_bytes()
    for name, content in (("a.png", whole), ("b[bold].png", whole[:60]), ("c.png", whole)):
        (folder / name).write_bytes(content)
    result = trained.place("gradcam", "tiny", "mixed", "--out", "out", "--json")
    assert result.code == 1
    assert [one["path"] for one in result.json()["images"]] == ["mixed/a.png", "mixed/c.png"]
    assert [one["path"] for one in result.json()["unreadable"]] == ["mixed/b[bold].png"]
    assert "unreadable: mixed/b[bold].png: is " in result.err
    nothing = trained.place("gradcam", "tiny", "mixed/b*.png", "--out", "nothing", "--json")
    assert nothing.code == 1
    assert nothing.json()["error"] == "none of the 1 images could be read"
    assert [one["path"] for one in nothing.json()["unreadable"]] == ["mixed/b[bold].png"]
    assert not (trained.place.folder / "nothing").exists()


@pytest.mark.usefixtures("nothing_is_drawn")
def test_an_image_on_standard_input(trained: Any, photos: Path) -> None:
    content = (photos / "wide.png").read_bytes()
    result = trained.place("gradcam", "tiny", "-", "--out", "stdin", "--json", stdin=content)
    assert [one["path"] for one in result.json()["images"]] == ["<stdin>"]


@pytest.mark.usefixtures("nothing_is_drawn")
def test_networks_that_are_no_run(cnnlab: Any) -> None:
    Image.fromarray(noise(50, 60)).save(cnnlab.folder / "photo.png")
    result = cnnlab("gradcam", "tiny.yaml", "photo.png", "--json")
    assert result.code == 0, result.err
    assert "caution: the network's weights are random" in result.err
    document = result.json()
    assert document["report"] == "runs/gradcam/index.html"
    assert not document["trained"]
    assert cnnlab("runs").err.startswith("no runs under runs yet")
    zoo = ("torchvision:squeezenet1_1", "photo.png", "--input", "64", "--method", "gradcam")
    result = cnnlab("gradcam", *zoo, "--target", "tench", "--json")
    assert result.code == 0, result.err
    (one,) = result.json()["images"]
    assert one["target"] == "tench"
    assert result.json()["layers"][0]["name"] == "features"


@pytest.mark.usefixtures("nothing_is_drawn")
def test_grad_cam_behind_a_flattening_head_is_warned_of(cnnlab: Any) -> None:
    cnnlab.config(FLAT, "flat.yaml")
    result = cnnlab("gradcam", "flat.yaml", "--split", "train", "--count", "1")
    assert result.code == 0, result.err
    assert "HiResCAM" in result.out
    assert "integrated gradients" in result.out
    warned = cnnlab("gradcam", "flat.yaml", "--split", "train", "--count", "1", "--method", "gradcam", "--json")
    assert any("Grad-CAM averages away" in caution for caution in warned.json()["cautions"])
    assert "caution: behind 'conv_bn_act1'" in warned.err


def test_class_names_are_never_markup(trained: Any, tmp_path: Path, place_of: Any) -> None:
    place = place_of(tmp_path)
    shutil.copytree(trained.run, place.runs / "evil", ignore=shutil.ignore_patterns("reports", "tensorboard"))
    record = json.loads((place.runs / "evil" / "run.json").read_text())
    record["data"]["classes"] = [f"<img src=x>[red]/../{i}" for i in range(10)]
    (place.runs / "evil" / "run.json").write_text(json.dumps(record))
    Image.fromarray(noise(30, 30)).save(tmp_path / "photo.png")
    result = place("gradcam", "evil", "photo.png")
    assert result.code == 0, result.err
    assert "<img src=x>[red]" in "".join(result.out.split("\n"))
    folder = place.runs / "evil" / "reports" / "gradcam"
    assert "<img src=x" not in (folder / "index.html").read_text().replace('<img src="data', "")
    assert {path.parent for path in folder.rglob("*.npy")} == {folder / "maps"}


@pytest.mark.usefixtures("nothing_is_drawn")
def test_several_classes_are_measured_one_by_one(trained: Any) -> None:
    words = ("--split", "validation", "--count", "2", "--target", "top2", "--metrics", "--no-road", "--out", "ranks")
    result = trained.place("gradcam", "tiny", *words, "--json")
    assert result.code == 0, result.err
    assert len(result.json()["faithfulness"]) == 2
    assert result.json()["images"][0]["metrics"]["road"] is None
    written = {path.name for path in (trained.place.folder / "ranks").iterdir()}
    assert {"deletion_1.png", "deletion_2.png", "pixels_removed_1.csv", "pixels_removed_2.csv"} <= written


def test_a_part_of_files_is_drawn_on_the_files(cnnlab: Any) -> None:
    """Grey, with bars beside the images: maps lie on the images as they are on the disk."""
    for number, name in enumerate(("cat", "dog")):
        (cnnlab.folder / "own" / name).mkdir(parents=True)
        for index in range(3):
            Image.fromarray(noise(20, 50, 10 * number + index)).save(cnnlab.folder / "own" / name / f"{index}.png")
    cnnlab.config(
        """
data: {dataset: {folder: {path: own, size: 16, fit: pad, channels: 1, cache: false}}, validation: 0}
model: [{conv_bn_act: {channels: 4}}, global_avg_pool, linear]
""",
        "own.yaml",
    )
    words = ("gradcam", "own.yaml", "--split", "train", "--count", "2", "--target", "true", "--method", "layercam")
    result = cnnlab(*words, "--input", "1,16,16", "--json")
    assert result.code == 0, result.err
    for one in result.json()["images"]:
        assert one["truth"] == one["target"] == Path(one["path"]).parent.name
        assert np.load(cnnlab.folder / one["raw"]).shape == (16, 16)
        assert one["peak"] is None or one["peak"][0] < 20
    assert result.json()["provenance"]["preparation"]["fit"] == "letterbox"
    files = cnnlab(
        *words[:2], "own/cat", "own/dog", "--input", "1,16,16", "--method", "layercam", "--target", "true", "--json"
    )
    raws = {one["path"]: np.load(cnnlab.folder / one["raw"]) for one in files.json()["images"]}
    for one in cnnlab(*words, "--input", "1,16,16", "--out", "again", "--json").json()["images"]:
        np.testing.assert_allclose(np.load(cnnlab.folder / one["raw"]), raws[one["path"]], rtol=1e-5, atol=1e-7)
