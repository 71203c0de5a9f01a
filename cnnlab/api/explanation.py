"""Images explained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Literal

from torch import Tensor

from cnnlab.api.question import Open, Questions, listed, prepared
from cnnlab.api.result import Result, plain
from cnnlab.api.values import check_choice, check_number, path_of
from cnnlab.attribution.catalog import Asked
from cnnlab.attribution.files import WrittenExplanation, write_explanation
from cnnlab.attribution.measures.report import faithfulness_document
from cnnlab.attribution.run import Explanation as Facts
from cnnlab.attribution.run import Images, explain
from cnnlab.network.given_images import GivenImages
from cnnlab.network.image_files import Unreadable
from cnnlab.network.network import Network
from cnnlab.network.prepared_images import ExplainedImage, images_of_part
from cnnlab.view.blocks import Report


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(Result):
    """Where in each image each answer comes from, by each method; n images, t targets each."""

    document_name: ClassVar[str] = "explanations.json"

    facts: Facts
    images: Sequence[ExplainedImage]
    unreadable: Sequence[Unreadable] = ()
    """Files that could not be read."""
    target: str = "predicted"
    """What was asked to be explained."""
    network: Network = field(kw_only=True)
    asked: bool = False
    """Whether the layers were asked for."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the images, in their order."""
        return tuple(image.name for image in self.images)

    @property
    def maps(self) -> Mapping[str, Tensor]:
        """The raw map of each method, float (n, t, h, w), at the layer's resolution or the image's; on the CPU."""
        return {one.method: one.maps.cpu() for one in self.facts.attributions}

    @property
    def scores(self) -> Mapping[str, Tensor]:
        """The logits that each method explained, (n, t)."""
        return {one.method: one.scores.cpu() for one in self.facts.attributions}

    @property
    def probabilities(self) -> Tensor:
        """Of all classes, 0 … 1, (n, classes)."""
        return self.facts.probabilities

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, or their numbers."""
        return self.facts.classes

    @property
    def targets(self) -> Tensor:
        """The class that each map speaks of, by its number, int64 (n, t)."""
        return self.facts.targets

    @property
    def metrics(self) -> tuple[Mapping[str, Any], ...]:
        """How far to trust the maps, for each of the t targets; none unless `metrics` was asked for."""
        return tuple(plain(faithfulness_document(one)) for one in self.facts.comparisons)

    @property
    def cautions(self) -> tuple[str, ...]:
        """What to know before the maps are looked at."""
        return self.facts.plan.cautions

    @property
    def report(self) -> Report:
        """Images with their maps over them, and how these were made."""
        return self._told.report

    def to_dict(self) -> dict[str, Any]:
        """Every map's facts, how it was made, and what it was measured to be worth."""
        return plain(self._told.document)

    def save(self, folder: str | Path, *, full_size: bool = False) -> Path:
        """Write raw maps (float32, .npy), overlays, a page and the document, as `cnnlab gradcam` does.

        Arguments:
            folder: where; it is made where it is not there.
            full_size: overlays of up to 4,096 pixels; at most 1,600 otherwise.

        Returns:
            The page.

        Raises:
            WorkError: where the disk refuses.
        """
        page = self._written(path_of("folder", folder), full_size=full_size).page
        assert page is not None
        return page

    @cached_property
    def _told(self) -> WrittenExplanation:
        return self._written(None)

    def _written(self, folder: Path | None, *, full_size: bool = False) -> WrittenExplanation:
        *_, written = write_explanation(
            self.network,
            self.images,
            self.facts,
            folder,
            target=self.target,
            unreadable=self.unreadable,
            asked=self.asked,
            full_size=full_size,
        )
        assert isinstance(written, WrittenExplanation)
        return written


class Explanations(Questions):
    """What can be asked of the evidence in an image."""

    def explain(
        self,
        images: GivenImages | None = None,
        *,
        split: Open | None = None,
        count: int = 12,
        methods: str | Sequence[Asked] = "auto",
        target: str | int = "predicted",
        layers: str | Sequence[str] = "auto",
        smooth: Literal["aug", "eigen"] | None = None,
        metrics: bool = False,
        road: bool = True,
    ) -> Explanation:
        """Tell where in each image an answer comes from.

        Arguments:
            images: as of `predict`; without any, those of its own data, or of the data it was opened with.
            split: without images: `train` or `validation`, by default what was held out.
            count: without images: how many.
            methods: names, with options where wanted: `"gradcam"`, `["gradcam", "rise:masks=4000"]`,
                `[{"integrated_gradients": {"steps": 200}}]`; "auto" goes by the network's head.
            target: `predicted`, `true` (by the image's folder), a class by name or number, or the likeliest, as `top3`.
            layers: where class activation maps look, by name; of several the maps are fused.
            smooth: of class activation maps `aug` (mirrored and dimmed images) or `eigen` (first component).
            metrics: whether it is measured how far to trust each map, beside three controls.
            road: whether ROAD is among the measures, which takes the most time.

        Returns:
            The maps (n, t, h, w) of each method, for n images with t targets each, and how they were made.

        Raises:
            RequestError: for what cannot be asked: a method, an option, a layer, a class.
            WorkError: where the network's answers are NaN or infinite.

        Example:
            >>> import cnnlab, numpy as np
            >>> net = cnnlab.open("torchvision:squeezenet1_1", size=64, device="cpu")
            >>> explained = net.explain(np.zeros((48, 64, 3), np.uint8), methods=["gradcam", "gradient"])
            >>> {name: tuple(maps.shape) for name, maps in explained.maps.items()}
            {'gradcam': (1, 1, 3, 3), 'gradient': (1, 1, 64, 64)}
        """
        automatic = isinstance(layers, str) and layers == "auto"
        named = [name.strip() for name in layers.split(",")] if isinstance(layers, str) else layers
        check_choice("split", split, (None, "train", "validation"))
        check_choice("smooth", smooth, (None, "aug", "eigen"))
        check_number("count", count, 1)
        with self._asked() as network:
            found, unreadable = (self._own(network, split, count), ()) if images is None else prepared(network, images)
            steps = explain(
                network,
                Images.of(network, found),
                self._session,
                methods="auto" if isinstance(methods, str) and methods == "auto" else listed(methods),
                layers="auto" if automatic else named,
                target=str(target),
                smooth=smooth,
                metrics=metrics,
                road=road,
            )
            *_, facts = steps
            assert isinstance(facts, Facts)
            return Explanation(facts, found, unreadable, target=str(target), network=network, asked=not automatic)

    def _own(self, network: Network, split: Open | None, count: int) -> list[ExplainedImage]:
        part, images = self._part(network, split)
        return images_of_part(images, part, network.preparation, count=count, seed=self._session.seed)
