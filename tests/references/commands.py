"""docs/reference/commands.md: every command with its arguments, options and example, from the command line itself."""

import inspect
import re
from collections import Counter
from collections.abc import Iterator
from enum import Enum
from typing import Any

from references.markdown import anchor, code, fenced, line, table

from cnnlab.main import program

HEAD = """\
# Commands

What `cnnlab COMMAND --help` says, of every command. Exit code 0: done; 1: the work failed, or a limit that was set is
broken; 2: the request was wrong. With `--json` an error is a document too, `{"error": …, "code": …}`.
"""

SHARED = 5
"""An option that says the same in so many commands is told once; of one that says several things, the most frequent."""

Row = tuple[str, str, str, str]


def page() -> str:
    """The whole page."""
    found = dict(commands())
    counted = Counter(row for command in found.values() for row in _options(command))
    shared = {
        row
        for row, count in counted.items()
        if count >= SHARED and count == max(counted[other] for other in counted if other[0] == row[0])
    }
    panels: dict[str, list[list[str]]] = {}
    for name, command in found.items():
        panels.setdefault(_panel(name), []).append([f"[{code(name)}](#{anchor(name)})", line(_first(command))])
    parts = [HEAD.rstrip()]
    for panel, rows in panels.items():
        parts.append(f"**{panel}**\n\n" + table(["command", "what it does"], rows))
    parts.append("## Options that commands share\n\n" + _option_table(sorted(shared)))
    parts += [_command(name, command, shared) for name, command in found.items()]
    return "\n\n".join(parts) + "\n"


def commands() -> Iterator[tuple[str, Any]]:
    """Every command by what is typed, in the order of `cnnlab --help`."""
    whole: Any = program()
    names = list(whole.commands)
    for panel in dict.fromkeys(whole.commands[name].rich_help_panel for name in names):
        for name in names:
            if whole.commands[name].rich_help_panel == panel:
                yield from _below(f"cnnlab {name}", whole.commands[name])


def _below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield name, command
        return
    for word, each in inner.items():
        yield from _below(f"{name} {word}", each)


def _panel(name: str) -> str:
    whole: Any = program()
    return str(whole.commands[name.split()[1]].rich_help_panel)


def _command(name: str, command: Any, shared: set[Row]) -> str:
    *description, example = inspect.cleandoc(command.help).split("\n\n")
    parts = [f"## {name}", *(_marked(paragraph) for paragraph in description)]
    words = [_written(p) for p in command.params if p.param_type_name == "argument"]
    parts.append(fenced(" ".join([name, "[OPTIONS]", *words])))
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    if arguments:
        rows = [[code(_metavar(p)), _default(p), line(_plain(p.help or ""))] for p in arguments]
        parts.append(table(["argument", "default", "meaning"], rows))
    options = _options(command)
    own = [row for row in options if row not in shared]
    if own:
        parts.append(_option_table(own))
    if common := [row[0].split(" ")[0].strip("`,") for row in options if row in shared]:
        listed = ", ".join(code(word) for word in common)
        parts.append(f"{'And' if own else 'Options:'} {listed}, which [commands share](#options-that-commands-share).")
    parts.append("Example:\n\n" + fenced(_plain(example).removeprefix("Example: "), "sh"))
    return "\n\n".join(parts)


def _options(command: Any) -> list[Row]:
    """Option, value, default and meaning of each, in the order of the help."""
    return [
        (_spelled(p), _value(p), _default(p), line(_plain(p.help or "")))
        for p in command.params
        if p.param_type_name == "option" and not p.hidden and "--help" not in p.opts
    ]


def _option_table(rows: list[Row]) -> str:
    return table(["option", "value", "default", "meaning"], rows)


def _spelled(p: Any) -> str:
    return ", ".join(code(word) for word in (*p.opts, *p.secondary_opts))


def _written(p: Any) -> str:
    name = _metavar(p)
    return name if p.required or name.startswith("[") else f"[{name}]"


def _metavar(p: Any) -> str:
    return str(p.metavar or p.name.upper())


def _value(p: Any) -> str:
    """What an option takes: its metavar, its choices, or its type with the range."""
    if p.metavar:
        return code(p.metavar)
    if getattr(p, "is_flag", False):
        return ""
    kind = p.type_descriptor.annotation
    if inspect.isclass(kind) and issubclass(kind, Enum):
        return code("|".join(str(member.value) for member in kind))
    words = {int: "whole number", float: "number", str: "text"}.get(kind, "path")
    return words + _range(p)


def _range(p: Any) -> str:
    """` ≥ 1`; the limit against slips of the keyboard says nothing."""
    signs = (("min", "≥"), ("max", "≤"))
    bounds = [(sign, getattr(p, key, None)) for key, sign in signs]
    told = [f"{sign} {bound:g}" for sign, bound in bounds if bound is not None and abs(bound) < 1_000_000]
    return f" {', '.join(told)}" if told else ""


def _default(p: Any) -> str:
    if p.required:
        return "needed"
    if isinstance(p.show_default, str):
        return line(p.show_default)
    if getattr(p, "is_flag", False):
        return code(p.opts[0] if p.default else p.secondary_opts[0]) if p.secondary_opts else ""
    if p.default is None or p.default == () or p.default == []:
        return ""
    if isinstance(p.default, list | tuple):
        return code(",".join(str(one) for one in p.default))
    return code(str(p.default.value if isinstance(p.default, Enum) else p.default))


def _first(command: Any) -> str:
    """The first sentence of the help."""
    return _plain(inspect.cleandoc(command.help).split("\n\n")[0])


def _plain(text: str) -> str:
    return re.sub(r"\[/?[a-z ]*\]", "", text)


def _marked(paragraph: str) -> str:
    """A paragraph of the help, what is bold there in bold."""
    return re.sub(r"\\\[bold\\\](.*?)\\\[/\\\]", r"**\1**", line(paragraph))
