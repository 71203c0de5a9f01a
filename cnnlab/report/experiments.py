"""What experiments with a run have found: their claims, read from the facts that they left in its folder."""

import json
import os
from pathlib import Path
from typing import Any

from cnnlab.core.reading import read_file
from cnnlab.runs.folder import Run
from cnnlab.stats.claim import Claim
from cnnlab.view.blocks import Block, Link, Links, Section
from cnnlab.view.claims import claim_text
from cnnlab.view.contribution import Contribution

MOST_BYTES = 50_000_000


def experiments(run: Run | None, folder: Path) -> Contribution:
    """The section of a page in `folder`; nothing where no experiment was made.

    Arguments:
        run: of the network, if any.
        folder: where the page is to lie.

    Returns: for each folder below the run's reports whose facts hold claims, these with a link to its page.
    """
    found: list[Section] = []
    for path in sorted(run.path.glob("reports/*/facts.json")) if run is not None else ():
        title, claims = _claims(path)
        if claims:
            page = Link("figures and tables", os.path.relpath(path.parent / "index.html", folder))
            said: list[Block] = [claim_text(claim) for claim in claims]
            found.append(Section(title, (*said, Links((page,)))))
    if not found:
        return Contribution(())
    return Contribution((Section("Experiments", tuple(found), "experiments"),))


def _claims(path: Path) -> tuple[str, list[Claim]]:
    """The title and the claims in a file of facts; none where it holds other things, or is damaged."""
    try:
        document: Any = json.loads(read_file(path, at_most=MOST_BYTES))
        return str(document["title"]), [Claim.from_json(one) for one in document["claims"]]
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return "", []
