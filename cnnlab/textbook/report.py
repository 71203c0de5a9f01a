"""The replay as it is written: a table a section, the chapter's mistakes, and what came out of each section."""

from typing import Any

import numpy as np

from cnnlab.textbook.mistakes import MISTAKES
from cnnlab.textbook.run import Replay, Replayed, Verdict
from cnnlab.textbook.statement import written
from cnnlab.view.blocks import Block, Cell, Column, Figure, Number, Numbers, Report, Section, Table, Text
from cnnlab.view.drawings import Matrix

TITLES = {
    "19.1": "Why convolution?",
    "19.2": "Convolution layers",
    "19.3": "Pooling and receptive fields",
    "19.4": "Normalisation",
    "19.5": "CIFAR-10 end to end",
    "19.6": "What networks learn, and the lab",
}

OPEN = (Verdict.NEEDS_RUN, Verdict.NOT_IN_RUN, Verdict.ELSEWHERE)


def chapter_report(found: Replay) -> Report:
    """Every statement with what was printed and what was found."""
    blocks: list[Block] = [_numbers(found), *_failed(found)]
    sections = list(dict.fromkeys(row.statement.section for row in found.rows))
    for section in sections:
        rows = [row for row in found.rows if row.statement.section == section]
        blocks.append(Section(f"{section} {TITLES[section]}", (_table(section, rows),), _key(section)))
    if mistakes := _mistakes(found):
        blocks.append(Section("The chapter's own mistakes", (mistakes,), "mistakes"))
    blocks.append(_figure(found, sections))
    return Report("The chapter, recomputed", tuple(blocks), _lead(found))


def chapter_json(found: Replay) -> dict[str, Any]:
    """`--json`."""
    return {
        "section": found.section,
        "run": found.run,
        "failed": len(found.failed),
        "counts": {verdict.value: found.count(verdict) for verdict in Verdict},
        "statements": [
            {
                "section": row.statement.section,
                "statement": row.statement.sentence,
                "kind": row.statement.kind.value,
                "printed": row.statement.printed or None,
                "expected": row.statement.expected or None,
                "found": row.found,
                "verdict": row.verdict.value,
                "mistake": row.statement.mistake,
                "note": row.statement.note or None,
            }
            for row in found.rows
        ],
        "mistakes": [vars(one) for one in MISTAKES if found.section in (None, one.section)],
    }


def _lead(found: Replay) -> str:
    run = "no run was named" if found.run is None else f"numbers of a training from the run {found.run}"
    return f"{len(found.rows)} statements, each number found by cnnlab's own functions; {run}."


def _numbers(found: Replay) -> Numbers:
    open_ = sum(found.count(verdict) for verdict in OPEN)
    return Numbers(
        (
            Number("true", found.count(Verdict.TRUE), "d", detail="printed, or following from it"),
            Number("printed wrong", found.count(Verdict.MISPRINTED), "d", detail="the right value was found"),
            Number("fails", len(found.failed), "d"),
            Number("measured", found.count(Verdict.MEASURED), "d", detail="speeds and times"),
            Number("left open", open_, "d", detail="needs a training, or --run"),
            Number("stories", found.count(Verdict.STORY), "d", detail="cannot be tested here"),
        )
    )


def _failed(found: Replay) -> list[Block]:
    if not found.failed:
        return [Text("No number that was looked for fails.", "good", "verdict")]
    return [
        Text(
            f"{row.statement.section}, {row.statement.sentence}: expected {row.statement.expected}, found "
            f"{_written(row)}.",
            "bad",
            "fails",
        )
        for row in found.failed
    ]


def _table(section: str, rows: list[Replayed]) -> Table:
    columns = (
        Column("statement"), Column("printed"), Column("found"), Column("verdict"), Column("mistake", "", "right", "d"),
    )  # fmt: skip
    cells: list[tuple[Cell, ...]] = [
        (row.statement.sentence, row.statement.printed or None, _written(row), row.verdict.value, row.statement.mistake)
        for row in rows
    ]
    notes = [f"{row.statement.sentence}: {row.statement.note}." for row in rows if row.statement.note]
    return Table("Statements", columns, tuple(cells), " ".join(notes), f"statements_{_key(section)}")


def _written(row: Replayed) -> str | None:
    return None if row.found is None else written(row.found)


def _key(section: str) -> str:
    return section.replace(".", "-")


def _mistakes(found: Replay) -> Table | None:
    """Each with the statements that show it."""
    shown: dict[int, list[str]] = {}
    for row in found.rows:
        if row.statement.mistake is not None and row.found is not None:
            shown.setdefault(row.statement.mistake, []).append(f"{row.statement.sentence}: {_written(row)}")
    rows = tuple(
        (one.number, one.section, one.printed, one.right, "; ".join(shown.get(one.number, [])) or None)
        for one in MISTAKES
        if found.section in (None, one.section)
    )
    columns = (
        Column("number", "", "right", "d"), Column("section"), Column("printed"), Column("right"), Column("found here"),
    )  # fmt: skip
    return Table("Mistakes, traps and tensions", columns, rows, name="mistakes") if rows else None


def _figure(found: Replay, sections: list[str]) -> Figure:
    verdicts = [verdict for verdict in Verdict if found.count(verdict)]
    rows = [[row.verdict for row in found.rows if row.statement.section == section] for section in sections]
    counts = np.array([[some.count(verdict) for verdict in verdicts] for some in rows])
    drawing = Matrix(
        counts, tuple(sections), tuple(one.value for one in verdicts), "section", "verdict", "statements", form="d"
    )
    return Figure("verdicts", "What came of the chapter's statements", drawing)
