"""A run of a stranger, whose every text is an attack: on terminals, pages, tables and folders."""

import csv
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

HOSTILE = (
    "\x1b]0;x\x07[/b]",
    "=1+1",
    "\u202e<img src=x>",
    "[red]\x9b2J",
    "../../up",
    "a\nb|c",
    "-x",
    "@y",
    "5",
    "caf\u00e9",
)
"""As many as the trained run has classes."""

OBEYED = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]")


def hostile(value: Any) -> Any:
    """The same record with every text an attack; names of fields and what is checked stay."""
    if isinstance(value, dict):
        return {key: inner if key in ("status", "classes") else hostile(inner) for key, inner in value.items()}
    return HOSTILE[0] + HOSTILE[2] if isinstance(value, str) else value


@pytest.fixture(scope="module")
def place(trained, tmp_path_factory, place_of):
    """A folder with the run and an image, both badly called."""
    folder = tmp_path_factory.mktemp("hostile")
    run = folder / "runs" / "ru\udce9\x1b[2J[b]"
    shutil.copytree(trained.run, run, ignore=shutil.ignore_patterns("reports", "tensorboard"))
    record = json.loads((run / "run.json").read_text())
    record = hostile(record)
    record["data"]["classes"] = HOSTILE
    record["outcome"].update(diagnosis="[/b]\x1b[2J", message="\ud800[/b]")
    (run / "run.json").write_text(json.dumps(record))
    Image.new("RGB", (16, 16)).save(folder / "..=[b]\x1b[2J\udce9.png")
    (folder / "broken\x1b[2J\udce9.png").write_bytes(b"\x89PNG")
    return place_of(folder)


@pytest.mark.parametrize(
    "words",
    [
        ["runs"],
        ["compare", "RUN", "RUN"],
        ["predict", "RUN", "..=[b]\x1b[2J\udce9.png", "broken\x1b[2J\udce9.png"],
        ["predict", "RUN", "..=[b]\x1b[2J\udce9.png", "--csv", "--probabilities"],
        ["summary", "RUN"],
        ["eval", "RUN"],
        ["gradcam", "RUN", "..=[b]\x1b[2J\udce9.png", "--target", "../../up", "--method", "gradcam"],
        ["visualize", "features", "RUN", "..=[b]\x1b[2J\udce9.png"],
    ],
    ids=lambda words: " ".join(word for word in words if word.isalpha()),
)
def test_no_output_obeys_it(place, words) -> None:
    run = next((place.folder / "runs").glob("ru*")).name
    words = [run if word == "RUN" else word for word in words]
    before = set(place.folder.parent.iterdir()), set(place.folder.iterdir())
    for more in ([], ["--json"]) if "--csv" not in words else ([],):
        result = place(*words, *more)
        assert "Traceback" not in result.err
        assert not OBEYED.search(result.out), result.out
        assert not OBEYED.search(result.err), result.err
        assert result.code == {"eval": 2, "visualize": 2}.get(words[0], int("broken\x1b[2J\udce9.png" in words)), (
            result.err
        )
        if more:
            result.json()
    if "--csv" in words:
        cells = [cell for row in csv.reader(io.StringIO(result.out)) for cell in row]
        assert not any(re.match(r"[=+@\t\r-]", cell) for cell in cells)
        assert f"p({HOSTILE[1]})" in cells
    assert (set(place.folder.parent.iterdir()), set(place.folder.iterdir())) == before


def test_what_was_written_obeys_neither(place) -> None:
    """After the commands above: pages, tables and documents."""
    seen = set()
    for path in Path(place.folder, "runs").rglob("*"):
        seen.add(path.suffix)
        if path.suffix in (".html", ".csv", ".json"):
            text = path.read_text(encoding="utf-8").replace(HOSTILE[4], "")
            assert not OBEYED.search(text), path
        if path.suffix == ".html":
            assert "<img src=x" not in text
        if path.suffix == ".csv":
            cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
            assert not [cell for cell in cells if re.match(r"[=+@\t\r-](?![\d.]+)", cell)]
        if path.suffix in (".png", ".npy"):
            assert re.fullmatch(r"[\w.+-]+", path.name), path
    assert {".html", ".csv", ".json", ".png", ".npy"} <= seen
