"""`cnnlab ablate` and `cnnlab sweep`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cnnlab.cli.failures import StoppedError
from cnnlab.cli.options import MOST, ConfigArgument, OutOption, OverridesArgument, err_console, out_console, print_json
from cnnlab.cli.output import write_and_show
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import say, with_bars
from cnnlab.network.session import Session

if TYPE_CHECKING:
    from cnnlab.config.config import Config


@with_session("device", "allow_plugins", "runs", "as_json")
def ablate(
    session: Session,
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=VALUE,…",
            show_default=False,
            help="A switch and its other values, such as schedule=constant or norm=none; several times.",
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, max=1000, help="Seeds, the same in every variant.")] = 3,
    jobs: Annotated[int, typer.Option(min=1, max=256, help="Trainings at a time, each in a process.")] = 1,
    baseline: Annotated[str, typer.Option(metavar="VARIANT", help="With which the others are compared.")] = "as it is",
    threshold: Annotated[
        float, typer.Option(metavar="SHARE", help="Validation accuracy; epochs and seconds until there are told.")
    ] = 0.7,
    together: Annotated[
        bool, typer.Option("--together", help="Also a variant with the first value of every switch.")
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Say what is there, how many trainings are missing, and how long they take.")
    ] = False,
    out: OutOption = None,
) -> None:
    """Train a config with one switch changed at a time, and say what each change is worth.

    Every variant is trained with the same seeds, so that differences are paired. The trainings are kept as runs in the
    folder of the ablation: stopped, or with more repeats or variants, the same command goes on there. The key norm
    stands for every norm of the model.

    Example: [bold]cnnlab ablate configs/cifar.yaml --vary data.augment=[] --vary schedule=constant --plan[/]
    """
    from cnnlab.config.config import read_config
    from cnnlab.recipe.report import ablation_report
    from cnnlab.recipe.run import AblationOptions, prepared, so_far
    from cnnlab.recipe.run import ablate as ablated
    from cnnlab.recipe.run import plan as planned
    from cnnlab.recipe.variants import gathered
    from cnnlab.view import console

    def make(changes: Sequence[str]) -> "Config":
        return read_config(config, [*(overrides or ()), *changes], allow_plugins=session.allow_plugins)

    options = AblationOptions(
        gathered(vary or ()),
        repeats,
        jobs=jobs,
        baseline=baseline,
        threshold=threshold,
        together=together,
    )
    ablation = prepared(make, options, session, out=out, config_folder=config.parent)
    before = so_far(ablation)
    if plan:
        costs = with_bars(planned(ablation, session))
        if session.as_json:
            print_json({**costs.as_json(), "so_far": before.as_json()})
            return
        if before.trained:
            console.show(ablation_report(before), out_console())
        for line in costs.lines:
            out_console().print(line, soft_wrap=True, markup=False, highlight=False)
        return
    if before.trained and not before.complete and not session.as_json:
        console.show(ablation_report(before), err_console())
    try:
        facts = with_bars(ablated(ablation, session))
    except KeyboardInterrupt:
        raise StoppedError("interrupted: what is trained is kept; the same command goes on there") from None
    write_and_show(ablation_report(facts), facts.as_json(), ablation.folder, session)
    say(f"trainings in {ablation.trainings}")


@with_session("seed", "device", "allow_plugins", "runs", "as_json", help={"seed": "Of the sampler."}, several=True)
def sweep(
    session: Session,
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    space: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=RANGE",
            show_default=False,
            help="log(1e-3,1), uniform(0,0.5), int(1,5) or choice(a,b) for a key; several times.",
        ),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, max=MOST, help="Of the study, those of all workers together.")] = 20,
    pruner: Annotated[str, typer.Option(metavar="median|none", help="What ends a trial that lags behind.")] = "median",
    sampler: Annotated[str, typer.Option(metavar="tpe|random", help="What chooses the next values.")] = "tpe",
    storage: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|URL",
            show_default="a journal in the folder of the study",
            help="A journal's file, on a shared folder too, or a database.",
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the study; the config's name by default.")] = None,
    out: OutOption = None,
) -> None:
    """Search a space of configs with Optuna; several processes, on several machines too, may work on one study.

    Each trial is a run in the folder of the study. Stopped, the same command goes on with the trial that it was at.
    What a killed process has left is taken up by the next one that works on the study.

    Example: [bold]cnnlab sweep configs/cifar.yaml training.epochs=5 --space "optimizer.lr=log(0.01,1)"[/]
    """
    from cnnlab.config.config import read_config
    from cnnlab.recipe.sweep_report import sweep_report
    from cnnlab.recipe.sweep_run import SweepOptions, prepared_sweep, swept
    from cnnlab.recipe.sweep_run import sweep as search

    def make(changes: Sequence[str]) -> "Config":
        return read_config(config, [*(overrides or ()), *changes], allow_plugins=session.allow_plugins)

    options = SweepOptions(space or (), trials, sampler, pruner, storage, name)
    asked = prepared_sweep(make, options, session, out=out, config_folder=config.parent)
    try:
        facts = with_bars(search(asked, session.by_itself))
    except KeyboardInterrupt:
        raise StoppedError("interrupted: what is trained is kept; the same command goes on there") from None
    if not session.ranks.alone:
        session.ranks.leave_to_first()
        session.ranks.wait_for_shares()
        facts = swept(asked)
    write_and_show(sweep_report(facts), facts.as_json(), asked.folder, session)
