"""`cnnlab predict`: labels for images of any size and mode, prepared exactly as in training."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import UInt8
from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.data.fitting import Fitting
from cnnlab.data.parallel import in_parallel
from cnnlab.fit.device import evaluating
from cnnlab.fit.predict import logits_of
from cnnlab.fit.views import PLAIN, AveragedViews
from cnnlab.network.image_files import Source, Unreadable
from cnnlab.network.network import Network
from cnnlab.rejection.kept import NONE, Rejection
from cnnlab.stats.probabilities import class_names, class_probabilities

BATCH = 256


@dataclass(frozen=True)
class Prediction:
    """What the network says of one image."""

    path: str
    label: str | None
    """None where the probability is below what was asked for, and where it is none of the classes."""
    probability: float
    top: tuple[tuple[str, float], ...]
    """The likeliest classes with their probabilities, likeliest first."""
    probabilities: tuple[float, ...]
    """Probability of every class, in the classes' order."""
    score: float | None = None
    """How much it is like the training images, where a rule of rejection was asked."""
    threshold: float | None = None
    """The score below which it is none of the classes."""

    @property
    def is_none(self) -> bool:
        """Whether a rule of rejection says that it is none of the classes."""
        return self.score is not None and self.threshold is not None and self.score < self.threshold

    @property
    def answer(self) -> str | None:
        """The label, or in its place that it is none of the classes; None where the probability is too small."""
        return NONE if self.is_none else self.label

    def rejected_below(self, threshold: float, score: float) -> "Prediction":
        """The same, with what a rule of rejection says of the image's `score`."""
        return replace(self, label=self.label if score >= threshold else None, score=score, threshold=threshold)

    def as_json(self) -> dict[str, Any]:
        """An element of the list that `--json` prints; its keys are those of an unreadable image."""
        top = [{"label": label, "probability": probability} for label, probability in self.top]
        known = {"path": self.path, "label": self.label, "probability": self.probability, "top": top, "error": None}
        if self.score is None:
            return known
        return known | {"answer": self.answer, "score": self.score, "threshold": self.threshold}


def predict_images(
    network: Network,
    sources: Sequence[Source],
    *,
    top: int = 5,
    reject_below: float = 0.0,
    rejection: Rejection | None = None,
    tta: AveragedViews = PLAIN,
) -> Iterator[Prediction | Unreadable]:
    """Label images of any size, prepared as in training.

    Arguments:
        network: opened for images.
        sources: the images, from `find_images`.
        top: how many classes to name, the likeliest first.
        reject_below: the least probability, 0 … 1, with which an image gets a label.
        rejection: the rule that says which images are none of the classes.
        tta: the views of each image that the answers are averaged over; the least sure are those of a batch.

    Yields:
        One result per image, in order; one that cannot be read is named with the reason, and the others go on.

    Example:
        network = open_run("cifar", Session())
        labels = [prediction.label for prediction in predict_images(network, [Source("cat.jpg"), Source("dog.jpg")])]
    """
    fitting = network.preparation.fitting
    size = BATCH if network.config is not None else min(BATCH, network.batch_size)
    for begin in range(0, len(sources), size):
        group = list(in_parallel(lambda s: prepared(s, network.shape[0], fitting), sources[begin : begin + size]))
        good = [image for _, image in group if not isinstance(image, str)]
        pixels = torch.stack(good).to(network.device) if good else None
        found = None if pixels is None else probabilities_of(network, pixels, tta)
        scores = iter([] if rejection is None or pixels is None else rejection.scores_of(network, pixels))
        probabilities = iter(() if found is None else found)
        classes = () if found is None else class_names(found, network.classes)
        for name, image in group:
            if isinstance(image, str):
                yield Unreadable(name, image)
            else:
                made = prediction_of(name, next(probabilities), classes, top, reject_below)
                yield made if rejection is None else made.rejected_below(rejection.threshold, next(scores))


def prepared(source: Source, channels: int, fitting: Fitting) -> tuple[str, UInt8[Tensor, "c h w"] | str]:
    """The image in the network's geometry, or the reason why it cannot be read."""
    try:
        image = source.read(1 if channels == 1 else 3)
    except RequestError as error:
        return source.name, str(error).removeprefix(f"{source.name}: ")
    return source.name, fitting(image)


def probabilities_of(network: Network, images: UInt8[Tensor, "n c h w"], tta: AveragedViews = PLAIN) -> Tensor:
    """The probability of every class, (n, classes), of images in the network's geometry; on the processor."""
    with evaluating(network.model):
        inputs = [network.preparation.inputs(images)]
        logits = tta.answers(lambda some: logits_of(network.model, some, network.precision), inputs)
        return class_probabilities(logits, network.activation).cpu()


def prediction_of(
    name: str, probabilities: Tensor, classes: tuple[str, ...], top: int, reject_below: float
) -> Prediction:
    """What the `probabilities` of all `classes` say of the image `name`, as `predict_images` has it."""
    values, indices = probabilities.topk(min(top, len(classes)))
    ranked = tuple((classes[i], float(p)) for i, p in zip(indices.tolist(), values.tolist(), strict=True))
    label, probability = ranked[0]
    kept = label if probability >= reject_below else None
    return Prediction(name, kept, probability, ranked, tuple(probabilities.tolist()))
