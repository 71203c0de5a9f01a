"""What a network says of each image of a stream, and how fast."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from statistics import median, quantiles
from typing import Any

import torch
from torch import Tensor

from cnnlab.evaluation.predict import Prediction, prediction_of, prepared, probabilities_of
from cnnlab.evaluation.stream.arrival import Arrival
from cnnlab.fit.views import PLAIN, AveragedViews
from cnnlab.network.image_files import Unreadable
from cnnlab.network.network import Network
from cnnlab.rejection.kept import Rejection
from cnnlab.stats.probabilities import class_names


@dataclass(frozen=True)
class StreamOptions:
    """How the images of a stream are answered."""

    top: int = 5
    """How many classes are named, the likeliest first."""
    reject_below: float = 0.0
    """The least probability, 0 … 1, with which an image gets a label."""
    smooth: int = 1
    """Images over whose probabilities the mean is taken: this one and those before it."""
    rejection: Rejection | None = None
    """The rule that says which images are none of the classes, each by itself."""
    tta: AveragedViews = PLAIN
    """The views of each image that its answer is averaged over."""


@dataclass(frozen=True)
class StreamAnswer:
    """The answer to one image of a stream."""

    result: Prediction | Unreadable
    frame: int
    """Its number in the stream, from 0."""
    seconds: float
    """From when all of it was there to its answer."""
    dropped: int
    """Frames without an answer before it."""

    def as_json(self) -> dict[str, Any]:
        """A line of `cnnlab predict --json` for a stream: what an image has there, and three keys of the stream."""
        own = {"frame": self.frame, "latency_ms": round(1000 * self.seconds, 2), "dropped": self.dropped}
        return self.result.as_json() | own


def answered(
    network: Network, arrivals: Iterable[Arrival], options: StreamOptions | None = None
) -> Iterator[StreamAnswer]:
    """Answer images one by one as they come, prepared as in training.

    Arguments:
        network: opened for images.
        arrivals: the images, from `WatchedFolder.arrivals` or `arrivals`.
        options: how they are answered.

    Yields:
        An answer for each; one that cannot be read is named with the reason, and leaves the mean as it was.

    Example:
        network = open_run("cifar", Session())
        for answer in answered(network, WatchedFolder(Path("inbox")).arrivals()):
            print(answer.result)
    """
    options = options or StreamOptions()
    fitting, channels = network.preparation.fitting, network.shape[0]
    blank = torch.zeros(channels, *fitting.size, dtype=torch.uint8)
    probabilities_of(
        network, fitting(blank)[None].to(network.device), options.tta
    )  # a first pass takes long: none waits for it
    latest: deque[Tensor] = deque(maxlen=options.smooth)
    for arrival in arrivals:
        name, image = prepared(arrival.source, channels, fitting)
        result: Prediction | Unreadable
        if isinstance(image, str):
            result = Unreadable(name, image)
        else:
            pixels, rule = image[None].to(network.device), options.rejection
            latest += probabilities_of(network, pixels, options.tta)
            mean = torch.stack([*latest]).mean(0)
            classes = class_names(mean[None], network.classes)
            result = prediction_of(name, mean, classes, options.top, options.reject_below)
            if rule is not None:
                result = result.rejected_below(rule.threshold, *rule.scores_of(network, pixels))
        yield StreamAnswer(result, arrival.frame, time.perf_counter() - arrival.at, arrival.dropped)


@dataclass
class StreamSpeed:
    """How fast a stream was answered, so far."""

    seconds: list[float] = field(default_factory=list)
    """Of each answer, from when its image was there."""
    unreadable: int = 0
    dropped: int = 0
    _first: float | None = field(default=None, init=False, repr=False)
    _last: float = field(default=0.0, init=False, repr=False)

    def note(self, answer: StreamAnswer) -> None:
        """Count one more answer."""
        now = time.perf_counter()
        if self._first is None:
            self._first = now - answer.seconds
        self._last = now
        self.seconds.append(answer.seconds)
        self.dropped += answer.dropped
        self.unreadable += isinstance(answer.result, Unreadable)

    @property
    def sentence(self) -> str:
        """Images, images a second and latency, in words."""
        count = len(self.seconds)
        if self._first is None or not count:
            return "0 images"
        rate = count / max(self._last - self._first, 1e-9)
        late = quantiles(self.seconds, n=20)[-1] if count > 1 else self.seconds[0]
        said = f"{count:,} image{'s' * (count > 1)}, {rate:,.1f} a second; from image to answer "
        said += f"{1000 * median(self.seconds):,.1f} ms, 95 % within {1000 * late:,.1f} ms"
        if self.dropped:
            said += f"; {self.dropped:,} frame{'s' * (self.dropped > 1)} dropped"
        return said + (f"; {self.unreadable:,} unreadable" if self.unreadable else "")
