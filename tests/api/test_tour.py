"""The notebook of the docs: readable without being run, and right when it is."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

TOUR = Path(__file__).parents[2] / "docs" / "tour.ipynb"
CELLS: list[dict[str, Any]] = json.loads(TOUR.read_text(encoding="utf-8"))["cells"]


LESS = {
    '"train_count": 6000': '"train_count": 1500',
    "count=24": "count=6",
    "count=16, depths=4": "count=4, depths=2",
    "steps=128": "steps=16",
    "count=200": "count=60",
}
"""Every cell is run, on a network that learned less, and on fewer images."""


UNDRAWN = """
from command_line import undrawn

nothing_is_drawn = undrawn()
nothing_is_drawn.__enter__()
"""
"""What the tests of each question draw is a pixel here."""


def outputs(cells: Any) -> list[Any]:
    return [output for cell in cells if cell["cell_type"] == "code" for output in cell["outputs"]]


def test_its_outputs_are_kept_and_small() -> None:
    kept = outputs(CELLS)
    assert sum("image/png;base64" in str(output.get("data", {}).get("text/html", "")) for output in kept) >= 6
    assert not [output for output in kept if output["output_type"] == "error"]
    assert TOUR.stat().st_size < 1_500_000
    assert "/tmp" not in TOUR.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_runs_from_the_first_cell_to_the_last(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat", reason="needs nbclient, which the extra `dev` installs")
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient, which the extra `dev` installs")
    pytest.importorskip("ipykernel", reason="needs ipykernel, which the extra `dev` installs")
    monkeypatch.chdir(tmp_path)
    notebook = nbformat.read(TOUR, as_version=4)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # the kernel is a third process beside two
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]), prepend=os.pathsep)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(UNDRAWN))
    for longer, shorter in LESS.items():
        (cell,) = [cell for cell in notebook.cells if longer in cell.source]
        cell.source = cell.source.replace(longer, shorter)
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    ran = outputs(notebook.cells)
    assert [output["output_type"] for output in ran] == [output["output_type"] for output in outputs(CELLS)]
    assert any("verdict: Every limit holds" in str(output.get("data", {}).get("text/plain", "")) for output in ran)
    assert list(tmp_path.iterdir()) == []
