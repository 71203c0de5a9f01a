"""`cnnlab data label-errors`: a training for each fold, and the labels that its networks do not believe."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from cnnlab.config.config import Config
from cnnlab.config.data_section import Fold
from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.core.files import write_whole
from cnnlab.data.dataset import Dataset
from cnnlab.data.folds import folds as folds_of
from cnnlab.evaluation.label_errors.facts import FoldFacts, LabelErrorFacts
from cnnlab.evaluation.label_errors.probabilities import read_probabilities, write_probabilities
from cnnlab.evaluation.label_errors.report import candidates_csv
from cnnlab.evaluation.run import predictions_of
from cnnlab.network.open import open_run
from cnnlab.network.session import Session
from cnnlab.runs.images import evaluation_images, images_of
from cnnlab.stats.confident_learning import Ranking, label_errors, label_quality
from cnnlab.stats.finding import search
from cnnlab.training.trials import Trained, Trial, check_trials, in_epochs, quiet, trained

PROBABILITIES = "probabilities.safetensors"
CANDIDATES = "label-errors.csv"
RANKINGS: tuple[Ranking, ...] = ("self_confidence", "normalized_margin")


@dataclass(frozen=True)
class LabelErrorOptions:
    """How label errors are looked for."""

    folds: int = 4
    """Networks, each trained on all folds but one."""
    epochs: int | None = None
    """In place of the config's."""
    ranking: str = "self_confidence"
    """What the candidates are ordered by."""
    jobs: int = 1
    """Trainings at a time."""
    probabilities: Path | None = None
    """A file of probabilities, in place of trainings."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """A search that can be made: its images, checked, and where it lies."""

    config: Config
    options: LabelErrorOptions
    ranking: Ranking
    images: Dataset
    given: Float[Tensor, "n k"] | None
    """The probabilities of the file, if one was named."""
    folder: Path
    config_folder: Path

    @property
    def trainings(self) -> Path:
        """The folder of the runs."""
        return self.folder / "trainings"

    @property
    def trials(self) -> list[Trial]:
        """A training for each fold."""
        count, config = self.options.folds, self.config
        epochs = {} if self.options.epochs is None else {"epochs": self.options.epochs}
        found = []
        for number in range(1, count + 1):
            name = f"{config.name[:60]}-fold{number}of{count}"
            update = {
                "name": name,
                "data": config.data.model_copy(update={"fold": Fold(number=number, of=count)}),
                "training": config.training.model_copy(update={**epochs, "clean_train_pictures": 0}),
            }
            found.append(Trial(name, quiet(config).model_copy(update=update)))
        return found


def prepared(
    config: Config, options: LabelErrorOptions, session: Session, *, out: Path | None, config_folder: Path
) -> Prepared:
    """Load the images, and check what can be checked before a training.

    Arguments:
        config: of the trainings; its own validation part is divided into the folds like the rest.
        options: folds, epochs, order.
        session: where data and runs lie.
        out: the folder of the search, in place of `runs/label-errors/NAME`.
        config_folder: at which relative paths of the config start.

    Raises:
        RequestError: for fewer than 2 folds, classes with fewer images than folds, a config that has a fold already,
            probabilities of another data set, and a folder that holds trainings of another config.
    """
    if options.folds < 2:
        raise RequestError(
            f"`folds` is {options.folds}, expected 2 or more: each network is asked about images it was not shown"
        )
    ranking = next((known for known in RANKINGS if known == options.ranking), None)
    if ranking is None:
        raise RequestError(f"`rank` is '{options.ranking}', expected {' or '.join(RANKINGS)}")
    if options.epochs is not None and options.epochs < 1:
        raise RequestError(f"`epochs` is {options.epochs}, expected 1 or more")
    if config.data.fold is not None:
        raise RequestError("data.fold divides the training part already; leave it out, `folds` says how many there are")
    images = images_of(config, session.place, "train")
    given = None
    if options.probabilities is not None:
        given = read_probabilities(options.probabilities, images)
    else:
        folds_of(images, options.folds, seed=config.split_seed)  # refused before anything is trained
    folder = out or session.folder("label-errors", without_run=f"label-errors/{config.name}")
    found = Prepared(config, options, ranking, images, given, folder, config_folder)
    if given is None:
        check_trials(found.trials, found.trainings)
    return found


def find_label_errors(asked: Prepared, session: Session) -> Iterator[Advance | LabelErrorFacts]:
    """Train what is missing, ask each network about the fold that it was not shown, and compare with the labels.

    Arguments:
        asked: of `prepared`.
        session: device, data, trust.

    Yields:
        How many epochs of all trainings are behind; at last the facts.

    Raises:
        RequestError, WorkError: as `trained`, and for a network that diverged.
        KeyboardInterrupt: after Ctrl-C, when all is safe; finished folds are kept, and the same call goes on there.
    """
    if asked.given is not None:
        yield _facts(asked, asked.given, (), session)
        return
    of = folds_of(asked.images, asked.options.folds, seed=asked.config.split_seed)
    found = torch.empty(len(asked.images), len(asked.images.classes))
    folds: list[FoldFacts] = []
    trials = asked.trials
    steps = trained(trials, asked.trainings, session, config_folder=asked.config_folder, jobs=asked.options.jobs)
    with closing(in_epochs(trials, steps)) as epochs:
        for step in epochs:
            if isinstance(step, Advance):
                yield step
                continue
            inside = (of == len(folds)).nonzero()[:, 0]
            found[inside], fold = _answers(step, len(folds) + 1, asked.images.take(inside), session)
            folds.append(fold)
    yield _facts(asked, found, tuple(folds), session)


def _answers(one: Trained, number: int, images: Dataset, session: Session) -> tuple[Float[Tensor, "m k"], FoldFacts]:
    """What the network of a fold says of its images, which it was not shown.

    Raises: RequestError for a run that has kept out other images, WorkError for one without answers.
    """
    if one.status == "diverged":
        raise WorkError(f"{one.run.path}: the loss diverged, so fold {number} has no answers; lower optimizer.lr")
    # the last weights: the best ones are chosen by the labels in question
    network = open_run(one.run, session, "last")
    kept_out = evaluation_images(one.run, network.config, "validation", session.place)
    if not (torch.equal(kept_out.labels, images.labels) and torch.equal(kept_out.images, images.images)):
        raise RequestError(
            f"{one.run.path}: has kept out other images, or other labels, than fold {number} has now; choose another "
            "folder, or remove that one"
        )
    logits = predictions_of(network, images).logits
    if not logits.isfinite().all():
        raise WorkError(f"{one.run.path}: the network answers NaN or infinity; lower optimizer.lr")
    right = float((logits.argmax(1) == images.labels).double().mean())
    return logits.softmax(1), FoldFacts(number, str(one.run.path), len(images), right)


def write_beside(facts: LabelErrorFacts, folder: Path) -> None:
    """Write all candidates as CSV, and the probabilities, into the folder of the page.

    Arguments:
        facts: of the search.
        folder: where; it is made where it is not there.
    """
    write_whole(folder / CANDIDATES, candidates_csv(facts))
    write_probabilities(folder / PROBABILITIES, facts.probabilities, facts.images)


def _facts(
    asked: Prepared, probabilities: Float[Tensor, "n k"], folds: tuple[FoldFacts, ...], session: Session
) -> LabelErrorFacts:
    images, ranking = asked.images, asked.ranking
    facts = LabelErrorFacts(
        name=asked.config.name,
        images=images,
        probabilities=probabilities,
        errors=label_errors(images.labels, probabilities, ranking=ranking),
        ranking=ranking,
        folds=folds,
        epochs=asked.trials[0].config.training.epochs if folds else 0,
        source="" if asked.options.probabilities is None else str(asked.options.probabilities),
    )
    facts = replace(facts, cautions=_cautions(facts, asked.config))
    if asked.config.data.label_noise is None:
        return facts
    clean = asked.config.data.model_copy(update={"label_noise": None})
    before = images_of(asked.config.model_copy(update={"data": clean}), session.place, "train").labels
    wrong = before != images.labels
    searches = tuple(
        (
            order,
            search(
                wrong, facts.errors.indices, -label_quality(images.labels, probabilities, order), seed=asked.config.seed
            ),
        )
        for order in RANKINGS
    )
    return replace(facts, wrong=wrong, searches=searches)


def _cautions(facts: LabelErrorFacts, config: Config) -> tuple[str, ...]:
    found = list(facts.images.remarks)
    chance = float(facts.errors.counts.max()) / len(facts.images)
    if facts.accuracy < max(0.5, chance + 0.1):
        found.append(
            f"the networks agree with {100 * facts.accuracy:.1f} % of the labels only: most of what they doubt is "
            "their own mistake; train longer"
        )
    if config.init_from is not None and facts.folds and not config.init_from.startswith("torchvision:"):
        found.append(
            f"the networks begin with weights of {config.init_from}: where that has learned from these images, it "
            "believes their labels"
        )
    return tuple(found)
