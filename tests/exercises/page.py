"""`docs/exercises.md` from the table: python tests/make_docs.py."""

import json
import os
import shlex
import sys
import tempfile
from contextlib import chdir
from functools import cache
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parent.parent))

from command_line import call
from exercises.exercise import Answer
from exercises.table import EXERCISES, FILES

RECORDED = Path(__file__).parent / "recorded.json"

HEAD = """\
# Exercises

The chapter's exercises, each with the command that answers it and what it printed; … stands where lines are left out,
ε for a rounding error below 1e-4. This page is made by running the commands; a test fails when one of them prints
something else. What `cifar` is asked was printed once, of the run in [cifar10.md](cifar10.md)'s manner, seed 0.

Files that they need:

"""


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    parts += [f"`{name}`:\n\n```yaml\n{text}```\n" for name, text in FILES.items()]
    for one in EXERCISES:
        parts.append(f"\n## {one.number}\n\n{one.asked}\n")
        parts += [_block(answer) for answer in one.answers]
        parts.append(f"\n{one.says}\n")
    return "".join(parts)


def _block(answer: Answer) -> str:
    lines = [f"$ cnnlab {answer.command}", *answer.shown(_output(answer))]
    return "\n```\n" + "\n".join(lines) + "\n```\n"


@cache
def _output(answer: Answer) -> str:
    if answer.from_run:
        recorded: dict[str, str] = json.loads(RECORDED.read_text(encoding="utf-8"))
        return recorded[answer.command]
    with tempfile.TemporaryDirectory() as folder:
        return printed(answer.command, Path(folder))


def answers() -> list[Answer]:
    """All answers, in the order of the page."""
    return [answer for one in EXERCISES for answer in one.answers]


def printed(command: str, folder: Path, *, own_data: bool = True) -> str:
    """What `cnnlab COMMAND` prints on stdout in a folder with the files of the exercises, 110 characters wide.

    own_data: whether data sets are kept in the folder, and not where they lie on this machine.

    Raises: ValueError where it ends with an error.
    """
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    place = {"CNNLAB_DATA": str(folder / "data")} if own_data else {}
    with chdir(folder), patch.dict(os.environ, COLUMNS="110", **place):
        result = call(*shlex.split(command))
    if result.code:
        raise ValueError(f"cnnlab {command}: {result.err}")
    return result.out
