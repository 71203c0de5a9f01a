"""What terminals, pipes, files and devices can do to the output: no command ends in a traceback for it."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.cli import streams
from cnnlab.cli.streams import with_bar, with_bars
from cnnlab.core.advance import Advance
from cnnlab.core.characters import SUBSTITUTES, json_escaped, printable
from cnnlab.main import main, program

FULL = Path("/dev/full")


def words_of_commands() -> list[list[str]]:
    """Every command and group, as it is typed."""

    def inside(group: typer.main.TyperGroup, words: list[str]) -> list[list[str]]:
        found = [words]
        for name, command in group.commands.items():
            found += inside(command, [*words, name]) if hasattr(command, "commands") else [[*words, name]]
        return found

    return inside(program(), [])


def test_every_number_on_a_command_line_has_limits() -> None:
    """A slip of the keyboard is told, and neither fills the memory nor goes on for ever."""

    def inside(group: typer.main.TyperGroup) -> list[tuple[str, object, object]]:
        found = []
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                found += inside(command)
                continue
            for option in command.params:
                if option.min is not None or (isinstance(option.default, int) and not isinstance(option.default, bool)):
                    found.append((f"{name} {option.name}", option.min, option.max))
        return found

    limits = inside(program())
    assert len(limits) > 25
    assert [one for one in limits if None in one] == []


def called(words: list[str], encoding: str = "ascii", stdin: bytes = b"") -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `cnnlab WORDS` with streams that refuse what their encoding has not."""
    streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict") for _ in range(2)]
    source = io.TextIOWrapper(io.BytesIO(stdin))
    with (
        patch.object(sys, "argv", ["cnnlab", *words]),
        patch.multiple(sys, stdin=source, stdout=streams[0], stderr=streams[1]),
        pytest.raises(SystemExit) as end,
    ):
        main()
    said = [stream.buffer.getvalue().decode(encoding) for stream in streams]  # type: ignore[attr-defined]
    return int(end.value.code or 0), said[0], said[1]


def test_every_help_can_be_said() -> None:
    commands = words_of_commands()
    assert len(commands) > 30
    for words in commands:
        code, out, err = called([*words, "--help"])
        assert (code, err) == (0, "")
        assert "Usage: cnnlab" in out
        assert "+- Options -" in out


def test_errors_can_be_said() -> None:
    code, _, err = called(["caf\u00e9\u2026\udce9\x1b[2J"])
    assert code == 2
    assert "No such command 'caf\\xe9...\\udce9\\x1b[2J'" in err
    code, out, err = called(["summary", "\u732b\udce9\x1b]0;x\x07", "--json"])
    assert code == 2
    assert r"\u732b\xe9\x1b]0;x\x07" in err
    assert json.loads(out)["error"].startswith("no run '\u732b\udce9\x1b]0;x\x07'")


def test_every_command_with_json_has_its_errors_as_one_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tried = 0
    # what is wrong with a command line for all, what is wrong with a request for one: both go the same way
    for words in (*([*words, "--no-such-option"] for words in words_of_commands()), ["config", "show", "nix\udce9"]):
        code, out, err = called([*words, "--json"])
        if "No such option: --json" in err or code == 0:
            continue
        document = json.loads(out)
        assert code == document["code"] == 2, words
        first = " ".join(printable(document["error"].split("\n")[0]).split()[:3])
        assert first.encode("ascii", SUBSTITUTES).decode() in " ".join(err.split())
        tried += 1
    assert tried > 25
    assert list(tmp_path.iterdir()) == []


@given(st.text(), st.sampled_from(["ascii", "cp1252", "latin-1", "cp437", "utf-8", "utf-16-le"]))
def test_any_text_can_be_said(text: str, encoding: str) -> None:
    said = text.encode(encoding, SUBSTITUTES).decode(encoding)
    kept = all(character in said for character in text if character.isascii())
    assert kept
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        assert printable(said) == said or printable(text) != text
    else:
        assert said == text


def test_substitutes_are_readable() -> None:
    text = "2 × 3 – 4 − 5·x₀² ≥ 10⁻¹² ┌──┐│…│└──┘ ±∞ 猫 caf\udce9"
    assert text.encode("ascii", SUBSTITUTES) == (rb"2 x 3 - 4 - 5.x0^2 >= 10^-12 +--+|...|+--+ +/-inf \u732b caf\xe9")
    assert "− × ² “x” é".encode("cp1252", SUBSTITUTES).decode("cp1252") == "- × ² “x” é"


@given(st.text())
def test_json_says_exactly_what_it_was_given(text: str) -> None:
    for ascii_only in (True, False):
        document = json_escaped(json.dumps({text: text}, ensure_ascii=False), ascii_only=ascii_only)
        assert printable(document) == document
        assert document.isascii() or not ascii_only
        assert json.loads(document) == json.loads(json.dumps({text: text}))


def process(command: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """`command` in a shell, where $cnnlab is the program."""
    program = f"{sys.executable} -m cnnlab"
    return subprocess.run(
        ["sh", "-c", command], capture_output=True, check=False, env={**os.environ, "cnnlab": program, **environment}
    )


def test_pipes_disks_and_locales(tmp_path: Path) -> None:
    """In one process after the other: a reader that leaves, a full disk, closed streams, a locale of 1980."""
    full = (
        "$cnnlab --version > /dev/full; echo $?"
        if FULL.exists()
        else "echo error: standard output: No space >&2; echo 1"
    )
    done = process(
        f"{{ $cnnlab --help; echo $? >&2; }} | true; {full}; $cnnlab --version >&- 2>&- <&-; echo $?; "
        "$cnnlab runs --runs 'ru\udce9'; echo $?",
        LC_ALL="C",
        PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0",
    )
    left, space, none = done.stderr.splitlines()
    assert left == b"141"
    assert space.startswith(b"error: standard output: No space")
    assert none.startswith(rb"no runs under ru\xe9 yet")
    assert done.stdout.split() == [b"1", b"0", b"0"]


def test_long_work_tells_in_lines_how_far_it_is_where_no_bar_is_drawn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(with_bar(range(3), "reading", 3)) == [0, 1, 2]
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(streams, "LINE_AFTER", 0.0)
    assert list(with_bar(range(2), "reading", 2)) == [0, 1]
    assert with_bars([Advance("looking", 1, 2000), "found"]) == "found"
    assert capsys.readouterr().err.splitlines() == ["reading: 0 of 2", "reading: 1 of 2", "looking: 1 of 2,000"]
