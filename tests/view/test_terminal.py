"""Text from files on its way to a terminal, to TensorBoard's panels and to a spreadsheet."""

import csv as csv_reader
import errno
import io
import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from cnnlab.core.characters import markdown_escaped, printable
from cnnlab.view import csv
from cnnlab.view.terminal import Terminal, said

HOSTILE = (
    "[/b]",
    "[bold red]x[/]",
    "a\\",
    "a\\\\",
    "\\[b]",
    ":cat:",
    "{}",
    "\x1b]0;title\x07",
    "\x1b[2Jgone",
    "\x9b31m",
    "a\rb",
    "\u202egpj.exe",
    "caf\udce9",
    "\ud800",
    "a\nerror: b",
    "[link=file:///etc/passwd]x[/link]",
)


def terminal(**options: object) -> Terminal:
    return Terminal(file=io.StringIO(), width=100, **options)


def printed(console: Terminal) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@given(st.text())
@example("a\\")
@example("[/b]\\\\[b")
@example("{}:cat:")
def test_values_are_said_as_they_are(text: str) -> None:
    drawn = said("[bold]{}[/]: {}[red] end[/]", text, text)
    assert drawn.plain == f"{printable(text)}: {printable(text)} end"
    (bold, red) = drawn.spans
    assert drawn.plain[bold.start : bold.end] == printable(text)
    assert drawn.plain[red.start : red.end] == " end"


def test_a_value_without_a_place_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="1 places for 2 values"):
        said("{}", 1, 2)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_way_to_print_obeys_a_text(text: str) -> None:
    console = terminal(color_system="standard", force_terminal=True)
    table = Table(text, box=None)
    table.add_row(text)
    table.add_row(Text(text))
    for way in (text, Text(text), table, said("{}", text)):
        console.print(way)
    console.print(text, soft_wrap=True)
    shown = re.sub(r"\x1b\[[\d;]*m", "", printed(console))
    assert shown.count(printable(text, keep="\n\t").split("\n")[0]) >= 5
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]", shown)


def test_no_color_means_no_bold_either(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn() -> str:
        console = terminal(force_terminal=True)
        console.print(said("[bold red]error:[/] {}", "x"), style="dim")
        return printed(console)

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[1" in drawn()
    monkeypatch.setenv("NO_COLOR", "1")
    assert drawn() == "error: x\n"


class Full(io.StringIO):
    """A stream on a full disk."""

    def flush(self) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_remark_that_cannot_be_written_fails_nothing_and_a_result_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", Full())
    monkeypatch.setattr("sys.stdout", Full())
    Terminal(stderr=True).print("1 image, 9 a second")
    with pytest.raises(OSError, match="No space left"):
        Terminal().print("a result")


def test_a_bar_still_moves_its_cursor() -> None:
    console = terminal(force_terminal=True)
    with Progress(console=console, transient=True) as progress:
        progress.add_task("work", total=2)
    assert "\x1b[2K" in printed(console)


class Words(HTMLParser):
    """The text of a page, and its tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.tags = "", []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    "text",
    [
        *HOSTILE,
        *("<script>alert(1)</script>", "<img src=http://x/y>", "![x](http://x/y)", "[x](http://x)", "<http://x>"),
        *(
            "&lt;b&gt;",
            "&#60;b>",
            "# a",
            "1. a",
            "2) a",
            "- a",
            "+ a",
            "    a",
            "===",
            "a | b",
            "`a`",
            "**a**",
            "~~a~~",
        ),
    ],
)
def test_tensorboards_own_markdown_shows_the_text(text: str) -> None:
    from tensorboard.plugin_util import markdown_to_safe_html

    for page in (f"**label**: {markdown_escaped(text)}", markdown_escaped(text)):
        found = Words(markdown_to_safe_html(page))
        assert found.text.removeprefix("label: ").strip() == printable(text).strip()
        assert set(found.tags) <= {"p", "strong"}


@pytest.mark.parametrize(
    "text", ["=1+1", "+1+1", "-1+1", "@A1", "\t=1", "\r=1", "\n=1", "＝1", "-", "=cmd|' /C calc'!A0"]
)
def test_no_cell_is_a_formula(text: str) -> None:
    (row,) = csv_reader.reader(io.StringIO(csv.text([[text, "a"]])))
    assert row == ["'" + printable(text, keep="\n"), "a"]


def test_numbers_stay_numbers() -> None:
    assert csv.text([[-0.5, -3, "-0.5", "+1e-3", "-.5", None, float("nan"), "a-b"]]) == "-0.5,-3,-0.5,+1e-3,-.5,,,a-b\n"
