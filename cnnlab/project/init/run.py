"""`cnnlab init`: a folder or table of images looked through, a config chosen and tried."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import torch

from cnnlab.config.config import Config, check_config, safe_name
from cnnlab.core.characters import some
from cnnlab.core.errors import RequestError
from cnnlab.core.files import write_whole
from cnnlab.core.yaml import parse
from cnnlab.data.folder import Contents, list_contents
from cnnlab.models.build import parameter_count
from cnnlab.network.fresh import new_built
from cnnlab.network.session import Session
from cnnlab.project.init.choices import Choice, Choices, choose
from cnnlab.project.init.facts import Cost, InitFacts
from cnnlab.project.init.groups import find_groups
from cnnlab.project.init.look import Looked, look
from cnnlab.project.init.sizes import choose_size, measure_sizes
from cnnlab.project.init.text import config_text
from cnnlab.project.init.turning import study_turning
from cnnlab.project.init.twins import find_twins
from cnnlab.runs.images import TrainingImages, training_images
from cnnlab.training.cost import training_seconds

SHOWN = 10
"""Files that a message lists."""


def init(source: Path, session: Session, *, out: Path | None = None) -> InitFacts:
    """Look at images and choose a config for them; nothing is written, and no image is copied or moved.

    Every image is decoded once. Then the config is tried: the images are loaded as a training loads them, which fills
    the cache of decoded images, and a few steps are timed.

    Arguments:
        source: a folder of class folders, of parts with class folders, or a CSV `path,label[,group][,part]`.
        session: the device, and how long reading is followed.
        out: the file that the config is meant for; NAME.yaml in the working folder by default.

    Returns:
        What was found, the choices with their reasons, the config, and what training costs. All but the cost is the
        same for the same images.

    Raises:
        RequestError: for images that no training could start with, and where the file is there.

    Example:
        >>> import os, tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> from cnnlab.network.session import Session
        >>> from cnnlab.project.init.run import init
        >>> folder = Path(tempfile.mkdtemp()) / "photos"
        >>> for label in ("cat", "dog"):
        ...     os.makedirs(folder / label)
        ...     for i in range(20):
        ...         Image.effect_noise((24, 24), 30 + i).save(folder / label / f"{i}.png")
        >>> facts = init(folder, Session(device_name="cpu"), out=folder.parent / "photos.yaml")
        >>> facts.choices.size.text, facts.counts["train"]
        ('24', {'cat': 20, 'dog': 20})
    """
    name = safe_name(source.resolve().stem if source.is_file() else source.resolve().name)
    out = Path(f"{name}.yaml") if out is None else out
    check_new(out)
    _ = session.device  # one that is not there is told before anything is read
    contents = list_contents(session.place, path=str(source))
    looked = look(contents, session.place)
    _check_readable(looked, contents)
    training = looked.of("train")
    sizes = measure_sizes(training)
    groups = None if contents.listings["train"].groups is not None else find_groups(training)
    twins = find_twins(looked)
    turning = study_turning(training)
    choices = choose(_path_in(out, source), contents, training, choose_size(training, sizes), groups, twins, turning)
    count = f"{len(looked.seen):,} images of {len(contents.classes):,} classes"
    head = (
        ("What", f"{source}: {count}; written by `cnnlab init`, each choice with its reason"),
        ("Run", f"cnnlab train {out}"),
        ("Look", f"cnnlab data preview {out} shows what augmentation does; cnnlab config check {out} after a change"),
    )
    config, text, images, choices = _tried(name, choices, head, out, session)
    parameters = parameter_count(new_built(config, images.train.shape, len(contents.classes)).model)
    seconds = training_seconds(config, session, images)
    cost = Cost(
        seconds,
        len(images.train),
        len(images.validation or ()),
        parameters,
        str(session.device),
        torch.get_num_threads(),
    )
    return InitFacts(
        source=source,
        name=name,
        out=out,
        text=text,
        places={part: str(path) for part, path in contents.parts.named.items()},
        classes=contents.classes,
        looked=looked,
        left_out=tuple(sentence for listing in contents.listings.values() for sentence in listing.left_out),
        remarks=contents.remarks,
        sizes=sizes,
        twins=twins,
        groups=groups,
        turning=turning,
        choices=choices,
        cost=cost,
    )


def write_config(facts: InitFacts) -> None:
    """Write the config, whole, where there is none yet.

    Arguments:
        facts: with the text and the file.

    Raises:
        RequestError: where the file is there by now.
        WorkError: where the disk refuses.
    """
    check_new(facts.out)
    write_whole(facts.out, facts.text)


def check_new(out: Path) -> None:
    """Refuse a file that is there: what a person has changed in a config is not written over.

    Arguments:
        out: the file.

    Raises:
        RequestError: where something is there, or its folder is not.
    """
    if out.exists() or out.is_symlink():
        kind = "folder" if out.is_dir() else "file"
        raise RequestError(f"`out` is '{out}', a {kind} that is there; name another file, or remove it")
    if not out.parent.is_dir():
        raise RequestError(f"`out` is '{out}', and there is no folder {out.parent}; make it first")


def _path_in(out: Path, source: Path) -> str:
    """How the config at `out` names `source`: from its own folder, or whole where it was given whole.

    Raises: RequestError for a name that no text file can hold.
    """
    place = source.expanduser()
    text = str(place) if place.is_absolute() else os.path.relpath(place, out.parent)
    try:
        text.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(text).decode("utf-8", "backslashreplace")
        raise RequestError(f"the path '{shown}' is no UTF-8 text, and a config is; rename it") from None
    return text


def _check_readable(looked: Looked, contents: Contents) -> None:
    """Raises: RequestError where a class of the training or validation part has no image that can be read."""
    for part, listing in contents.opened("train").items():
        readable = Counter(one.label for one in looked.of(part))
        if lost := [label for label in listing.classes if not readable[label]]:
            shown = some([f"'{label}'" for label in lost])
            listed = [f"  {sentence}" for sentence in looked.unreadable[:SHOWN]]
            more = len(looked.unreadable) - SHOWN
            raise RequestError(
                f"no image of the class {shown} in {contents.parts.named[part]} can be read:",
                *listed,
                *([f"  and {more:,} more"] if more > 0 else []),
            )


def _tried(
    name: str, choices: Choices, head: tuple[tuple[str, str], ...], out: Path, session: Session
) -> tuple[Config, str, TrainingImages, Choices]:
    """The config and its images, split as it says; without the groups where they leave no split."""
    text = config_text(name, choices, head)
    config = check_config(parse(text, str(out)), (), default_name=name, base=out.parent)
    try:
        return config, text, training_images(config, session.place), choices
    except RequestError as error:
        if not choices.groups.value:
            raise
        reason = f"not written ({choices.groups.value}), as they leave no split: {error}"
        return _tried(name, replace(choices, groups=Choice(choices.groups.key, "", reason)), head, out, session)
