"""A network that was opened, and all that can be asked of it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeVar, final

import torch
from torch import nn

from cnnlab.api.explanation import Explanation
from cnnlab.api.given import GivenData, about
from cnnlab.api.results import (
    Audit,
    Check,
    Dreams,
    Embedding,
    Evaluation,
    Features,
    Filters,
    Patches,
    Predictions,
    ReceptiveFields,
    Sanity,
    Summary,
)
from cnnlab.api.untouched import untouched
from cnnlab.attribution.catalog import Asked, chosen_methods
from cnnlab.attribution.run import Explanation as Explained
from cnnlab.attribution.run import Images, explain
from cnnlab.check_model.run import check_model
from cnnlab.core.advance import Advance
from cnnlab.core.arithmetic import Shape
from cnnlab.core.errors import RequestError
from cnnlab.data.dataset import Dataset
from cnnlab.evaluation.predict import Prediction, predict_images
from cnnlab.evaluation.run import EvaluateOptions, evaluated
from cnnlab.inside.channels import channels_of
from cnnlab.inside.dream.run import dreams, objectives
from cnnlab.inside.embedding.run import embedded
from cnnlab.inside.features.run import watched_features
from cnnlab.inside.filters.run import measured_filters
from cnnlab.inside.patches.run import found_patches
from cnnlab.layers_lab.summary.run import summarize
from cnnlab.network.given_images import GivenImages, sources_of
from cnnlab.network.image_files import Unreadable
from cnnlab.network.network import Network
from cnnlab.network.prepared_images import ExplainedImage, images_of_files, images_of_part
from cnnlab.network.session import Session
from cnnlab.receptive_field.study import study_fields
from cnnlab.trust.audit.run import AUTO, AuditOptions, audit_facts
from cnnlab.trust.sanity.run import SanityOptions, sanity_facts

Open = Literal["train", "validation"]
"""The parts that may be looked into."""

T = TypeVar("T")


@final
class OpenedNetwork:
    """A network, and what can be asked of it; `cnnlab.open` is the way to one.

    Each question is what the command of the same name asks. A module that was given is as it was after each of them:
    its modes, gradients, hooks, values and device.

    Example:
        >>> import cnnlab
        >>> net = cnnlab.open("torchvision:squeezenet1_1", size=64, device="cpu")
        >>> net.summary().parameters
        1235496
    """

    def __init__(self, network: Network, session: Session) -> None:
        """Take what `cnnlab.open` has opened."""
        self._network, self._session = network, session

    @property
    def name(self) -> str:
        """What it is called, as in a title."""
        return self._network.name

    @property
    def model(self) -> nn.Module:
        """The module itself."""
        return self._network.model

    @property
    def shape(self) -> Shape:
        """(channels, height, width) of its images, in pixels."""
        return self._network.shape

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of its classes, in the order of its logits; none where they are not known."""
        return self._network.classes

    @property
    def trained(self) -> bool:
        """Whether its weights are learned ones."""
        return self._network.trained

    @property
    def weights(self) -> str:
        """What its weights are, in words."""
        return self._network.weights

    @property
    def device(self) -> torch.device:
        """Where its parameters are."""
        return self._network.device

    @property
    def remarks(self) -> tuple[str, ...]:
        """A sentence for each thing about it that was assumed or changed."""
        return self._network.remarks

    def __repr__(self) -> str:
        shape = " × ".join(map(str, self.shape))
        about = [f"{len(self.classes)} classes"] if self.classes else []
        lines = [f"{self.name}: images of {shape}, {', '.join([*about, self.weights])}, on {self.device}"]
        return "\n".join([*lines, *(f"note: {remark}" for remark in self.remarks)])

    def predict(self, images: GivenImages, *, top: int = 5, reject_below: float = 0.0) -> Predictions:
        """Label images of any size, prepared as those that the network learned from.

        Arguments:
            images: paths, images of pillow's, arrays (h, w, 3) or tensors (c, h, w) of bytes; one or several.
            top: how many classes to name, the likeliest first.
            reject_below: the least probability, 0 … 1, with which an image gets a label.

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
            if top < 1:
                raise RequestError(f"`top` is {top}; at least one class is named")
            found = list(predict_images(network, sources_of(images), top=top, reject_below=reject_below))
            good = tuple(one for one in found if isinstance(one, Prediction))
            bad = tuple(one for one in found if isinstance(one, Unreadable))
            if not good:
                raise _unreadable(bad)
            return Predictions(good, bad, network.name)

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
        named = layers if not isinstance(layers, str) or layers == "auto" else _names(layers)
        with self._asked() as network:
            found, unreadable = (self._own(network, split, count), ()) if images is None else _prepared(network, images)
            steps = explain(
                network,
                Images.of(network, found),
                self._session,
                methods="auto" if isinstance(methods, str) and methods == "auto" else _listed(methods),
                layers="auto" if isinstance(named, str) else named,
                target=str(target),
                smooth=smooth,
                metrics=metrics,
                road=road,
            )
            *_, facts = steps
            assert isinstance(facts, Explained)
            return Explanation(
                facts, found, unreadable, target=str(target), network=network, asked=not isinstance(named, str)
            )

    def receptive_fields(
        self,
        data: GivenData | None = None,
        *,
        layer: str | None = None,
        unit: tuple[int, int] | None = None,
        what_if: str | Sequence[str] = (),
        claims: str | Sequence[str] = (),
        verify: bool = False,
        effective: int = 0,
        ignore_gates: bool = False,
        repairs: bool = True,
        depth: int | None = None,
    ) -> ReceptiveFields:
        """Tell what each layer sees of an image: exact for any network, with branches, gates and functions too.

        Arguments:
            data: as of `evaluate`, for `effective`.
            layer: the layer to measure and to change for; by default the last one with the largest field.
            unit: its unit, (row, column) from 0; where given, its box is drawn.
            what_if: changes to try, such as `conv1.stride=1` or `conv1=identity`.
            claims: such as `layer4.size>=224`; `holds` says whether they do.
            verify: whether every interval is proven on this network, by rows of NaN.
            effective: images over which the effective field is measured.
            ignore_gates: whether factors of one number per channel are left out.
            repairs: whether changes that mend what the audit finds are looked for.
            depth: how deep the table goes into layers of layers.

        Returns:
            The field of each layer in pixels, and what was asked besides.

        Raises:
            RequestError: where it cannot run at this size, and for a layer, unit, change or claim that is none.

        Example:
            >>> import cnnlab
            >>> net = cnnlab.open("torchvision:squeezenet1_1", size=64, device="cpu")
            >>> net.receptive_fields(repairs=False)["features.0"].size
            (3, 3)
        """
        with self._asked(data) as network:
            study = study_fields(
                network,
                self._session,
                layer=layer,
                unit=unit,
                changes=_listed(what_if),
                claims=_listed(claims),
                verify=verify,
                effective=effective,
                ignore_gates=ignore_gates,
                mend=repairs,
            )
            return ReceptiveFields(study, depth, draws_unit=unit is not None)

    def summary(self, *, depth: int | None = None, explain: bool = False) -> Summary:
        """Tell shapes, parameters, multiply-accumulates, memory and receptive fields, layer by layer.

        Arguments:
            depth: how deep the table goes into layers of layers.
            explain: whether the report has the formula of each output's size, and what sharing weights saves.

        Returns:
            The totals and every layer.

        Raises:
            RequestError: where it cannot run at this size.

        Example:
            >>> import cnnlab
            >>> round(cnnlab.open("torchvision:resnet18", size=224, device="cpu").summary().macs / 1e6)
            1814
        """
        with self._asked() as network:
            return Summary(summarize(network), network.name, depth, explain)

    def filters(self, *, layer: str | None = None, random: int = 64) -> Filters:
        """Measure a convolution's filters: edges, gratings, blobs, colours, against chance.

        Arguments:
            layer: the convolution; by default the first.
            random: random filters of the same shape to compare with.

        Returns:
            What each filter is, and how many are so by chance.

        Raises:
            RequestError: for a name that is no convolution, and for filters smaller than 3 × 3.
        """
        with self._asked() as network:
            return Filters(_last(measured_filters(network, self._session, layer=layer, random=random)))

    def features(
        self, images: GivenImages, *, layer: str | None = None, channels: str | int | Sequence[int] | None = None
    ) -> Features:
        """Record the activations that images bring about, and find the channels that stay silent.

        Arguments:
            images: as of `predict`.
            layer: whose maps; by default the first layer that ends with an activation.
            channels: those that are drawn, from 0: a number, several, or `3,7-9`; by default as many as fit.

        Returns:
            The layer's maps of each image, and how active each layer is.

        Raises:
            RequestError: for a layer that is not there or has no maps, and a channel out of range.

        Example:
            >>> import cnnlab, numpy as np
            >>> net = cnnlab.open("torchvision:squeezenet1_1", size=64, device="cpu")
            >>> net.features(np.zeros((64, 64, 3), np.uint8), layer="features.1").maps[0].shape
            (64, 31, 31)
        """
        with self._asked() as network:
            found, unreadable = _prepared(network, images)
            watching = watched_features(network, found, self._session, layer=layer, channels=_channels(channels))
            return Features(_last(watching), unreadable)

    def dream(
        self,
        *,
        classes: str | int | Sequence[str | int] = (),
        layer: str | None = None,
        channels: str | int | Sequence[int] | None = None,
        steps: int = 256,
        learning_rate: float = 0.1,
    ) -> Dreams:
        """Make images to which a class, or a channel of a layer, answers as strongly as it can, by gradient ascent.

        Arguments:
            classes: by name or number.
            layer: with `channels`, in place of classes.
            channels: from 0: a number, several, or `3,7-9`.
            steps: of each ascent.
            learning_rate: the size of a step.

        Returns:
            An image for each, with its scores; the same seed gives the same image.

        Raises:
            RequestError: for neither classes nor channels, for both, and for what is not there.
            WorkError: where nothing moves the score.
        """
        named = [classes] if isinstance(classes, (str, int)) else classes
        chosen = None if (numbers := _channels(channels)) is None else ",".join(map(str, numbers))
        with self._asked() as network:
            wanted = objectives(network, layer=layer, channel=chosen, classes=[str(one) for one in named])
            return Dreams(_last(dreams(network, wanted, self._session, steps=steps, learning_rate=learning_rate)))

    def evaluate(
        self,
        data: GivenData | None = None,
        *,
        split: Literal["train", "validation", "test"] = "validation",
        tta: Literal["none", "flip"] = "none",
        by: str | None = None,
    ) -> Evaluation:
        """Measure how good it is: accuracy with its interval, confusion, calibration, the worst errors.

        Arguments:
            data: a folder, a CSV, a config, the name of a data set, or (images, labels); by default its own data, or
                the data that it was opened with.
            split: the part of the data; each opening of a run's own `test` is noted in the run.
            tta: `flip` for the mean of the answers to each image and its mirror image.
            by: `class`, `group`, or a regular expression on the path whose capture names the group that an accuracy is
                measured of.

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
        with self._asked(data) as network:
            options = EvaluateOptions(split=split, tta=tta, by=by)
            return Evaluation(evaluated(network, self._session, options))

    def sanity(
        self,
        data: GivenData | None = None,
        *,
        split: Open | None = None,
        methods: str | Sequence[Asked] = "auto",
        count: int = 32,
        depths: int = 16,
        labels: bool = False,
        epochs: int | None = None,
    ) -> Sanity:
        """Check that maps depend on what was learned: randomise the network, layer by layer, and compare.

        Arguments:
            data: as of `evaluate`.
            split: `train` or `validation`; by default what was held out.
            methods: as of `explain`; "auto" takes the map that fits the head, and three of pixels.
            count: images that are explained.
            depths: at how many layers, at most.
            labels: whether a small copy of a run is trained on random labels, too.
            epochs: of that training.

        Returns:
            A verdict on each method; to pass does not make a map right.

        Raises:
            RequestError: for what cannot be asked.
            WorkError: for maps or answers that are NaN or infinite.
        """
        with self._asked(data) as network:
            chosen = () if isinstance(methods, str) and methods == "auto" else chosen_methods(methods)
            options = SanityOptions(split, count, chosen, depths=depths, labels=labels, epochs=epochs)
            return Sanity(_last(sanity_facts(network, self._session, options)))

    def audit(
        self,
        data: GivenData | None = None,
        *,
        split: Open | None = None,
        method: str | Sequence[Asked] = "auto",
        layer: str = "auto",
        max_border: float | None = None,
        min_inside: float | None = None,
        by: str | None = None,
        count: int = 500,
    ) -> Audit:
        """Tell whether answers rest on the object or on borders and corners.

        Arguments:
            data: as of `evaluate`.
            split: `train` or `validation`; by default what was held out.
            method: one method, as of `explain`; by itself gradient × input, with `layer` the map that fits the head.
            layer: where class activation maps look.
            max_border: the largest mean share of the evidence in the outer frame, 0 … 1; by default that of evidence
                that is spread evenly.
            min_inside: the least mean share on the object, likewise.
            by: groups that are held to the limits, too: `group`, `class`, or a regular expression on the path.
            count: images, at most.

        Returns:
            Where the evidence lies, and whether every limit `holds`.

        Raises:
            RequestError: for what cannot be asked.
            WorkError: where no map has positive evidence.
        """
        with self._asked(data) as network:
            chosen = AUTO if isinstance(method, str) and method == AUTO else chosen_methods(method)
            options = AuditOptions(split, count, by, chosen, layer, max_border, min_inside)
            return Audit(_last(audit_facts(network, self._session, options)))

    def patches(
        self,
        data: GivenData | None = None,
        *,
        split: Open | None = None,
        layer: str | None = None,
        channels: str | int | Sequence[int] | None = None,
        top: int = 9,
    ) -> Patches:
        """Find the maximally activating patches of each channel, cut to exactly what its unit sees.

        Arguments:
            data: as of `evaluate`.
            split: `train` or `validation`; by default what was held out.
            layer: by default the last one whose receptive field is not the whole image because of what it computes.
            channels: those that are drawn, from 0: a number, several, or `3,7-9`; by default as many as fit.
            top: patches of each channel.

        Returns:
            Each patch with its box (top, left, bottom, right) in pixels.

        Raises:
            RequestError: for a layer that is not there or has no places, and a channel out of range.
        """
        with self._asked(data) as network:
            part, images = self._part(network, split)
            search = found_patches(
                network, images, self._session, split=part, layer=layer, channels=_channels(channels), top=top
            )
            return Patches(_last(search))

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
            return Embedding(_last(placing))

    def check(self) -> Check:
        """Tell what was understood of the network, and what can be asked of it.

        Returns:
            Its input, output, classes, preparation and layers for maps, whether an answer changes from one pass to the
            next, and for each command whether it will work.

        Raises:
            RequestError: where it does not run on images of its shape at all.

        Example:
            >>> import cnnlab
            >>> cnnlab.open("torchvision:squeezenet1_1", size=64, device="cpu").check().works
            True
        """
        with self._asked() as network:
            return Check(check_model(network))

    @contextmanager
    def _asked(self, data: GivenData | None = None) -> Iterator[Network]:
        """The network, about `data`; everything is as before after it."""
        with untouched(self._network.model):
            yield about(self._network, data, self._session)

    def _part(self, network: Network, split: Open | None) -> tuple[str, Dataset]:
        """The name of a part and its images; of what was held out where none is named."""
        if split not in (None, "train", "validation"):
            raise RequestError(f"`split` is '{split}', expected train or validation; `evaluate` alone opens test")
        place = self._session.place
        part, images = network.held_out(place) if split is None else (split, network.part(split, place))
        return network.named_part(part), images

    def _own(self, network: Network, split: Open | None, count: int) -> list[ExplainedImage]:
        part, images = self._part(network, split)
        return images_of_part(images, part, network.preparation, count=count, seed=self._session.seed)


def _last(steps: Iterable[Advance | T]) -> T:
    """The result, which comes last."""
    *_, found = steps
    assert not isinstance(found, Advance)
    return found


def _prepared(network: Network, images: GivenImages) -> tuple[list[ExplainedImage], tuple[Unreadable, ...]]:
    found, unreadable = images_of_files(sources_of(images), network.preparation, network.classes)
    if not found:
        raise _unreadable(unreadable)
    return found, tuple(unreadable)


def _unreadable(unreadable: Sequence[Unreadable]) -> RequestError:
    return RequestError(*(f"{one.path}: {one.reason}" for one in unreadable))


def _listed(value: Any) -> Any:
    """A list of what is one thing or several."""
    return [value] if isinstance(value, str) else value


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _channels(channels: str | int | Sequence[int] | None) -> tuple[int, ...] | None:
    if channels is None:
        return None
    if isinstance(channels, str):
        return channels_of(channels)
    return channels_of(",".join(map(str, [channels] if isinstance(channels, int) else channels)))
