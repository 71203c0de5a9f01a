"""Pieces of Markdown, made from text that may hold its signs."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

SIGNS = re.compile(r"([*_<>|\[\]])")
PAPER = re.compile(r"\b(arXiv:(\d{4}\.\d{4,5})|doi:(10\.[^\s;,]*[^\s;,.)]))")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(text: str) -> str:
    """A code span, also inside a table and for text with back-quotes."""
    fence = "``" if "`" in text else "`"
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", "\\|")


def prose(text: str) -> str:
    """Plain text as Markdown: its signs are themselves, code spans stay, papers become links."""
    spans = re.split(r"(`[^`\n]+`)", text)
    return "".join(span.replace("|", "\\|") if place % 2 else _escaped(span) for place, span in enumerate(spans))


def line(text: str) -> str:
    """`prose` on one line, for a cell of a table."""
    return prose(" ".join(text.split()))


def fenced(text: str, language: str = "") -> str:
    """A block of code."""
    return f"```{language}\n{text}\n```"


def anchors(headings: Iterable[str]) -> list[str]:
    """Where links to the headings of one page lead, as GitHub names them: the second `x` is at `x-1`."""
    found: Counter[str] = Counter()
    named = []
    for heading in headings:
        name = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        named.append(f"{name}-{found[name]}" if found[name] else name)
        found[name] += 1
    return named


def anchor(heading: str) -> str:
    """Where a link to a heading leads that is the only one of its name."""
    return anchors([heading])[0]


def _escaped(text: str) -> str:
    parts, last = [], 0
    for found in PAPER.finditer(text):
        parts += [SIGNS.sub(r"\\\1", text[last : found.start()]), _paper(found)]
        last = found.end()
    return "".join([*parts, SIGNS.sub(r"\\\1", text[last:])])


def _paper(found: re.Match[str]) -> str:
    address = f"https://arxiv.org/abs/{found[2]}" if found[2] else f"https://doi.org/{found[3]}"
    return f"[{found[1]}]({address})"
