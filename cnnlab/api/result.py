"""What every question to a network gives back: facts that show themselves, and that can be kept."""

import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from cnnlab.api.untouched import untouched
from cnnlab.api.values import path_of
from cnnlab.core.files import write_whole
from cnnlab.view import excerpt, files, json
from cnnlab.view.blocks import Report, figures


class Result(ABC):
    """Abstract: the ways in which facts are looked at and kept; what they are, each kind of result says.

    In a notebook a result is seen as its key numbers and one or two figures; `show` has all of it.
    """

    document_name: ClassVar[str] = "facts.json"
    """The file of `to_dict` in a folder that `save` writes."""

    @property
    @abstractmethod
    def report(self) -> Report:
        """Texts, tables and figures as data, as the command shows them."""

    @abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """The document that the command prints with `--json`, as plain data; without names of files."""

    def save(self, folder: str | Path) -> Path:
        """Write figures (PNG), tables (CSV), a page and the document, each whole.

        Arguments:
            folder: where; it is made where it is not there.

        Returns:
            The page, `folder/index.html`.

        Raises:
            WorkError: where the disk refuses.
        """
        place = path_of("folder", folder)
        with untouched():
            saved = files.save(self._report_in(place), place)
            pictures = [*saved.figures, *self._write_beside(place)]
            whole = {**self.to_dict(), "pictures": [str(path) for path in pictures], "page": str(saved.page)}
            write_whole(place / self.document_name, json.text(whole) + "\n")
        return saved.page

    def _report_in(self, folder: Path) -> Report:
        """The report whose page is to lie in `folder`."""
        return self.report

    def _write_beside(self, folder: Path) -> list[Path]:
        """Write what lies beside the page and is no part of it; the figures among it."""
        return []

    def show(self) -> None:
        """Show all of it: in a notebook with every figure, elsewhere as the command does on the terminal."""
        if not _shown_in_notebook(self.report):
            from cnnlab.view import console
            from cnnlab.view.terminal import Terminal

            console.show(self.report, Terminal())

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Mapping[str, str]:
        """What a notebook shows of it."""
        with untouched():
            return {"text/plain": repr(self), "text/html": excerpt.page(self.report)}

    def __repr__(self) -> str:
        return excerpt.text(self.report)


def plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document as JSON has it: mappings, lists, text, numbers, true, false and None."""
    found: dict[str, Any] = json.plain(document)
    return found


def _shown_in_notebook(report: Report) -> bool:
    """Whether there is a notebook, which then shows the report."""
    interactive = sys.modules.get("IPython")
    shell = interactive.get_ipython() if interactive is not None else None
    if shell is None or not hasattr(shell, "kernel"):
        return False
    from IPython.display import HTML, display

    display(HTML(excerpt.page(report, most=len(figures(report)))))
    return True
