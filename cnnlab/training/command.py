"""`cnnlab train` and `cnnlab lr-find`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from cnnlab.cli.options import (
    MOST,
    ChangedConfigArgument,
    ConfigArgument,
    OverridesArgument,
    config_and_changes,
    err_console,
    named_or_quickstart,
    out_console,
    print_json,
    seconds_of,
)
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import say
from cnnlab.core.errors import RequestError
from cnnlab.core.limits import MOST_THREADS
from cnnlab.network.session import Session

if TYPE_CHECKING:
    from cnnlab.runs.folder import Run
    from cnnlab.training.report_files import MakesSection
    from cnnlab.training.views import MakesObserver


class WritesReport(Protocol):
    """Writes what `cnnlab report` writes."""

    def __call__(self, run: "Run", session: Session, /) -> object:
        """The page of `run`."""


@dataclass(frozen=True)
class Invocation:
    """One call of `cnnlab`, and what commands do for each other without an import from one to the other."""

    began: float
    """When the process started, by `time.perf_counter`."""
    write_whole_report: WritesReport
    training_observers: "tuple[MakesObserver, ...]"
    """Who watches a training besides itself."""
    validation_section: "MakesSection"
    """Makes what a training's report says of the validation part."""


@with_session("data", "device", "allow_plugins", "runs", "as_json", several=True)
def train(
    session: Session,
    context: typer.Context,
    arguments: ChangedConfigArgument = None,
    name: Annotated[str | None, typer.Option(help="What the run is called; the config's name by default.")] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="RUN", help="Go on with this run; its own config holds.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, max=1000, help="Train this often with seed, seed + 1, …")] = 1,
    time_budget: Annotated[str | None, typer.Option(help="Let the schedule end after 90s, 10m or 1.5h.")] = None,
    stop_after: Annotated[
        int | None, typer.Option(min=1, max=MOST, help="Pause after this many epochs; see --resume.")
    ] = None,
    stretch_schedule: Annotated[
        bool,
        typer.Option(
            "--stretch-schedule",
            help="With --resume and another length: let the learning rate jump from its old curve to the new one.",
        ),
    ] = False,
    threads: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_THREADS, help="Threads that share an operation; others give other last bits."),
    ] = None,
    full_report: Annotated[
        bool, typer.Option("--full-report", help="Then write what `cnnlab report` writes: the network's inside, too.")
    ] = False,
    no_report: Annotated[
        bool, typer.Option("--no-report", help="Draw no figures and write no page at the end: weights and curves only.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do all of it on two batches; nothing is kept.")] = False,
) -> None:
    """Train a network from a config; ends with a verdict on overfitting and a report.

    Example: [bold]cnnlab train configs/cifar.yaml optimizer.lr=0.05 --name lower[/]
    """
    from cnnlab.core import memory as collector

    with collector.spared():
        from collections.abc import Iterator

        import torch
        import torch._dynamo

        from cnnlab.config.config import read_config
        from cnnlab.runs.folder import Run
        from cnnlab.training.events import TrainingEvent, stop_wish
        from cnnlab.training.loop import TrainOptions
        from cnnlab.training.progress import TrainingProgress
        from cnnlab.training.repeat import Repeated, repeat
        from cnnlab.training.run import dry_run as run_dry
        from cnnlab.training.run import resume as resume_run
        from cnnlab.training.run import train as train_run
        from cnnlab.training.views import TrainingViews

    invocation: Invocation = context.obj
    config, overrides = config_and_changes(arguments)
    if resume and (config is not None or repeats > 1 or dry_run or name):
        raise RequestError("--resume goes on with one run and its own config: no CONFIG, --repeats, --dry-run, --name")
    if session.data and not resume:
        raise RequestError("--data is for --resume; a new run's images are named by the config")
    if full_report and no_report:
        raise RequestError("--full-report writes a report and --no-report none; choose one of them")
    if stretch_schedule and not resume:
        raise RequestError("--stretch-schedule is about the curve of a run that goes on: it needs --resume RUN")
    if threads is not None:
        torch.set_num_threads(threads)
    if time_budget:
        overrides.append(f"training.time_budget={seconds_of(time_budget)}")
    path = named_or_quickstart(config)
    options = TrainOptions(
        session,
        name=name,
        stop_after=stop_after,
        command=[*session.ranks.launcher, "cnnlab", *sys.argv[1:]],
        config_folder=path.parent,
        threads=threads,
        stretch_schedule=stretch_schedule,
        report=not no_report,
        validation_section=invocation.validation_section,
        observers=(TrainingViews, *invocation.training_observers),
        began=invocation.began,
    )
    events: Iterator[TrainingEvent | Repeated]
    with stop_wish() as stop:
        if resume:
            events = resume_run(session.run(resume), overrides, options, stop)
        else:
            settings = read_config(path, overrides, allow_plugins=session.allow_plugins)
            if dry_run:
                events = run_dry(settings, options, stop)
            elif repeats > 1:
                events = repeat(settings, options, stop, repeats=repeats)
            else:
                events = train_run(settings, options, stop)
        with TrainingProgress(err_console()) as progress:
            for event in events:
                progress.show(event)
    if session.ranks.leads:
        full_report = full_report and not dry_run and not stop
        if full_report:
            for finished in progress.finished:
                invocation.write_whole_report(Run(finished.path), session)
        progress.conclude(err_console() if session.as_json else out_console(), dry_run=dry_run, in_full=full_report)
        if session.as_json:
            print_json(progress.as_json(dry_run=dry_run))
    if stop:
        raise typer.Exit(stop.exit_code)


@with_session("device", "allow_plugins", "as_json")
def lr_find(
    session: Session,
    config: ConfigArgument,
    overrides: OverridesArgument = None,
    start: Annotated[float, typer.Option(help="The first learning rate.")] = 1e-5,
    end: Annotated[float, typer.Option(help="The last learning rate.")] = 10.0,
    steps: Annotated[int, typer.Option(min=20, max=100_000, help="Batches of the test.")] = 200,
    out: Annotated[Path, typer.Option(help="The folder for the curve.")] = Path("runs/lr-find"),
) -> None:
    """Let the learning rate grow batch by batch, draw the loss, and suggest a rate.

    Example: [bold]cnnlab lr-find configs/cifar.yaml --steps 300[/]
    """
    from cnnlab.config.config import read_config
    from cnnlab.training.lr_find import find_learning_rate, suggest_rate, suggested_changes
    from cnnlab.training.report import learning_rate_report
    from cnnlab.view import console, png

    settings = read_config(config, overrides or [], allow_plugins=session.allow_plugins)
    search = find_learning_rate(settings, session, start=start, end=end, steps=steps, tell=say)
    points = list(session.track(search, "range test", steps))
    suggestion = suggest_rate(points)
    changes = () if suggestion is None else suggested_changes(settings.optimizer, points, suggestion)
    report = learning_rate_report(points, suggestion=suggestion, changes=changes, name=settings.name)
    figures = png.save(report, out)
    if session.as_json:
        print_json({"suggestion": suggestion, "changes": changes, "points": points, "picture": figures[0]})
        return
    console.show(report, out_console(), folder=out)
