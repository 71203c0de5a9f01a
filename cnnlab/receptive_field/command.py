"""`cnnlab receptive-field`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cnnlab.cli.network import Named, with_network
from cnnlab.cli.options import DepthOption, err_console, out_console, print_json
from cnnlab.cli.session import with_session
from cnnlab.network.session import Session

if TYPE_CHECKING:
    from cnnlab.receptive_field.effective.report import EffectiveFacts
    from cnnlab.receptive_field.fields import Fields
    from cnnlab.receptive_field.run import Claim, Inspection
    from cnnlab.receptive_field.what_if import Variant
    from cnnlab.view.blocks import Block


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
    from cnnlab.receptive_field import run as work
    from cnnlab.receptive_field.probe import Verification, verification
    from cnnlab.receptive_field.report import receptive_field_report
    from cnnlab.view import console, files

    changes = [*(what_if or []), *(changes or [])]
    if changes and not what_if:
        raise RequestError(f"'{changes[0]}': changes come after --what-if, such as --what-if {changes[0]}")
    over_images = effective > 0 and session.data is not None
    network = named.open(session, values=verify or effective > 0, for_images=over_images)
    inspection = work.inspect(network, ignore_gates=ignore_gates)
    watched = inspection.field(layer).name if layer else inspection.local.name
    claims = [work.claim(inspection, text) for text in claim or []]
    place = work.unit_of(unit) if unit else None
    if unit or image:
        work.unit_box(inspection, watched, place)
    trials = list(work.what_if(inspection, changes, layer=watched, ignore_gates=ignore_gates))
    repaired = list(session.track(work.repairs(inspection), "changes that mend it", 1)) if repairs else []
    proof: Verification | None = None
    if verify:
        steps = session.track(verification(network.model, inspection.fields.walk), "proving", _passes(inspection))
        proof = list(steps)[-1]
    facts: EffectiveFacts | None = None
    more: list[Block] = []
    if effective:
        from cnnlab.receptive_field.effective.report import effective_section
        from cnnlab.receptive_field.effective.run import effective_fields

        measured = effective_fields(inspection, session, layer=watched, unit=place, count=effective)
        facts = list(session.track(measured, "effective field", -(-effective // 16)))[-1]
        more.append(effective_section(facts))
    if image or unit or animate:
        from cnnlab.receptive_field.drawings import field_figure

        more.append(field_figure(inspection, watched, place, image, facts))
    report = receptive_field_report(
        inspection.fields,
        inspection.audit,
        name=network.name,
        depth=depth,
        repairs=repaired,
        trials=trials,
        watched=watched,
        proof=proof,
        more=more,
    )
    folder = session.folder("receptive-field", network.run, out=out)
    figures = files.save(report, folder).figures
    if animate:
        from cnnlab.receptive_field.drawings import animation

        figures.append(animation(inspection, image, folder / "layers.gif"))
    if session.as_json:
        print_json(_document(inspection, claims, trials, repaired, facts, proof, figures))
    else:
        console.show(report, out_console(), folder=folder)
        err_console().print(f"written to {folder}", style="dim", soft_wrap=True)
    _end(claims, proof)


def _passes(inspection: "Inspection") -> int:
    return sum(2 * -(-side // 16) for side in inspection.network.shape[1:])


def _document(
    inspection: "Inspection",
    claims: "list[Claim]",
    trials: "list[Variant]",
    repaired: "list[Variant]",
    facts: "EffectiveFacts | None",
    proof: Any,
    figures: list[Path],
) -> dict[str, object]:
    from cnnlab.receptive_field.effective.report import effective_json
    from cnnlab.receptive_field.report import field_json
    from cnnlab.receptive_field.run import audit_json, variant_json

    fields = inspection.fields
    return {
        "model": inspection.network.name,
        "input": fields.shape,
        "layers": [field_json(field) for field in fields.layers],
        "audit": audit_json(inspection.audit),
        "repairs": [variant_json(one) for one in repaired],
        "what_if": [variant_json(one) for one in trials],
        "effective": effective_json(facts) if facts else None,
        "claims": claims,
        "verification": proof,
        "verified": _verified(fields) if proof is not None else None,
        "differs": _differs(fields),
        "unknown_operations": [{"operation": name, "layer": place} for name, place in fields.walk.unknown],
        "on_values": fields.walk.on_values,
        "pictures": figures,
    }


def _verified(fields: "Fields") -> dict[str, object]:
    """The size at which the probe ran, and the layers whose r it cannot have seen whole."""
    unseen = [field.name for field in fields.layers if field.name and not field.is_visible]
    return {"at": fields.shape[1:], "r_not_covered": unseen}


def _differs(fields: "Fields") -> dict[str, object] | None:
    """From where on the network is another one on larger images."""
    if fields.differs is None:
        return None
    difference, sides = fields.differs
    return {"layer": difference.layer, "here": difference.here, "there": difference.there, "at": sides}


def _end(claims: "list[Claim]", proof: Any) -> None:
    """Exit code 1 where a claim fails or an interval is wrong."""
    from cnnlab.view.terminal import said

    for claim in claims:
        if not claim.holds:
            values = " × ".join(f"{value:g}" for value in claim.value)
            err_console().print(said("[bold red]does not hold:[/] {} (it is {})", claim.text, values), soft_wrap=True)
    if proof is not None and not proof.proven:
        err_console().print(
            said("[bold red]not proven:[/] {} intervals differ", f"{proof.mismatched:,}"), soft_wrap=True
        )
    if any(not claim.holds for claim in claims) or (proof is not None and not proof.proven):
        raise typer.Exit(1)
