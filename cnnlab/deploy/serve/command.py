"""`cnnlab serve`."""

from contextlib import suppress
from typing import Annotated

import typer

from cnnlab.attribution.command import BY_HEAD, methods_of
from cnnlab.cli.network import Named, with_network
from cnnlab.cli.options import MOST, print_json
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import say
from cnnlab.network.session import Session

LOCAL = "127.0.0.1"


@with_session("data", "device", "allow_plugins", "runs", "as_json")
@with_network
def serve(
    session: Session,
    named: Named,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 for a free one.")] = 8000,
    host: Annotated[str, typer.Option(help="Another address opens the page to other machines.")] = LOCAL,
    top: Annotated[int, typer.Option(min=1, max=MOST, help="How many classes to name.")] = 5,
    reject_below: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="No label where the probability is below this.")
    ] = 0.0,
    reject: Annotated[
        bool | None,
        typer.Option(
            "--reject/--no-reject",
            help="Say what is none of the classes, by what `cnnlab reject` has kept; by default where there is such.",
            show_default=False,
        ),
    ] = None,
    method: Annotated[
        list[str], typer.Option(metavar="auto|none|NAME,…", help="Whose maps to show; auto goes by the head.")
    ] = BY_HEAD,
    nearest: Annotated[int, typer.Option(min=0, max=50, help="Training images to show beside the answer.")] = 6,
    check: Annotated[bool, typer.Option("--check", help="Open the page, and end at once.")] = False,
) -> None:
    """Serve a small web page on this machine: drop an image, see answer, map and nearest training images.

    POST /predict answers as `cnnlab predict --json` does. Ctrl-C ends it.

    Example: [bold]cnnlab serve cifar --port 0 --reject-below 0.5[/]
    """
    from threading import Event

    from cnnlab.deploy.serve.answerer import ServeOptions
    from cnnlab.deploy.serve.run import ServedPage, answerer_of, rule_for
    from cnnlab.deploy.serve.server import Server
    from cnnlab.runs.images import relocated

    methods = () if method == ["none"] else methods_of(method)
    network = named.open(session, for_images=True)
    if network.config is not None:
        relocated(network.config, session.place)  # without its images it is served all the same, but a wrong path said
    rejection, unused = rule_for(network, session, reject)
    options = ServeOptions(top, reject_below, rejection, methods, nearest)
    answerer, left_out = answerer_of(network, session, options)
    for remark in (*unused, *left_out):
        say(remark)
    with suppress(KeyboardInterrupt), ServedPage(Server(answerer, host, port, say)) as page:  # Ctrl-C is the usual end
        if page.is_open:
            say(f"whoever reaches this machine can use the page, since it listens on {host}; {LOCAL} keeps it to you")
        if session.as_json:
            print_json({"url": page.url, "model": network.name})
        else:
            typer.echo(f"{network.name} is served at {page.url}; Ctrl-C ends it")
        while not check:
            Event().wait(3600)
    say("the page has ended")
