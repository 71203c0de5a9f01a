import functools
import json
import math
import shlex
from collections.abc import Iterator
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
        (b"", ":1:1: damaged: not JSON: Expecting value"),
        (b'{"format": 1, "name": "fi', ":1:23: damaged: not JSON: Unterminated string starting at"),
        (b"\xff\xfe", ": damaged: not UTF-8 text (byte 0)"),
        (b"[" * 100_000, ": damaged: not JSON: nested too deeply"),
        (b"[]", ": not a run of cnnlab: it names no format"),
        (b"{}", ": not a run of cnnlab: it names no format"),
        (b'{"format": 2}', ": of format 2; this version reads format 1"),
        (b'{"format": 1}', ": damaged: it lacks 'name'"),
    ],
)
def test_damaged_files(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)
    assert complaint(path) == f"{path}{expected}"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"data": None}, "'data' is empty, expected "),
        ({"data": {"name": "x"}}, "it lacks 'data.classes'"),
        ({"outcome": {"status": "flying"}}, "'outcome.status' is 'flying', expected 'running', "),
        ({"outcome": []}, "'outcome' is a list of 0, expected "),
        ({"started": None}, "'started' is empty, expected a text"),
        ({"seed": "many"}, "'seed' is 'many', expected a whole number"),
        ({"versions": 3}, "'versions' is '3', expected a mapping"),
    ],
)
def test_fields_of_the_wrong_kind_are_named(tmp_path: Path, changes: dict[str, Any], fault: str) -> None:
    path = tmp_path / "run.json"
    record().write(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    assert complaint(path).startswith(f"{path}: damaged: {fault}")


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a JSON document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield (*path, key)
        yield from places(part, (*path, key))


MUTATIONS = (None, "x", "", True, -1, 0.5, 10**30, math.nan, math.inf, -math.inf, [], {}, [None], [[1]], {"x": 1})


def test_whatever_is_changed_is_refused_or_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.json"
    record().ended(status="finished", val_accuracy=0.9, epochs=3, train_seconds=1.0).write(path)
    text, refused = path.read_text(), set()
    content: Any = {}
    monkeypatch.setattr("cnnlab.runs.record.read_file", lambda path, at_most: json.dumps(content).encode())
    for place in list(places(json.loads(text))):
        for new in (*MUTATIONS, "deleted"):
            content = json.loads(text)
            inside = functools.reduce(lambda part, key: part[key], place[:-1], content)
            if new == "deleted":
                del inside[place[-1]]
            else:
                inside[place[-1]] = new
            try:
                read = RunRecord.read(path)
            except RequestError as error:
                refused.add((place, "\n" in str(error)))
                continue
            outcome = read.outcome  # as `cnnlab runs` and `cnnlab eval` write them
            assert f"{outcome.train_seconds:.0f} {outcome.epochs:,} {read.parameters:,} {', '.join(read.data.classes)}"
            assert outcome.val_accuracy is None or 0 <= outcome.val_accuracy <= 1
            assert all(math.isfinite(value) for value in (*read.data.mean, *read.data.std, outcome.wall_seconds))
    assert not any(lines for _, lines in refused)
    assert len(refused) > 30
