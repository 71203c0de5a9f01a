"""Every command that takes MODEL, with a network of the user's own: what is said of it reaches it.

Each command runs on `net.py:build` with weights from a file, in a folder of photos that have no parts; all options of a
network are given at once, each unlike what it is without.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import Place
from every_command import Observed, Way, make_world, observe, ways
from PIL import Image

pytestmark = pytest.mark.usefixtures("nothing_is_drawn")

CODE = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, classes=2):
        super().__init__()
        self.conv1, self.relu1 = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU()
        self.conv2, self.relu2 = nn.Conv2d(4, 6, 3, stride=2), nn.ReLU()
        self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(6, classes)

    def forward(self, images):
        x = self.pool(self.relu2(self.conv2(self.relu1(self.conv1(images))))).flatten(1)
        logits = self.head(x)
        return {"logits": logits, "turned": logits.flip(1)}


def build():
    return Net()


def single():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 1))
"""

MEAN, STD = (0.1, 0.2, 0.3), (0.5, 0.25, 0.125)
SIDE = 20
"""Pixels of the network's images."""
COUNTS = {"cat": 5, "dog": 3}
"""Photos of each class."""

SAID = {
    "--weights": "w.pt",
    "--weights-key": "ema",
    "--data": "photos",
    "--input": str(SIDE),
    "--mean": ",".join(map(str, MEAN)),
    "--std": ",".join(map(str, STD)),
    "--classes": "dog,cat",
    "--fit": "letterbox",
    "--output": "turned",
    "--activation": "softmax",
    "--device": "cpu",
    "--runs": "elsewhere",
}
"""What is said of the network; the classes are in another order than the folders'."""

SHOWS_IT_NO_IMAGES = ("summary", "cost", "visualize filters", "check-model", "probe position")
"""Commands that look at the network alone."""


def own(way: Way) -> Way:
    """The same command with the own module in the place of the run."""
    words = tuple("net.py:build" if word == "tiny" else word for word in way.positional)
    return replace(way, positional=words, label="MODULE")


WITHOUT_A_NORM = ("probe norm", "fuse")
"""Commands that have nothing to say of this module."""

WAYS = [
    own(way)
    for way in ways()
    if "--weights-key" in way.options and way.label != "CONFIG" and way.command not in WITHOUT_A_NORM
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Photos that are wider than high, and the module with three sets of weights in a file."""
    for name in COUNTS:
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(COUNTS[name]):
            photo(number).save(tmp_path / "photos" / name / f"{number}.png")
    photo(0).save(tmp_path / "image.png")
    (tmp_path / "net.py").write_text(CODE)
    held = {"model": weights(first=-30.0), "ema": weights(first=30.0), "mild": weights(first=0.5)}
    torch.save(held, tmp_path / "w.pt")
    monkeypatch.setattr(sys, "path", list(sys.path))
    torch.save(single_weights(), tmp_path / "single.pt")
    return Place(tmp_path)


def photo(seed: int) -> Image.Image:
    """40 × 16 pixels, none of them black."""
    return Image.fromarray(np.random.default_rng(seed).integers(60, 256, (16, 40, 3), dtype=np.uint8))


def weights(first: float) -> dict[str, torch.Tensor]:
    """A state dict of `Net`, whose first logit is about `first` whatever the image, and the second its negative."""
    generator = torch.Generator().manual_seed(0)
    shapes = {
        "conv1.weight": (4, 3, 3, 3),
        "conv1.bias": (4,),
        "conv2.weight": (6, 4, 3, 3),
        "conv2.bias": (6,),
        "head.weight": (2, 6),
    }
    state = {name: torch.randn(shape, generator=generator) / 3 for name, shape in shapes.items()}
    return state | {"head.bias": torch.tensor([first, -first])}


def single_weights() -> dict[str, torch.Tensor]:
    """A state dict of `single`, with weights that make answers differ from image to image."""
    generator = torch.Generator().manual_seed(1)
    shapes = {"0.weight": (4, 3, 3, 3), "0.bias": (4,), "4.weight": (1, 4), "4.bias": (1,)}
    return {name: 3 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def said(way: Way, **changed: str) -> list[str]:
    """Those of `SAID` that the command has, in the order of the table."""
    table = SAID | {f"--{name.replace('_', '-')}": value for name, value in changed.items()}
    return [word for name, value in table.items() if name in way.options for word in (name, value)]


def run(way: Way, place: Place, *more: str, **changed: str) -> Observed:
    return observe(place, way.words(*said(way, **changed), *more))


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_what_is_said_of_a_network_reaches_it(way: Way, place: Place) -> None:
    """The size, the bars of the letterbox, mean and standard deviation in the batches; files where files belong."""
    seen = run(way, place, *(["--json"] if "--json" in way.options else []))
    assert seen.result.code == 0, seen.result.err
    assert all(path.is_relative_to("data") for path in seen.outside("elsewhere"))  # where decoded images are kept
    if "--json" in way.options:
        json.loads(seen.result.out)
    if way.command in SHOWS_IT_NO_IMAGES:
        return
    assert {tuple(batch.shape[1:]) for batch in seen.batches} == {(3, SIDE, SIDE)}
    assert any(is_photo(image) for batch in seen.batches for image in batch.float())


def is_photo(image: torch.Tensor) -> bool:
    """Whether it is a whole photo between two black bars, with `MEAN` taken off, divided by `STD`."""
    pixels = 255 * (image.cpu() * torch.tensor(STD)[:, None, None] + torch.tensor(MEAN)[:, None, None])
    bytes_alone = bool((pixels - pixels.round()).abs().max() < 1e-2)
    bars, middle = torch.cat([pixels[:, :5], pixels[:, -5:]], 1), pixels[:, 7:13]
    return bytes_alone and bool(bars.abs().max() < 1e-2) and bool(middle.min() > 30)


ANSWERS: dict[str, Any] = {
    "eval": lambda document: document["classes"][int(np.argmax(np.sum(document["confusion"], 0)))],
    "predict": lambda document: document[0]["label"],
    "report-card": lambda document: document["answer"],
    "audit": lambda document: document["pictures"][0]["predicted"],
    "gradcam": lambda document: document["images"][0]["predicted"],
}
"""The answer of the network in the documents of commands that tell one."""


@pytest.mark.parametrize("way", [way for way in WAYS if way.command in ANSWERS], ids=str)
def test_weights_output_and_classes_are_those_that_were_asked_for(way: Way, place: Place) -> None:
    answer = ANSWERS[way.command]
    assert answer(run(way, place, "--json").document()) == "cat"
    assert answer(run(way, place, "--json", output="logits").document()) == "dog"
    assert answer(run(way, place, "--json", weights_key="model").document()) == "dog"
    assert answer(run(way, place, "--json", classes="cat,dog").document()) == "dog"


def test_labels_are_those_of_the_classes_by_name(place: Place) -> None:
    document = run(way_of("eval"), place, "--json").document()
    assert (document["split"], document["n"], document["classes"]) == ("all", 8, ["dog", "cat"])
    assert document["confusion"] == [[0, 3], [0, 5]]
    assert (document["epoch"], document["averaged"]) == (None, False)


def way_of(command: str) -> Way:
    (found,) = [way for way in WAYS if way.command == command]
    return found


KNOWN = {
    "--mean": ("0.5", "--std", "0.5"),
    "--classes": ("a,b",),
    "--fit": ("stretch",),
    "--output": ("0",),
    "--activation": ("sigmoid",),
    "--weights-key": ("ema",),
}
"""What a run knows itself."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return make_world(tmp_path_factory.mktemp("world") / "first")


@pytest.mark.parametrize(
    ("way", "option"),
    [(way, option) for way in ways() for option in KNOWN
     if {"--mean", option} <= way.options and way.label != "CONFIG"],
    ids=str,
)  # fmt: skip
def test_what_a_run_knows_itself_is_refused(way: Way, option: str, world: Place) -> None:
    plugins = ["--allow-plugins"] if "--allow-plugins" in way.options else []
    seen = observe(world, way.words("--runs", "elsewhere", *plugins, option, *KNOWN[option]))
    assert seen.result.code == 2
    assert option in seen.result.err
    assert way.positional[0] in seen.result.err
    assert seen.written == frozenset()


def test_a_single_logit_speaks_for_the_second_of_two_classes(place: Place) -> None:
    """Its probability is its sigmoid, and its loss that of the yes-or-no question."""
    words = ("--data", "photos", "--input", "20", "--runs", "elsewhere", "--json")
    rows = observe(place, ["predict", "net.py:single", "photos", *words, "--probabilities"]).document()
    assert len(rows) == 8
    truths = torch.tensor([float(Path(row["path"]).parent.name == "dog") for row in rows])
    sure = torch.tensor([row["probabilities"]["dog"] for row in rows])
    assert all(sum(row["probabilities"].values()) == pytest.approx(1) for row in rows)
    document = observe(place, ["eval", "net.py:single", *words]).document()
    assert document["loss"] == pytest.approx(float(torch.nn.functional.binary_cross_entropy(sure, truths)), abs=1e-4)
    assert document["accuracy"] == float(((sure > 0.5) == truths.bool()).double().mean())
    model = torch.nn.Sequential(
        *(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()),
        torch.nn.Linear(4, 1),
    )
    model.load_state_dict(torch.load(place.folder / "single.pt"))
    photos = observe(place, ["predict", "net.py:single", "photos", *words, "--weights", "single.pt", "--probabilities"])
    batch = next(batch for batch in photos.batches if len(batch) == 8)
    with torch.no_grad():
        expected = model(batch).sigmoid()[:, 0]
    told = [row["probabilities"]["dog"] for row in photos.document()]
    assert told == pytest.approx(expected.tolist(), abs=1e-5)


def test_answers_by_a_sigmoid_are_of_each_class_by_itself(place: Place) -> None:
    words = [
        "predict",
        "net.py:build",
        "image.png",
        "--input",
        "20",
        "--classes",
        "dog,cat",
        "--json",
        "--probabilities",
    ]
    by_sigmoid, by_softmax = (
        observe(
            place,
            [*words, "--probabilities", "--weights", "w.pt", "--weights-key", "mild", "--activation", activation],
        )
        for activation in ("sigmoid", "softmax")
    )
    said = "each class is answered by itself"
    assert (said in by_sigmoid.result.err, said in by_softmax.result.err) == (True, False)
    (each,), (together,) = by_sigmoid.document(), by_softmax.document()
    odds = {name: p / (1 - p) for name, p in each["probabilities"].items()}  # the logits' exponentials
    expected = {name: one / sum(odds.values()) for name, one in odds.items()}
    assert together["probabilities"] == pytest.approx(expected, abs=1e-5)
    assert each["probability"] == max(each["probabilities"].values())
    refused = run(way_of("eval"), place, activation="sigmoid")
    assert refused.result.code == 2
    assert "--activation is sigmoid" in refused.result.err
    assert "photos" in refused.result.err


@pytest.mark.parametrize(("command", "more"), [("sanity", ("--labels",)), ("report", ("--tensorboard",))])
def test_what_only_a_run_has_is_refused(command: str, more: tuple[str, ...], place: Place) -> None:
    seen = run(way_of(command), place, *more)
    assert seen.result.code == 2
    assert more[0] in seen.result.err
    assert "net.py:build is no" in seen.result.err.replace("net.py:build is none", "net.py:build is no")


@pytest.mark.parametrize("command", ["eval", "audit", "sanity", "report", "report-card", "visualize patches"])
def test_without_images_the_way_out_is_told(command: str, place: Place) -> None:
    way = replace(way_of(command), options=way_of(command).options - {"--data"})
    seen = run(way, place)
    assert seen.result.code == 2
    assert "name a folder, a CSV or a data set with --data" in seen.result.err
