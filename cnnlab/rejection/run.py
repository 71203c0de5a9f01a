"""`cnnlab reject`: a threshold under which an image is none of a network's classes, and what it is worth."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError, WorkError, unknown
from cnnlab.core.registry import Component, component
from cnnlab.data.dataset import Dataset
from cnnlab.data.listing import part_called, subfolders
from cnnlab.data.registry import DATASETS
from cnnlab.network.asked_data import as_taken, asked_data
from cnnlab.network.image_files import sources_at
from cnnlab.network.network import Network
from cnnlab.network.numbered_batches import batch_size, numbered_batches
from cnnlab.network.penultimate import Features, joined, penultimate_features
from cnnlab.network.prepared_images import images_of_files, pixels_of
from cnnlab.network.session import Session
from cnnlab.rejection.facts import Admitted, Rejecting, Told, Unseen
from cnnlab.rejection.kept import Rejection, fingerprint
from cnnlab.rejection.outsiders import OUTSIDERS, Made, choosing
from cnnlab.rejection.scores import Seen, default_scores, facts_of_score, fitted, scored
from cnnlab.runs.images import sample_indices
from cnnlab.stats.confidence import wilson_interval
from cnnlab.stats.probabilities import class_names, class_probabilities
from cnnlab.stats.separation import accepted, accepting_threshold, auroc, auroc_interval
from cnnlab.view.drawings import tile

SHOWN = 24
"""Outsiders that are shown, at most."""


@dataclass(frozen=True)
class RejectOptions:
    """Which images are accepted, and which are not."""

    accept: Literal["train", "validation"] | None = None
    """The part whose images are to be accepted; what was held out by default."""
    outside: Sequence[str] = ()
    """Made outsiders by name, data sets, folders; by default all that is made here, and `shapes`."""
    score: str = ""
    """By name; chosen where none is named."""
    count: int = 1000
    """Images that are accepted, and outsiders of each group, at most."""
    train_count: int = 5000
    """Training images that statistics come from, at most."""
    share: float = 0.95
    """Of the images that are to be accepted, how many are."""


def reject(network: Network, session: Session, options: RejectOptions | None = None) -> Iterator[Advance | Rejecting]:
    """Find a threshold from accepted images alone, and measure what gets past it.

    Statistics come from training images, the threshold from the accepted ones. Where no score is named, the one with
    the largest AUROC on made blends and distortions of accepted images is taken; the outsiders that are reported on
    play no part in any of this.

    Arguments:
        network: opened for images.
        session: where data lies, and the seed of all draws.
        options: the part that is accepted, the outsiders, and the rest.

    Yields:
        How far the work is; at last what was found, the rule among it. Nothing is written.

    Raises:
        RequestError: for outsiders that are none, a score that is none, and a network without a head that is known.
        WorkError: where the network's answers are NaN or infinite.

    Example:
        network = open_run("cifar", session)
        *_, found = reject(network, session)
        found.rejection.threshold
    """
    options = options or RejectOptions()
    scores = default_scores()
    if options.score and options.score not in [one.name for one in scores]:
        raise RequestError("`score`: " + unknown("score", options.score, [one.name for one in scores]))
    words = tuple(dict.fromkeys(options.outside)) or _default_outside(network)
    split, ours, others, train = _parts(network, session, options)
    network = network.named_by(ours)
    groups, left_out = _groups(network, session, words, ours, options.count)
    choose = not options.score
    chosen_from = {"": _as_dataset(network, choosing(len(ours), session.seed, ours.images), "")} if choose else {}
    everything = {"train": train, "accepted": ours, **{f"?{name}": one[0] for name, one in groups.items()}}
    everything |= {f"!{name}": one for name, one in chosen_from.items()}
    everything |= {} if others is None else {"unseen": others}
    total = sum(-(-len(one) // batch_size(one)) for one in everything.values())
    done, layer, seen = 0, None, {}
    for name, images in everything.items():
        parts: list[Features] = []
        for part in penultimate_features(network.model, numbered_batches(network, images), layer=layer):
            parts.append(part)
            done, layer = done + 1, part.layer
            yield Advance("features", done, total)
        found = joined(parts)
        if not bool(found.features.isfinite().all() and found.logits.isfinite().all()):
            raise WorkError(f"{network.name} answers with NaN or infinite values to some images")
        seen[name] = Seen(found.features, found.logits, found.labels)
    assert layer is not None
    statistics = {one.name: fitted(one, seen["train"]) for one in scores}
    values = {
        (one.name, name): scored(one, statistics[one.name], what)
        for one in scores
        for name, what in seen.items()
        if name != "train"
    }
    by = {one.name: auroc(values[one.name, "accepted"], values[one.name, "!"]) for one in scores} if choose else {}
    name = max(by, key=lambda one: by[one]) if choose else options.score
    chosen = next(one for one in scores if one.name == name)
    thresholds = {one.name: accepting_threshold(values[one.name, "accepted"], options.share) for one in scores}
    told = tuple(
        _told(one, group, values[one.name, "accepted"], values[one.name, f"?{group}"], thresholds[one.name])
        for group in groups
        for one in scores
    )
    rule = Rejection(
        chosen,
        layer,
        statistics[name],
        thresholds[name],
        options.share,
        fingerprint(network),
        {"split": split, "outsiders": [one.as_json() for one in told if one.score == name]},
    )
    theirs = {group: values[name, f"?{group}"] for group in groups}
    yield Rejecting(
        model=network.name,
        weights=network.weights,
        split=split,
        accepted=len(ours),
        train=len(train),
        rejection=rule,
        label=facts_of_score(chosen).label,
        chosen_by=_reason(by, options.score),
        choosing=by,
        told=told,
        ours=values[name, "accepted"],
        theirs=theirs,
        admitted=_admitted(network, groups, seen, theirs, thresholds[name]),
        labels={one.name: facts_of_score(one).label for one in scores},
        unseen=None
        if others is None
        else Unseen(split, len(others), accepted(values[name, "unseen"], thresholds[name])),
        left_out=left_out,
    )


def _reason(by: dict[str, float], score: str) -> str:
    if not by:
        return f"The score is {score} because it was asked for."
    first, second = sorted(by, key=lambda one: -by[one])[:2]
    return (
        f"The score is {first}, whose AUROC is the largest ({by[first]:.3f}, then {second} with {by[second]:.3f}) on "
        "means of two accepted images, geometric means, speckled, ghosted and inverted ones, none of which is among "
        "the outsiders below."
    )


def _default_outside(network: Network) -> tuple[str, ...]:
    own = network.config.data.dataset.name if network.config is not None else ""
    return (*(entry.name for entry in OUTSIDERS), *(["shapes"] if own != "shapes" else []))


def _parts(network: Network, session: Session, options: RejectOptions) -> tuple[str, Dataset, Dataset | None, Dataset]:
    """The name of the accepted part, images of it, others of it, and training images; never the same ones."""
    place = session.place
    split, part = (
        network.held_out(place) if options.accept is None else (options.accept, network.part(options.accept, place))
    )
    name = network.named_part(split)
    if split == "train" or name != split:  # one part for both: a half for each
        if len(part) < 4:
            raise RequestError(
                f"{len(part)} images of {network.name}'s data are too few: there is no other part, and half of them "
                "are accepted and half are learned from; at least 4 are needed, which `data` may name"
            )
        half = len(part) // 2
        part, rest = _split(part, half, session.seed, "accepted")
        assert rest is not None
        train = rest
    else:
        train = network.part("train", place)
    ours, others = _split(part, options.count, session.seed, "accepted sample")
    if others is not None:
        others = others.take(sample_indices(len(others), options.count, session.seed, "unseen"))
    train = train.take(sample_indices(len(train), options.train_count, session.seed, "statistics"))
    return name, ours, others, train


def _split(images: Dataset, count: int, seed: int, purpose: str) -> tuple[Dataset, Dataset | None]:
    """At most `count` of the images, and the others, if there are any."""
    chosen = sample_indices(len(images), count, seed, purpose)
    rest = torch.ones(len(images), dtype=torch.bool)
    rest[chosen] = False
    return images.take(chosen), images.take(rest.nonzero()[:, 0]) if bool(rest.any()) else None


def _groups(
    network: Network, session: Session, words: Sequence[str], ours: Dataset, count: int
) -> tuple[dict[str, tuple[Dataset, tuple[str, ...]]], tuple[str, ...]]:
    """Each group of outsiders with what its images are, and a sentence for each that lost some."""
    found: dict[str, tuple[Dataset, tuple[str, ...]]] = {}
    left_out = []
    for word in words:
        if word in OUTSIDERS:
            made: Made = component("outsider", word).build(
                count=count, size=network.preparation.fitting.size, seed=session.seed, like=ours.images
            )
            found[word] = _as_dataset(network, made, word), made.names
            continue
        images, names, note = _named(network, session, word)
        chosen = sample_indices(len(images), count, session.seed, "outsiders")
        found[word] = images.take(chosen), tuple(names[i] for i in chosen.tolist())
        left_out += [note] if note else []
    return found, tuple(left_out)


def _as_dataset(network: Network, made: Made, name: str) -> Dataset:
    labels = torch.zeros(len(made.images), dtype=torch.int64)
    whole = Dataset(name, "test", made.images, labels, ("outside",))
    return as_taken(whole, network.shape[0], network.preparation.fitting)


def _named(network: Network, session: Session, word: str) -> tuple[Dataset, list[str], str]:
    """Images of a data set, a config or a folder, but those of the network's classes; what each is."""
    path = Path(word).expanduser()
    fitting, channels = network.preparation.fitting, network.shape[0]
    if word not in DATASETS and not path.exists():
        known = [entry.name for entry in OUTSIDERS] + [entry.name for entry in DATASETS]
        raise RequestError("`outside` names no folder, and " + unknown("data set", word, known))
    theirs = {one.casefold() for one in network.classes}
    all_ours = RequestError(f"`outside`: every class of {word} is one of {network.name}'s, so none is outside")
    if path.is_dir() and _is_of_one_kind(path):
        if any(one.name.casefold() in theirs for one in subfolders(path)):
            raise all_ours
        good, bad = images_of_files(sources_at(word), network.preparation, ())
        if not good:
            raise RequestError(f"`outside`: {bad[0].path}: {bad[0].reason}")
        made = Made(pixels_of(good), tuple(Path(one.name).name for one in good))
        left_out = (
            f"{word}: {len(bad)} of its images cannot be read and are left out, such as {bad[0].path}." if bad else ""
        )
        return _as_dataset(network, made, word), list(made.names), left_out
    data, _ = asked_data(word, session.place, channels=channels, fitting=fitting, allow_plugins=session.allow_plugins)
    images = data.read("train" if data.whole else "test", session.place)
    foreign = torch.tensor([one.casefold() not in theirs for one in images.classes])
    outside = foreign[images.labels].nonzero()[:, 0]
    if not len(outside):
        raise all_ours
    note = ""
    if len(outside) < len(images):
        same = [one for one in images.classes if one.casefold() in theirs]
        note = f"{word}: images of {', '.join(same)} are left out, which are classes of the network."
    kept = as_taken(images.take(outside), channels, fitting)
    return replace(kept, masks=None), [kept.classes[label] for label in kept.labels.tolist()], note


def _is_of_one_kind(folder: Path) -> bool:
    """Whether all images in a folder are taken alike: it has no class folders, or a single one, and no parts."""
    below = subfolders(folder)
    return len(below) < 2 and all(part_called(one.name) is None for one in below)


def _told(score: Component, group: str, ours: Tensor, theirs: Tensor, threshold: float) -> Told:
    area, let_in = auroc(ours, theirs), accepted(theirs, threshold)
    return Told(
        score.name,
        group,
        len(theirs),
        area,
        auroc_interval(area, len(ours), len(theirs)),
        let_in,
        wilson_interval(let_in, len(theirs)),
    )


def _admitted(
    network: Network,
    groups: dict[str, tuple[Dataset, tuple[str, ...]]],
    seen: dict[str, Seen],
    theirs: dict[str, Tensor],
    threshold: float,
) -> tuple[Admitted, ...]:
    """Of each group as many, those with the largest scores first."""
    made = []
    each = max(1, SHOWN // len(groups))
    for group, (images, names) in groups.items():
        shares = class_probabilities(seen[f"?{group}"].logits, network.activation)
        classes = class_names(shares, network.classes)
        for number in theirs[group].argsort(descending=True, stable=True)[:each].tolist():
            if float(theirs[group][number]) < threshold:
                break
            probability, answer = shares[number].max(0)
            made.append(
                Admitted(
                    tile(images.images[number]),
                    f"{group}: {names[number]}" if names[number] != group else group,
                    classes[int(answer)],
                    float(probability),
                    float(theirs[group][number]),
                )
            )
    return tuple(made)
