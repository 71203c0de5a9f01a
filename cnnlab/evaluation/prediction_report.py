"""Predictions of images, one by one, as a report."""

from collections.abc import Sequence

from cnnlab.core.characters import per_cent
from cnnlab.evaluation.predict import Prediction
from cnnlab.network.image_files import Unreadable
from cnnlab.view.blocks import Block, Cell, Column, Report, Table, Text

THEN = 2
"""Classes that are named beside the likeliest."""


def prediction_report(predictions: Sequence[Prediction], unreadable: Sequence[Unreadable], *, name: str) -> Report:
    """A table with a row for each image, and why others could not be read; `name`: of the network."""
    columns = (Column("image"), Column("label"), Column("probability", align="right", form=".1%"), Column("then"))
    rows: list[tuple[Cell, ...]] = []
    for one in predictions:
        then = ", ".join(f"{label} {per_cent(probability)}" for label, probability in one.top[1 : 1 + THEN])
        rows.append((one.path, one.answer or "rejected", one.probability, then))
    blocks: list[Block] = [Table("Each image", columns, tuple(rows), name="predictions")]
    blocks += [Text(f"{one.path}: {one.reason}", "bad", "unreadable") for one in unreadable]
    count = len(predictions)
    return Report(f"What {name} answers", tuple(blocks), f"{count} image{'' if count == 1 else 's'}.")
