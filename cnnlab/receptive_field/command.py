"""`cnnlab receptive-field`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnnlab.cli.network import Named, with_network
from cnnlab.cli.options import DepthOption, err_console, out_console, print_json
from cnnlab.cli.session import with_session
from cnnlab.network.session import Session

if TYPE_CHECKING:
    from cnnlab.receptive_field.study import FieldStudy


@with_session("data", "device", "allow_plugins", "runs", "as_json")
@with_network
def receptive_field(
    session: Session,
    named: Named,
    changes: Annotated[
        list[str] | None, typer.Argument(metavar="[CHANGE]…", help="More changes for --what-if.", show_default=False)
    ] = None,
    layer: Annotated[str | None, typer.Option(help="The layer to draw, to measure and to change for.")] = None,
    unit: Annotated[str | None, typer.Option(metavar="Y,X", help="Its unit, from 0; the central one.")] = None,
    image: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the box on this image.")] = None,
    effective: Annotated[
        int,
        typer.Option(
            "--effective", metavar="[N]", help="Measure the effective field over N images.", min=0, max=100_000
        ),
    ] = 0,
    what_if: Annotated[
        list[str] | None,
        typer.Option(metavar="CHANGE", help="LAYER.stride=1 (dilation, kernel, padding), or LAYER=identity."),
    ] = None,
    claim: Annotated[
        list[str] | None,
        typer.Option("--assert", metavar="CLAIM", help="Such as 'layer4.size>=224'; exit code 1 where it fails."),
    ] = None,
    ignore_gates: Annotated[bool, typer.Option(help="Leave out factors of one number per channel.")] = False,
    verify: Annotated[bool, typer.Option(help="Prove every interval on this network, by NaN.")] = False,
    depth: DepthOption = None,
    repairs: Annotated[bool, typer.Option("--repairs/--no-repairs", help="Look for changes that mend it.")] = True,
    animate: Annotated[bool, typer.Option(help="A GIF of the box, layer by layer.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="The folder for figures and tables.")] = None,
) -> None:
    """Tell what each layer of a network sees: exact for any network, with branches, gates and functions too.

    Example: [bold]cnnlab receptive-field torchvision:resnet18 --input 224 --what-if conv1.stride=1[/]
    """
    from cnnlab.core.errors import RequestError
    from cnnlab.receptive_field.drawings import animation
    from cnnlab.receptive_field.study import study_fields
    from cnnlab.receptive_field.study_report import study_document, study_report
    from cnnlab.view import console, files

    changes = [*(what_if or []), *(changes or [])]
    if changes and not what_if:
        raise RequestError(f"'{changes[0]}': changes come after --what-if, such as --what-if {changes[0]}")
    over_images = effective > 0 and session.data is not None
    network = named.open(session, values=verify or effective > 0, for_images=over_images)
    drawn = image is not None or bool(unit) or animate
    study = study_fields(
        network,
        session,
        layer=layer,
        unit=unit or None,
        draws_unit=image is not None,
        changes=changes,
        claims=claim or (),
        verify=verify,
        effective=effective,
        ignore_gates=ignore_gates,
        mend=repairs,
    )
    report = study_report(study, depth=depth, image=image, draws_unit=drawn)
    folder = session.folder("receptive-field", network.run, out=out)
    figures = files.save(report, folder).figures
    if animate:
        figures.append(animation(study.inspection, image, folder / "layers.gif"))
    if session.as_json:
        print_json(study_document(study, figures))
    else:
        console.show(report, out_console(), folder=folder)
        err_console().print(f"written to {folder}", style="dim", soft_wrap=True)
    _end(study)


def _end(study: "FieldStudy") -> None:
    """Exit code 1 where a claim fails or an interval is wrong."""
    from cnnlab.view.terminal import said

    for claim in study.claims:
        if not claim.holds:
            values = " × ".join(f"{value:g}" for value in claim.value)
            err_console().print(said("[bold red]does not hold:[/] {} (it is {})", claim.text, values), soft_wrap=True)
    if study.proof is not None and not study.proof.proven:
        err_console().print(
            said("[bold red]not proven:[/] {} intervals differ", f"{study.proof.mismatched:,}"), soft_wrap=True
        )
    if not study.holds:
        raise typer.Exit(1)
