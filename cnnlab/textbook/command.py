"""`cnnlab chapter`."""

from typing import Annotated

import typer

from cnnlab.cli.options import OutOption, err_console, out_console, print_json
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import with_bars
from cnnlab.network.session import Session


@with_session("data", "device", "allow_plugins", "runs", "as_json")
def chapter(
    session: Session,
    section: Annotated[
        str | None, typer.Argument(metavar="[SECTION]", help="19.1 to 19.6; all of them.", show_default=False)
    ] = None,
    run: Annotated[
        str | None,
        typer.Option("--run", metavar="RUN", show_default=False, help="Check what is said of a training against it."),
    ] = None,
    out: OutOption = None,
) -> None:
    """Recompute every number of the textbook chapter, name those that are printed wrong, and what cannot be tested.

    Ends with exit code 1 where a number does not come out.

    Example: [bold]cnnlab chapter 19.2[/]
    """
    from cnnlab.core.files import write_whole
    from cnnlab.network.open import open_run
    from cnnlab.textbook.catalog import section_of
    from cnnlab.textbook.report import chapter_json, chapter_report
    from cnnlab.textbook.run import replay
    from cnnlab.textbook.trained import TrainedRun
    from cnnlab.view import console, files, json

    wanted = None if section is None else section_of(section)
    trained = None if run is None else TrainedRun(open_run(run, session), session)
    found = with_bars(replay(wanted, trained))
    report, document = chapter_report(found), chapter_json(found)
    page = None
    if out is not None:
        page = files.save(report, out).page
        write_whole(out / "facts.json", json.text(document) + "\n")
    if session.as_json:
        print_json(document | {"page": page})
    else:
        console.show(report, out_console(), folder=out)
        if page is not None:
            err_console().print(f"written to {page}", style="dim", soft_wrap=True)
    if found.failed:
        raise typer.Exit(1)
