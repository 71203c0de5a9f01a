"""What the parts of the normalisation lab share: the network, its norms, a sample of its images, and what was asked."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from cnnlab.config.config import Config
from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.data.batches import normalise
from cnnlab.fit.device import pointwise_route
from cnnlab.fit.losses import Loss, averaged, is_summed
from cnnlab.models.undisturbed import undisturbed
from cnnlab.network.forward import capture_outputs, check_finite
from cnnlab.network.network import Network
from cnnlab.network.session import Session
from cnnlab.probe.norm.layers import GROUPS, NormLayer, norm_layers
from cnnlab.probe.norm.moments import Moments, norm_inputs
from cnnlab.probe.norm.ranges import FACTORS
from cnnlab.runs.images import TrainingImages, fixed_sample, training_images

BATCH = 32
"""Images of a batch where the network's own training tells nothing."""

SIZES = (2, 4, 8, 32)
"""Images of a batch, at which batch norm is trained beside group norm."""


@dataclass(frozen=True)
class NormOptions:
    """What is asked of the lab."""

    parts: tuple[str, ...] = ()
    """Names of parts; without any, those that take seconds."""
    train: bool = False
    """Whether the parts that train are among them."""
    split: Literal["train", "validation"] | None = None
    """None for validation, or train where no validation part was kept."""
    count: int = 128
    """Images at most."""
    epochs: int | None = None
    """Of each training; the config's own by default."""
    steps: int | None = None
    """Of each short training, and of the fine-tuning; 60 by default."""
    batch_sizes: tuple[int, ...] = SIZES
    """Images of a batch, at which batch norm is trained beside group norm."""
    groups: int = GROUPS
    """Of a group norm, at most."""
    factors: tuple[float, ...] = FACTORS
    """By which the weights at the start, and the learning rate, are multiplied."""
    threshold: float = 0.7
    """The accuracy whose first epoch is told, 0 … 1."""


STEPS = 60


@dataclass(frozen=True, eq=False)
class Sample:
    """Images of the network's data."""

    split: str
    images: Float[Tensor, "n c h w"]
    """Prepared, on the device."""
    labels: Int64[Tensor, "n"]
    """On the CPU."""


@dataclass(eq=False)
class Lab:
    """One network on the bench."""

    network: Network
    session: Session
    options: NormOptions
    folder: Path | None = None
    """Where trainings are kept; None where nothing is to be written."""
    config_folder: Path = Path()
    """At which relative paths of plugins start, in the config of a network that is no run."""
    _moments: dict[str, Moments] = field(default_factory=dict)

    @cached_property
    def layers(self) -> tuple[NormLayer, ...]:
        """The norms of the network."""
        return norm_layers(self.network.model)

    @cached_property
    def batch_norms(self) -> tuple[str, ...]:
        """The names of those that take statistics over the batch."""
        return tuple(layer.name for layer in self.layers if layer.couples)

    @property
    def batch(self) -> int | None:
        """Images of a batch in its training; None where that is not known."""
        return None if self.network.config is None else self.network.config.training.batch_size

    @property
    def config(self) -> Config:
        """The config that is trained.

        Raises: RequestError for a network without one.
        """
        if self.network.config is None:
            raise RequestError(f"{self.network.name} has no config to train by; give a run or a config (.yaml)")
        return self.network.config

    @property
    def trainings(self) -> Path:
        """The folder of the trainings.

        Raises: RequestError where nothing is to be written.
        """
        if self.folder is None:
            raise RequestError("trainings are kept in a folder; name one with `keep`")
        return self.folder / "trainings"

    @property
    def plugins_from(self) -> Path:
        """At which relative paths of plugins start."""
        return self.config_folder if self.network.run is None else self.network.run.path

    @property
    def epochs(self) -> int:
        """Of each training."""
        return self.options.epochs or self.config.training.epochs

    @property
    def steps(self) -> int:
        """Of each short training."""
        return self.options.steps or STEPS

    @cached_property
    def sample(self) -> Sample:
        """Images to look at, drawn by the seed.

        Raises: RequestError for a network without images, WorkError where a layer puts out what is NaN or infinite.
        """
        place, split = self.session.place, self.options.split
        chosen, part = self.network.held_out(place) if split is None else (split, self.network.part(split, place))
        few = fixed_sample(part, self.options.count, self.session.seed, "norm")
        inputs = normalise(few.images.to(self.session.device), self.network.preparation.statistics)
        layers = [name for name, _ in self.network.model.named_modules() if name]
        check_finite(capture_outputs(self.network.model, inputs[:1], layers), self.network.name)
        return Sample(self.network.named_part(chosen), inputs, few.labels)

    @cached_property
    def halves(self) -> TrainingImages:
        """The images of the config."""
        return training_images(self.config, self.session.place)

    @cached_property
    def training_batch(self) -> tuple[Float[Tensor, "n c h w"], Int64[Tensor, "n"]]:
        """A batch of training images as they are, prepared, on the device, with their labels."""
        few = fixed_sample(self.halves.train, max(2, self.config.training.batch_size), self.session.seed, "norm batch")
        device = self.session.device
        return normalise(few.images.to(device), self.halves.statistics), few.labels.to(device)

    @cached_property
    def loss(self) -> Loss:
        """The loss of the config, a mean over the images."""
        return averaged(self._own_loss)

    @cached_property
    def _own_loss(self) -> Loss:
        made: Loss = self.config.loss.build(counts=self.halves.train.counts().to(self.session.device))
        return made

    @cached_property
    def rate(self) -> float:
        """The learning rate of the config, for the mean of a batch."""
        rate: float = self.config.optimizer.options["lr"]
        return rate * self.config.training.batch_size if is_summed(self._own_loss) else rate

    def moments(self) -> Iterator[Advance]:
        """See that `known_moments` are there; yields how far the images are.

        Raises: RequestError for what the network raises.
        """
        if self._moments:
            return
        steps = norm_inputs(
            self.network.model,
            self.sample.images,
            self.batch_norms,
            max_batch=self.session.max_batch,
            training=self.untouched,
        )
        for step in steps:
            if isinstance(step, Advance):
                yield step
            else:
                self._moments.update(step)

    @property
    def untouched(self) -> bool:
        """Whether a batch norm has running statistics that no batch has gone into: they mean nothing."""
        return any(layer.updates == 0 for layer in self.layers if layer.couples)

    @property
    def known_moments(self) -> dict[str, Moments]:
        """What each batch norm is given, once `moments` has run; of those that vary."""
        return {name: one for name, one in self._moments.items() if bool(one.live.any())}

    def seconds_of(self, batch: int) -> float:
        """Roughly how long a training step takes here with so many images, in seconds, as two steps show."""
        known = self._seconds
        if batch not in known:
            images, labels = self.training_batch
            repeated = math.ceil(batch / len(images))
            some, targets = images.repeat(repeated, 1, 1, 1)[:batch], labels.repeat(repeated)[:batch]
            with undisturbed(self.network.model, training=True), torch.enable_grad():
                parameters = [one.requires_grad_() for one in self.network.model.parameters()]
                for _ in range(2):
                    began = time.perf_counter()
                    with pointwise_route(some.device, self.network.model):
                        value = F.cross_entropy(self.network.model(some).float(), targets)
                    torch.autograd.grad(value, parameters, allow_unused=True)
                    known[batch] = time.perf_counter() - began
        return known[batch]

    @cached_property
    def seconds_an_image(self) -> float:
        """Roughly how long an image takes to go through the network here, in seconds, as two images show."""
        few = self.sample.images[:2]
        with undisturbed(self.network.model), torch.no_grad():
            for _ in range(2):
                began = time.perf_counter()
                self.network.model(few)
        return (time.perf_counter() - began) / len(few)

    @cached_property
    def _seconds(self) -> dict[int, float]:
        return {}
