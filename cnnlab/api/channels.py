"""What single channels of a network respond to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from cnnlab.api.given import GivenData
from cnnlab.api.question import Open, Questions, channel_numbers, last, prepared
from cnnlab.api.result import Result, plain
from cnnlab.api.values import check_number
from cnnlab.inside.dream.report import DreamFacts, dream_json, dream_report
from cnnlab.inside.dream.run import dreams, objectives, save_image
from cnnlab.inside.features.report import FeatureFacts, features_json, features_report
from cnnlab.inside.features.run import watched_features
from cnnlab.inside.filters.bank import FilterFacts
from cnnlab.inside.filters.report import filters_json, filters_report
from cnnlab.inside.filters.run import measured_filters
from cnnlab.inside.patches.report import PatchFacts, patches_json, patches_report
from cnnlab.inside.patches.run import found_patches
from cnnlab.network.given_images import GivenImages
from cnnlab.network.image_files import Unreadable
from cnnlab.view.blocks import Report


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
        return plain(features_json(self.facts) | {"unreadable": self.unreadable})


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

    def _write_beside(self, folder: Path) -> list[Path]:
        """Each image alone, in `folder/pixels`."""
        return [save_image(one.image, folder / "pixels" / f"{one.stem}.png") for one in self.facts.dreams]


class Channels(Questions):
    """What can be asked of the channels of a layer."""

    def filters(self, *, layer: str | None = None, random: int = 64) -> Filters:
        """Measure a convolution's filters: edges, gratings, blobs, colours, against chance.

        Arguments:
            layer: the convolution; by default the first with filters of at least 3 × 3.
            random: random filters of the same shape to compare with.

        Returns:
            What each filter is, and how many are so by chance.

        Raises:
            RequestError: for a name that is no convolution, and for filters smaller than 3 × 3.
        """
        check_number("random", random, 2)
        with self._asked() as network:
            return Filters(last(measured_filters(network, self._session, layer=layer, random=random)))

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
            found, unreadable = prepared(network, images)
            watching = watched_features(network, found, self._session, layer=layer, channels=channel_numbers(channels))
            return Features(last(watching), unreadable)

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
                network, images, self._session, split=part, layer=layer, channels=channel_numbers(channels), top=top
            )
            return Patches(last(search))

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
        chosen = None if (numbers := channel_numbers(channels)) is None else ",".join(map(str, numbers))
        with self._asked() as network:
            wanted = objectives(network, layer=layer, channel=chosen, classes=[str(one) for one in named])
            return Dreams(last(dreams(network, wanted, self._session, steps=steps, learning_rate=learning_rate)))
