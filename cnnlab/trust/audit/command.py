"""`cnnlab audit`."""

from typing import Annotated

import typer

from cnnlab.attribution.command import BY_HEAD, methods_of
from cnnlab.cli.options import MOST, RunArgument, Split, Weights, err_console, looked_into, out_console, print_json
from cnnlab.cli.session import with_session
from cnnlab.cli.streams import with_bars
from cnnlab.network.session import Session


@with_session("max_batch", "seed", "data", "device", "allow_plugins", "runs", "as_json")
def audit(
    session: Session,
    run: RunArgument,
    split: Annotated[
        Split | None, typer.Option(help="Validation, or train where none was kept.", show_default=False)
    ] = None,
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
    weights: Annotated[Weights, typer.Option(help="Of the best epoch, or of the last.")] = Weights.best,
) -> None:
    """Tell whether answers rest on the object or on borders and corners; exit code 1 where a limit is broken.

    A limit holds for the mean over all images, such as --max-border 0.3 --min-inside 0.5. Without one, the evidence
    may lie no worse than if it were spread evenly over the image. By itself the method is gradient × input, and with
    --layer the class activation map that fits the head.
    A method's options follow its name, as in --method rise:masks=4000,keep=0.3; `cnnlab list methods` has all of them.

    Example: [bold]cnnlab audit quickstart --split validation --max-border 0.3[/]
    """
    from cnnlab.network.open import open_run
    from cnnlab.trust.audit.run import AuditOptions
    from cnnlab.trust.audit.run import audit as audit_run
    from cnnlab.view import console
    from cnnlab.view.terminal import said

    part = looked_into(split)
    options = AuditOptions(part, count, by, methods_of(method), layer, max_border, min_inside)
    result = with_bars(audit_run(open_run(run, session, weights.value), session, options))
    if session.as_json:
        print_json(result.as_json())
    else:
        console.show(result.report, out_console(), folder=result.folder)
        err_console().print(f"written to {result.folder}", style="dim", soft_wrap=True)
    for reason in result.facts.reasons:
        err_console().print(said("[bold red]broken:[/] {}", reason), soft_wrap=True)
    if result.facts.broken:
        raise typer.Exit(1)
