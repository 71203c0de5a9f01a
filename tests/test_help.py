"""The command line's first impression."""

import subprocess
import sys

from typer.testing import CliRunner


def test_help_imports_no_torch() -> None:
    code = "import sys, cnnlab.main; sys.exit(any(m in sys.modules for m in ('torch', 'matplotlib', 'pydantic')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_command_ends_with_an_example() -> None:
    from cnnlab.main import app

    def commands(group: object) -> list[object]:
        own = list(group.registered_commands)  # type: ignore[attr-defined]
        return own + [c for g in group.registered_groups for c in commands(g.typer_instance)]  # type: ignore[attr-defined]

    for command in commands(app):
        doc = command.callback.__doc__.strip()  # type: ignore[attr-defined]
        assert doc.splitlines()[-1].strip().startswith("Example: [bold]cnnlab "), doc


def test_a_newcomer_finds_five_commands_first() -> None:
    from cnnlab.main import app

    text = CliRunner().invoke(app, ["--help"]).output
    order = [text.index(f" {name} ") for name in ("train", "eval", "predict", "runs", "doctor", "compare", "schema")]
    assert order == sorted(order)
