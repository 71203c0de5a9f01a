"""Every command of the program, found by walking it, with words that make it do its least on a tiny run."""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from command_line import Place, Result
from PIL import Image

from cnnlab.main import program
from cnnlab.models.plugins import forget_plugins

ARGUMENTS: dict[str, tuple[str, ...]] = {
    "RUN": ("tiny",),
    "MODEL…": ("tiny", "other"),
    "MODEL": ("tiny",),
    "CONFIG": ("tiny.yaml",),
    "CONFIG|DATASET": ("tiny.yaml",),
    "IMAGE…": ("image.png",),
    "[PATH]…": ("image.png",),
    "[CONFIG] [KEY=VALUE]…": ("tiny.yaml",),
    "CONFIG… [KEY=VALUE]…": ("elsewhere/tiny/config.yaml", "elsewhere/other/config.yaml"),
    "KERNEL": ("tiny",),
    "NAME": ("quickstart",),
    "IMAGE": ("image.png",),
    "KIND": ("conv", "channels=2"),
    "FOLDER|CSV": ("images",),
    "STACK…": ("conv channels=2", "linear"),
}
"""What stands for an argument, by its name in the help; those that are not here may be left out."""

WITH_A_CONFIG = {**ARGUMENTS, "MODEL": ("tiny.yaml",)}

_NORMED = {"tiny": "other", "tiny.yaml": "elsewhere/other/config.yaml"}
OF_OTHERS = {"probe norm": _NORMED, "fuse": _NORMED}
"""Commands whose network needs something that `tiny` has not, such as a norm: what stands for it."""

RESUME = ("--resume", "other")

LEAST = {
    "--count": "4",
    "--steps": "20",
    "--depths": "2",
    "--random": "2",
    "--neighbours": "2",
    "--top": "1",
    "--epochs": "1",
    "--pick": "0",
    "--name": "new",
}
"""Values of options that keep any command short, wherever it has them."""

OWN: dict[str, tuple[str, ...]] = {
    "train": ("--no-report",),
    "bench": ("--seconds", "0.1", "--profile"),
    "export": ("--to", "safetensors"),
    "serve": ("--port", "0", "--check"),
    "fuse": ("--repeats", "1"),
    "gradcam": ("--split", "validation"),
    "saliency": ("--split", "validation", "--method", "smoothgrad,occlusion"),
    "sanity": ("--method", "gradcam", "--labels"),
    "audit": ("--max-border", "1"),
    "probe equivariance": ("--shifts", "2"),
    "reject": ("--outside", "noise"),
    "cost": ("--swap", "depthwise_separable", "--repeats", "1"),
    "landscape": ("--points", "3", "--draws", "2"),
    "chapter": ("19.5", "--run", "tiny"),
    "probe shift": ("--max-shift", "1"),
    "init": ("--out", "elsewhere/images.yaml"),
    "config copy": ("runs/copied.yaml",),
    "sweep": ("--space", "optimizer.lr=log(0.01,0.1)", "--trials", "1"),
    "ablate": ("--vary", "data.augment=[]", "--repeats", "1"),
    "probe prior": ("--sizes", "4,8", "--repeats", "1"),
    "probe transfer": (
        *("data.dataset={shapes: {train_count: 40, size: 16}}", "data.validation=0.5"),
        *("--per-class", "2", "--repeats", "1", "--epochs", "1", "--source-epochs", "1"),
    ),
    "layer": ("--input", "3,8,8"),
    "compare-layers": ("--input", "3,8,8"),
    "visualize dream": ("--class", "cat"),
    "data leaks": ("--with-test",),
    "data label-errors": ("--folds", "2"),
    "probe norm": ("--part", "state,modes,ranges", "--steps", "1", "--factors", "1"),
    "receptive-field": ("--layer", "relu1", "--effective", "2", "--no-repairs"),
}
"""What a command needs besides, or what makes it take the way on which an option is lost most easily."""

OF_A_RUN = {"--labels", "--epochs"}
"""Options that only a run has, or that go with such a one."""

LAYER = '''
from torch import nn

from cnnlab.core.arithmetic import Shape
from cnnlab.models.registry import LAYERS


class Halve(nn.Module):
    def forward(self, x):
        return x / 2


@LAYERS.register("halve")
def halve(shape: Shape) -> nn.Module:
    """Half of it; any shape, kept."""
    return Halve()
'''

CONFIG = """
plugins: [layers.py]
data: {dataset: {folder: {path: images, size: 16, cache: false}}, augment: [flip]}
model: [conv: {channels: 4}, relu, halve, conv: {channels: 6, stride: 2}, relu, global_avg_pool, linear]
training: {epochs: 2, batch_size: 8}
logging: {every_steps: 1, histograms_every_epochs: 0, snapshots_every_epochs: 1, graph: false, pictures: false}
"""

WITH_A_NORM = "model=[conv: {channels: 4}, batch_norm, relu, halve, global_avg_pool, linear]"


@dataclass(frozen=True)
class Way:
    """A way to call a command: its name, its positional words, and the options that it has then."""

    command: str
    options: frozenset[str]
    positional: tuple[str, ...] = ()
    label: str = ""

    def __str__(self) -> str:
        return f"{self.command} {self.label}".strip()

    def words(self, *given: str) -> list[str]:
        """`COMMAND WORDS --option value …` with its least, and `given` after that."""
        leaves_out = OF_A_RUN if self.label in ("CONFIG", "MODULE") else set()
        least = [word for name, value in LEAST.items() if name in self.options - leaves_out for word in (name, value)]
        own = [word for word in OWN.get(self.command, ()) if word not in leaves_out]
        return [*self.command.split(), *self.positional, *least, *own, *given]


@cache
def ways() -> tuple[Way, ...]:
    """Each command once; those that take any MODEL with a config, too, and a training that goes on."""
    found = []
    for name, options, arguments in _commands(program(), ""):
        found.append(Way(name, options, tuple(word for one in arguments for word in ARGUMENTS.get(one, ()))))
        if "MODEL" in arguments:
            positional = tuple(word for one in arguments for word in WITH_A_CONFIG.get(one, ()))
            found.append(Way(name, options - {"--weights", "--data"}, positional, "CONFIG"))
    for place, way in enumerate(found):
        others = OF_OTHERS.get(way.command, {})
        found[place] = replace(way, positional=tuple(others.get(word, word) for word in way.positional))
    (train,) = [way for way in found if way.command == "train"]
    found.remove(train)
    anew = replace(train, options=train.options - {"--data"})
    on = replace(train, options=train.options - {"--name"}, positional=RESUME, label="--resume")
    return (anew, on, *found)


def _commands(found: Any, name: str) -> Iterator[tuple[str, frozenset[str], list[str]]]:
    """Name, options and the arguments' names in the help."""
    if hasattr(found, "commands"):
        for word, one in found.commands.items():
            yield from _commands(one, f"{name} {word}".strip())
        return
    options = {one for each in found.params if each.param_type_name == "option" for one in each.opts}
    yield name, frozenset(options), [each.metavar for each in found.params if each.param_type_name == "argument"]


def draw(folder: Path, count: int, *, darkest: int, seed: int) -> None:
    """`count` images of 16 × 16 px in each of two classes, whose middle is red or green."""
    values = np.random.default_rng(seed)
    for channel, name in enumerate(("cat", "dog")):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = values.integers(darkest, darkest + 60, (16, 16, 3), dtype=np.uint8)
            pixels[4:12, 4:12, channel] += 60
            Image.fromarray(pixels).save(folder / name / f"{number}.png")


def make_world(folder: Path) -> Place:
    """A working folder whose runs lie in `elsewhere`, their network with a plugin's layer; `other` has been paused.

    That one has a norm besides.

    Training images are dark, all others bright: what a network sees tells which part it was. One image is in two parts.
    """
    folder.mkdir()
    place = Place(folder)
    draw(folder / "images" / "train", 12, darkest=0, seed=0)
    draw(folder / "images" / "validation", 6, darkest=130, seed=1)
    draw(folder / "images" / "test", 3, darkest=130, seed=2)
    shutil.copy(folder / "images" / "test" / "cat" / "0.png", folder / "image.png")
    shutil.copy(folder / "images" / "test" / "cat" / "1.png", folder / "images" / "validation" / "cat" / "1.png")
    (folder / "layers.py").write_text(LAYER)
    place.config(CONFIG)
    train = ("train", "tiny.yaml", "--allow-plugins", "--runs", "elsewhere", "--no-report")
    for more in ((), ("--name", "other", "--stop-after", 1, "seed=1", WITH_A_NORM)):
        trained = place(*train, *more)
        assert trained.code == 0, trained.err
    return place


def copied(world: Place, to: Path, *, moved: bool, spoiled: bool) -> Place:
    """The world again, to write into.

    moved: its images are in `moved`, and not where its runs had them. spoiled: the weights `best` cannot be read, so
    that only what goes by `last` gets anywhere.
    """
    place = Place(shutil.copytree(world.folder, to, copy_function=_copy))
    if moved:
        (to / "images").rename(to / "moved")
        for config in (to / "elsewhere").glob("*/config.yaml"):
            config.write_text(config.read_text().replace(str(world.folder / "images"), "/gone/images"))
    if spoiled:
        for best in to.glob("elsewhere/*/checkpoints/best.safetensors"):
            best.write_bytes(b"no weights")
    return place


def _copy(source: str, to: str) -> None:
    """An image by another name of the same file, which takes no time: nobody writes into one."""
    if source.endswith(".png"):
        os.link(source, to)
    else:
        shutil.copy2(source, to)


@dataclass(frozen=True)
class Observed:
    """What a command printed, wrote, and showed its network."""

    result: Result
    written: frozenset[Path]
    """Files that are new or have changed, from the working folder."""
    batches: tuple[torch.Tensor, ...]
    """All batches of images that went into a module in evaluation mode."""

    def document(self) -> Any:
        """All of stdout as JSON."""
        return json.loads(self.result.out)

    def outside(self, folder: str) -> list[Path]:
        """What was written anywhere else."""
        return sorted(path for path in self.written if not path.is_relative_to(folder))

    @property
    def sizes(self) -> list[int]:
        """How many images each batch had."""
        return [len(batch) for batch in self.batches]

    @property
    def dark(self) -> list[bool]:
        """Whether the images of each batch are of the training part: normalised by it, they are near 0."""
        return [bool(batch.mean() < 1) for batch in self.batches]


def observe(place: Place, words: Sequence[str]) -> Observed:
    """Call the command; its plugins are forgotten first, so that nothing but its own permission loads them."""
    forget_plugins()
    before = _files(place.folder)
    with batches_seen() as batches:
        result = place(*words)
    after = _files(place.folder)
    return Observed(result, frozenset(path for path in after if before.get(path) != after[path]), tuple(batches))


@contextmanager
def batches_seen() -> Iterator[list[torch.Tensor]]:
    """Batches of images with three channels on their way into any module that is in evaluation mode."""
    seen: list[torch.Tensor] = []

    def note(module: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
        if not module.training:
            seen.extend(one.detach() for one in inputs if _is_batch(one))

    handle = torch.nn.modules.module.register_module_forward_pre_hook(note)
    try:
        yield seen
    finally:
        handle.remove()


def _is_batch(one: object) -> bool:
    return isinstance(one, torch.Tensor) and one.ndim == 4 and one.shape[1] == 3 and not one.is_meta


def _files(folder: Path) -> dict[Path, tuple[int, int]]:
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root) / name
            facts = path.stat()
            found[path.relative_to(folder)] = (facts.st_mtime_ns, facts.st_size)
    return found
