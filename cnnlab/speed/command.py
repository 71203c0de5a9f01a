"""`cnnlab bench`."""

from typing import Annotated

import typer

from cnnlab.cli.options import ChangedConfigArgument, OutOption, config_and_changes, named_or_quickstart
from cnnlab.cli.output import write_and_show
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import with_bars
from cnnlab.core.limits import MOST_THREADS
from cnnlab.network.session import Session

MOST_SECONDS = 86_400


@with_session("device", "allow_plugins", "runs", "as_json")
def bench(
    session: Session,
    arguments: ChangedConfigArgument = None,
    seconds: Annotated[
        float, typer.Option(min=0.1, max=MOST_SECONDS, help="That it may take, beside reading the images.")
    ] = 60,
    threads: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_THREADS, help="Of the processor; by default torch's own.", show_default=False),
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Also write a trace of some steps, for Perfetto and TensorBoard.")
    ] = False,
    out: OutOption = None,
) -> None:
    """Tell how fast a config trains on this machine, beside a bare loop and what the machine reaches, and why.

    Example: [bold]cnnlab bench configs/cifar.yaml --seconds 120[/]
    """
    from cnnlab.config.config import read_config
    from cnnlab.speed.report import bench_json, bench_report
    from cnnlab.speed.run import bench as measured

    config, overrides = config_and_changes(arguments)
    path = named_or_quickstart(config)
    settings = read_config(path, overrides, allow_plugins=session.allow_plugins)
    folder = session.folder("bench", out=out, without_run=f"bench/{settings.name}")
    trace = folder / "trace" if profile else None
    steps = measured(settings, session, seconds=seconds, thread_count=threads, base=path.parent, trace=trace)
    facts = with_bars(steps)
    write_and_show(bench_report(facts), bench_json(facts), folder, session)
