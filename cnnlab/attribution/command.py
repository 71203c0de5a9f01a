"""`cnnlab gradcam` and `cnnlab saliency`: their options, their bars, and the way from a request to its files."""

import inspect
import sys
from collections.abc import Callable, Collection, Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer
from typer.models import ArgumentInfo

from cnnlab.cli.network import Named, with_network
from cnnlab.cli.options import MOST, Split, err_console, looked_into, out_console, print_json
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import end_without_images, name_unreadable
from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.network.session import Session

if TYPE_CHECKING:
    from cnnlab.attribution.run import Explanation, Plan
    from cnnlab.core.registry import Component
    from cnnlab.network.image_files import Unreadable
    from cnnlab.network.network import Network
    from cnnlab.network.prepared_images import ExplainedImage

AUTO = "auto"
BY_HEAD = [AUTO]
"""What `--method` is by itself."""
OF_PIXELS = ["gradient,smoothgrad,integrated_gradients"]
"""The same of `cnnlab saliency`."""

SESSION = ("max_batch", "seed", "data", "device", "allow_plugins", "runs", "as_json")


class Smoothing(StrEnum):
    """Smoothing of class activation maps."""

    aug = "aug"
    eigen = "eigen"


def sharing(shared: Callable[..., None], *, without: Collection[str] = ()) -> Callable[[Callable[..., None]], Any]:
    """Give a command the keyword-only parameters of `shared`, which reach it as `**options`.

    Arguments:
        shared: what the command calls in the end; its arguments come before the command's own options, its options
            behind them.
        without: those that this command has not.
    """
    parameters = inspect.signature(shared).parameters.values()
    offered = [one for one in parameters if one.kind is one.KEYWORD_ONLY and one.name not in without]
    first = [one for one in offered if isinstance(_typer(one), ArgumentInfo)]

    def wrap(command: Callable[..., None]) -> Any:
        own = [one for one in inspect.signature(command).parameters.values() if one.kind is not one.VAR_KEYWORD]
        last = [one for one in offered if one not in first]
        told: Any = command
        told.__signature__ = inspect.Signature([one.replace(kind=one.KEYWORD_ONLY) for one in (*first, *own, *last)])
        return told

    return wrap


def _typer(parameter: inspect.Parameter) -> object:
    """What typer is told of a parameter."""
    return next(iter(get_args(parameter.annotation)[1:]), None)


def explain_and_show(
    command: str,
    methods: "Sequence[Component] | Literal['auto']",
    *,
    session: Session,
    named: Named,
    images: Annotated[
        list[str] | None, typer.Argument(metavar="[IMAGE]…", help="Files, folders, patterns; - for stdin.")
    ] = None,
    layer: Annotated[str, typer.Option(metavar="auto|NAME,…", help="Where to look; several layers are fused.")] = AUTO,
    target: Annotated[
        str,
        typer.Option(metavar="CLASS", help="predicted, true, a class by name or else number, or the likeliest: top3."),
    ] = "predicted",
    smooth: Annotated[
        Smoothing | None, typer.Option(help="aug: mirrored and dimmed; eigen: first component.", show_default=False)
    ] = None,
    metrics: Annotated[
        bool, typer.Option("--metrics", help="Measure how far to trust each map, beside three controls.")
    ] = False,
    road: Annotated[
        bool, typer.Option("--road/--no-road", help="With --metrics: ROAD, which takes the most time.")
    ] = True,
    split: Annotated[
        Split | None, typer.Option(help="Images of the network's own data, in place of files.", show_default=False)
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=MOST, help="With --split: how many.")] = 12,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The folder for figures, maps and the page.")] = None,
    full_size: Annotated[
        bool, typer.Option("--full-size", help="Overlays of up to 4,096 pixels; without it at most 1,600.")
    ] = False,
) -> None:
    """The whole of `command`: exit code 1 where an image could not be read, after the others are done."""
    from cnnlab.attribution.files import WrittenExplanation, write_explanation
    from cnnlab.attribution.run import Images, explain
    from cnnlab.view import console
    from cnnlab.view.terminal import said

    part = looked_into(split)
    if images and part is not None:
        raise RequestError("images are given as files or by --split, not both")
    if not images and part is None:
        raise RequestError("no image to explain: give files, folders or patterns, or --split validation")
    network = named.open(session, for_images=True)
    found, unreadable = _images(network, images or (), part, count, session)
    if not found:
        end_without_images(unreadable, as_json=session.as_json)
    explanation = _followed(
        explain(
            network,
            Images.of(network, found),
            session,
            methods=methods,
            layers="auto" if layer == AUTO else listed(layer, "--layer"),
            target=target,
            smooth=None if smooth is None else smooth.value,
            metrics=metrics,
            road=road,
        )
    )
    folder = session.folder(command, network.run, out=out)
    writing = write_explanation(
        network,
        found,
        explanation,
        folder,
        target=target,
        unreadable=unreadable,
        asked=layer != AUTO,
        full_size=full_size,
    )
    written: WrittenExplanation | None = None
    for step in session.track(writing, "drawing", len(found) + 1):
        if isinstance(step, WrittenExplanation):
            written = step
    assert written is not None
    if session.as_json:
        for caution in explanation.plan.cautions:
            err_console().print(said("[bold yellow]caution:[/] {}", caution), soft_wrap=True)
        print_json(written.document)
    else:
        console.show(written.report, out_console(), folder=folder)
        err_console().print(f"written to {written.page}", style="dim", soft_wrap=True)
    name_unreadable(unreadable)
    if unreadable:
        raise typer.Exit(1)


@with_session(*SESSION)
@with_network
@sharing(explain_and_show)
def gradcam(
    method: Annotated[
        list[str], typer.Option(metavar="auto|NAME,…", help="gradcam, hirescam, layercam, …; auto goes by the head.")
    ] = BY_HEAD,
    **options: Any,
) -> None:
    """Show where in an image an answer comes from: class activation maps, drawn and kept as numbers.

    Pixel methods of `cnnlab saliency` go beside them.
    A method's options follow its name, as in --method rise:masks=4000,keep=0.3; `cnnlab list methods` has all of them.

    Example: [bold]cnnlab gradcam quickstart --split validation --method gradcam,layercam --metrics[/]
    """
    explain_and_show("gradcam", methods_of(method), **options)


@with_session(*SESSION)
@with_network
@sharing(explain_and_show, without=("smooth",))
def saliency(
    method: Annotated[
        list[str],
        typer.Option(metavar="NAME,…", help="gradient, gradient_x_input, occlusion, rise, guided_backprop, …"),
    ] = OF_PIXELS,
    **options: Any,
) -> None:
    """Show which pixels an answer rests on: gradients, integrated gradients, occlusion, RISE and others.

    --layer is for guided_gradcam alone.
    A method's options follow its name, as in --method rise:masks=4000,keep=0.3; `cnnlab list methods` has all of them.

    Example: [bold]cnnlab saliency quickstart photo.jpg --method integrated_gradients,occlusion[/]
    """
    _check_pixels(method)
    explain_and_show("saliency", methods_of(method), **options)


def methods_of(words: Sequence[str]) -> "tuple[Component, ...] | Literal['auto']":
    """What `--method` names, given once or several times: `auto`, or methods with their options.

    Raises: RequestError for what is no method, and for options that it has not or that are out of range.
    """
    from cnnlab.attribution.catalog import chosen_methods
    from cnnlab.core.named import names_with_options

    if list(words) == BY_HEAD:
        return "auto"
    return chosen_methods([{name: options} for word in words for name, options in names_with_options(word, "--method")])


def _check_pixels(words: Sequence[str]) -> None:
    """Nothing, where every method maps pixels.

    Raises: RequestError for one that does not.
    """
    from cnnlab.attribution.catalog import METHODS, no_method
    from cnnlab.core.named import names_with_options

    pixel = [name for name, found in METHODS.items() if found.kind == "pixel"]
    for name in (name for word in words for name, _ in names_with_options(word, "--method")):
        if name in METHODS and name not in pixel:
            raise RequestError(f"{METHODS[name].label} maps a layer, not pixels: cnnlab gradcam --method {name}")
        if name not in pixel:
            raise RequestError(no_method(name, pixel, "pixel method"))


def listed(text: str, option: str) -> list[str]:
    """The names in `a,b`.

    Raises: RequestError where one is missing.
    """
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise RequestError(f"{option} is '{text}', expected names with commas between them")
    return names


def _images(
    network: "Network", words: Sequence[str], split: str | None, count: int, session: Session
) -> "tuple[list[ExplainedImage], list[Unreadable]]":
    """Those of the files that `words` name, or `count` of a part; and the files that cannot be read."""
    from cnnlab.network.image_files import find_images
    from cnnlab.network.prepared_images import images_of_files, images_of_part

    if split is None:
        sources = find_images(words, sys.stdin.buffer)
        return images_of_files(sources, network.preparation, network.classes)
    part = network.part(split, session.place)
    return images_of_part(part, split, network.preparation, count=count, seed=session.seed), []


def _followed(steps: "Iterable[Plan | Advance | Explanation]") -> "Explanation":
    """The explanation, which comes last; until then the work is announced and followed by bars."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    from cnnlab.attribution.run import Explanation, Plan
    from cnnlab.view.bars import Bars

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
            bar = bars[fact.what]
            speed = progress.tasks[bar].speed
            progress.update(
                bar, completed=fact.done, total=fact.total, visible=True, rate=f"{speed:,.1f}/s" if speed else ""
            )
    raise AssertionError("the steps end with the explanation")
