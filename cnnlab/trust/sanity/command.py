"""`cnnlab sanity`."""

from typing import Annotated

import typer

from cnnlab.attribution.command import AUTO, BY_HEAD, methods_of
from cnnlab.cli.options import MOST, RunArgument, Split, Weights, err_console, looked_into, out_console, print_json
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import with_bars
from cnnlab.core.errors import RequestError
from cnnlab.network.session import Session


@with_session(
    "max_batch",
    "seed",
    "data",
    "device",
    "allow_plugins",
    "runs",
    "as_json",
    help={"seed": "Of the images, of fresh weights and of random labels."},
)
def sanity(
    session: Session,
    run: RunArgument,
    method: Annotated[
        list[str],
        typer.Option(metavar="auto|NAME,…", help="As in gradcam and saliency; auto by head, and three of pixels."),
    ] = BY_HEAD,
    count: Annotated[int, typer.Option(min=1, max=MOST, help="Images that are explained.")] = 32,
    depths: Annotated[int, typer.Option(min=1, max=MOST, help="At how many layers, at most.")] = 16,
    labels: Annotated[bool, typer.Option("--labels", help="Train a small copy on random labels, too.")] = False,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, max=MOST, help="With --labels.", show_default="those of the run's steps, 100 at most"),
    ] = None,
    split: Annotated[
        Split | None, typer.Option(help="Validation, or train where none was kept.", show_default=False)
    ] = None,
    weights: Annotated[Weights, typer.Option(help="Of the best epoch, or of the last.")] = Weights.best,
) -> None:
    """Check that maps depend on what was learned: randomise the network, layer by layer, and compare.

    A method whose maps stay the same shows the image or the architecture, and nothing that was learned.
    A method's options follow its name, as in --method rise:masks=4000,keep=0.3; `cnnlab list methods` has all of them.

    Example: [bold]cnnlab sanity quickstart --method gradcam,gradient,guided_backprop --labels[/]
    """
    from cnnlab.network.open import open_run
    from cnnlab.trust.sanity.run import SanityOptions
    from cnnlab.trust.sanity.run import sanity as check_run
    from cnnlab.view import console

    if epochs is not None and not labels:
        raise RequestError(f"--epochs {epochs} is of the training on random labels; add --labels")
    part, chosen = looked_into(split), methods_of(method)
    methods = () if chosen == AUTO else chosen
    options = SanityOptions(part, count, methods, depths=depths, labels=labels, epochs=epochs)
    result = with_bars(check_run(open_run(run, session, weights.value), session, options))
    if session.as_json:
        print_json(result.as_json())
    else:
        console.show(result.report, out_console(), folder=result.folder)
        err_console().print(f"written to {result.folder}", style="dim", soft_wrap=True)
