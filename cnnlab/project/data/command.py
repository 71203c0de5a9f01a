"""`cnnlab data stats|leaks|preview`."""

from pathlib import Path
from typing import Annotated

import typer

from cnnlab.cli.failures import Application
from cnnlab.cli.options import OverridesArgument, err_console, out_console, print_json
from cnnlab.cli.session import with_session
from cnnlab.network.session import Session

app = Application(help="Look at the data: statistics, leaks between its parts, augmentation.", no_args_is_help=True)

SourceArgument = Annotated[
    str, typer.Argument(metavar="CONFIG|DATASET", help="A config file, or the name of a data set such as cifar10.")
]


@app.command("stats")
@with_session("allow_plugins", "as_json")
def stats(
    session: Session,
    source: SourceArgument,
    overrides: OverridesArgument = None,
) -> None:
    """Count the images of each class, and measure mean and standard deviation of each channel.

    Example: [bold]cnnlab data stats cifar10[/]
    """
    from cnnlab.project.data.report import data_report
    from cnnlab.project.data.run import data_config, data_statistics
    from cnnlab.view import console

    facts = data_statistics(data_config(source, overrides or [], session), session)
    if session.as_json:
        print_json(facts)
    else:
        console.show(data_report(facts), out_console())


@app.command("leaks")
@with_session("allow_plugins", "as_json")
def leaks(
    session: Session,
    source: SourceArgument,
    overrides: OverridesArgument = None,
    with_test: Annotated[bool, typer.Option("--with-test", help="Compare with the test part too.")] = False,
    max_distance: Annotated[int, typer.Option(min=0, max=16, help="Bits of 64 that near images may differ in.")] = 4,
    out: Annotated[Path, typer.Option(help="The folder for the figures of the pairs.")] = Path("runs/leaks"),
) -> None:
    """Find images, or near copies of them, that are in two parts at once; exit code 1 if there are any.

    Example: [bold]cnnlab data leaks cifar10 --with-test[/]
    """
    from cnnlab.project.data.report import leaks_report
    from cnnlab.project.data.run import data_config, leak_checks
    from cnnlab.view import console, png

    chosen = data_config(source, overrides or [], session)
    checks = leak_checks(chosen, session, with_test=with_test, max_distance=max_distance)
    report = leaks_report(checks)
    png.save(report, out)
    if session.as_json:
        print_json(
            [
                {
                    "parts": [check.first, check.second],
                    "compared": check.leaks.compared,
                    "exact": check.leaks.exact,
                    "near": check.leaks.near,
                    "flat": check.leaks.flat,
                    "groups": check.leaks.groups,
                }
                for check in checks
            ]
        )
    else:
        console.show(report, out_console(), folder=out)
    if any(check.leaks.found for check in checks):
        raise typer.Exit(1)


@app.command("preview")
@with_session("allow_plugins")
def preview(
    session: Session,
    config: SourceArgument,
    overrides: OverridesArgument = None,
    count: Annotated[int, typer.Option(min=1, max=64, help="Images.")] = 8,
    epochs: Annotated[int, typer.Option(min=1, max=16, help="Augmented versions of each.")] = 7,
    out: Annotated[Path, typer.Option(help="The folder for the figure.")] = Path("runs/preview"),
) -> None:
    """Draw training images beside what augmentation makes of them.

    Example: [bold]cnnlab data preview configs/cifar.yaml[/]
    """
    from cnnlab.project.data.run import data_config, preview_report
    from cnnlab.view import png

    report = preview_report(data_config(config, overrides or [], session), session, count=count, epochs=epochs)
    for path in png.save(report, out):
        err_console().print(f"written to {path}", soft_wrap=True)
