"""What a run left as, on its page: each file, how it was compared, and whether it holds the weights of the page."""

from collections.abc import Iterator, Mapping
from typing import Any

from cnnlab.network.exported.metadata import weights_hash
from cnnlab.network.studied import Studied
from cnnlab.view.blocks import Cell, Column, Section, Table
from cnnlab.view.contribution import Contribution

COLUMNS = (
    Column("when"),
    Column("format"),
    Column("file"),
    Column("size", "MB", "right", ",.2f"),
    Column("largest difference", "", "right", ".2g"),
    Column("allowed", "", "right", ".1g"),
    Column("equal answers", "", "right"),
    Column("compared on"),
    Column("weights"),
)

NOTE = (
    "Each file was read back and run beside the network in batches of 1, 2 and 5 images before it was kept; the "
    "differences are those between two logits."
)


def exports(studied: Studied) -> Iterator[Contribution]:
    """The section; nothing where the network never left."""
    run = studied.network.run
    known = () if run is None else tuple(run.exports())
    if not known:
        yield Contribution(())
        return
    ours = weights_hash(studied.network.model)
    table = Table("Exports", COLUMNS, tuple(_row(one, ours) for one in known), NOTE, "exports")
    yield Contribution((Section("Where it went", (table,), "exports"),))


def _row(one: Mapping[str, Any], ours: str) -> tuple[Cell, ...]:
    """A line of the run's list; what is missing in it is empty."""
    size, metadata = one.get("bytes"), one.get("metadata")
    theirs = metadata.get("weights_sha256") if isinstance(metadata, Mapping) else None
    return (
        _text(one.get("when")),
        _text(one.get("format")),
        _text(one.get("path")),
        size / 1e6 if isinstance(size, int | float) else None,
        _number(one.get("largest_difference")),
        _number(one.get("tolerance")),
        f"{_text(one.get('answers_equal'))} of {_text(one.get('answers'))}",
        _text(one.get("images")),
        "those of this page" if theirs == ours else "others",
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
