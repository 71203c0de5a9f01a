"""Every statement, by the file of its section: importing this module registers them in the chapter's order."""

from importlib import import_module

from cnnlab.core.errors import RequestError, did_you_mean
from cnnlab.textbook.statement import STATEMENTS as STATEMENTS

FILES = ("prior", "convolution", "pooling", "normalisation", "training", "seeing")
SECTIONS = {f"19.{number}": name for number, name in enumerate(FILES, 1)}
"""Of each section the file with its statements."""

for _name in FILES:
    import_module(f"{__package__}.{_name}")
STATEMENTS.sort(key=lambda statement: statement.section)  # stable: inside a section the order of its file


def section_of(text: str) -> str:
    """The section that is meant by `19.2`, `2` or `convolution`.

    Raises: RequestError where there is none, with those that are, and for what is no text.
    """
    if not isinstance(text, str):
        raise RequestError(f"`section` is {text!r}, expected its number or name as text, such as '19.2'")
    for section, name in SECTIONS.items():
        if text in (section, section.removeprefix("19."), name):
            return section
    raise RequestError(f"no section '{text}'; there are {', '.join(SECTIONS)}.{did_you_mean(text, SECTIONS)}")
