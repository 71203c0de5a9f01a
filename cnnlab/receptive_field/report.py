"""Receptive fields, layer by layer: the table, how they grow, and what the audit says of them."""

from collections.abc import Sequence
from itertools import groupby

from cnnlab.receptive_field.audit import Audit
from cnnlab.receptive_field.drawings import field_figures
from cnnlab.receptive_field.fields import Field, Fields
from cnnlab.receptive_field.probe import Verification
from cnnlab.receptive_field.what_if import Variant
from cnnlab.view.blocks import Block, Column, Number, Numbers, Report, Section, Table, Text
from cnnlab.view.layer_rows import at_depth, pair_text, size_text

WORDS = {
    "gaps": "gaps {0.density:.0%}",
    "misaligned": "paths {apart:g} px apart",
    "varies": "r varies {low}–{high}",
    "channels": "channels see {least}–{most}",
    "clipped": "clipped everywhere: r is a lower bound",
}

ON_VALUES = (
    "The network looks at its own values; this is one way through it, and what it makes of them outside torch (in "
    "NumPy, or as numbers of Python) is not followed."
)
"""The note on a network that was run on real values."""


def receptive_field_report(
    fields: Fields,
    found: Audit,
    *,
    name: str,
    depth: int | None = None,
    repairs: Sequence[Variant] = (),
    trials: Sequence[Variant] = (),
    watched: str = "",
    proof: Verification | None = None,
    more: Sequence[Block] = (),
) -> Report:
    """The whole report; `more` stands between the headline and the table.

    repairs: changes that the audit found, the network as it is first; trials: those that were asked for, likewise.
    """
    rows = at_depth([field for field in fields.layers if field.name], depth)
    last = next(field for field in fields.layers if field.name == found.trunk)
    blocks: list[Block] = [_headline(last, fields), *more, _table(rows)]
    blocks += _remarks(fields)
    if trials:
        blocks.append(variants_table(trials, f"What if: the field of {watched}", "what_if"))
    blocks.append(Section("Does it fit the images?", (*_audit(found, fields), *_repairs(repairs))))
    if proof is not None:
        blocks.append(_proof(proof, fields))
    blocks += field_figures(fields)
    size = size_text(fields.shape[1:])
    return Report(
        f"Receptive fields of {name}",
        tuple(blocks),
        f"For images of {size} pixels. Unit u sees the pixels u·S − P … u·S − P + r − 1 along an axis; the pairs are "
        "vertical × horizontal where they differ.",
    )


def field_blocks(fields: Fields, found: Audit) -> tuple[Block, ...]:
    """The table, what the audit says and the two figures, for a report on more than this."""
    rows = at_depth([field for field in fields.layers if field.name])
    last = next(field for field in fields.layers if field.name == found.trunk)
    blocks = [_headline(last, fields), _table(rows), *_remarks(fields), *_audit(found, fields), *field_figures(fields)]
    return tuple(blocks)


def _headline(last: Field, fields: Fields) -> Numbers:
    whole = next((field for field in fields.layers if field.is_global), None)
    numbers = [
        Number(
            "largest field",
            _bounded(last.size, last.exact),
            unit="px",
            detail=f"of {last.name}, {size_text(last.output)}",
        ),
        Number("of the image", last.coverage, ".0%", detail="seen by its central unit"),
        Number("step to the next unit", pair_text(last.stride), unit="px"),
    ]
    if whole is not None:
        numbers.append(Number("global from", whole.name or "the output", detail=f"because of {whole.because}"))
    return Numbers(tuple(numbers))


def _table(rows: Sequence[Field]) -> Table:
    columns = (
        Column("layer"), Column("output"), Column("r", align="right"), Column("S", align="right"),
        Column("P", align="right"), Column("c₀", align="right"), Column("r min", align="right"), Column("box"),
        Column("seen", align="right", form=".0%"), Column("padded", align="right", form=".0%"), Column("remarks"),
    )  # fmt: skip
    made = []
    for _, run in groupby(rows, key=_alike):
        group = list(run)
        first, field = group[0], group[-1]
        name = first.name if len(group) == 1 else f"{first.name} … {_ending(first.name, field.name)}"
        made.append(
            (
                name,
                size_text(field.output, "×"),
                size_of(field),
                pair_text(field.stride),
                pair_text(field.padding),
                pair_text(field.centre),
                pair_text(field.shortest),
                _box(field),
                field.coverage,
                field.padded,
                remarks_of(field),
            )
        )
    note = (
        "In pixels: r is what one unit depends on, S the step to the next unit (the jump), P the effective padding, c₀ "
        "the first unit's centre, r min the shortest path, box the central unit's, clipped; seen: the share of the "
        "image in that box; padded: the share of units that see padding."
    )
    return Table("Receptive fields", columns, tuple(made), note, "receptive_fields")


def size_of(field: Field) -> str:
    """r in words: of a field that the border clips everywhere only a lower bound is known."""
    return "all" if field.is_global else _bounded(field.size, field.exact)


def _bounded(size: tuple[int, ...], exact: bool) -> str:
    return ("" if exact else "≥ ") + pair_text(size)


def _alike(field: Field) -> tuple[object, ...]:
    """Normalisation and activation change nothing: they share a row with the layer before them, a block does not."""
    if not field.leaf:
        return (field.name,)
    return (field.output, field.size, field.stride, field.padding, field.shortest, field.because, field.misaligned)


def _ending(first: str, last: str) -> str:
    """What `last` has beyond the path that both share."""
    shared = 0
    ones, others = first.split("."), last.split(".")
    while shared < min(len(ones), len(others)) - 1 and ones[shared] == others[shared]:
        shared += 1
    return ".".join(others[shared:])


def _box(field: Field) -> str:
    return " × ".join(dict.fromkeys(f"{first}–{last}" for first, last in field.box))


def remarks_of(field: Field) -> str:
    """The flags in words."""
    words = ["global"] if field.is_global else []
    values = {
        "apart": max(field.misaligned or (0.0,)),
        "low": min(low for low, _ in field.sizes),
        "high": max(high for _, high in field.sizes),
        "least": min(low for low, _ in field.channels),
        "most": max(high for _, high in field.channels),
    }
    return ", ".join([*words, *(WORDS[flag].format(field, **values) for flag in field.flags if flag in WORDS)])


def _remarks(fields: Fields) -> list[Text]:
    found = []
    reasons: dict[str, list[Field]] = {}
    for field in fields.layers:
        if field.is_global and field.because:
            reasons.setdefault(field.because, []).append(field)
    for reason, layers in reasons.items():
        told = f"{layers[0].name or 'the output'} on, every unit sees the whole image because of {reason}."
        found.append(Text(f"From {told}", label="global"))
    if fields.differs is not None:
        difference, sides = fields.differs
        place = f"layer '{difference.layer}'" if difference.layer else "the network's own code"
        found.append(
            Text(
                f"At {size_text(sides)} pixels this network is another one: in {place} it goes on with "
                f"{difference.there}, at its own size with {difference.here}. From there on r, S and P are those of "
                f"{size_text(fields.shape[1:])} pixels; where the border clips them r is a lower bound (≥).",
                "note",
                "depends on the image's size",
            )
        )
    if fields.walk.unknown:
        names = sorted({f"{name} (in {layer or 'the network'})" for name, layer in fields.walk.unknown})
        found.append(
            Text(
                f"{', '.join(names)}: not known, so each result was taken to depend on all that came in. Fields behind "
                "it may be smaller than told.",
                "caution",
                "operations without a rule",
            )
        )
    if fields.walk.on_values:
        found.append(Text(ON_VALUES, "note"))
    return found


def _audit(found: Audit, fields: Fields) -> list[Block]:
    size, smallest, largest = size_text(found.image), pair_text(found.smallest), _bounded(found.largest, found.exact)
    blocks: list[Block] = []
    if found.unproductive:
        names = found.unproductive
        listed = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        blocks.append(
            Text(
                f"{len(names)} of {len(found.layers)} layers with a window can add nothing at {size}: what comes in "
                f"has seen the whole image on every path, or is no larger than their window: {listed}.",
                "caution",
                "unproductive",
            )
        )
    if not found.covers:
        blocks.append(
            Text(
                f"The largest field, {pair_text(found.largest)} px in {found.trunk}, is smaller than the image "
                f"({size}): no unit before the pool sees a pattern that is wider.",
                "caution",
                "under-coverage",
            )
        )
    if any(found.unread):
        rows, columns = found.unread[0], found.unread[-1]
        blocks.append(
            Text(
                f"{'1 row' if rows == 1 else f'{rows} rows'} and "
                f"{'1 column' if columns == 1 else f'{columns} columns'} of the image are read by nothing: "
                "strides skip them.",
                "caution",
                "dead pixels",
            )
        )
    if not blocks:
        blocks.append(Text(f"Every layer can add something at {size}, and every pixel is read.", "good", "fits"))
    blocks.append(
        Text(
            f"Images from {smallest} px (every layer can still add something) to {largest} px (a unit sees the whole "
            f"image) suit this network{'' if fields.differs is None else ', where it is the same one at that size'}. "
            f"Layers that look beyond the image: {len(found.critical)}.",
            "note",
            "feasible sizes",
        )
    )
    return blocks


def _repairs(repairs: Sequence[Variant]) -> list[Block]:
    if len(repairs) < 2:
        return []
    return [variants_table(repairs, "The smallest changes that repair it", "repairs")]


def variants_table(variants: Sequence[Variant], title: str, name: str) -> Table:
    """Variants side by side, the network as it is first."""
    columns = (
        Column("change"), Column("r", "px", "right"), Column("S", "px", "right"), Column("image", "", "right", ".0%"),
        Column("MACs", "M", "right", ",.1f"), Column("MACs", "×", "right", ".2f"),
        Column("parameters", "", "right", ",d"), Column("unproductive", "", "right"), Column("outcome"),
    )  # fmt: skip
    first = variants[0]
    rows = []
    for one in variants:
        field = one.field
        gone = "the layer is gone" if one.failure is None and field is None else one.failure or ""
        rows.append(
            (
                one.name,
                "–" if field is None else size_of(field),
                "–" if field is None else pair_text(field.stride),
                None if field is None else field.coverage,
                None if one.failure else one.macs / 1e6,
                None if one.failure or not first.macs else one.macs / first.macs,
                one.parameters,
                None if one.unproductive is None else str(one.unproductive),
                gone or "runs" + "; MACs: at least" * one.at_least,
            )
        )
    return Table(title, columns, tuple(rows), name=name)


def _proof(proof: Verification, fields: Fields) -> Section:
    size = size_text(fields.shape[1:])
    said = f"{proof.compared:,} intervals of {proof.outputs} outputs compared with {proof.passes} passes of NaN"
    blocks: list[Block] = [
        Text(f"{said}: no mismatch.", "good", "proven")
        if proof.proven
        else Text(f"{said}: {proof.mismatched:,} mismatches.", "bad", "not proven")
    ]
    blocks += [Text(mismatch.sentence, "bad") for mismatch in proof.mismatches[:10] if proof.mismatched]
    if proof.wide:
        blocks.append(
            Text(
                f"{proof.wide:,} intervals behind an operation that NaN does not pass, or that has no rule, are wider "
                "than the probe can show: they hold, and may be too wide.",
                "note",
            )
        )
    beyond = [field for field in fields.layers if field.name and not field.is_visible]
    read_at = " and ".join(dict.fromkeys(size_text(f.read_at) for f in beyond if f.read_at != fields.shape[1:]))
    if read_at:
        blocks.append(
            Text(
                f"The passes were of {size} pixels: they prove the boxes, what is seen and what is padded. r of "
                f"{len(beyond)} layers is larger than that shows. It was read at {read_at} pixels, where the network "
                "runs the same operations and what is not clipped agrees with these intervals; NaN was not sent there.",
                "note",
                "not covered",
            )
        )
    return Section("Proof on this network", tuple(blocks))


def field_json(field: Field) -> dict[str, object]:
    """One layer in `--json`."""
    return {
        "name": field.name,
        "kind": field.kind,
        "output": field.output,
        "r": field.size,
        "stride": field.stride,
        "padding": field.padding,
        "r_min": field.shortest,
        "global": field.is_global,
        "because": field.because,
        "exact": field.exact,
        "read_at": field.read_at,
        "centre": field.centre,
        "box": field.box,
        "coverage": field.coverage,
        "padded": field.padded,
        "density": field.density,
        "r_range": field.sizes,
        "r_of_channels": field.channels,
        "misaligned": field.misaligned,
        "unread": field.unread,
        "depth": field.depth,
        "leaf": field.leaf,
        "flags": field.flags,
    }
