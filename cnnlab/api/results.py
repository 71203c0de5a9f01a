"""The kinds of results, one for each question: which facts each holds, and what it is seen as."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from numpy.typing import NDArray
from torch import Tensor

from cnnlab.api.result import Result, plain
from cnnlab.check_model.report import check_json, check_report
from cnnlab.check_model.run import ModelCheck
from cnnlab.evaluation.predict import Prediction
from cnnlab.evaluation.prediction_report import prediction_report
from cnnlab.evaluation.run import Evaluated
from cnnlab.inside.dream.report import DreamFacts, dream_json, dream_report
from cnnlab.inside.dream.run import save_image
from cnnlab.inside.embedding.report import EmbeddingFacts, embedding_json, embedding_report
from cnnlab.inside.embedding.run import write_projector
from cnnlab.inside.features.report import FeatureFacts, features_json, features_report
from cnnlab.inside.filters.bank import FilterFacts
from cnnlab.inside.filters.report import filters_json, filters_report
from cnnlab.inside.patches.report import PatchFacts, patches_json, patches_report
from cnnlab.layers_lab.summary.report import Summary as SummaryFacts
from cnnlab.layers_lab.summary.report import summary_json, summary_report
from cnnlab.network.image_files import Unreadable
from cnnlab.receptive_field.fields import Field
from cnnlab.receptive_field.study import FieldStudy
from cnnlab.receptive_field.study_report import study_document, study_report
from cnnlab.stats.classification import Classification
from cnnlab.trust.audit.facts import EvidenceFacts, evidence_document
from cnnlab.trust.audit.report import evidence_report
from cnnlab.trust.sanity.facts import SanityFacts, sanity_document
from cnnlab.trust.sanity.report import sanity_report
from cnnlab.view.blocks import Report


def _unreadable(unreadable: Sequence[Unreadable]) -> list[dict[str, str]]:
    return [{"path": one.path, "reason": one.reason} for one in unreadable]


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
class ReceptiveFields(Result):
    """What each layer sees of an image."""

    document_name: ClassVar[str] = "receptive-field.json"

    facts: FieldStudy
    depth: int | None = None
    """How deep the table goes into layers of layers."""
    draws_unit: bool = False
    """Whether the box of the unit is drawn."""

    @property
    def layers(self) -> tuple[Field, ...]:
        """The field of each layer, in the order in which they run: size, stride, padding in pixels."""
        return tuple(field for field in self.facts.inspection.fields.layers if field.name)

    def __getitem__(self, layer: str) -> Field:
        return self.facts.inspection.field(layer)

    @property
    def holds(self) -> bool:
        """Whether every claim holds, and every interval is proven where that was asked for."""
        return self.facts.holds

    @cached_property
    def report(self) -> Report:
        """The table, how the fields grow, and whether they fit the images."""
        return study_report(self.facts, depth=self.depth, draws_unit=self.draws_unit)

    def to_dict(self) -> dict[str, Any]:
        """Each layer's field, what the audit finds, and what was asked besides."""
        return plain(study_document(self.facts))


@dataclass(frozen=True, eq=False, repr=False)
class Summary(Result):
    """Shapes, parameters, multiply-accumulates, memory and receptive fields, layer by layer."""

    document_name: ClassVar[str] = "summary.json"

    facts: SummaryFacts
    name: str
    """Of the network."""
    depth: int | None = None
    explain: bool = False

    @property
    def parameters(self) -> int:
        """How many there are."""
        return self.facts.costs.parameters

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one image, in evaluation mode."""
        return self.facts.costs.macs

    @property
    def inference_bytes(self) -> int:
        """Bytes of activations, the most that are alive at once, for one image."""
        return self.facts.costs.inference_bytes

    @cached_property
    def report(self) -> Report:
        """The table with its totals."""
        return summary_report(self.facts, name=self.name, depth=self.depth, explain=self.explain)

    def to_dict(self) -> dict[str, Any]:
        """The totals, and every layer with its costs and its field."""
        return plain(summary_json(self.facts, self.name))


@dataclass(frozen=True, eq=False, repr=False)
class Filters(Result):
    """The filters of a convolution, measured against filters that learned nothing."""

    facts: FilterFacts

    @property
    def weights(self) -> Tensor:
        """(filters, channels, height, width), as torch stores them."""
        return self.facts.weights

    @cached_property
    def report(self) -> Report:
        """The filters, what they are, and how many of each kind there are by chance."""
        return filters_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """What each filter is, and the comparison with chance."""
        return plain(filters_json(self.facts))


@dataclass(frozen=True, eq=False, repr=False)
class Features(Result):
    """The activations of a layer's channels for some images."""

    facts: FeatureFacts
    unreadable: tuple[Unreadable, ...] = ()
    """Files that could not be read."""

    @property
    def maps(self) -> tuple[NDArray[Any], ...]:
        """Of each image the layer's feature maps, (channels, height, width)."""
        return tuple(image.maps for image in self.facts.images)

    @property
    def dead(self) -> tuple[int, ...]:
        """Channels that were never above 0, from 0; in what, `facts.samples` says."""
        return tuple(int(channel) for channel in self.facts.chosen.dead)

    @cached_property
    def report(self) -> Report:
        """The maps, the silent channels, and a walk through the network."""
        return features_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """Peaks and means of each channel, and how active each layer is."""
        return plain(features_json(self.facts) | {"unreadable": _unreadable(self.unreadable)})


@dataclass(frozen=True, eq=False, repr=False)
class Patches(Result):
    """The maximally activating patches of a layer's channels."""

    facts: PatchFacts

    @cached_property
    def report(self) -> Report:
        """The patches, and how far each channel keeps to one class."""
        return patches_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """Each channel's patches: image, value, unit, box in pixels."""
        return plain(patches_json(self.facts))


@dataclass(frozen=True, eq=False, repr=False)
class Dreams(Result):
    """Images to which a channel or a class answers as strongly as it can."""

    facts: DreamFacts

    @property
    def images(self) -> Mapping[str, NDArray[Any]]:
        """Of each objective the image, bytes (height, width, 1 or 3)."""
        return {one.label: one.image for one in self.facts.dreams}

    @cached_property
    def report(self) -> Report:
        """The images, the way to them, and what the network's own images reach."""
        return dream_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """Each dream's scores, and what the network says of it."""
        return plain(dream_json(self.facts))

    def save(self, folder: str | Path) -> Path:
        """Write what every result writes, and each image alone in `folder/pixels`."""
        for one in self.facts.dreams:
            save_image(one.image, Path(folder).expanduser() / "pixels" / f"{one.stem}.png")
        return super().save(folder)


@dataclass(frozen=True, eq=False, repr=False)
class Sanity(Result):
    """Whether each method's maps depend on what the network has learned."""

    document_name: ClassVar[str] = "sanity.json"

    facts: SanityFacts

    @property
    def verdicts(self) -> Mapping[str, str]:
        """Of each method `passes`, `passes in sign only`, `fails`, `undecided` or `no maps`."""
        return {one.name: one.outcome for one in self.facts.verdicts}

    @cached_property
    def report(self) -> Report:
        """The maps at each depth, how alike they stay, and the verdicts."""
        return sanity_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """Similarities with their intervals, and the verdicts."""
        return plain(sanity_document(self.facts))


@dataclass(frozen=True, eq=False, repr=False)
class Audit(Result):
    """Whether answers rest on the object or on borders and corners."""

    document_name: ClassVar[str] = "audit.json"

    facts: EvidenceFacts

    @property
    def holds(self) -> bool:
        """Whether every limit holds."""
        return not self.facts.broken

    @property
    def reasons(self) -> tuple[str, ...]:
        """A sentence for each limit that is broken."""
        return tuple(self.facts.reasons)

    @cached_property
    def report(self) -> Report:
        """Where the evidence lies, the limits, and the images that are most suspicious."""
        return evidence_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """Shares of the evidence with their intervals, and the limits."""
        return plain(evidence_document(self.facts))


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
    def report(self) -> Report:
        """The headline, confusion, calibration, and the worst errors."""
        return self.made.report

    def to_dict(self) -> dict[str, Any]:
        """The measures; shares are 0 … 1, the confusion matrix has the truth in rows."""
        return plain(self.made.document())


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

    def save(self, folder: str | Path) -> Path:
        """Write what every result writes, and the files of TensorBoard's projector in `folder/embedding`."""
        write_projector(self.facts, Path(folder).expanduser() / "embedding")
        return super().save(folder)


@dataclass(frozen=True, eq=False, repr=False)
class Check(Result):
    """What was understood of a network, and what can be asked of it."""

    document_name: ClassVar[str] = "check.json"

    facts: ModelCheck

    @property
    def works(self) -> bool:
        """Whether every question will work, given images where it needs them."""
        return self.facts.works

    @cached_property
    def report(self) -> Report:
        """The ten lines, and the questions."""
        return check_report(self.facts)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data."""
        return plain(check_json(self.facts))
