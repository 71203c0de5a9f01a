"""What the randomisation test says on the page of a run: whether its maps depend on what was learned."""

from collections.abc import Iterator
from typing import get_args

from cnnlab.attribution.catalog import METHODS
from cnnlab.core.advance import Advance
from cnnlab.network.studied import Studied
from cnnlab.trust.sanity.facts import SanityFacts
from cnnlab.trust.sanity.report import TONES, sanity_report
from cnnlab.trust.sanity.run import SanityOptions, sanity_facts
from cnnlab.trust.sanity.similarity import Outcome
from cnnlab.view.blocks import SummaryLine
from cnnlab.view.contribution import Contribution, Question, section_of

IMAGES, DEPTHS = 32, 8
"""Images that are explained, and layers at which the network is looked at while it is randomised."""


def randomisation_test(studied: Studied) -> Iterator[Advance | Contribution]:
    """The test of the methods that `cnnlab sanity` takes by itself."""
    options = SanityOptions(split=studied.split, count=IMAGES, depths=DEPTHS)
    steps = sanity_facts(studied.network, studied.session, options, part=studied.images)
    title = "Do the maps show what was learned?"
    return section_of(title, "randomisation", steps, sanity_report, answers=Question.TRUSTED, line=trusted_line)


def trusted_line(facts: SanityFacts, section: str) -> SummaryLine:
    """Whether maps can be trusted: which methods pass, the tone that of the first, which fits the network's head."""
    by_outcome: dict[Outcome, list[str]] = {outcome: [] for outcome in get_args(Outcome)}
    for one in facts.verdicts:
        by_outcome[one.outcome].append(METHODS[one.name].label)
    named = "; ".join(f"{outcome}: {', '.join(names)}" for outcome, names in by_outcome.items() if names)
    passed = len(by_outcome["passes"])
    verb = "passes" if passed == 1 else "pass"
    text = f"attribution methods {verb} the test whether maps depend on what was learned ({named})."
    figure = f"{passed} of {len(facts.verdicts)}"
    return SummaryLine(Question.TRUSTED, text, figure, section, tone=TONES[facts.verdicts[0].outcome])
