"""What `cnnlab gradcam` and `cnnlab saliency` share: options, bars, and the way from a request to its files."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cnnlab.cli.choices import Split
from cnnlab.cli.options import MOST, data_place, err_console, out_console, print_json, tracked
from cnnlab.cli.unreadable import end_without_pictures, name_unreadable
from cnnlab.core.errors import RequestError

if TYPE_CHECKING:
    from cnnlab.attribution.run import Explanation, Pictures
    from cnnlab.core.registry import Component
    from cnnlab.network.image_files import Unreadable
    from cnnlab.network.network import Network
    from cnnlab.network.prepared_images import ExplainedPicture

AUTO = "auto"
BY_HEAD = [AUTO]
"""What `--method` is by itself."""


class Smoothing(StrEnum):
    """Of class activation maps."""

    aug = "aug"
    eigen = "eigen"


ImagesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[IMAGE]…", help="Files, folders, patterns; - for stdin.")
]
LayerOption = Annotated[str, typer.Option(metavar="auto|NAME,…", help="Where to look; several layers are fused.")]
TargetOption = Annotated[
    str, typer.Option(metavar="CLASS", help="predicted, true, a class by name or else number, or the likeliest: top3.")
]
MetricsOption = Annotated[
    bool, typer.Option("--metrics", help="Measure how far to trust each map, beside three controls.")
]
RoadOption = Annotated[bool, typer.Option("--road/--no-road", help="With --metrics: ROAD, which takes the most time.")]
SplitOption = Annotated[
    Split | None, typer.Option(help="Pictures of the network's own data, in place of files.", show_default=False)
]
CountOption = Annotated[int, typer.Option(min=1, max=MOST, help="With --split: how many.")]
SizeOption = Annotated[str | None, typer.Option("--input", metavar="SIZE", help="The side of the pictures, in pixels.")]
WeightsOption = Annotated[
    str | None,
    typer.Option(metavar="best|last|FILE", help="Of a run best or last; a file for any other network."),
]
OutOption = Annotated[Path | None, typer.Option(metavar="DIR", help="The folder for pictures, maps and the page.")]
FullSizeOption = Annotated[
    bool, typer.Option("--full-size", help="Overlays of up to 4,096 pixels; without it at most 1,600.")
]


@dataclass(frozen=True)
class Request:
    """What a person asked for, in their words."""

    command: str
    """Also the name of the folder."""
    model: str
    images: Sequence[str]
    method: "Sequence[Component] | Literal['auto']"
    layer: str
    target: str
    smooth: Literal["aug", "eigen"] | None
    metrics: bool
    road: bool
    split: Split | None
    count: int
    max_batch: int
    size: str | None
    weights: str | None
    seed: int
    out: Path | None
    full_size: bool
    device: str
    allow_plugins: bool
    runs: Path
    as_json: bool


def methods_of(words: Sequence[str]) -> "tuple[Component, ...] | Literal['auto']":
    """What `--method` names, given once or several times: `auto`, or methods with their options.

    Raises: RequestError for what is no method, and for options that it has not or that are out of range.
    """
    from cnnlab.attribution.chosen import chosen_methods, split

    if list(words) == [AUTO]:
        return "auto"
    return chosen_methods([{name: options} for word in words for name, options in split(word, "--method")])


def listed(text: str, option: str) -> list[str]:
    """The names in `a,b`.

    Raises: RequestError where one is missing.
    """
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise RequestError(f"{option} is '{text}', expected names with commas between them")
    return names


def explain_and_show(request: Request) -> None:
    """The whole command: exit code 1 where a picture could not be read, after the others are done."""
    from cnnlab.attribution.files import WrittenExplanation, write_explanation
    from cnnlab.attribution.run import Pictures, pixel_range
    from cnnlab.network.open import open_network
    from cnnlab.network.prepared_images import masks_of, pixels_of
    from cnnlab.network.session import Session
    from cnnlab.view import console
    from cnnlab.view.terminal import said

    _check(request)
    session = Session(runs=request.runs, device_name=request.device, allow_plugins=request.allow_plugins, track=tracked)
    network = open_network(request.model, session, size=request.size, weights=request.weights, for_images=True)
    found, unreadable = _pictures(request, network)
    if not found:
        end_without_pictures(unreadable, as_json=request.as_json)
    ready = Pictures(
        network.preparation.inputs(pixels_of(found)),
        tuple(picture.name for picture in found),
        tuple(picture.truth for picture in found),
        masks_of(found),
        pixel_range(network.preparation.statistics),
    )
    explanation = _explained(request, network, ready)
    run = network.run
    folder = request.out or (run.path / "reports" if run else request.runs) / request.command
    writing = write_explanation(
        network,
        found,
        explanation,
        folder,
        title=f"What {network.name} looks at",
        target=request.target,
        unreadable=unreadable,
        asked=request.layer != AUTO,
        full_size=request.full_size,
    )
    written: WrittenExplanation | None = None
    for step in tracked(writing, "drawing", len(found) + 1):
        if isinstance(step, WrittenExplanation):
            written = step
    assert written is not None
    if request.as_json:
        for caution in explanation.plan.cautions:
            err_console().print(said("[bold yellow]caution:[/] {}", caution), soft_wrap=True)
        print_json(written.document)
    else:
        console.show(written.report, out_console(), folder=folder)
        err_console().print(f"written to {written.page}", style="dim", soft_wrap=True)
    name_unreadable(unreadable)
    if unreadable:
        raise typer.Exit(1)


def _check(request: Request) -> None:
    """What can be told before anything is loaded."""
    if request.split is Split.test:
        raise RequestError("the test part is opened by `cnnlab eval --split test` alone; use --split validation")
    if request.images and request.split is not None:
        raise RequestError("pictures are given as files or by --split, not both")
    if not request.images and request.split is None:
        raise RequestError("no picture to explain: give files, folders or patterns, or --split validation")


def _pictures(request: Request, network: "Network") -> "tuple[list[ExplainedPicture], list[Unreadable]]":
    from cnnlab.network.image_files import find_pictures
    from cnnlab.network.prepared_images import pictures_of_files, pictures_of_part

    if request.split is None:
        sources = find_pictures(request.images, sys.stdin.buffer)
        return pictures_of_files(sources, network.preparation, network.classes)
    part = network.part(request.split.value, data_place())
    split, count = request.split.value, request.count
    return pictures_of_part(part, split, network.preparation, count=count, seed=request.seed), []


def _explained(request: Request, network: "Network", pictures: "Pictures") -> "Explanation":
    """The explanation, with its work announced and followed by bars."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    from cnnlab.attribution.run import Explanation, Plan, explain
    from cnnlab.view.bars import Bars

    steps = explain(
        network,
        pictures,
        methods=request.method,
        layers="auto" if request.layer == AUTO else listed(request.layer, "--layer"),
        target=request.target,
        smooth=request.smooth,
        max_batch=request.max_batch,
        seed=request.seed,
        metrics=request.metrics,
        road=request.road,
    )
    console = err_console()
    rate = TextColumn("{task.fields[rate]}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), rate, TimeRemainingColumn())
    with Bars(console, *columns) as progress:
        bars = {what: progress.add_task(what, visible=False, rate="") for what in ("passes", "measuring")}
        for fact in steps:
            if isinstance(fact, Explanation):
                return fact
            if isinstance(fact, Plan):
                console.print(fact.announcement, style="dim", soft_wrap=True)
                continue
            bar = bars["measuring" if hasattr(fact, "name") else "passes"]
            speed = progress.tasks[bar].speed
            progress.update(
                bar, completed=fact.done, total=fact.total, visible=True, rate=f"{speed:,.1f}/s" if speed else ""
            )
    raise AssertionError("the steps end with the explanation")
