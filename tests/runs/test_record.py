import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from cnnlab import __version__
from cnnlab.core.errors import RequestError
from cnnlab.runs.record import DataFacts, RunRecord, new_record

FACTS = DataFacts("shapes", ("a", "é"), (3, 32, 32), (0.5, 0.5, 0.5), (0.2, 0.2, 0.2), 900, 100, ("x.png: cut off",))


def record(**changes: Any) -> RunRecord:
    options: dict[str, Any] = {"name": "first", "command": ["cnnlab", "train", "a b.yaml"], "seed": 3, "device": "cpu"}
    return new_record(**(options | {"parameters": 10, "data": FACTS} | changes))


def complaint(path: Path) -> str:
    with pytest.raises(RequestError) as caught:
        RunRecord.read(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_round_trip(tmp_path: Path) -> None:
    written = record().ended(status="finished", val_accuracy=0.9, epochs=3, message="é")
    written.write(tmp_path / "run.json")
    assert RunRecord.read(tmp_path / "run.json") == written
    assert written.outcome.status == "finished"


def test_what_a_new_record_knows() -> None:
    new = record()
    assert shlex.split(new.command) == ["cnnlab", "train", "a b.yaml"]
    assert new.versions["cnnlab"] == __version__
    assert {"torch", "torchvision", "python", "platform"} < set(new.versions)
    assert new.outcome.status == "running"
    assert new.started.endswith("+00:00")


def test_folders_that_are_no_runs(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    assert complaint(path) == f"{tmp_path}: not a run of cnnlab: it has no run.json"
    path.mkdir()
    assert complaint(path) == f"{path}: cannot be read: Is a directory"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "damaged: not JSON (Expecting value: line 1 column 1 (char 0))"),
        (
            b'{"format": 1, "name": "fi',
            "damaged: not JSON (Unterminated string starting at: line 1 column 23 (char 22))",
        ),
        (b"\xff\xfe", "damaged: not JSON ('utf-8' codec can't decode byte 0xff in position 0: invalid start byte)"),
        (
            b"[" * 100_000,
            "damaged: not JSON (maximum recursion depth exceeded while decoding a JSON array from a unicode string)",
        ),
        (b"[]", "of format list; this version reads format 1"),
        (b"{}", "of format None; this version reads format 1"),
        (b'{"format": 2}', "of format 2; this version reads format 1"),
        (b'{"format": 1}', "damaged: 'name': Field required"),
    ],
)
def test_damaged_files(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    assert complaint(path) == f"{path}: {expected}"


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"data": None}, "data"),
        ({"data": {"name": "x"}}, "data.classes"),
        ({"outcome": {"status": "flying"}}, "outcome.status"),
        ({"outcome": []}, "outcome"),
        ({"started": None}, "started"),
        ({"seed": "many"}, "seed"),
        ({"versions": 3}, "versions"),
    ],
)
def test_fields_of_the_wrong_kind_are_named(tmp_path: Path, changes: dict[str, Any], place: str) -> None:
    path = tmp_path / "run.json"
    record().write(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    assert complaint(path).startswith(f"{path}: damaged: '{place}': ")
