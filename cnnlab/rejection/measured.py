"""What was measured of a rule, kept beside it: the page of a run shows it without measuring it again."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from cnnlab.core.errors import RequestError
from cnnlab.network.network import Network
from cnnlab.network.session import Session
from cnnlab.rejection.facts import Admitted, Rejecting, Told, Unseen
from cnnlab.rejection.kept import Measured, kept_at, read, write
from cnnlab.stats.confidence import Interval

PLAIN = ("model", "weights", "split", "accepted", "train", "label", "chosen_by", "choosing", "labels", "left_out")
"""Fields that are kept as they are."""


def keep(found: Rejecting, path: Path) -> None:
    """Write a rule and what was measured of it, whole or not at all."""
    tensors = {"ours": found.ours} | {f"theirs.{name}": scores for name, scores in found.theirs.items()}
    if found.admitted:
        tensors["admitted"] = torch.from_numpy(np.stack([one.image for one in found.admitted]))
    facts = {name: getattr(found, name) for name in PLAIN} | {
        "groups": list(found.theirs),
        "told": [asdict(one) for one in found.told],
        "unseen": None if found.unseen is None else asdict(found.unseen),
        "admitted": [[one.name, one.answer, one.probability, one.score] for one in found.admitted],
    }
    write(found.rejection, Measured(tensors, facts), path)


def measured(network: Network, session: Session) -> Rejecting:
    """What was measured of the rule that is kept for a network, when it was made.

    Raises: RequestError as `kept`.
    """
    rejection, was = read(network, session)
    facts = was.facts
    try:
        admitted = zip(was.tensors.get("admitted", torch.empty(0)).numpy(), facts["admitted"], strict=True)
        return Rejecting(
            **{name: facts[name] for name in PLAIN},
            rejection=rejection,
            told=tuple(Told(**one | {name: Interval(**one[name]) for name in _INTERVALS}) for one in facts["told"]),
            unseen=None if facts["unseen"] is None else Unseen(**facts["unseen"]),
            ours=was.tensors["ours"],
            theirs={name: was.tensors[f"theirs.{name}"] for name in facts["groups"]},
            admitted=tuple(Admitted(image, *words) for image, words in admitted),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RequestError(
            f"{kept_at(network, session)}: damaged: {type(error).__name__} {error}; `cnnlab reject {network.name}` "
            "makes it anew"
        ) from None


_INTERVALS = ("auroc_interval", "false_accept_interval")
