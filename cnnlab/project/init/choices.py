"""What is chosen for a folder of images, each with its reason: plain rules, so that a person can disagree."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log2

from cnnlab.core.characters import per_cent
from cnnlab.data.folder import Contents
from cnnlab.project.init.groups import Groups
from cnnlab.project.init.look import Seen, channels_of
from cnnlab.project.init.sizes import SizeChoice
from cnnlab.project.init.turning import Turning
from cnnlab.project.init.twins import Twins

FEW = 1500
"""Training images below which the network is small and has dropout."""
IMBALANCED = 1.5
"""Images of the largest class over those of the smallest from which classes are weighted."""
TOO_FEW = 20
"""Images of a class below which a person is warned."""
LEARNED, COLOURS = "resnet18", 3
"""A network of torchvision whose weights are offered, and the channels of the images that they were learned from."""
STEPS = 1500
"""A small network learns in about so many."""


@dataclass(frozen=True)
class Choice:
    """A line of the config, or several, and why."""

    key: str
    """Such as `data.dataset.folder.size`."""
    value: str
    """As YAML in one line; empty where it is left out."""
    reason: str


@dataclass(frozen=True)
class Layer:
    """A `conv_bn_act` of the network."""

    channels: int
    stride: int


@dataclass(frozen=True)
class Stack:
    """A network of convolutions, a mean and a linear layer."""

    layers: tuple[Layer, ...]
    dropout: float | None
    field: int
    """Pixels, of a side, that a unit before the mean sees."""
    reason: str


@dataclass(frozen=True)
class Choices:
    """All of them."""

    source: str
    """The folder or CSV, as the config names it."""
    size: SizeChoice
    channels: Choice
    groups: Choice
    copies: Choice
    validation: Choice
    augment: tuple[Choice, ...]
    """What is written, and what is left out (an empty value)."""
    stack: Stack
    learned: tuple[str, ...]
    """Lines of YAML that begin with weights learned elsewhere in place of `stack`; none where that is not advised."""
    batch: Choice
    epochs: Choice
    loss: Choice
    rate: Choice

    @property
    def all(self) -> tuple[Choice, ...]:
        """As a list to read."""
        depth = f"{len(self.stack.layers)} × conv_bn_act"
        place = "data.dataset.folder"
        return (
            Choice(f"{place}.size", self.size.text, self.size.size_reason),
            Choice(f"{place}.fit", self.size.fit, self.size.fit_reason),
            self.channels,
            self.groups,
            self.copies,
            self.validation,
            *self.augment,
            Choice("model", depth, self.stack.reason),
            self.batch,
            self.epochs,
            self.loss,
            self.rate,
        )


def choose(
    source: str,
    contents: Contents,
    training: Sequence[Seen],
    size: SizeChoice,
    groups: Groups | None,
    twins: Twins,
    turning: Turning,
) -> Choices:
    """Choose everything that a config says.

    Arguments:
        source: the folder or CSV, as the config will name it.
        contents: what the parts hold.
        training: the readable images of the training part.
        size: what the images are brought to.
        groups: what the names suggest, or nothing.
        twins: images that are copies of others.
        turning: whether the classes survive a mirror.
    """
    counts = Counter(one.label for one in training)
    count = len(training)
    batch = 128 if count >= 4000 else 64 if count >= FEW else 32
    steps = max(1, count // batch)
    epochs = min(60, max(10, ceil(STEPS / steps)))
    return Choices(
        source,
        size,
        _channels(training),
        _groups(contents, groups),
        _copies(contents, twins),
        _validation(contents, counts),
        (_crop(size), _flip(turning), _upside_down(turning), _colour(training, turning)),
        _stack(count, size.size),
        _learned(len(contents.classes), channels_of(training)) if count < FEW else (),
        Choice("training.batch_size", str(batch), f"{steps:,} step{'s' * (steps != 1)} an epoch"),
        Choice(
            "training.epochs",
            str(epochs),
            f"about {epochs * steps:,} steps in all; a small network learns in about {STEPS:,}, and few images are not "
            "shown more than 60 times",
        ),
        _loss(counts),
        Choice("optimizer.sgd.lr", "0.1" if batch >= 64 else "0.05", f"goes with batches of {batch}; cnnlab lr-find"),
    )


def _channels(training: Sequence[Seen]) -> Choice:
    channels = channels_of(training)
    coloured = sum(one.coloured for one in training)
    why = "no image has colour" if channels == 1 else f"{coloured:,} of {len(training):,} images have colour"
    return Choice("data.dataset.folder.channels", str(channels), why)


def _groups(contents: Contents, groups: Groups | None) -> Choice:
    key = "data.dataset.folder.groups"
    if contents.listings["train"].groups is not None:
        return Choice(key, "", "the CSV has a column group, whose images stay on one side of the split")
    if groups is None:
        return Choice(key, "", "the names suggest no patients, sessions or videos; if there are some, name them here")
    if not groups.trusted:
        return Choice(key, "", f"not written, as only the names say it, not the images: {groups.evidence}")
    return Choice(key, f"'{groups.pattern}'", groups.evidence)


def _copies(contents: Contents, twins: Twins) -> Choice:
    key = "data.dataset.folder.copies_together"
    among = sum(pair.first.part == "train" for pair in twins.within)
    if "validation" in contents.listings:
        return Choice(key, "", "the parts are as they are, so no copies are kept together by a split")
    if not among:
        return Choice(key, "", "no image of the training part is another's copy")
    are = "image of the training part is a copy" if among == 1 else "images of the training part are copies"
    return Choice(key, "true", f"{among:,} {are} of another, exactly or nearly: the split keeps both on one side")


def _validation(contents: Contents, counts: Counter[str]) -> Choice:
    key, total = "data.validation", sum(counts.values())
    if "validation" in contents.listings:
        return Choice(key, "", "there is a validation part of its own, so no share of the training part is taken")
    if min(counts.values()) < 2:
        lone = min(counts, key=lambda label: counts[label])
        return Choice(key, "0", f"the class '{lone}' has a single image, which cannot be in two parts")
    share = 0.2 if total < 2000 else 0.15 if total < 10_000 else 0.1
    return Choice(key, f"{share:g}", f"about {round(share * total):,} of {total:,} images to choose the epoch by")


def _crop(size: SizeChoice) -> Choice:
    padding = max(1, min(size.size) // 8)
    return Choice(
        "data.augment: crop", f"crop: {{padding: {padding}}}", f"an object is the same {padding} px further on"
    )


def _flip(turning: Turning) -> Choice:
    return Choice("data.augment: flip", "flip" if turning.may_mirror else "", turning.about_mirror)


def _upside_down(turning: Turning) -> Choice:
    kept, plain = turning.upside_down.kept, turning.plain
    if turning.has_no_upright:
        why = f"upside down about as many images are told ({per_cent(kept)} of {per_cent(plain)}): they have no upright"
        return Choice("data.augment: vertical_flip", "vertical_flip", why)
    why = (
        f"upside down fewer images are told ({per_cent(kept)} of {per_cent(plain)}): they have an upright"
        if turning.telling and turning.may_mirror
        else "where a mirror is wrong, this one may be as well"
        if not turning.may_mirror
        else "for images without an upright only, from above or through a microscope; it could not be measured"
    )
    return Choice("data.augment: vertical_flip", "", why)


def _colour(training: Sequence[Seen], turning: Turning) -> Choice:
    key = "data.augment: color_jitter"
    if turning.coloured:
        return Choice(key, "", f"{turning.coloured}, which other colours would change")
    if channels_of(training) == 1:
        return Choice(key, "", "no image has colour")
    return Choice(key, "", "worth a try where light or cameras differ: color_jitter: {brightness: 0.2, contrast: 0.2}")


def _loss(counts: Counter[str]) -> Choice:
    most, least = max(counts, key=lambda k: counts[k]), min(counts, key=lambda k: (counts[k], k))
    times = counts[most] / counts[least]
    told = f"'{most}' has {counts[most]:,} images, '{least}' {counts[least]:,}"
    if counts[most] == counts[least]:
        why = f"every class has {counts[most]:,} image{'s' * (counts[most] != 1)}"
        return Choice("loss.cross_entropy.class_weights", "none", why)
    if times < IMBALANCED:
        return Choice("loss.cross_entropy.class_weights", "none", f"the classes are of like size: {told}")
    return Choice(
        "loss.cross_entropy.class_weights",
        "balanced",
        f"{told}, {times:.1f} times as many: each class counts the same; eval tells recall and precision of each",
    )


def _learned(classes: int, channels: int) -> tuple[str, ...]:
    """Lines that begin with torchvision's weights; a first layer that read colours is made for other `channels`."""
    return (
        f'model: {{python: "torchvision.models:{LEARNED}", options: {{num_classes: {classes}}}}}',
        f"init_from: torchvision:{LEARNED}",
        *(("adapt_channels: true",) if channels != COLOURS else ()),
    )


def _stack(count: int, size: tuple[int, int]) -> Stack:
    """A network for `count` images of (height, width) pixels: a stage for each halving down to 4 to 7 px."""
    stages = max(1, int(log2(max(8, min(size)) / 4)))
    few = count < FEW
    layers: list[Layer] = []
    for stage in range(stages):
        width = min(128, 16 * 2**stage if few or stages > 3 else 32 * 2**stage)
        if not few and (stage or stages <= 3):
            layers.append(Layer(width, 1))
        layers.append(Layer(width if stage == 0 else min(128, 2 * width) if not few else width, 2))
    if few:
        layers.append(Layer(layers[-1].channels, 1))  # which sees twice as far
    field, jump = 1, 1
    for layer in layers:
        field, jump = field + 2 * jump, jump * layer.stride
    why = (
        f"{count:,} training images are few: one convolution a stage, and dropout; a network with weights that were "
        f"learned elsewhere, such as torchvision's {LEARNED}, would do better: the config has the lines for it"
        if few
        else f"{count:,} training images are enough for a small network of its own weights"
    )
    return Stack(tuple(layers), 0.2 if few else None, field, why)
