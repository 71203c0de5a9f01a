"""`cnnlab sanity|audit`: whether maps show what was learned, and what a network attends to."""

from typing import TYPE_CHECKING, Annotated

import typer

from cnnlab.attribution.command import AUTO, BY_HEAD, methods_of
from cnnlab.cli.network import Named, with_network
from cnnlab.cli.options import MOST, OutOption, Split, err_console, looked_into, out_console, print_json
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import with_bars
from cnnlab.core.errors import RequestError
from cnnlab.network.session import Session

if TYPE_CHECKING:
    from cnnlab.trust.audit.run import EvidenceAudit
    from cnnlab.trust.sanity.run import SanityCheck

SESSION = ("max_batch", "seed", "data", "device", "allow_plugins", "runs", "as_json")
"""Options that both share with other commands."""

SplitOption = Annotated[
    Split | None, typer.Option(help="Validation, or train where none was kept.", show_default=False)
]


@with_session(*SESSION, help={"seed": "Of the images, of fresh weights and of random labels."})
@with_network
def sanity(
    session: Session,
    named: Named,
    method: Annotated[
        list[str],
        typer.Option(metavar="auto|NAME,…", help="As in gradcam and saliency; auto by head, and three of pixels."),
    ] = BY_HEAD,
    count: Annotated[int, typer.Option(min=1, max=MOST, help="Images that are explained.")] = 32,
    depths: Annotated[int, typer.Option(min=1, max=MOST, help="At how many layers, at most.")] = 16,
    labels: Annotated[bool, typer.Option("--labels", help="Of a run: train a copy on random labels, too.")] = False,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, max=MOST, help="With --labels.", show_default="those of the run's steps, 100 at most"),
    ] = None,
    split: SplitOption = None,
    out: OutOption = None,
) -> None:
    """Check that maps depend on what was learned: randomise the network, layer by layer, and compare.

    A method whose maps stay the same shows the image or the architecture, and nothing that was learned.
    A method's options follow its name, as in --method rise:masks=4000,keep=0.3; `cnnlab list methods` has all of them.

    Example: [bold]cnnlab sanity quickstart --method gradcam,gradient,guided_backprop --labels[/]
    """
    from cnnlab.trust.sanity.run import SanityOptions
    from cnnlab.trust.sanity.run import sanity as check_run

    if epochs is not None and not labels:
        raise RequestError(f"--epochs {epochs} is of the training on random labels; add --labels")
    part, chosen = looked_into(split), methods_of(method)
    methods = () if chosen == AUTO else chosen
    options = SanityOptions(part, count, methods, depths=depths, labels=labels, epochs=epochs)
    result = with_bars(check_run(named.open(session, for_images=True), session, options, out=out))
    _show(result, session)


@with_session(*SESSION, several=True)
@with_network
def audit(
    session: Session,
    named: Named,
    split: SplitOption = None,
    method: Annotated[
        list[str], typer.Option(metavar="auto|NAME", help="As in gradcam and saliency; auto: gradient × input.")
    ] = BY_HEAD,
    layer: Annotated[str, typer.Option(metavar="auto|NAME", help="Where class activation maps look.")] = "auto",
    max_border: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Largest mean share in the outer frame.", show_default="as if spread evenly"),
    ] = None,
    min_inside: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Least mean share on the object.", show_default="as if spread evenly"),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(metavar="GROUP", help="Hold each group to the limits, too: group, class, or a regex on the path."),
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=MOST, help="Images, at most.")] = 500,
    out: OutOption = None,
) -> None:
    """Tell whether answers rest on the object or on borders and corners; exit code 1 where a limit is broken.

    A limit holds for the mean over all images, such as --max-border 0.3 --min-inside 0.5. Without one, the evidence
    may lie no worse than if it were spread evenly over the image. By itself the method is gradient × input, and with
    --layer the class activation map that fits the head.
    A method's options follow its name, as in --method rise:masks=4000,keep=0.3; `cnnlab list methods` has all of them.

    Example: [bold]cnnlab audit quickstart --split validation --max-border 0.3[/]
    """
    from cnnlab.trust.audit.run import AuditOptions
    from cnnlab.trust.audit.run import audit as audit_run
    from cnnlab.view.terminal import said

    part = looked_into(split)
    options = AuditOptions(part, count, by, methods_of(method), layer, max_border, min_inside)
    result = with_bars(audit_run(named.open(session, for_images=True), session, options, out=out))
    _show(result, session)
    for reason in result.facts.reasons:
        err_console().print(said("[bold red]broken:[/] {}", reason), soft_wrap=True)
    if result.facts.broken:
        raise typer.Exit(1)


def _show(result: "SanityCheck | EvidenceAudit", session: Session) -> None:
    from cnnlab.view import console

    if session.as_json:
        print_json(result.as_json())
    else:
        console.show(result.report, out_console(), folder=result.folder)
        err_console().print(f"written to {result.folder}", style="dim", soft_wrap=True)
