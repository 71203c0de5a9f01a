"""Every bad input of the table: the exact message, exit code 1 or 2, no traceback, nothing half-written."""

import functools
import hashlib
import io
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))

from bad_inputs.case import TINY, Case
from bad_inputs.page import PAGE, page
from bad_inputs.table import CASES

from cnnlab.main import main

KEPT_BY_DESIGN = ("data/decoded/",)
"""The cache of decoded images: each of its files is whole."""

EMPTY = "empty folder"
EMPTY_BY_DESIGN = ("data", "data/MNIST/raw")
"""Where the message says to put a download that has failed."""

IN_A_PROCESS = (
    "no such file",
    "no run of that name, the nearest named",
    "an unknown command",
)
"""Tried in a process of their own as well."""


def snapshot(folder: Path) -> dict[str, str]:
    """Every file and empty folder with the checksum of its content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file():
            found[name] = hashlib.blake2b(path.read_bytes()).hexdigest()
        elif path.is_dir() and not any(path.iterdir()):
            found[name] = EMPTY
    return {
        name: state
        for name, state in found.items()
        if not f"{name}/".startswith(KEPT_BY_DESIGN) and (name, state) not in {(e, EMPTY) for e in EMPTY_BY_DESIGN}
    }


def in_words(printed: str, folder: Path) -> str:
    """What was printed, without trailing blanks and the lines of typer's boxes; the working folder is /place.

    N and P stand for numbers of the machine (a speed, its memory) and for a probability.
    """
    printed = re.sub(r"[╭╮╰╯│─]", " ", printed).replace(str(folder), "/place")
    printed = re.sub(r"[\d,]+(?= a second)|(?<=this machine has )[\d.,]+", "N", printed)
    printed = re.sub(r"\b0\.\d{6}\b", "P", printed)
    lines = [line.strip() for line in printed.splitlines()]
    return "\n".join(line for line in lines if line)


def no_network(*arguments: object, **options: object) -> NoReturn:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@functools.cache  # as torch's own is: torch looks inside
def absent() -> bool:
    return False


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trained run, to be copied."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "tiny.yaml").write_text(TINY)
    before = os.getcwd()
    try:
        os.chdir(folder)
        code, _, said = call("cnnlab train tiny.yaml --device cpu")
    finally:
        os.chdir(before)
    assert code == 0, said
    return folder / "runs" / "tiny"


def call(command: str, stdin: bytes = b"") -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `cnnlab …` in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", shlex.split(command))
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        try:
            main()
        except SystemExit as exit_:
            return int(exit_.code or 0), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of its own, no network, no accelerator, a terminal of 200 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CNNLAB_DATA", "data")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(socket, "getaddrinfo", no_network)
    monkeypatch.setattr(torch.cuda, "is_available", absent)
    monkeypatch.setattr(torch.backends.mps, "is_available", absent)
    return tmp_path


def prepare(case: Case, place: Path, request: pytest.FixtureRequest) -> None:
    if case.run:
        trained: Path = request.getfixturevalue("trained")
        shutil.copytree(trained, place / "runs" / "tiny", ignore=shutil.ignore_patterns("tensorboard", "reports"))
    case.make(place)


def check(case: Case, place: Path, before: dict[str, str], code: int, out: str, err: str) -> None:
    said = in_words(err, place)
    if case.leaves:  # there were signs of progress before
        said = "\n".join(line for line in said.splitlines() if line.startswith("error:"))
    assert said == case.message
    assert code == case.exit_code
    assert code in (1, 2)
    if " --json" in case.command:
        document = json.loads(out)
        assert document["code"] == code
        assert all(line in said for line in document["error"].splitlines())
    else:
        assert in_words(out, place) == case.stdout
    assert "Traceback" not in out + err
    after = snapshot(place)
    kept = {name: state for name, state in after.items() if not name.startswith(case.leaves or ("\0",))}
    assert kept == before


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.wrong.replace(" ", "-"))
def test_says_what_is_wrong_and_writes_nothing(case: Case, place: Path, request: pytest.FixtureRequest) -> None:
    prepare(case, place, request)
    before = snapshot(place)
    code, out, err = call(case.command, case.stdin)
    check(case, place, before, code, out, err)


@pytest.mark.parametrize("wrong", IN_A_PROCESS, ids=lambda wrong: wrong.replace(" ", "-"))
def test_the_same_in_a_process(wrong: str, place: Path, request: pytest.FixtureRequest) -> None:
    (case,) = [case for case in CASES if case.wrong == wrong]
    prepare(case, place, request)
    before = snapshot(place)
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(case.command)],
        input=case.stdin,
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    check(case, place, before, done.returncode, done.stdout.decode(), done.stderr.decode())


def test_the_table_is_wide_and_its_rows_differ() -> None:
    assert len(CASES) >= 200
    assert len({case.wrong for case in CASES}) == len(CASES)


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python tests/bad_inputs/page.py"
