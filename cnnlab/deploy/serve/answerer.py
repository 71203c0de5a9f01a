"""What a network says of a posted image: the answer, where it looked, and the training images that are most alike."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Literal

import torch

from cnnlab.attribution.catalog import Asked
from cnnlab.attribution.files import shown_image
from cnnlab.attribution.report import map_title, overlay
from cnnlab.attribution.run import Explanation, Images, explain
from cnnlab.core.errors import RequestError
from cnnlab.data.dataset import Dataset
from cnnlab.evaluation.predict import Prediction, prediction_of, probabilities_of
from cnnlab.network.image_files import Source
from cnnlab.network.network import Network
from cnnlab.network.numbered_batches import numbered_batches
from cnnlab.network.penultimate import Features, joined, penultimate_features
from cnnlab.network.prepared_images import ExplainedImage, images_of_files
from cnnlab.network.session import Session
from cnnlab.rejection.kept import Rejection
from cnnlab.runs.images import sample_indices
from cnnlab.stats.nearest import nearest_neighbours
from cnnlab.stats.probabilities import class_names
from cnnlab.view.blocks import shown
from cnnlab.view.drawings import tile
from cnnlab.view.html import enlarged, overlaid

POSTED = "the posted image"
"""What it is called, whatever it was called where it comes from."""

SEARCHED = 2000
"""Training images among which the nearest are looked for, at most."""

MOST_PIXELS = 448
"""Of the longer side of the image under a map."""


@dataclass(frozen=True)
class ServeOptions:
    """What the page shows."""

    top: int = 5
    """How many classes are named, the likeliest first."""
    reject_below: float = 0.0
    """The least probability, 0 … 1, with which an image gets a label."""
    rejection: Rejection | None = None
    """The rule that says which images are none of the classes."""
    methods: tuple[Asked, ...] | Literal["auto"] = "auto"
    """Methods of attribution whose maps are shown; none where it is empty."""
    nearest: int = 6
    """How many training images are shown beside the answer; 0 for none."""


@dataclass(frozen=True, eq=False)
class Learned:
    """Training images, and what the head sees of them."""

    images: Dataset
    features: Features
    whole: int
    """How many the training part has."""

    @property
    def sentence(self) -> str:
        """Among how many images the nearest are looked for, and by what."""
        return (
            f"Among {len(self.images):,} of {self.whole:,} training images, by the cosine of what the head sees "
            "(1: alike)."
        )


class EndedError(Exception):
    """The page is not answered any more."""


@dataclass(eq=False)
class Answerer:
    """One network for any number of threads: they wait for one another, and the same image has the same answer."""

    network: Network
    session: Session
    options: ServeOptions
    learned: Learned | None = None
    turn: AbstractContextManager[Any] = field(default_factory=Lock, repr=False)
    """Held while an answer is made."""
    _ended: bool = field(default=False, init=False, repr=False)

    def predict(self, content: bytes) -> dict[str, Any]:
        """What `cnnlab predict --json` says of the image in `content`.

        Raises: RequestError where it cannot be read, EndedError after `end`.
        """
        with self.turn:
            return self._prediction(self._image(content)).as_json()

    def explain(self, content: bytes) -> dict[str, Any]:
        """The same, with what the page shows: `said`, and images as addresses of themselves, each with its words.

        Raises: RequestError where it cannot be read, EndedError after `end`.
        """
        with self.turn:
            image = self._image(content)
            prediction = self._prediction(image)
            return prediction.as_json() | {
                "said": verdict(prediction, self.options.reject_below),
                "seen": str(enlarged(tile(image.pixels))),
                "maps": self._maps(image),
                "nearest": self._nearest(image),
            }

    def end(self) -> None:
        """Make no other answer, and wait for the one that is being made."""
        self._ended = True
        with self.turn:
            pass

    def _image(self, content: bytes) -> ExplainedImage:
        if self._ended:
            raise EndedError
        found, unreadable = images_of_files([Source(POSTED, content)], self.network.preparation, ())
        if unreadable:
            raise RequestError(f"{POSTED} {unreadable[0].reason}")
        return found[0]

    def _prediction(self, image: ExplainedImage) -> Prediction:
        pixels, rule = image.pixels[None].to(self.network.device), self.options.rejection
        probabilities = probabilities_of(self.network, pixels)
        classes = class_names(probabilities, self.network.classes)
        made = prediction_of(POSTED, probabilities[0], classes, self.options.top, self.options.reject_below)
        return made if rule is None else made.rejected_below(rule.threshold, *rule.scores_of(self.network, pixels))

    def _maps(self, image: ExplainedImage) -> list[dict[str, str]]:
        if not self.options.methods:
            return []
        images = Images.of(self.network, [image])
        *_, found = explain(self.network, images, self.session, methods=self.options.methods)
        assert isinstance(found, Explanation)
        drawn = shown_image(image, image.original(), 0, found, MOST_PIXELS)
        made = []
        for one in drawn.maps:
            scene = overlay(drawn, one)
            colours = "; red: for it, blue: against it" if scene.heat_scale == "signed" else ""
            made.append({"title": map_title(one) + colours, "image": str(overlaid(scene))})
        return made

    def _nearest(self, image: ExplainedImage) -> list[dict[str, Any]]:
        if self.learned is None:
            return []
        batch = (self.network.preparation.inputs(image.pixels[None].to(self.network.device)), torch.zeros(1).long(), 0)
        features = self.learned.features
        own = joined(penultimate_features(self.network.model, [batch], layer=features.layer)).features[0]
        like = nearest_neighbours(features.features, own, count=min(self.options.nearest, len(features.features)))
        images = self.learned.images
        return [
            {
                "label": images.classes[int(images.labels[row])],
                "cosine": round(cosine, 4),
                "image": str(enlarged(tile(images.images[row]))),
            }
            for row, cosine in zip(like.indices.tolist(), like.similarity.tolist(), strict=True)
        ]


def learned_images(network: Network, session: Session) -> Learned:
    """Training images of the network, drawn with the session's seed, and their features.

    Raises: RequestError where there are none, or no layer is known to be the head.
    """
    part = network.part("train", session.place)
    images = part.take(sample_indices(len(part), SEARCHED, session.seed, "serve"))
    return Learned(images, joined(penultimate_features(network.model, numbered_batches(network, images))), len(part))


def verdict(prediction: Prediction, reject_below: float) -> str:
    """Put the answer into a line.

    Example:
        >>> print(verdict(Prediction("a.png", "cat", 0.75, (("cat", 0.75),), (0.75, 0.25)), 0.0))
        cat, 75.0\N{NO-BREAK SPACE}%
    """
    likeliest = prediction.top[0][0]
    if prediction.is_none:
        return (
            f"None of these: its score is {prediction.score:.4g}, below {prediction.threshold:.4g} "
            f"({likeliest} would be the likeliest)"
        )
    sure = shown(prediction.probability, ".1%")
    if prediction.label is None:
        return f"No label: {likeliest} has {sure}, less than {shown(reject_below, '.1%')}"
    return f"{prediction.label}, {sure}"
