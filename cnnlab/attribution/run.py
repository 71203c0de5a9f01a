"""Images explained: maps by several methods, and how far to trust them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from cnnlab.attribution.attribution import Attribution, attribution_steps, planned_passes
from cnnlab.attribution.batch import Layers, Request, Smooth
from cnnlab.attribution.catalog import METHODS, Asked, chosen_methods, methods_for_head
from cnnlab.attribution.layers import LayerChoice, choose_layer
from cnnlab.attribution.measures.comparison import CONTROLS, Comparison, compare_maps
from cnnlab.attribution.measures.curves import STEPS
from cnnlab.attribution.measures.road import PERCENTILES
from cnnlab.attribution.method import PixelRange
from cnnlab.attribution.passes import fitted, logits_of
from cnnlab.attribution.tail import HeadKind
from cnnlab.attribution.target import explained_targets, target_caution
from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.core.registry import Component
from cnnlab.data.batches import ChannelStatistics, normalise
from cnnlab.network.network import Network
from cnnlab.network.prepared_images import ExplainedImage, masks_of, pixels_of
from cnnlab.network.runnable import check_runs
from cnnlab.network.session import Session
from cnnlab.network.steadiness import steadiness
from cnnlab.stats.probabilities import class_names, class_probabilities
from cnnlab.walk.layouts import layouts_of

GAP_HEADS: tuple[HeadKind, ...] = ("gap_linear", "gap_dense")
RANDOM = "the network's weights are random: its maps show what the architecture does, and nothing that was learned"


@dataclass(frozen=True, eq=False)
class Images:
    """What is explained, ready for the network."""

    inputs: Float[Tensor, "n c h w"]
    """Normalised."""
    names: tuple[str, ...]
    truths: tuple[int | None, ...]
    masks: Bool[Tensor, "n h w"] | None = None
    """Objects, for the pointing game and the share of evidence inside."""
    pixels: PixelRange | None = None
    """What the network sees of black and of white, for baselines of these colours."""

    @classmethod
    def of(cls, network: Network, images: Sequence[ExplainedImage]) -> "Images":
        """What `network` sees of images from files (`images_of_files`) or of a data set (`images_of_part`)."""
        return cls(
            network.preparation.inputs(pixels_of(images)),
            tuple(one.name for one in images),
            tuple(one.truth for one in images),
            masks_of(images),
            pixel_range(network.preparation.statistics),
        )


@dataclass(frozen=True)
class Plan:
    """What will be done, known before it is."""

    methods: tuple[Component, ...]
    """The methods with their options."""
    reason: str
    """Why these methods."""
    layers: tuple[LayerChoice, ...]
    """None where no method looks at a layer."""
    passes: dict[str, int]
    """Passes of each method by itself, of at most `max_batch` images each; shared ones count for each."""
    max_batch: int
    measured: int
    """Images that pass through the network to measure the maps, 0 without metrics."""
    cautions: tuple[str, ...]
    """What to know before the maps are looked at."""

    @property
    def announcement(self) -> str:
        """How much work that is, in a sentence."""
        listed = ", ".join(f"{METHODS[name].label} {count:,}" for name, count in self.passes.items())
        said = f"passes through the network, of at most {self.max_batch} images each: {listed}"
        if self.measured:
            batches = -(-self.measured // self.max_batch)
            said += f"; to measure the maps, {self.measured:,} changed images in about {batches:,} more"
        return said


@dataclass(frozen=True, eq=False)
class Explanation:
    """What came out: facts in the order of the images, t targets each."""

    plan: Plan
    classes: tuple[str, ...]
    probabilities: Float[Tensor, "n classes"]
    """Probabilities of all classes, 0 … 1, on the CPU."""
    targets: Int64[Tensor, "n t"]
    attributions: tuple[Attribution, ...]
    """One for each method that the network is made for; maps (n, t, h, w)."""
    comparisons: tuple[Comparison, ...]
    """One for each of the t targets; none unless the maps were measured."""
    smooth: Smooth
    seed: int

    @property
    def notes(self) -> tuple[str, ...]:
        """Every note of every method, once."""
        return tuple(dict.fromkeys(note for one in self.attributions for note in one.notes))


def explain(
    network: Network,
    images: Images,
    session: Session,
    *,
    methods: Sequence[Asked] | Literal["auto"] = "auto",
    layers: Layers = "auto",
    target: str = "predicted",
    smooth: Smooth = None,
    metrics: bool = False,
    road: bool = True,
) -> Iterator[Plan | Advance | Explanation]:
    """Explain every image by every method; what `cnnlab gradcam` and `cnnlab saliency` do before they draw.

    Arguments:
        network: opened for images.
        images: the images, ready for the network.
        session: how many images pass at a time, and the seed of methods that draw.
        methods: names with their options, or "auto", which goes by the head behind the layer: Grad-CAM behind a global
            average, otherwise HiResCAM and integrated gradients.
        layers: names of layers, whose maps are fused, or "auto" for the last with feature maps.
        target: `predicted`, `true`, a class by name or number, or the likeliest ones, as `top3`.
        smooth: `aug` or `eigen`, of class activation maps.
        metrics: whether each map is measured beside the three controls, by removing pixels and blocks.
        road: whether ROAD is among the measures.

    Yields:
        First the plan, then how far the work is, last the explanation: maps (n, targets, h, w) of each method.

    Raises:
        RequestError: for what cannot be asked.
        WorkError: where the network's answers are NaN or infinite.

    Example:
        >>> from cnnlab.network.open import open_network
        >>> session = Session(device_name="cpu")
        >>> network = open_network("torchvision:squeezenet1_1", session, size="64", for_images=True)
        >>> noise = Images(torch.randn(2, 3, 64, 64), ("a", "b"), (None, None))
        >>> *_, found = explain(network, noise, session, methods=["gradcam", "gradient"])
        >>> [(one.method, tuple(one.maps.shape)) for one in found.attributions]
        [('gradcam', (2, 1, 3, 3)), ('gradient', (2, 1, 64, 64))]
    """
    model = network.model
    try:
        logits = torch.cat([logits_of(model, part).cpu() for part in images.inputs.split(session.max_batch)])
    except RequestError:
        check_runs(network)  # a size that does not suit it is told with one that does
        raise
    if not bool(logits.isfinite().all()):
        raise WorkError(f"the answers of {network.name} are NaN or infinite: its weights diverged")
    classes = class_names(logits, network.classes)
    probabilities = class_probabilities(logits.float(), network.activation)
    targets = explained_targets(target, probabilities, classes, images.truths, images.names)
    reason, choices, chosen = _methods(network, methods, layers)
    request = Request(
        model,
        images.inputs,
        targets,
        chosen,
        layers=choices[0] if len(choices) == 1 else [choice.name for choice in choices] or "auto",
        smooth=smooth,
        max_batch=session.max_batch,
        seed=session.seed,
        layouts=choices[0].layouts if choices else None,
        pixels=images.pixels,
        activation=network.activation,
    )
    cautions = [] if network.trained else [RANDOM]
    cautions += [said for one in chosen for choice in choices if (said := METHODS[one.name].warning(choice.head))]
    # two curves of pixels and of blocks each, the whole and the shown image, and ROAD's two orders
    each = 4 * (STEPS + 1) + 2 + (2 * len(PERCENTILES) if road else 0)
    measured = each * (len(chosen) + len(CONTROLS)) * targets.numel() if metrics else 0
    passes = planned_passes(request)
    unsteady = steadiness(model, fitted(model, images.inputs[:2])).cautions
    caution = target_caution(target, classes)
    cautions = [*dict.fromkeys(cautions), *unsteady, *([caution] if caution else [])]
    plan = Plan(chosen, reason, choices, passes, session.max_batch, measured, tuple(cautions))
    yield plan
    attributions: tuple[Attribution, ...] = ()
    for fact in attribution_steps(request):
        if isinstance(fact, Advance):
            yield fact
        else:
            attributions = fact
    comparisons: list[Comparison] = []
    if metrics:
        device = next(model.parameters(), images.inputs).device
        for rank in range(targets.shape[1]):
            measuring = compare_maps(
                model,
                images.inputs.to(device),
                targets[:, rank].to(device),
                {one.method: one.maps[:, rank].cpu() for one in attributions},
                seed=session.seed,
                masks=images.masks,
                with_road=road,
                max_batch=session.max_batch,
                activation=network.activation,
            )
            for found in measuring:
                if isinstance(found, Comparison):
                    comparisons.append(found)
                else:
                    total = found.total * targets.shape[1]
                    yield replace(found, done=rank * found.total + found.done, total=total)
    yield Explanation(plan, classes, probabilities, targets, attributions, tuple(comparisons), smooth, session.seed)


def _methods(
    network: Network, methods: Sequence[Asked] | Literal["auto"], layers: Layers
) -> tuple[str, tuple[LayerChoice, ...], tuple[Component, ...]]:
    """Why these methods, the layers that they look at, and the methods."""
    if methods != "auto":
        chosen = chosen_methods(methods)
        looks = any(METHODS[one.name].uses_layer for one in chosen)
        return "asked for", _choices(network, layers) if looks else (), chosen
    choices = _choices(network, layers)
    heads = [choice.head for choice in choices]
    head = next((head for head in heads if head.kind not in GAP_HEADS), heads[0])
    return head.sentence, choices, chosen_methods(methods_for_head(head.kind))


def pixel_range(statistics: ChannelStatistics) -> PixelRange:
    """What a network sees of black and of white images that are normalised by these statistics."""
    ends = torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1).expand(-1, len(statistics.mean), 1, 1)
    black, white = normalise(ends, statistics)[:, :, 0, 0]
    return PixelRange(black, white)


def _choices(network: Network, layers: Layers) -> tuple[LayerChoice, ...]:
    """The layers that are looked at, each with the head behind it."""
    if isinstance(layers, LayerChoice):
        return (layers,)
    layouts = layouts_of(network.model, network.shape)
    if layers == "auto":
        return (choose_layer(network.model, network.shape, layouts=layouts),)
    return tuple(
        choose_layer(network.model, network.shape, layer=name, layouts=layouts) for name in dict.fromkeys(layers)
    )
