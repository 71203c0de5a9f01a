"""Methods beside the controls: every measure of every map on the same images, and whether a map beats chance.

The controls are maps that know nothing of the network: what a method has to beat before its map says something.
Removing any pixels changes an answer, and objects are mostly in the middle and full of edges: the three say how much of
a method's score is that. Edges are the control of Adebayo et al. 2018, arXiv:1810.03292, section 5.1. Whether a method
beats them is judged by paired bootstraps of insertion − deletion.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from cnnlab.attribution.measures.curves import STEPS
from cnnlab.attribution.measures.location import border_region, corner_region
from cnnlab.attribution.measures.road import NOISE, PERCENTILES, road_noise
from cnnlab.attribution.measures.summary import ImageScores, MapSummary, score_images, summarize
from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.core.seeds import derive_seed
from cnnlab.stats.confidence import MeanInterval, bootstrap_mean, paired_difference
from cnnlab.stats.probabilities import Activation
from cnnlab.view.blocks import interval_text, shown

FORM = "+.3f"
"""How a difference of areas is written."""

Outcome = Literal[
    "better than every control", "better than chance", "not better than chance", "worse than chance", "too few images"
]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
"""The best first."""

CHANCE = "random"
"""The control that is chance: random values."""

FEWEST = 6
"""Images below which nothing is decided: of 5, all may lie on one side by chance more often than 1 in 20 (2/2⁵)."""


@dataclass(frozen=True)
class Verdict:
    """A method against chance, and against the best control: the one with the highest mean over the same images."""

    name: str
    level: str
    """What was removed at a time, such as "pixels"."""
    outcome: Outcome
    gain: MeanInterval
    """Insertion − deletion of the method …"""
    chance_gain: MeanInterval
    """Mean gain of random maps."""
    control: str
    control_gain: MeanInterval
    """Mean gain of the best control."""
    beyond_chance: MeanInterval
    """The method's less that of random maps, image by image."""
    beyond_control: MeanInterval
    """The method's less that of the best control, image by image."""

    @property
    def sentence(self) -> str:
        """The outcome with its figures, in one line."""
        said = f"{self.outcome} can tell" if self.outcome == "too few images" else self.outcome
        others = [(CHANCE, self.chance_gain, self.beyond_chance)]
        if self.control != CHANCE:
            others.append((self.control, self.control_gain, self.beyond_control))
        beside = ", ".join(
            f"{name} {shown(gain.mean, FORM)} (difference {interval_text(beyond, FORM)})"
            for name, gain, beyond in others
        )
        n = self.beyond_chance.n
        return (
            f"{self.name}, {self.level}: {said}: insertion − deletion {shown(self.gain.mean, FORM)}, {beside} over {n} "
            f"image{'' if n == 1 else 's'}"
        )


def verdict(
    name: str,
    gain: Float[Tensor, "n"],
    controls: Mapping[str, Float[Tensor, "n"]],
    *,
    level: str,
    seed: int,
) -> Verdict:
    """Judge a method by the `gain` (insertion − deletion) of each image and that of each control.

    "better than chance" where the 95 % interval of the difference to random maps lies above 0, "worse than chance"
    below, "not better than chance" where it holds 0. "better than every control" where the interval of the difference
    to the best control is above 0, too: a map that merely beats random values may know no more than that objects are
    in the middle. With fewer than `FEWEST` images, "too few images". That the best control is picked on the same
    images favours the control.

    Raises: ValueError without the control of random maps, or as `bootstrap_mean`.
    """
    if CHANCE not in controls:
        raise ValueError(f"no control '{CHANCE}' to compare with")
    best = max(controls, key=lambda control: float(controls[control].double().mean()))
    seed = derive_seed(seed, "bootstrap")
    beyond_chance = paired_difference(gain, controls[CHANCE], seed=seed)
    beyond_control = paired_difference(gain, controls[best], seed=seed)
    return Verdict(
        name,
        level,
        _outcome(beyond_chance, beyond_control),
        bootstrap_mean(gain, seed=seed),
        bootstrap_mean(controls[CHANCE], seed=seed),
        best,
        bootstrap_mean(controls[best], seed=seed),
        beyond_chance,
        beyond_control,
    )


def _outcome(beyond_chance: MeanInterval, beyond_control: MeanInterval) -> Outcome:
    chance, control = beyond_chance.interval, beyond_control.interval
    if beyond_chance.n < FEWEST or chance is None or control is None:
        return "too few images"
    if chance.low > 0:
        return "better than every control" if control.low > 0 else "better than chance"
    return "worse than chance" if chance.high < 0 else "not better than chance"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Methods and controls over the same images."""

    n: int
    """Images."""
    seed: int
    steps: int
    """Steps of the curves."""
    percentiles: tuple[float, ...] | None
    """Removed by ROAD; None where it was left out."""
    road_noise: float
    """Standard deviation on imputed pixels, in normalised units."""
    methods: tuple[MapSummary, ...]
    """Summaries of the methods, in the order asked for."""
    controls: tuple[MapSummary, ...]
    """Summaries of the controls, in the order of `CONTROLS`."""
    verdicts: tuple[Verdict, ...]
    """Two verdicts for each method, with pixels and with blocks removed."""
    border_area: float
    """What a uniform map has in the border frame …"""
    corner_area: float
    """Share of the corners."""
    object_area: float | None
    """Share of the objects, on average; None without masks."""


def compare_maps(
    model: nn.Module,
    images: Float[Tensor, "n c h w"],
    targets: Int64[Tensor, "_"],
    maps: Mapping[str, Float[Tensor, "_ _ _"]],
    *,
    seed: int,
    masks: Bool[Tensor, "_ _ _"] | None = None,
    with_road: bool = True,
    steps: int = STEPS,
    max_batch: int = 256,
    activation: Activation = "softmax",
) -> Iterator[Advance | Comparison]:
    """Measure each of `maps` (name → raw maps, of image size or lower) and the controls; last comes the result.

    `images` are normalised, so that 0 is the data set's mean; `targets` are the classes that the maps speak of; `masks`
    are the objects; `activation` makes probabilities of the network's logits. The work is about (2·`steps` + 3) forward
    passes per image and method, and with ROAD 18 more and as many sparse solves. Nothing here depends on `max_batch`,
    the most changed images that exist at a time.

    Raises: RequestError for no image, a name that is a control's, maps of another number or size, masks of another
    size or without a pixel, or a target that the model lacks; WorkError for values that are NaN or infinite.
    """
    _check(images, targets, maps, masks)
    everything = {**maps, **control_maps(images, seed=seed)}
    noise = road_noise(images, seed=seed) if with_road else None
    summaries: dict[str, MapSummary] = {}
    for position, (name, some) in enumerate(everything.items()):
        scoring = score_images(
            model,
            images,
            targets,
            some,
            seed=seed,
            masks=masks,
            noise=noise,
            steps=steps,
            max_batch=max_batch,
            activation=activation,
        )
        for item in scoring:
            if isinstance(item, ImageScores):
                summaries[name] = summarize(name, item, control=name in CONTROLS, seed=seed)
            else:
                yield Advance("measuring", position * len(images) + item, len(everything) * len(images))
    height, width = images.shape[2:]
    yield Comparison(
        n=len(images),
        seed=seed,
        steps=steps,
        percentiles=PERCENTILES if with_road else None,
        road_noise=NOISE,
        methods=tuple(summaries[name] for name in maps),
        controls=tuple(summaries[name] for name in CONTROLS),
        verdicts=tuple(
            found for name in maps for found in _verdicts(summaries[name], [summaries[c] for c in CONTROLS], seed)
        ),
        border_area=float(border_region(height, width).double().mean()),
        corner_area=float(corner_region(height, width).double().mean()),
        object_area=None if masks is None else float(masks.double().mean()),
    )


def _verdicts(method: MapSummary, controls: list[MapSummary], seed: int) -> Iterator[Verdict]:
    """The verdicts on pixels and on blocks."""
    pixels = {one.name: one.images.pixels.gain for one in controls}
    blocks = {one.name: one.images.blocks.gain for one in controls}
    yield verdict(method.name, method.images.pixels.gain, pixels, level=method.pixels.unit, seed=seed)
    yield verdict(method.name, method.images.blocks.gain, blocks, level=method.blocks.unit, seed=seed)


def _check(images: Tensor, targets: Tensor, maps: Mapping[str, Tensor], masks: Tensor | None) -> None:
    n, _, height, width = images.shape
    if n == 0:
        raise RequestError("there is no image to measure maps on; give at least one")
    if len(targets) != n:
        raise RequestError(f"{len(targets)} targets for {n} images; expected one each")
    for name, some in maps.items():
        if name in CONTROLS:
            raise RequestError(f"a method may not be called '{name}': the controls are {', '.join(CONTROLS)}")
        if len(some) != n or some.shape[1] > height or some.shape[2] > width:
            raise RequestError(
                f"the maps of '{name}' have shape {tuple(some.shape)} for {n} images of {height}×{width}; expected "
                "one map per image, of its size or lower"
            )
    if masks is None:
        return
    if masks.shape != (n, height, width):
        raise RequestError(f"masks of shape {tuple(masks.shape)}; expected that of the images, {(n, height, width)}")
    empty = (~masks.flatten(1).any(1)).nonzero()[:, 0]
    if len(empty):
        raise RequestError(
            f"{len(empty)} of {n} object masks have no pixel (first: image {int(empty[0])}); leave those images out"
        )


CONTROLS = ("random", "centre", "edges")

CENTRE_SIGMA = 0.25
"""Standard deviation of the centre prior, in heights and widths of the image."""


def control_maps(images: Float[Tensor, "n c h w"], *, seed: int) -> dict[str, Float[Tensor, "n h w"]]:
    """One map per image and control, all ≥ 0, on the images' device, by the names in `CONTROLS`.

    `random` is uniform noise in [0, 1), `centre` a Gaussian around the middle, `edges` the length of Sobel's gradient
    of the channels' mean, the border repeated outwards.
    """
    n, _, height, width = images.shape
    generator = torch.Generator().manual_seed(derive_seed(seed, "control"))
    random = torch.rand(n, height, width, generator=generator).to(images.device)
    return {
        "random": random,
        "centre": centre_prior(height, width).to(images.device).expand(n, height, width),
        "edges": sobel(images.float().mean(1)),
    }


def centre_prior(height: int, width: int) -> Float[Tensor, "h w"]:
    """exp(−(dy² + dx²)/2σ²) with distances from the middle in heights and widths; `CENTRE_SIGMA` is σ."""
    y = ((torch.arange(height) + 0.5) / height - 0.5) / CENTRE_SIGMA
    x = ((torch.arange(width) + 0.5) / width - 0.5) / CENTRE_SIGMA
    return torch.exp(-(y[:, None] ** 2 + x[None, :] ** 2) / 2)


def sobel(images: Float[Tensor, "n h w"]) -> Float[Tensor, "n h w"]:
    """The length of the gradient, in units of brightness per pixel (Sobel's kernels divided by 8)."""
    kernel = torch.tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]], device=images.device)
    kernels = torch.stack([kernel, kernel.mT])[:, None] / 8
    gradients = F.conv2d(F.pad(images[:, None], (1, 1, 1, 1), mode="replicate"), kernels)
    return gradients.square().sum(1).sqrt()
