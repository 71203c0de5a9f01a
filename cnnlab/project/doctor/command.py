"""`cnnlab doctor`."""

import typer

from cnnlab.cli.options import out_console, print_json
from cnnlab.cli.session import with_session
from cnnlab.network.session import Session


@with_session("runs", "as_json")
def doctor(session: Session) -> None:
    """Check the installation, the device and the folders, and say what mends them.

    Exit code 1 when something is broken; a warning alone is 0.

    Example: [bold]cnnlab doctor[/]
    """
    from rich.table import Table
    from rich.text import Text

    from cnnlab.project.doctor.run import examine
    from cnnlab.view.terminal import said

    checks = examine(session)
    healthy = all(check.state != "fail" for check in checks)
    if session.as_json:
        print_json({"ok": healthy, "checks": checks})
        raise typer.Exit(0 if healthy else 1)
    colours = {"ok": "green", "warn": "yellow", "fail": "bold red"}
    console = out_console()
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        table.add_row(Text(check.state, style=colours[check.state]), check.name, check.found)
    console.print(table)
    for check in checks:
        if check.state != "ok":
            console.print(f"\n{check.name}: ", style=colours[check.state], end="")
            console.print(check.remedy, soft_wrap=True)  # unbroken, so that a command can be copied
    if healthy:
        console.print(said("\neverything that cnnlab needs is here; start with [bold]cnnlab train[/]"))
    raise typer.Exit(0 if healthy else 1)
