"""`cnnlab probe transfer`."""

from typing import Annotated

import typer

from cnnlab.cli.options import MOST, ConfigArgument, OutOption, OverridesArgument, err_console
from cnnlab.cli.output import write_and_show
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import with_bars
from cnnlab.network.session import Session


@with_session(
    "seed",
    "device",
    "allow_plugins",
    "runs",
    "as_json",
    help={"seed": "Of the splits and subsets: this, + 1, … with each repeat; so have trainings their config's."},
)
def transfer(
    session: Session,
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    source: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="A trained run whose weights are taken over.", show_default="one is trained"),
    ] = None,
    source_classes: Annotated[
        str | None, typer.Option(metavar="NAME,…", help="That it learns.", show_default="the first half")
    ] = None,
    target_classes: Annotated[
        str | None,
        typer.Option(metavar="NAME,…", help="That are learned with its weights.", show_default="all others"),
    ] = None,
    per_class: Annotated[
        str, typer.Option(metavar="N,…", help="Numbers of training images of each class.")
    ] = "50,100,200,500",
    freeze: Annotated[
        str | None,
        typer.Option(
            metavar="N,…",
            help="Layers that are frozen, an arm each, between none and all but the head.",
            show_default="a third, two thirds",
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, max=1000, help="Trainings of each, with other images and seeds.")] = 3,
    source_epochs: Annotated[
        int | None, typer.Option(min=1, max=MOST, help="Of the source.", show_default="the config's")
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1, max=MOST, help="Of each other training; all have as many steps.", show_default="the config's"
        ),
    ] = None,
    out: OutOption = None,
) -> None:
    """Train a network on some classes, and others from few images: from its weights, and from nothing.

    With its weights all layers are tuned, or the first ones are frozen, or all but the head. Each training is a run in
    the experiment's folder; stopped, the same command goes on where it was.

    Example: [bold]cnnlab probe transfer configs/cifar.yaml --source-epochs 10 --per-class 50,500[/]
    """
    from cnnlab.config.config import read_config
    from cnnlab.probe.numbers import listed_numbers
    from cnnlab.probe.transfer.facts import transfer_document
    from cnnlab.probe.transfer.report import transfer_report
    from cnnlab.probe.transfer.run import TransferOptions, planned
    from cnnlab.probe.transfer.run import transfer as measured

    asked = read_config(config, overrides or [], allow_plugins=session.allow_plugins)
    options = TransferOptions(
        listed_numbers(per_class, "`per_class`", what="numbers of images", example="50,100,500"),
        repeats,
        None if freeze is None else listed_numbers(freeze, "`freeze`", what="numbers of layers", example="2,4"),
        source,
        _names(source_classes),
        _names(target_classes),
        source_epochs,
        epochs,
    )
    plan = planned(asked, session, options)
    words = f"{len(plan.in_order):,} trainings; {plan.schedule}"
    err_console().print(words, style="dim", soft_wrap=True, markup=False)
    folder = session.folder("probe-transfer", plan.run, out=out, without_run=f"probe/transfer-{asked.name}")
    facts = with_bars(measured(plan, folder / "trainings", session, config_folder=config.parent))
    write_and_show(transfer_report(facts), transfer_document(facts), folder, session)


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(name.strip() for name in text.split(","))
