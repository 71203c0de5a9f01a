"""What was fused layer by layer, that it computes the same, what it gains, and what stays and why."""

from typing import Any

from cnnlab.core.characters import some
from cnnlab.deploy.fuse.proof import TOLERANCE
from cnnlab.deploy.fuse.run import FuseFacts
from cnnlab.view.blocks import Block, Column, Number, Numbers, Report, Table, Text


def fuse_report(facts: FuseFacts) -> Report:
    """The numbers, then the tables."""
    before, after = facts.layers
    numbers = Numbers(
        (
            Number("layers", after, ",d", detail=f"of {before:,}"),
            Number("parameters", facts.parameters[1], ",d", detail=f"of {facts.parameters[0]:,}"),
            Number(
                "largest difference of a logit",
                max(one.difference for one in facts.proofs),
                ".1e",
                detail=f"of the largest logit, in double precision; {TOLERANCE:g} allowed",
            ),
            *(
                Number(
                    f"speed, {one.batch} image{'s' * (one.batch > 1)} a pass",
                    f"{one.gain.text('.2f')} ×",
                    detail=f"{one.before.text('.3g', 1000)} ms before, {one.after.text('.3g', 1000)} ms after",
                )
                for one in facts.speeds
            ),
        )
    )
    blocks: list[Block] = [numbers, _proofs(facts), _steps(facts)]
    if facts.fusion.kept:
        rows = tuple((one.layer or "(itself)", one.why) for one in facts.fusion.kept)
        blocks.append(Table("What stays", (Column("layer"), Column("why")), rows, name="kept"))
    if facts.path is not None:
        blocks.append(Text(f"cnnlab eval {facts.use}, and every other command.", label="use"))
    lead = "" if facts.path is None else f"Written to {facts.path}."
    return Report(f"{facts.network.name}, fused", tuple(blocks), lead)


def _proofs(facts: FuseFacts) -> Table:
    columns = (
        Column("images"), Column("how many", "", "right", ",d"), Column("double precision", "", "right", ".1e"),
        Column("single precision", "", "right", ".1e"), Column("equal answers", "", "right", ",d"),
    )  # fmt: skip
    rows = tuple((one.images, one.count, one.difference, one.single, one.answers) for one in facts.proofs)
    note = (
        "The largest difference of a logit, of the largest logit. Speed is the median ratio of passes that took turns, "
        "with the middle half of them in brackets."
    )
    return Table("Compared with the network", columns, rows, note, "compared")


def _steps(facts: FuseFacts) -> Table:
    rows = tuple((one.what, one.layer or "–", some(one.others, 8)) for one in facts.fusion.steps)
    columns = (Column("what"), Column("layer"), Column("stands for"))
    return Table("What was fused", columns, rows, name="steps")


def fuse_json(facts: FuseFacts) -> dict[str, Any]:
    """`--json`."""
    return {
        "model": facts.network.name,
        "path": None if facts.path is None else str(facts.path),
        "use": None if facts.path is None else f"cnnlab eval {facts.use}",
        "layers": list(facts.layers),
        "parameters": list(facts.parameters),
        "tolerance": TOLERANCE,
        "compared": [vars(one) for one in facts.proofs],
        "speed": [
            {
                "batch": one.batch,
                "before": one.before.as_json(),
                "after": one.after.as_json(),
                "gain": one.gain.as_json(),
            }
            for one in facts.speeds
        ],
        "steps": [vars(one) for one in facts.fusion.steps],
        "kept": [vars(one) for one in facts.fusion.kept],
    }
