"""A config for images of one's own, from Python: `cnnlab.init`."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cnnlab.api.result import Result, plain
from cnnlab.api.untouched import untouched
from cnnlab.api.values import path_of, path_or_none
from cnnlab.network.session import Session
from cnnlab.project.init.facts import InitFacts
from cnnlab.project.init.report import init_report
from cnnlab.project.init.run import init as looked_through
from cnnlab.project.init.run import write_config
from cnnlab.view.blocks import Report


@dataclass(frozen=True, eq=False, repr=False)
class Initialised(Result):
    """What is in a folder of images, and a config that trains on them."""

    facts: InitFacts

    @property
    def config(self) -> str:
        """The config with its reasons, as `write` writes it."""
        return self.facts.text

    @property
    def reasons(self) -> dict[str, tuple[str, str]]:
        """Of each key its value, empty where it is left out, and why."""
        return {choice.key: (choice.value, choice.reason) for choice in self.facts.choices.all}

    @property
    def cautions(self) -> tuple[str, ...]:
        """What to look at before training."""
        return self.facts.cautions

    @property
    def seconds(self) -> float:
        """About how long a training takes on this machine."""
        return self.facts.cost.seconds

    def write(self) -> Path:
        """Write the config to the file that it was made for.

        Returns:
            The file, for `cnnlab.train`.

        Raises:
            RequestError: where the file is there by now.
        """
        with untouched():
            write_config(self.facts)
        return self.facts.out

    @cached_property
    def report(self) -> Report:
        """The page: choices, classes, sizes, copies, files that cannot be read."""
        return init_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """What `cnnlab init --json` prints."""
        return plain(self.facts.as_json())


def init(source: str | Path, *, out: str | Path | None = None, device: str = "auto") -> Initialised:
    """Look at images of your own, and choose a config that trains on them; nothing is written yet.

    Arguments:
        source: a folder of class folders, of parts with class folders, or a CSV `path,label[,group][,part]`.
        out: the file that the config is meant for; NAME.yaml in the working folder by default.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`, on which a few steps are timed.

    Returns:
        What was found, the config with a reason for each choice, and about how long training takes.

    Raises:
        RequestError: for images that no training could start with, and where the file is there.

    Example:
        >>> import cnnlab, tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> place = Path(tempfile.mkdtemp())
        >>> for label in ("left", "right"):
        ...     (place / "photos" / label).mkdir(parents=True)
        ...     for i in range(20):
        ...         Image.effect_noise((24, 24), 30 + i).save(place / "photos" / label / f"{i}.png")
        >>> found = cnnlab.init(place / "photos", out=place / "photos.yaml", device="cpu")
        >>> found.reasons["data.augment: flip"][1][:32]
        "the class name 'left' names a si"
        >>> run = cnnlab.train(found.write(), epochs=1, runs=place / "runs", report=False, device="cpu")
        >>> run.status
        'finished'
    """
    target = path_or_none("out", out)
    with untouched():
        return Initialised(looked_through(path_of("source", source), Session(device_name=device), out=target))
