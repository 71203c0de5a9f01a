"""`cnnlab check-model`."""

from dataclasses import replace
from typing import Annotated

import typer

from cnnlab.cli.failures import with_options
from cnnlab.cli.network import Named, with_network
from cnnlab.cli.options import out_console, print_json
from cnnlab.cli.results import print_document
from cnnlab.cli.session import with_session
from cnnlab.network.session import Session


@with_session("data", "device", "allow_plugins", "runs", "as_json", document="preparation_yaml")
@with_network
def check_model(
    session: Session,
    named: Named,
    preparation_yaml: Annotated[
        bool, typer.Option("--print-preparation", help="Print a preparation.yaml to start from, and nothing else.")
    ] = False,
) -> None:
    """Tell what was understood of a network, and which commands will work with it.

    Input, output, classes, preparation, weights, layers for maps, whether an answer changes from one pass to the next.
    The exit code is 1 where a command will not work.

    Example: [bold]cnnlab check-model net.py:build --weights w.pt --input 3,224,224[/]
    """
    from cnnlab.check_model import report
    from cnnlab.check_model.run import check_model as checked
    from cnnlab.runs.images import relocated
    from cnnlab.view import console

    network = named.open(session, for_images=True, any_channels=True)
    if network.config is not None:
        relocated(network.config, session.place)  # nothing of it is needed, but a wrong place is said
    found = checked(network)
    found = replace(found, commands=tuple(replace(one, reason=with_options(one.reason)) for one in found.commands))
    if session.as_json:
        print_json(report.check_json(found))
    elif preparation_yaml:
        print_document(report.preparation_yaml(found))
        return
    else:
        console.show(report.check_report(found), out_console())
    if not found.works:
        raise typer.Exit(1)
