"""A training as a film of its checkpoints."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from cnnlab.api.question import Questions, last
from cnnlab.api.result import Result, plain
from cnnlab.api.values import check_number
from cnnlab.core.errors import RequestError
from cnnlab.inside.film.report import FilmFacts, film_json, film_report
from cnnlab.inside.film.run import animations, filmed
from cnnlab.view.blocks import Report


@dataclass(frozen=True, eq=False, repr=False)
class Film(Result):
    """A convolution's filters, and the evidence in one image, through the epochs of a run; epoch 0 is before it."""

    facts: FilmFacts

    @property
    def epochs(self) -> tuple[int, ...]:
        """Of the frames, rising."""
        return tuple(frame.epoch for frame in self.facts.film.frames)

    @property
    def filters(self) -> tuple[Tensor, ...]:
        """At each epoch, (filters, channels, height, width), as torch stores them."""
        return tuple(frame.filters for frame in self.facts.film.frames)

    @property
    def similarity(self) -> tuple[Tensor, ...]:
        """At each epoch each filter's cosine with its final self, −1 … 1, (filters,)."""
        return tuple(frame.similarity for frame in self.facts.film.frames)

    @cached_property
    def report(self) -> Report:
        """Strips of the filters and of the evidence, how soon they are what they will be, and the answers."""
        return film_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """Each epoch's similarities, validation accuracy, and score of the image."""
        return plain(film_json(self.facts))

    def _write_beside(self, folder: Path) -> list[Path]:
        """`filters.gif` and `evidence.gif`, an epoch a frame."""
        return animations(self.facts, folder)


class Films(Questions):
    """What can be asked of a run's training."""

    def film(self, *, layer: str | None = None, picture: int = 0) -> Film:
        """Film the run's training: filters, and the evidence for one image, at each epoch whose weights were kept.

        Arguments:
            layer: a convolution; by default the first.
            picture: an image, by its number in the validation part, from 0; in the training part where none was kept.

        Returns:
            The filters at each epoch, with how near each is to what it becomes; `save` writes two GIFs besides.

        Raises:
            RequestError: for a network without a run, a run without kept weights (`logging.snapshots_every_epochs`),
                and a layer or picture that is not there.

        Example:
            >>> import cnnlab, tempfile
            >>> small = {
            ...     "data.dataset": {"shapes": {"train_count": 100, "test_count": 10, "size": 16}},
            ...     "logging.snapshots_every_epochs": 1,
            ... }
            >>> run = cnnlab.train(epochs=1, overrides=small, runs=tempfile.mkdtemp(), device="cpu", report=False)
            >>> film = run.open().film()
            >>> film.epochs, [tuple(filters.shape) for filters in film.filters]
            ((0, 1), [(16, 3, 3, 3), (16, 3, 3, 3)])
        """
        check_number("picture", picture, 0)
        with self._asked() as network:
            if network.run is None:
                raise RequestError(f"{network.name} is no run; only of a run is there a training to film")
            return Film(last(filmed(network.run, self._session, layer=layer, picture=picture)))
