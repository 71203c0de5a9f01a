"""What was found in a folder or table of images, what was chosen for it, and what training will cost."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnlab.core.characters import some
from cnnlab.data.listing import part_called
from cnnlab.project.init.choices import TOO_FEW, Choices
from cnnlab.project.init.groups import Groups
from cnnlab.project.init.look import Looked
from cnnlab.project.init.sizes import Sizes
from cnnlab.project.init.turning import Turning
from cnnlab.project.init.twins import Pair, Twins
from cnnlab.training.cost import minutes


@dataclass(frozen=True)
class Cost:
    """What a training with the config takes on this machine."""

    seconds: float
    """About, measured by a few of its steps; without drawing its report."""
    train: int
    validation: int
    parameters: int
    device: str
    threads: int


@dataclass(frozen=True)
class InitFacts:
    """All that is told, and the config."""

    source: Path
    name: str
    out: Path
    """Where the config belongs."""
    text: str
    """The config."""
    places: Mapping[str, str]
    """Which folder or file is which part."""
    classes: tuple[str, ...]
    looked: Looked
    left_out: tuple[str, ...]
    """A sentence for each kind of file that is there and not used."""
    remarks: tuple[str, ...]
    sizes: Sizes
    twins: Twins
    groups: Groups | None
    turning: Turning
    choices: Choices
    cost: Cost

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Of each part, the readable images of each class."""
        found = {}
        for part in self.places:
            of_class = Counter(one.label for one in self.looked.of(part))
            found[part] = {label: of_class[label] for label in self.classes}
        return found

    @property
    def modes(self) -> dict[str, int]:
        """Images of each kind of pixels, the commonest first."""
        return dict(Counter(one.mode for one in self.looked.seen).most_common())

    @property
    def kinds(self) -> dict[str, int]:
        """Images by the end of their names, the commonest first."""
        return dict(Counter(one.path.suffix.lower() for one in self.looked.seen).most_common())

    @property
    def turned(self) -> int:
        """Images that their EXIF orientation turns."""
        return sum(one.turned for one in self.looked.seen)

    @property
    def parts_inside(self) -> tuple[str, ...]:
        """Names of parts that folders inside the classes have, of two parts or more; else none."""
        folders = {one.name.split("/")[1] for one in self.looked.seen if one.name.count("/") > 1}
        called = {folder: part for folder in sorted(folders) if (part := part_called(folder)) is not None}
        return tuple(called) if len(set(called.values())) > 1 and set(self.places) == {"train"} else ()

    @property
    def cautions(self) -> tuple[str, ...]:
        """What a person should look at before training, in sentences."""
        train, found = self.counts["train"], []
        if self.looked.unreadable:
            found.append(
                f"{_are(len(self.looked.unreadable), 'file')} left out, as they cannot be read; their names are below"
            )
        if inside := self.parts_inside:
            found.append(
                f"folders called {' and '.join(inside)} lie inside the classes, where they divide nothing: their "
                f"images are mixed; as parts they go outside, such as {inside[0]}/{self.classes[0]}"
            )
        if across := len(self.twins.across):
            found.append(
                f"{_are(across, 'image')} in two parts at once, or nearly: what was trained on tells nothing when "
                "it is evaluated; remove them from one part"
            )
        if two := [pair for pair in self.twins.pairs if pair.exact and pair.two_labels]:
            a, b = two[0].first, two[0].second
            found.append(
                f"{_are(len(two), 'image')} there under two labels, such as {a.name} ('{a.label}') and "
                f"{b.name} ('{b.label}')"
            )
        if within := sum(pair.first.part == "train" for pair in self.twins.within):
            apart = "validation" not in self.places and self.choices.validation.value != "0"
            found.append(
                f"{_are(within, 'image')} in the training part twice, or nearly"
                + ("; the config keeps copies on one side of the split" * apart)
            )
        if few := [label for label, count in train.items() if count < TOO_FEW]:
            shown = some([f"'{label}' {train[label]}" for label in few], 5)
            which = f"{len(few):,} of the {len(train):,} classes have" if len(few) < len(train) else "all classes have"
            found.append(
                f"{which} fewer than {TOO_FEW} training images: {shown}; what is measured of them will be uncertain"
            )
        if self.groups is not None and not self.groups.trusted:
            found.append(
                f"the names may tell sessions, which is not certain enough to be written: {self.groups.evidence}"
            )
        return (*found, *self.remarks, *self.left_out)

    @property
    def sentence(self) -> str:
        """What is there and what it costs."""
        threads = f"{self.cost.threads} thread{'s' * (self.cost.threads != 1)}"
        return (
            f"{len(self.looked.seen):,} images of {len(self.classes):,} classes; training takes about "
            f"{minutes(self.cost.seconds)} here ({self.cost.device}, {threads})"
        )

    def as_json(self) -> dict[str, Any]:
        """What `cnnlab init --json` prints."""
        sizes, twins, turning, size = self.sizes, self.twins, self.turning, self.choices.size
        return {
            "source": str(self.source),
            "config": str(self.out),
            "places": dict(self.places),
            "counts": self.counts,
            "unreadable_files": list(self.looked.unreadable),
            "cautions": list(self.cautions),
            "sizes": [{"width": w, "height": h, "count": n} for w, h, n in sizes.common],
            "ratio": {"least": sizes.ratio[0], "median": sizes.ratio[1], "largest": sizes.ratio[2]},
            "modes": self.modes,
            "kinds": self.kinds,
            "turned": self.turned,
            "crop": {"mean": size.cut.mean, "worst": size.cut.worst},
            "copies": [_pair_json(pair) for pair in twins.pairs],
            "flat": twins.flat,
            "groups": None if self.groups is None else {**vars(self.groups), "examples": list(self.groups.examples)},
            "turning": {
                "plain": turning.plain,
                "mirrored": turning.mirrored.kept,
                "upside_down": turning.upside_down.kept,
                "chance": turning.chance,
                "images": turning.measured,
                "swaps": [{"class": a, "taken_by": b, "share": s} for a, b, s in turning.mirrored.swaps],
                "named": turning.named,
            },
            "choices": [vars(choice) for choice in self.choices.all],
            "cost": vars(self.cost),
            "text": self.text,
        }


def _are(count: int, noun: str) -> str:
    return f"1 {noun} is" if count == 1 else f"{count:,} {noun}s are"


def _pair_json(pair: Pair) -> dict[str, Any]:
    a, b = pair.first, pair.second
    return {
        "first": {"part": a.part, "name": a.name, "label": a.label},
        "second": {"part": b.part, "name": b.name, "label": b.label},
        "exact": pair.exact,
    }
