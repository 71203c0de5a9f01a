"""`cnnlab data label-errors`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli.failures import StoppedError
from cnnlab.cli.options import MOST, ConfigArgument, OutOption, OverridesArgument
from cnnlab.cli.output import write_and_show
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import say, with_bars
from cnnlab.network.session import Session


class Rank(StrEnum):
    """What label errors are ordered by."""

    self_confidence = "self_confidence"
    normalized_margin = "normalized_margin"


@with_session("device", "allow_plugins", "runs", "as_json")
def label_errors(
    session: Session,
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    folds: Annotated[int, typer.Option(min=1, max=1000, help="Networks, each trained on all folds but one.")] = 4,
    epochs: Annotated[
        int | None, typer.Option(min=1, max=MOST, help="Of each training, in place of the config's.")
    ] = None,
    rank: Annotated[Rank, typer.Option(help="What the candidates are ordered by.")] = Rank.self_confidence,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Trainings at a time, each in a process.")] = 1,
    probabilities: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Probabilities of all images (.safetensors, .npy) in place of trainings."),
    ] = None,
    out: OutOption = None,
) -> None:
    """Find labels of the training and validation images that are likely wrong, by confident learning.

    A network is trained for each fold on the others, and asked about the images that it was not shown. Finished folds
    are kept: stopped, the same command goes on there. The CSV has a column for what you decide of each, and a config
    leaves them out or relabels them by data.corrections. The test part is not opened.

    Example: [bold]cnnlab data label-errors configs/cifar.yaml --epochs 5[/]
    """
    from cnnlab.config.config import read_config
    from cnnlab.evaluation.label_errors.report import label_errors_report
    from cnnlab.evaluation.label_errors.run import (
        CANDIDATES,
        LabelErrorOptions,
        find_label_errors,
        prepared,
        write_beside,
    )

    chosen = read_config(config, overrides or (), allow_plugins=session.allow_plugins)
    options = LabelErrorOptions(folds, epochs, rank.value, jobs, probabilities)
    asked = prepared(chosen, options, session, out=out, config_folder=config.parent)
    try:
        facts = with_bars(find_label_errors(asked, session))
    except KeyboardInterrupt:
        raise StoppedError("interrupted: finished folds are kept; the same command goes on there") from None
    write_beside(facts, asked.folder)
    write_and_show(label_errors_report(facts), facts.as_json(), asked.folder, session)
    say(f"all candidates in {asked.folder / CANDIDATES}")
