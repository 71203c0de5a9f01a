"""Every command honours every option that it shares with others: commands and options are found by walking the program.

Each command runs once with all of them, in a folder where nothing is at its usual place: the runs lie in `elsewhere`,
the images have moved, the best weights cannot be read, the network has a plugin's layer. What is not honoured there
does not go unnoticed.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import Place
from every_command import Observed, Way, copied, make_world, observe, ways

from cnnlab.runs.folder import all_runs

pytestmark = pytest.mark.usefixtures("nothing_is_drawn", "torch_is_there")

VALUES: dict[str, tuple[str, ...]] = {
    "--runs": ("elsewhere",),
    "--allow-plugins": (),
    "--device": ("cpu",),
    "--data": ("moved",),
    "--weights": ("last",),
    "--split": ("train",),
    "--max-batch": ("1",),
    "--seed": ("7",),
    "--json": (),
    "--input": ("24",),
    "--out": ("made",),
}
"""The shared options, each with a value that is not its usual one."""

DIFFERENT = {
    ("visualize filters", "--input"): "the size that a module needs to be opened; no image goes through it",
    ("layer", "--weights"): "numbers of a kernel",
    ("layer", "--input"): "the shape of a layer's input, which it needs",
    ("compare-layers", "--input"): "the shape of a layer's input, which it needs",
    ("schema", "--out"): "a file",
    ("init", "--out"): "a file",
    ("fuse", "--out"): "a run, or a file",
}
"""Options of the same name that mean something else in one command, and what."""

FINDS = {"data leaks": 1}
"""Exit codes of commands that find something in this world; 0 of all others."""

DECODES = {"compare", "init", "landscape"}
"""Commands that are given images by themselves, not those of a run: they are kept decoded with the data sets."""

OF_EACH = {
    *("--border", "--by", "--channel", "--channels", "--classes", "--count", "--depth", "--epochs", "--full-size"),
    *(
        "--jobs",
        "--layer",
        "--least-sure",
        "--method",
        "--metrics",
        "--nearest",
        "--probabilities",
        "--reject",
        "--reject-below",
        "--repeats",
        "--road",
        "--smooth",
        "--steps",
        "--target",
        "--threshold",
        "--top",
        "--tta",
    ),
    "--threads",
    "--what-if",
}
"""Options that several commands have, each for a matter of its own, tested with it."""

OF_A_NETWORK = {"--weights-key", "--mean", "--std", "--fit", "--preparation", "--output", "--activation"}
"""Options of every MODEL that a run refuses, since it knows them itself: see test_network_options."""

HERE = ("--runs", "--allow-plugins", "--device", "--data", "--weights", "--json")
"""What it takes to get anywhere."""


def shared(way: Way) -> set[str]:
    """Those of the shared options that a command has, in their usual meaning."""
    return {name for name in way.options & VALUES.keys() if (way.command, name) not in DIFFERENT}


def each(*names: str) -> pytest.MarkDecorator:
    """Every way that has all these options."""
    return pytest.mark.parametrize("way", [way for way in ways() if {*names} <= shared(way)], ids=str)


def given(way: Way, *names: str) -> list[str]:
    """Those of the options that the command has, with their values."""
    return [word for name in names if name in shared(way) for word in (name, *VALUES[name])]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return make_world(tmp_path_factory.mktemp("world") / "first")


@pytest.fixture
def place(world: Place, way: Way, tmp_path: Path) -> Place:
    """The world for one call."""
    return copied(world, tmp_path / "own", moved="--data" in shared(way), spoiled="--weights" in shared(way))


def test_the_shared_options_are_all_here() -> None:
    """An option that two commands have is checked below, or is of each of them."""
    options = {way.command: way.options for way in ways() if way.label != "CONFIG"}
    counts = Counter(option for found in options.values() for option in found)
    assert {option for option, count in counts.items() if count > 1} == VALUES.keys() | OF_EACH | OF_A_NETWORK


@pytest.mark.parametrize("way", ways(), ids=str)
def test_all_at_once(way: Way, place: Place) -> None:
    seen = observe(place, way.words(*given(way, *HERE, "--split", "--max-batch", "--seed")))
    assert seen.result.code == FINDS.get(way.command, 0), seen.result.err
    if "--json" in way.options:
        assert is_one_document(seen.result.out)
    if "--runs" in way.options:
        assert not strayed(seen, way, "elsewhere")
        assert all_runs(place.folder / "elsewhere")[1] == []  # nothing there that `cnnlab runs` does not know
    else:
        assert not seen.outside("runs")
    if "--max-batch" in way.options:
        assert max(seen.sizes) <= 2  # a layer is chosen on two images of noise
    if "--split" in way.options:
        assert any(seen.dark)


def strayed(seen: Observed, way: Way, folder: str) -> list[Path]:
    """What was written outside of `folder`."""
    return [path for path in seen.outside(folder) if not (way.command in DECODES and path.is_relative_to("data"))]


def is_one_document(text: str) -> bool:
    """JSON and nothing else: no second document, no line before or after it."""
    json.loads(text)
    return text.startswith(("{", "[")) and text.endswith(("}\n", "]\n"))


REFUSED = {
    "--allow-plugins": ((), "layers.py); allow that with --allow-plugins"),
    "--device": (("--device", "cuda"), "no device 'cuda'; this machine has cpu"),
    "--data": (("--data", "nowhere"), "--data is 'nowhere'"),
    "--weights": (("--weights", "worst"), "worst"),
    "--runs": (("--runs", "nowhere"), "nowhere"),
    "--max-batch": (("--max-batch", "0"), "--max-batch"),
    "--seed": (("--seed", "-1"), "--seed"),
    "--input": (("--input", "0"), "--input is '0'"),
}
"""For each option words with which a command is refused, and what the message names."""


def refusals() -> Iterator[tuple[Way, str]]:
    """Each way with each of those options; without a run, any folder will do for `--runs`."""
    for way in ways():
        looks_for_a_run = {"tiny", "other"} & {*way.positional} or way.label == "--resume"
        yield from ((way, name) for name in REFUSED if name in shared(way) and (name != "--runs" or looks_for_a_run))


@pytest.fixture
def place_with_best(world: Place, way: Way, tmp_path: Path) -> Place:
    return copied(world, tmp_path / "own", moved="--data" in shared(way), spoiled=False)


@pytest.mark.parametrize(("way", "name"), refusals(), ids=str)
def test_what_is_not_there_is_refused(
    way: Way, name: str, place_with_best: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    words, named = REFUSED[name]
    seen = observe(place_with_best, way.words(*given(way, *(one for one in HERE if one != name)), *words))
    assert seen.result.code == 2
    assert named in " ".join(seen.result.err.split())
    assert seen.written == frozenset()
    if "--json" in way.options:
        assert seen.document()["code"] == 2
        assert is_one_document(seen.result.out)


@each("--device")
def test_the_device_is_the_one_that_was_asked_for(way: Way, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where torch is said to have CUDA, it is reached for, and no driver found: nothing runs on another device."""
    if torch.cuda.is_available():
        pytest.skip("needs a machine without CUDA")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    try:
        said = observe(place, way.words(*given(way, *HERE), "--device", "cuda")).result.err
    except (AssertionError, RuntimeError) as error:
        said = str(error)
    assert re.search("CUDA|NVIDIA", said), said


@each("--seed")
def test_the_seed_is_all_that_chance_goes_by(way: Way, place: Place) -> None:
    """The same seed gives the same numbers, whatever the size of a batch; another one gives others."""
    words = way.words(*given(way, *HERE))
    once = numbers(observe(place, [*words, "--seed", "7", *given(way, "--max-batch")]).document())
    again = numbers(observe(place, [*words, "--seed", "7"]).document())
    other = numbers(observe(place, [*words, "--seed", "8"]).document())
    assert once == pytest.approx(again, rel=1e-3, abs=1e-5)
    assert other != pytest.approx(again, rel=1e-3, abs=1e-5)


def numbers(document: Any) -> dict[str, float]:
    """Every number of a document by its place, but those that are the request's own, or times."""
    found: dict[str, float] = {}

    def walk(value: Any, place: str) -> None:
        if isinstance(value, dict):
            for key, one in value.items():
                if key not in ("seed", "max_batch", "passes", "seconds"):
                    walk(one, f"{place}.{key}")
        elif isinstance(value, list):
            for index, one in enumerate(value):
                walk(one, f"{place}[{index}]")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[place] = value

    walk(document, "")
    return found


@pytest.mark.parametrize("way", [way for way in ways() if {"--out", "--input"} & shared(way)], ids=str)
def test_out_holds_all_that_is_written_and_images_have_the_size_that_was_asked_for(way: Way, place: Place) -> None:
    seen = observe(place, way.words(*given(way, *HERE, "--out", "--input")))
    assert seen.result.code == FINDS.get(way.command, 0), seen.result.err
    if "--out" in shared(way):
        assert seen.written
        assert not strayed(seen, way, "made")
    if "--input" not in shared(way):
        return
    if way.command == "summary":  # which runs nothing
        assert seen.document()["input"] == [3, 24, 24]
    else:
        assert {tuple(batch.shape[1:]) for batch in seen.batches} == {(3, 24, 24)}
