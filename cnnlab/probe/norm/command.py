"""`cnnlab probe norm`."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from cnnlab.cli.failures import with_options
from cnnlab.cli.network import Named, with_network
from cnnlab.cli.options import MOST, OutOption, Split, err_console, looked_into
from cnnlab.cli.output import write_and_show
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import with_bars
from cnnlab.core.errors import RequestError
from cnnlab.network.session import Session
from cnnlab.probe.output import folder_of

T = TypeVar("T")


@with_session(
    "seed",
    "data",
    "device",
    "allow_plugins",
    "runs",
    "as_json",
    help={"seed": "Of the images, of batches, and of intervals; trainings have their config's."},
)
@with_network
def norm(
    session: Session,
    named: Named,
    part: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME,…",
            show_default="those that take seconds",
            help="formulas, state, modes, statistics, running, folding, conversion; these train: fine-tuning, "
            "training, landscape, ranges, batch-size.",
        ),
    ] = None,
    train: Annotated[bool, typer.Option("--train", help="The parts that train, too; of a run or a config.")] = False,
    epochs: Annotated[
        int | None, typer.Option(min=1, max=MOST, help="Of each training.", show_default="the config's")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, max=MOST, help="Of ranges and fine-tuning.", show_default="60")
    ] = None,
    batch_sizes: Annotated[
        str | None, typer.Option(metavar="N,…", help="Of the part batch-size.", show_default="2,4,8,32")
    ] = None,
    factors: Annotated[
        str | None,
        typer.Option(metavar="F,…", help="Of the part ranges.", show_default="1/64 to 64, each 4 times the last"),
    ] = None,
    groups: Annotated[int, typer.Option(min=1, max=MOST, help="Of group norms, at most.")] = 32,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, help="The validation accuracy whose first epoch is told.")
    ] = 0.7,
    count: Annotated[int, typer.Option(min=2, max=MOST, help="Images that are looked at, at most.")] = 128,
    split: Annotated[
        Split | None, typer.Option(help="Validation, or train where none was kept.", show_default=False)
    ] = None,
    out: OutOption = None,
) -> None:
    """Tell what normalisation does in a network: its formulas, its statistics, and training with it and without.

    By itself it does what takes seconds. With --train, or parts by name, it trains the config with its norms and
    without, in small batches with batch norm and group norm, and from other scales and learning rates; what that costs
    is said before it begins, and what is trained is kept in the folder.

    Example: [bold]cnnlab probe norm quickstart[/] or [bold]cnnlab probe norm configs/cifar.yaml --train --epochs 5[/]
    """
    from cnnlab.probe.norm.lab import SIZES, NormOptions
    from cnnlab.probe.norm.ranges import FACTORS
    from cnnlab.probe.norm.run import measured, norm_json, norm_report, planned

    parts = tuple(name.strip() for given in part or () for name in given.split(",") if name.strip())
    options = NormOptions(
        parts,
        train,
        looked_into(split),
        count,
        epochs,
        steps,
        SIZES
        if batch_sizes is None
        else tuple(_numbers("--batch-sizes", batch_sizes, int, "numbers such as 2,4,8,32")),
        groups,
        FACTORS if factors is None else tuple(_numbers("--factors", factors, float, "numbers such as 0.25,1,4")),
        threshold,
    )
    network = named.open(session, for_images=True)
    folder = folder_of(network, "norm", session, out)
    plan = planned(network, session, options, folder=folder, config_folder=Path(named.text).parent)
    for option, value, of in (("--batch-sizes", batch_sizes, "batch-size"), ("--factors", factors, "ranges")):
        if value is not None and of not in [part.name for part in plan.parts]:
            raise RequestError(f"{option} is of the part {of}, which is not asked for; add --part {of}")
    for sentence in plan.costs():
        err_console().print(with_options(sentence), style="dim", soft_wrap=True, markup=False)
    facts = with_bars(measured(plan))
    for note in facts.notes:
        err_console().print(with_options(note), style="dim", soft_wrap=True, markup=False)
    write_and_show(norm_report(facts), norm_json(facts), folder, session)


def _numbers(option: str, text: str, kind: Callable[[str], T], expected: str) -> list[T]:
    """`2,4,8` as numbers.

    Raises: RequestError for anything else.
    """
    try:
        return [kind(one) for one in text.split(",")]
    except ValueError:
        raise RequestError(f"{option} is '{text}', expected {expected}") from None
