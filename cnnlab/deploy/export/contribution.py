"""What a run left as, on its page: each file, how it was compared, and whether it holds the weights of the page."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cnnlab.core.characters import some
from cnnlab.network.exported.metadata import weights_hash
from cnnlab.network.studied import Studied
from cnnlab.view.blocks import Cell, Column, Section, Table
from cnnlab.view.contribution import Contribution

COLUMNS = (
    Column("file"),
    Column("format"),
    Column("written (UTC)"),
    Column("size", "MB", "right", ",.2f"),
    Column("largest difference", "", "right", ".2g"),
    Column("allowed", "", "right", ".1g"),
    Column("equal answers", "", "right"),
    Column("its weights"),
)

NOTE = (
    "Each was read back and run beside the network in batches of 1, 2 and 5 images before it was kept; the differences "
    "are those between two logits. Compared on {}."
)


def exports(studied: Studied) -> Iterator[Contribution]:
    """The section, of each file what was written last; nothing where the network never left."""
    run = studied.network.run
    last = {} if run is None else {_text(one.get("path")): one for one in run.exports()}
    if run is None or not last:
        yield Contribution(())
        return
    ours = weights_hash(studied.network.model)
    rows = tuple(_row(one, ours, run.path) for one in last.values())
    images = dict.fromkeys(_text(one.get("images")) for one in last.values())
    table = Table("Files and folders", COLUMNS, rows, NOTE.format(some([*images])), "exports")
    yield Contribution((Section("Exports", (table,), "exports"),))


def _row(one: Mapping[str, Any], ours: str, run: Path) -> tuple[Cell, ...]:
    """A line of the run's list; what is missing in it is empty."""
    size, metadata = one.get("bytes"), one.get("metadata")
    theirs = metadata.get("weights_sha256") if isinstance(metadata, Mapping) else None
    file = Path("reports", "export", Path(_text(one.get("path"))).name)  # the run may have moved since
    return (
        str(file) if (run / file).exists() else f"{file} (no longer there)",
        _text(one.get("format")),
        _text(one.get("when"))[:16].replace("T", " "),
        size / 1e6 if isinstance(size, int | float) else None,
        _number(one.get("largest_difference")),
        _number(one.get("tolerance")),
        f"{_text(one.get('answers_equal'))} of {_text(one.get('answers'))}",
        "those of this page" if theirs == ours else "others",
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
