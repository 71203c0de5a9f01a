"""What gets past the threshold of a run, on its page; where no rule was kept, nothing."""

from collections.abc import Iterator

from cnnlab.core.advance import Advance
from cnnlab.network.studied import Studied
from cnnlab.rejection.facts import Rejecting
from cnnlab.rejection.kept import kept_at
from cnnlab.rejection.measured import measured
from cnnlab.rejection.report import reject_report
from cnnlab.view.contribution import Contribution, section_of


def rejection(studied: Studied) -> Iterator[Advance | Contribution]:
    """The section on the rule that `cnnlab reject` has kept, as it was measured then."""
    if not kept_at(studied.network, studied.session).exists():
        return iter((Contribution(()),))
    return section_of("None of these", "rejection", _kept(studied), reject_report)


def _kept(studied: Studied) -> Iterator[Advance | Rejecting]:
    yield measured(studied.network, studied.session)
