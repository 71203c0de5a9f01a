"""How good a network is, for its card: measured on its validation part, and read of its test part."""

from dataclasses import dataclass

from cnnlab.core.errors import RequestError
from cnnlab.evaluation.run import EvaluateOptions, evaluated
from cnnlab.network.network import Network
from cnnlab.network.session import Session
from cnnlab.stats.classification import Classification


@dataclass(frozen=True)
class Measured:
    """What is known of it."""

    part: str
    """Of the images on which it was measured."""
    facts: Classification | None
    """None where it was not …"""
    reason: str
    """… and why."""
    test_accuracy: float | None
    """Of the last opening of a run's test part, 0 … 1; the test part is not opened for a card."""


def measured(network: Network, session: Session) -> Measured:
    """Measure a trained network on its validation part, or on the data that was named for it.

    Arguments:
        network: opened for images.
        session: where its data lies.

    Returns:
        The measures, or why there are none.
    """
    test = None if network.run is None else network.run.test_accuracy()
    if not network.trained or not network.has_images:
        reason = "its weights are random" if not network.trained else "no images were named for it"
        return Measured("", None, reason, test)
    try:
        found = evaluated(network, session, EvaluateOptions())
    except RequestError as error:
        return Measured("", None, f"its images are not at hand ({error})", test)
    return Measured(found.split, found.facts, "", test)
