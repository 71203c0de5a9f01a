"""What a network answers, and how good it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from cnnlab.api.given import GivenData
from cnnlab.api.question import Questions, none_readable
from cnnlab.api.result import Result, plain
from cnnlab.api.values import check_choice, check_number
from cnnlab.evaluation.neighbours import MistakeNeighbours, NeighbourOptions
from cnnlab.evaluation.predict import Prediction, predict_images
from cnnlab.evaluation.prediction_report import prediction_report
from cnnlab.evaluation.run import Evaluated, EvaluateOptions, evaluated
from cnnlab.fit.views import VIEWS, AveragedViews, ViewsName
from cnnlab.network.given_images import GivenImages, sources_of
from cnnlab.network.image_files import Unreadable
from cnnlab.rejection.kept import Rejection
from cnnlab.stats.classification import Classification
from cnnlab.view.blocks import Report


@dataclass(frozen=True, eq=False, repr=False)
class Predictions(Result):
    """What the network says of each image; a sequence of `Prediction`."""

    document_name: ClassVar[str] = "predictions.json"

    facts: tuple[Prediction, ...]
    unreadable: tuple[Unreadable, ...]
    """Files that could not be read."""
    name: str
    """Of the network."""

    def __len__(self) -> int:
        return len(self.facts)

    def __getitem__(self, place: int) -> Prediction:
        return self.facts[place]

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self.facts)

    @property
    def labels(self) -> list[str | None]:
        """Of each image the class; None where its probability is below `reject_below`."""
        return [one.label for one in self.facts]

    @property
    def probabilities(self) -> Tensor:
        """Of every class, 0 … 1, (n, classes)."""
        return torch.tensor([one.probabilities for one in self.facts])

    @cached_property
    def report(self) -> Report:
        """A table with a row for each image."""
        return prediction_report(self.facts, self.unreadable, name=self.name)

    def to_dict(self) -> dict[str, Any]:
        """`predictions`: the list that `cnnlab predict --json` prints, images that cannot be read last."""
        known = [one.as_json() for one in self.facts]
        return plain({"predictions": [*known, *(one.as_json() for one in self.unreadable)]})


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(Result):
    """How good a network is on some images."""

    document_name: ClassVar[str] = "evaluation.json"

    made: Evaluated

    @property
    def facts(self) -> Classification:
        """Every measure."""
        return self.made.facts

    @property
    def accuracy(self) -> float:
        """The share of images with the right answer, 0 … 1."""
        return self.facts.accuracy

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy (Wilson)."""
        return self.facts.interval.low, self.facts.interval.high

    @property
    def confusion(self) -> Tensor:
        """How many images of each class (rows) were taken for each (columns)."""
        return self.facts.matrix

    @property
    def neighbours(self) -> MistakeNeighbours | None:
        """The training images nearest to the most confident mistakes, where they were asked for."""
        return self.made.neighbours

    @property
    def report(self) -> Report:
        """The headline, confusion, calibration, and the worst errors."""
        return self.made.report

    def to_dict(self) -> dict[str, Any]:
        """The measures; shares are 0 … 1, the confusion matrix has the truth in rows."""
        return plain(self.made.document())


class Answers(Questions):
    """What can be asked of a network's answers."""

    def predict(
        self,
        images: GivenImages,
        *,
        top: int = 5,
        reject_below: float = 0.0,
        rejection: Rejection | None = None,
        tta: ViewsName = "none",
        least_sure: float = 1.0,
    ) -> Predictions:
        """Label images of any size, prepared as those that the network learned from.

        Arguments:
            images: paths, images of pillow's, arrays (h, w, 3) or tensors (c, h, w) of bytes; one or several.
            top: how many classes to name, the likeliest first.
            reject_below: the least probability, 0 … 1, with which an image gets a label.
            rejection: the rule of `reject(…).rejection`, which says what is none of the classes.
            tta: the views that the answers are averaged over, as `evaluate` has them.
            least_sure: likewise; the least sure are those of a batch of some hundred images.

        Returns:
            A prediction for each image that can be read; the others are in `unreadable`.

        Raises:
            RequestError: where no image can be read.

        Example:
            >>> import cnnlab, numpy as np
            >>> net = cnnlab.open("torchvision:squeezenet1_1", size=64, device="cpu")
            >>> len(net.predict(np.zeros((48, 64, 3), np.uint8), top=3)[0].top)
            3
        """
        with self._asked() as network:
            check_number("top", top, 1)
            check_number("reject_below", reject_below, 0.0, 1.0)
            views = _views(tta, least_sure)
            sources = sources_of(images)
            found = list(
                predict_images(network, sources, top=top, reject_below=reject_below, rejection=rejection, tta=views)
            )
            good = tuple(one for one in found if isinstance(one, Prediction))
            bad = tuple(one for one in found if isinstance(one, Unreadable))
            if not good:
                raise none_readable(bad)
            return Predictions(good, bad, network.name)

    def evaluate(
        self,
        data: GivenData | None = None,
        *,
        split: Literal["train", "validation", "test"] = "validation",
        tta: ViewsName = "none",
        least_sure: float = 1.0,
        by: str | None = None,
        rejection: Rejection | None = None,
        nearest: int = 3,
        among: int | None = None,
    ) -> Evaluation:
        """Measure how good it is: accuracy with its interval, confusion, calibration, the worst errors.

        Arguments:
            data: a folder, a CSV, a config, the name of a data set, or (images, labels); by default its own data, or
                the data that it was opened with.
            split: the part of the data; each opening of a run's own `test` is noted in the run.
            tta: the views that the answers are averaged over: `flip` an image and its mirror image, `six` both and the
                same moved by a pixel along the diagonal, either way.
            least_sure: the share of the images that get further views, 0 … 1: those with the smallest margin.
            by: `class`, `group`, or a regular expression on the path whose capture names the group that an accuracy is
                measured of.
            rejection: a rule of `reject(…).rejection`; it is told how many of the images it accepts.
            nearest: of a run on its own images, how many training images stand beside each of the most confident
                mistakes, as `.neighbours` and in the report: those whose features are most like its own.
            among: training images that are searched, at most; by default as many as are evaluated, from 500 to 2000.

        Returns:
            The measures, shares in 0 … 1.

        Raises:
            RequestError: where there is no such data, or its classes are not the network's.
            WorkError: where the network's answers are NaN or infinite.

        Example:
            >>> import cnnlab, numpy as np
            >>> net = cnnlab.open("torchvision:squeezenet1_1", size=64, device="cpu")
            >>> net.evaluate((np.zeros((4, 64, 64, 3), np.uint8), [0, 1, 2, 3])).facts.n
            4
        """
        check_choice("split", split, ("train", "validation", "test"))
        views = _views(tta, least_sure)
        check_number("nearest", nearest, 0)
        if among is not None:
            check_number("among", among, 1)
        with self._asked(data) as network:
            near = NeighbourOptions(nearest, among)
            options = EvaluateOptions(split=split, tta=views, by=by, rejection=rejection, neighbours=near)
            return Evaluation(evaluated(network, self._session, options))


def _views(tta: ViewsName, least_sure: float) -> AveragedViews:
    check_choice("tta", tta, tuple(VIEWS))
    check_number("least_sure", least_sure, 0.0, 1.0)
    return AveragedViews(tta, least_sure)
