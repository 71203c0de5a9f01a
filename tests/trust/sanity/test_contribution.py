"""The line of a summary on whether maps can be trusted."""

from types import SimpleNamespace
from typing import cast, get_args

import pytest

from cnnlab.trust.sanity.contribution import trusted_line
from cnnlab.trust.sanity.facts import SanityFacts
from cnnlab.trust.sanity.report import TONES
from cnnlab.trust.sanity.similarity import Outcome


def facts(**outcomes: Outcome) -> SanityFacts:
    verdicts = tuple(SimpleNamespace(name=name, outcome=outcome) for name, outcome in outcomes.items())
    return cast("SanityFacts", SimpleNamespace(verdicts=verdicts))


def test_methods_stand_under_their_outcomes() -> None:
    line = trusted_line(facts(gradcam="passes", gradient="passes", guided_backprop="fails"), "key")
    assert (line.figure, line.section, line.tone) == ("2 of 3", "key", "good")
    assert "(passes: Grad-CAM, gradient; fails: guided backpropagation)" in line.text
    assert line.text.startswith("attribution methods pass the test")
    alone = trusted_line(facts(gradcam="passes", gradient="fails"), "key")
    assert f"{alone.figure} {alone.text}".startswith("1 of 2 attribution methods passes the test")


@pytest.mark.parametrize("outcome", get_args(Outcome))
def test_the_tone_is_that_of_the_first_method(outcome: Outcome) -> None:
    line = trusted_line(facts(gradcam=outcome, gradient="passes"), "key")
    assert line.tone == TONES[outcome]
    assert line.figure == ("2 of 2" if outcome == "passes" else "1 of 2")
