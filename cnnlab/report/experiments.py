"""What experiments with a run have found: their claims, read from the facts that they left in its folder."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cnnlab.core.reading import read_file
from cnnlab.runs.folder import Run
from cnnlab.stats.claim import Claim
from cnnlab.view.blocks import Block, Link, Links, Section
from cnnlab.view.claims import claim_text
from cnnlab.view.contribution import Contribution

MOST_BYTES = 50_000_000

OF_EXPERIMENTS = ("trainings", "trials")
"""The folders in which experiments keep the runs that they train."""


def experiments(run: Run | None, folder: Path) -> Contribution:
    """The section of a page in `folder`; nothing where no experiment was made.

    Arguments:
        run: of the network, if any.
        folder: where the page is to lie.

    Returns: for each folder below the run's reports whose facts hold claims, these with a link to its page; and those
    of the experiment that the run is a training of (`ablate`, `sweep`, `probe prior`, `probe norm`, `probe transfer`).
    """
    found: list[Section] = []
    for path in _facts(run.path) if run is not None else ():
        title, claims = _claims(path)
        if claims:
            page = Link("figures and tables", os.path.relpath(path.parent / "index.html", folder))
            said: list[Block] = [claim_text(claim) for claim in claims]
            found.append(Section(title, (*said, Links((page,)))))
    if not found:
        return Contribution(())
    return Contribution((Section("Experiments", tuple(found), "experiments"),))


def _facts(run: Path) -> Iterator[Path]:
    """The files of facts of the experiments with a run: its own, and that of the experiment whose training it is."""
    yield from sorted(run.glob("reports/*/facts.json"))
    above = run.parent.parent / "facts.json"
    if run.parent.name in OF_EXPERIMENTS and above.is_file():
        yield above


def _claims(path: Path) -> tuple[str, list[Claim]]:
    """The title and the claims in a file of facts; none where it holds other things, or is damaged."""
    try:
        document: Any = json.loads(read_file(path, at_most=MOST_BYTES))
        return str(document["title"]), [Claim.from_json(one) for one in document["claims"]]
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return "", []
