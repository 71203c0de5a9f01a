"""`cnnlab runs`."""

from cnnlab.cli.options import RUNS, JsonOption, RunsOption, err_console, out_console, print_json


def runs(runs: RunsOption = RUNS, as_json: JsonOption = False) -> None:
    """List the runs: when, on what, how they ended.

    Example: [bold]cnnlab runs[/]
    """
    from dataclasses import asdict

    from rich.table import Table

    from cnnlab.core.characters import printable
    from cnnlab.render.terminal import said
    from cnnlab.runs.folder import all_runs

    found, others = all_runs(runs)
    if as_json:
        print_json([{"path": str(run.path), **asdict(run.record)} for run in found])
    elif not found:
        err_console().print(said("no runs under {} yet; [bold]cnnlab train[/] makes one", runs))
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("run", overflow="fold")
        table.add_column("started", no_wrap=True)
        table.add_column("data", overflow="fold")
        for name in ("epochs", "val %", "train s"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("outcome", overflow="fold")
        for run in found:
            record, outcome = run.record, run.record.outcome
            # what finished is told by its verdict; for all the rest there is --json and `cnnlab compare`
            words = [] if outcome.status == "finished" and outcome.diagnosis else [outcome.status]
            table.add_row(
                printable(run.name),
                printable(record.started[5:16].replace("T", " ")),
                printable(record.data.name),
                str(outcome.epochs),
                "–" if outcome.val_accuracy is None else f"{100 * outcome.val_accuracy:.2f}",
                f"{outcome.train_seconds:.0f}",
                printable(", ".join([*words, outcome.diagnosis or ""]).removesuffix(", ")),
            )
        out_console().print(table)
    for sentence in others:
        err_console().print(said("[yellow]left out:[/] {}", sentence), soft_wrap=True)
