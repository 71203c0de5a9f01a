"""Images as points where the head of a network sees them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnnlab.api.given import GivenData
from cnnlab.api.question import Open, Questions, last
from cnnlab.api.result import Result, plain
from cnnlab.api.values import check_number
from cnnlab.inside.embedding.report import EmbeddingFacts, embedding_json, embedding_report
from cnnlab.inside.embedding.run import embedded, write_projector
from cnnlab.view.blocks import Report


@dataclass(frozen=True, eq=False, repr=False)
class Embedding(Result):
    """Images as points where the head sees them."""

    facts: EmbeddingFacts

    @property
    def features(self) -> Tensor:
        """(n, d), the input of the head for each image."""
        return torch.as_tensor(self.facts.features)

    @cached_property
    def report(self) -> Report:
        """The points, and the neighbours of some images."""
        return embedding_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """Shares of the components, and how often neighbours are of one class."""
        return plain(embedding_json(self.facts))

    def _write_beside(self, folder: Path) -> list[Path]:
        """The files of TensorBoard's projector, in `folder/embedding`."""
        write_projector(self.facts, folder / "embedding")
        return []


class Embeddings(Questions):
    """What can be asked of the features that the head sees."""

    def embedding(
        self,
        data: GivenData | None = None,
        *,
        split: Open | None = None,
        layer: str | None = None,
        like: Sequence[int | str] = (),
        count: int = 2000,
        neighbours: int = 8,
    ) -> Embedding:
        """Place images where the head sees them: principal components and nearest neighbours.

        Arguments:
            data: as of `evaluate`.
            split: `train` or `validation`; by default what was held out.
            layer: whose input the features are; by default the head.
            like: whose neighbours are shown: numbers in the part, or files; by default the first image of each class.
            count: images, at most.
            neighbours: of each image.

        Returns:
            The features (n, d), and how often neighbours are of one class.

        Raises:
            RequestError: for a network without a head that is known, and for one in `like` that is no image.
        """
        check_number("count", count, 3)
        check_number("neighbours", neighbours, 1)
        with self._asked(data) as network:
            part, images = self._part(network, split)
            placing = embedded(
                network,
                images,
                self._session,
                split=part,
                count=count,
                layer=layer,
                like=[str(one) for one in like],
                neighbours=neighbours,
            )
            return Embedding(last(placing))
