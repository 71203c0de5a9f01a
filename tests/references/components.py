"""docs/reference/layers.md: what a config can name, from the registries."""

from references.markdown import anchors, code, fenced, line, prose, table

from cnnlab.project.listing import KINDS, Listed, Option, listed

TITLE = "What a config can name"

HEAD = """\
# {title}

Layers, and everything else that stands in a config by name: each with its description, its options and how it is
written. `cnnlab list layers NAME` shows the same on the terminal; [config.md](config.md) says where each may stand.
"""

TITLES = {"datasets": "Data sets"}
"""Where a kind's heading is not its word."""


def page() -> str:
    """The whole page."""
    kinds = {kind: listed(kind) for kind in KINDS}
    headings = [("", TITLE)]
    for kind, entries in kinds.items():
        headings += [(kind, title(kind)), *((kind, entry.name) for entry in entries)]
    places = dict(zip(headings, anchors(name for _, name in headings), strict=True))
    rows = [
        [
            _link(title(kind), places[kind, title(kind)]),
            ", ".join(_link(code(e.name), places[kind, e.name]) for e in entries),
        ]
        for kind, entries in kinds.items()
    ]
    parts = [HEAD.format(title=TITLE).rstrip(), table(["kind", "names"], rows)]
    for kind, entries in kinds.items():
        parts += [f"## {title(kind)}", *map(_entry, entries)]
    return "\n\n".join(parts) + "\n"


def _link(text: str, place: str) -> str:
    return f"[{text}](#{place})"


def title(kind: str) -> str:
    """The heading of a kind."""
    return TITLES.get(kind, kind.capitalize())


def option_table(options: tuple[Option, ...]) -> str:
    """The options of one entry: name, type with range, default, and their sentences where there are any."""
    described = any(option.description for option in options)
    head = ["option", "type", "default", *(["meaning"] if described else [])]
    rows = [
        [
            code(option.name),
            line(option.type),
            "needed" if option.default is None else code(option.default),
            *([line(option.description)] if described else []),
        ]
        for option in options
    ]
    return table(head, rows)


def _entry(entry: Listed) -> str:
    parts = [f"### {entry.name}", prose(entry.doc)]
    if entry.options:
        parts.append(option_table(entry.options))
    return "\n\n".join([*parts, fenced(entry.example, "yaml")])
