import csv
import io
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.runs.events import EventLog
from cnnlab.stats.confidence import Interval
from cnnlab.view import csv as csv_files
from cnnlab.view import json as documents
from cnnlab.view import png, tensorboard
from cnnlab.view.blocks import Column, Report, Table, figures
from cnnlab.view.drawings import Matrix

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(deadline=None)
@given(VALUES)
def test_whatever_is_plain_becomes_json_that_every_reader_accepts(value: Any) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads(documents.text(value), parse_constant=refuse)


def test_numpy_tensors_and_dataclasses_become_numbers() -> None:
    value = {
        "a": np.float32(0.5), "b": np.array([[1, 2]]), "c": torch.tensor([1.0, math.nan]), "d": Interval(0.1, math.inf),
        "e": np.bool_(True), "f": Path("x/y"), "g": {2, 1},
    }  # fmt: skip
    assert documents.plain(value) == {
        "a": 0.5, "b": [[1, 2]], "c": [1.0, None], "d": {"low": 0.1, "high": None}, "e": True, "f": "x/y", "g": [1, 2],
    }  # fmt: skip


def test_what_has_no_form_is_refused() -> None:
    with pytest.raises(TypeError, match="object has no form in JSON"):
        documents.plain({"a": object()})


def test_a_reports_document_has_its_numbers_and_no_pixels(report: Report, tmp_path: Path) -> None:
    documents.save(report, tmp_path / "report.json")
    found = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert [block["kind"] for block in found["blocks"]] == ["numbers", "text", "table", "section"]
    assert found["blocks"][2]["rows"][1][1:] == [None, None]
    drawings = {block["name"]: block["drawing"] for block in found["blocks"][3]["blocks"]}
    assert drawings["matrix"]["values"][0][:3] == [0, 1, 2]
    assert drawings["gallery"]["shapes"] == [[4, 4, 3], [4, 4, 1], [2, 4, 3]]
    assert "images" not in drawings["gallery"]
    assert drawings["scene"]["image_shape"] == [4, 4, 3]
    assert "image" not in drawings["scene"]
    assert drawings["scene"]["heat"]["peak"] == {"value": 1, "row": 3, "column": 3}
    assert drawings["scene"]["boxes"][1]["last_column"] == 2
    assert drawings["scenes"]["scenes"][1]["heat"]["min"] == -1
    assert drawings["spans"]["spans"][-1] == {"label": "all", "low": None, "high": None, "inner": None}
    assert drawings["lattice"]["values"] == [[0, None, 1], [None] * 3, [2, None, -3.25]]
    assert drawings["panels"]["panels"][0]["series"][0]["y"] == [0.1, None, 0.9]


def test_a_matrix_can_be_read_back() -> None:
    matrix = Matrix(np.array([[1, 2], [3, 4]]), ('a,"b', "c\nd"), ('a,"b', "c\nd"), "truth", "answer", "images")
    rows = list(csv.reader(io.StringIO(csv_files.matrix_text(matrix))))
    assert rows == [["truth \\ answer", 'a,"b', "c\nd"], ['a,"b', "1", "2"], ["c\nd", "3", "4"]]


def test_a_table_keeps_full_precision_and_leaves_nothing_empty() -> None:
    table = Table("t", (Column("class"), Column("F1", form=".1%")), (("a", 1 / 3), ("b", math.nan), ("c", None)))
    assert csv_files.table_text(table) == "class,F1\na,0.3333333333333333\nb,\nc,\n"


def test_named_tables_and_matrices_become_files(report: Report, tmp_path: Path) -> None:
    assert [path.name for path in csv_files.save(report, tmp_path)] == ["matrix.csv", "wide.csv", "classes.csv"]
    assert all(path.is_file() for path in tmp_path.iterdir())


class Recorder:
    """Stands for an EventLog."""

    def __init__(self) -> None:
        self.images: dict[str, bytes] = {}
        self.texts: dict[str, str] = {}
        self.numbers: dict[str, float | None] = {}

    def png(self, tag: str, content: bytes, step: int | None) -> None:
        self.images[tag] = content

    def text(self, tag: str, markdown: str, step: int | None) -> None:
        self.texts[tag] = markdown

    def scalars(self, values: Mapping[str, float | None], step: int | None) -> None:
        self.numbers |= values


def test_tensorboard_has_figures_numbers_and_words(report: Report) -> None:
    writer, ready = Recorder(), png.Drawn(b"light", b"dark")
    tensorboard.write(report, writer, 3, prefix="evaluation", drawn={"bars": ready})
    assert writer.images["evaluation/matrix"].startswith(b"\x89PNG")
    assert writer.images["evaluation/bars"] == b"light"
    assert writer.numbers == {"evaluation/accuracy": 0.8453, "evaluation/loss": 0.5}
    text = writer.texts["evaluation"]
    assert "| class | F1 | time (s) |\n| --- | ---: | ---: |" in text
    assert "&#60;script&#62;" in text
    assert "**good**: It holds." in text


def test_tensorboards_own_writer_takes_it(report: Report, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (figure,) = (figure for figure in figures(report) if figure.name == "bars")
    with EventLog(tmp_path) as events:
        tensorboard.write(Report("r", (figure,)), events, 3, prefix="evaluation")
    read = EventAccumulator(str(tmp_path), size_guidance={"images": 0}).Reload()
    (image,) = read.Images("evaluation/bars")
    assert (image.step, (image.width, image.height)) == (3, png.size(image.encoded_image_string))
    assert image.encoded_image_string == png.encode(figure)
