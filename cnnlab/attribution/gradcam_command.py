"""`cnnlab gradcam`."""

from typing import Annotated

import typer

from cnnlab.attribution.command import (
    AUTO,
    BY_HEAD,
    CountOption,
    FullSizeOption,
    ImagesArgument,
    LayerOption,
    MetricsOption,
    OutOption,
    Request,
    RoadOption,
    SizeOption,
    Smoothing,
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


def gradcam(
    model: ModelArgument,
    images: ImagesArgument = None,
    method: Annotated[
        list[str], typer.Option(metavar="auto|NAME,…", help="gradcam, hirescam, layercam, …; auto goes by the head.")
    ] = BY_HEAD,
    layer: LayerOption = AUTO,
    target: TargetOption = "predicted",
    smooth: Annotated[
        Smoothing | None, typer.Option(help="aug: mirrored and dimmed; eigen: first component.", show_default=False)
    ] = None,
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
    """Show where in a picture an answer comes from: class activation maps, drawn and kept as numbers.

    MODEL is a run, a config, torchvision:NAME or timm:NAME. Pixel methods of `cnnlab saliency` go beside them.
    A method's options follow its name, as in --method rise:masks=4000,keep=0.3; `cnnlab list methods` has all of them.

    Example: [bold]cnnlab gradcam quickstart --split validation --method gradcam,layercam --metrics[/]
    """
    explain_and_show(
        Request(
            command="gradcam",
            model=model,
            images=images or [],
            method=methods_of(method),
            layer=layer,
            target=target,
            smooth=None if smooth is None else smooth.value,
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
