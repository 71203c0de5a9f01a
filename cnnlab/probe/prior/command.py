"""`cnnlab probe prior`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli.options import MOST, OutOption, err_console, named_config
from cnnlab.cli.output import write_and_show
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import with_bars
from cnnlab.network.session import Session


class Equal(StrEnum):
    """What all trainings have alike."""

    steps = "steps"
    epochs = "epochs"


@with_session(
    "seed",
    "device",
    "allow_plugins",
    "runs",
    "as_json",
    help={"seed": "Of the split, the subsets and the permutation; trainings have their config's, seed + 1, …"},
)
def prior(
    session: Session,
    configs: Annotated[
        list[str],
        typer.Argument(
            metavar="CONFIG… [KEY=VALUE]…",
            help="Networks for the same images, or one config with --kinds; and changes to all of them.",
            show_default=False,
        ),
    ],
    kinds: Annotated[
        str | None, typer.Option(metavar="KIND,…", help="Siblings of the one config: dense, local, conv.")
    ] = None,
    sizes: Annotated[str, typer.Option(metavar="N,…", help="Numbers of training images.")] = "100,300,1000,3000",
    repeats: Annotated[int, typer.Option(min=1, max=1000, help="Trainings of each, with seed, seed + 1, …")] = 3,
    epochs: Annotated[
        int | None, typer.Option(min=1, max=MOST, help="Of each training.", show_default="the config's")
    ] = None,
    equal: Annotated[
        Equal, typer.Option(help="As many steps for few images as for many, or as many passes over them.")
    ] = Equal.steps,
    permute: Annotated[
        bool, typer.Option("--permute", help="Also with one permutation of the pixels of all images.")
    ] = False,
    far: Annotated[bool, typer.Option("--far", help="Also on two marks far apart, alike or not.")] = False,
    width: Annotated[
        int, typer.Option(min=1, max=10_000, help="Units of a dense sibling for each channel of the convolution.")
    ] = 8,
    out: OutOption = None,
) -> None:
    """Train dense, locally connected and convolutional networks on the same few and many images.

    --permute and --far are tasks of which a convolution assumes what is not true. Each training is a run in the
    experiment's folder; stopped, the same command goes on where it was.

    Example: [bold]cnnlab probe prior configs/prior/conv.yaml --kinds dense,local,conv --permute[/]
    """
    from cnnlab.config.config import read_config
    from cnnlab.core.errors import RequestError
    from cnnlab.probe.numbers import listed_numbers
    from cnnlab.probe.prior.facts import prior_document
    from cnnlab.probe.prior.report import prior_report
    from cnnlab.probe.prior.run import PriorOptions, planned
    from cnnlab.probe.prior.run import prior as measured
    from cnnlab.probe.prior.siblings import kinds_of

    paths = [named_config(Path(text)) for text in configs if "=" not in text]
    overrides = [text for text in configs if "=" in text]
    if not paths:
        raise RequestError("name a config (.yaml); KEY=VALUE changes it")
    options = PriorOptions(
        listed_numbers(sizes, "`sizes`", what="numbers of images", example="100,300,1000"),
        repeats,
        kinds_of(kinds) if kinds is not None else (),
        width,
        equal=equal.value,
        epochs=epochs,
        permute=permute,
        far=far,
    )
    asked = [read_config(path, overrides, allow_plugins=session.allow_plugins) for path in paths]
    plan = planned(asked, session, options)
    err_console().print(f"{len(plan.trials):,} trainings; {plan.schedule}", style="dim", soft_wrap=True, markup=False)
    folder = session.folder("prior", out=out, without_run=f"probe/prior-{'-'.join(one.name for one in asked)[:80]}")
    facts = with_bars(measured(plan, folder / "trainings", session, config_folder=paths[0].parent))
    write_and_show(prior_report(facts), prior_document(facts), folder, session)
