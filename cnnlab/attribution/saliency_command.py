"""`cnnlab saliency`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from cnnlab.attribution.command import (
    AUTO,
    CountOption,
    FullSizeOption,
    ImagesArgument,
    LayerOption,
    MetricsOption,
    OutOption,
    Request,
    RoadOption,
    SizeOption,
    SplitOption,
    TargetOption,
    WeightsOption,
    explain_and_show,
    methods_of,
)
from cnnlab.cli.options import (
    RUNS,
    BatchOption,
    DeviceOption,
    JsonOption,
    ModelArgument,
    PluginsOption,
    RunsOption,
    SeedOption,
)

DEFAULT = ["gradient,smoothgrad,integrated_gradients"]


def saliency(
    model: ModelArgument,
    images: ImagesArgument = None,
    method: Annotated[
        list[str],
        typer.Option(metavar="NAME,…", help="gradient, gradient_x_input, occlusion, rise, guided_backprop, …"),
    ] = DEFAULT,
    layer: LayerOption = AUTO,
    target: TargetOption = "predicted",
    metrics: MetricsOption = False,
    road: RoadOption = True,
    split: SplitOption = None,
    count: CountOption = 12,
    max_batch: BatchOption = 64,
    size: SizeOption = None,
    weights: WeightsOption = None,
    seed: SeedOption = 0,
    out: OutOption = None,
    full_size: FullSizeOption = False,
    device: DeviceOption = "auto",
    allow_plugins: PluginsOption = False,
    runs: RunsOption = RUNS,
    as_json: JsonOption = False,
) -> None:
    """Show which pixels an answer rests on: gradients, integrated gradients, occlusion, RISE and others.

    MODEL is a run, a config, torchvision:NAME or timm:NAME. --layer is for guided_gradcam alone.
    A method's options follow its name, as in --method rise:masks=4000,keep=0.3; `cnnlab list methods` has all of them.

    Example: [bold]cnnlab saliency quickstart photo.jpg --method integrated_gradients,occlusion[/]
    """
    _check(method)
    explain_and_show(
        Request(
            command="saliency",
            model=model,
            images=images or [],
            method=methods_of(method),
            layer=layer,
            target=target,
            smooth=None,
            metrics=metrics,
            road=road,
            split=split,
            count=count,
            max_batch=max_batch,
            size=size,
            weights=weights,
            seed=seed,
            out=out,
            full_size=full_size,
            device=device,
            allow_plugins=allow_plugins,
            runs=runs,
            as_json=as_json,
        )
    )


def _check(words: Sequence[str]) -> None:
    """That every method maps pixels."""
    from cnnlab.attribution.catalog import METHODS
    from cnnlab.attribution.chosen import no_method, split
    from cnnlab.core.errors import RequestError

    pixel = [name for name, found in METHODS.items() if found.kind == "pixel"]
    for name in (name for word in words for name, _ in split(word, "--method")):
        if name in METHODS and name not in pixel:
            raise RequestError(f"{METHODS[name].label} maps a layer, not pixels: cnnlab gradcam --method {name}")
        if name not in pixel:
            raise RequestError(no_method(name, pixel, "pixel method"))
