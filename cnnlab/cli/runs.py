"""`cnnlab runs`."""

from cnnlab.cli.options import RUNS, JsonOption, RunsOption, err_console, out_console, print_json


def runs(runs: RunsOption = RUNS, as_json: JsonOption = False) -> None:
    """List the runs: when, on what, how they ended.

    Example: [bold]cnnlab runs[/]
    """
    from dataclasses import asdict

    from rich.markup import escape
    from rich.table import Table

    from cnnlab.runs.folder import all_runs

    found, others = all_runs(runs)
    if as_json:
        print_json([{"path": str(run.path), **asdict(run.record)} for run in found])
    elif not found:
        err_console().print(f"no runs under {runs} yet; [bold]cnnlab train[/] makes one")
    else:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("run", "started", "data", "status"):
            table.add_column(name)
        for name in ("parameters", "epochs", "val accuracy", "train s"):
            table.add_column(name, justify="right")
        table.add_column("verdict")
        for run in found:
            record, outcome = run.record, run.record.outcome
            accuracy = "–" if outcome.val_accuracy is None else f"{outcome.val_accuracy:.2%}"
            table.add_row(
                run.name,
                record.started[:16].replace("T", " "),
                record.data.name,
                outcome.status,
                f"{record.parameters:,}",
                str(outcome.epochs),
                accuracy,
                f"{outcome.train_seconds:.0f}",
                outcome.diagnosis or "–",
            )
        out_console().print(table)
    for sentence in others:
        err_console().print(f"[yellow]left out:[/] {escape(sentence)}", soft_wrap=True)
