"""`docs/bad-inputs.md` from the table: python tests/bad_inputs/page.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from bad_inputs.case import Case
from bad_inputs.table import CASES, SECTIONS

PAGE = Path(__file__).parent.parent.parent / "docs" / "bad-inputs.md"

HEAD = """\
# Bad inputs

What cnnlab says when a request is wrong: {count} bad inputs, each with the exact message. Every one ends with exit code
2 (the request was wrong) or 1 (the work failed), without a traceback, with nothing on stdout unless there are results,
and with nothing half-written on the disk. `tests/bad_inputs` makes each of them and compares every word; this page is
made from the same table by `python tests/bad_inputs/page.py`.

`bad.yaml` is the config that is wrong, `tiny` a trained run, `images` a folder of the user's own images, and
`/place` the working folder. On the terminal each line of an error begins with `error: `, left out here. N stands for a
number of the machine (a speed, its memory).
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD.format(count=len(CASES))]
    for title, cases in SECTIONS.items():
        rows = "\n".join(map(_row, cases))
        parts.append(f"## {title}\n\n| what is wrong | command | exit | message |\n|---|---|---|---|\n{rows}\n")
    return "\n".join(parts)


def _row(case: Case) -> str:
    message = "<br>".join(_code(line.removeprefix("error: ")) for line in case.message.splitlines())
    wrong = case.wrong.replace("|", "\\|") + (f": {_code(case.content)}" if case.content else "")
    return f"| {wrong} | {_code(case.command)} | {case.exit_code} | {message} |"


def _code(text: str) -> str:
    """A code span; a bar would end the cell, and a back-quote the span."""
    fence = "``" if "`" in text else "`"
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}".replace("|", "\\|")


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}: {len(CASES)} bad inputs")
