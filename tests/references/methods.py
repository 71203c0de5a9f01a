"""docs/reference/methods.md: every attribution method with its paper and options, from the registry."""

import re

from references.components import option_table
from references.markdown import anchors, code, fenced, line, prose, table

from cnnlab.attribution.catalog import METHODS
from cnnlab.attribution.method import Method
from cnnlab.project.listing import find

TITLE = "Attribution methods"

HEAD = f"""\
# {TITLE}

What `cnnlab gradcam` and `cnnlab saliency` take after `--method`, alone or with others: `--method gradcam,layercam`.
Options follow a colon: `--method integrated_gradients:steps=200,baseline=blur`. `cnnlab list methods NAME` shows the
same on the terminal. [attribution.md](../attribution.md) compares the methods, [trust.md](../trust.md) says how to find
out which of them depend on what was learned.
"""

KINDS = {"cam": "Maps of a layer", "pixel": "Maps of pixels"}


def page() -> str:
    """The whole page."""
    kinds = {kind: [method for method in METHODS.values() if method.kind == kind] for kind in KINDS}
    headings = [TITLE, *(heading for kind in KINDS for heading in (KINDS[kind], *(m.name for m in kinds[kind])))]
    places = dict(zip(headings, anchors(headings), strict=True))
    parts = [HEAD.rstrip()]
    for kind, methods in kinds.items():
        rows = [
            [f"[{code(m.name)}](#{places[m.name]})", line(m.label), line(m.sentence), prose(m.paper)] for m in methods
        ]
        parts += [f"## {KINDS[kind]}", table(["name", "method", "what a place's value is", "paper"], rows)]
        parts += map(_entry, methods)
    return "\n\n".join(parts) + "\n"


def _entry(method: Method) -> str:
    found = find("methods", method.name)
    parts = [f"### {method.name}", f"**{line(method.label)}**, {prose(method.paper)}. {prose(_told(found.doc))}"]
    parts.append(" ".join(_facts(method)))
    if found.options:
        parts.append(option_table(found.options))
    return "\n\n".join([*parts, fenced(found.example, "sh")])


def _told(doc: str) -> str:
    """A docstring for somebody who does not call the function."""
    return re.sub(r"^Raises: \w+Error", "Refused", doc, flags=re.MULTILINE)


def _facts(method: Method) -> list[str]:
    """What its values mean, and where it looks."""
    sign = "A value below 0 speaks against the class." if method.signed else "No value speaks against the class."
    if method.against:
        sign = "A value above 0 speaks against the class."
    facts = [sign]
    if not method.of_class:
        facts.append("The map is the same whatever class is asked for.")
    if method.of_layer:
        facts.append("It looks at a layer, too.")
    return facts
