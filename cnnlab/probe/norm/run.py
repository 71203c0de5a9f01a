"""`cnnlab probe norm`: the normalisation lab, part by part."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError
from cnnlab.models.failure import told
from cnnlab.network.network import Network
from cnnlab.network.session import Session
from cnnlab.probe.norm.lab import Lab, NormOptions
from cnnlab.probe.norm.layers import NormLayer
from cnnlab.probe.norm.parts import PARTS, Part, about, check_known
from cnnlab.probe.norm.recommendation import OTHERWISE, Recommendation, recommended
from cnnlab.stats.claim import Claim
from cnnlab.view import json
from cnnlab.view.blocks import Block, Column, Report, Table, Text
from cnnlab.view.claims import claims_section

LONG = 20.0
"""Seconds from which on it is said how long the parts take that do not train."""


@dataclass(frozen=True, eq=False)
class NormFacts:
    """What the lab has found."""

    model: str
    weights: str
    layers: tuple[NormLayer, ...]
    recommendation: Recommendation
    parts: Mapping[str, Any]
    """The facts of each part, by its name, in the order in which they are shown."""
    notes: tuple[str, ...] = ()
    """Why parts are left out."""

    @property
    def title(self) -> str:
        """Of the report."""
        return f"What normalisation does in {self.model}"

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What the parts say of the sentences of section 19.4."""
        return tuple(claim for name, facts in self.parts.items() for claim in PARTS[name].claims(facts))

    def __getitem__(self, part: str) -> Any:
        return self.parts[part]


@dataclass(frozen=True, eq=False)
class Plan:
    """What will be done, before it begins."""

    lab: Lab
    parts: tuple[Part, ...]
    notes: tuple[str, ...]

    def costs(self) -> Iterator[str]:
        """A sentence for each part that trains, which says what it costs, and for the others where they take long."""
        passes = sum(part.passes(self.lab) for part in self.parts)
        seconds = passes * self.lab.seconds_an_image if passes else 0.0
        if seconds > LONG:
            yield f"{passes:,} images go through the network: {about(seconds)}; a smaller `count` makes it shorter"
        for part in self.parts:
            if part.cost is not None:
                yield f"{part.name}: {part.cost(self.lab)}; what is there already is taken"


def planned(
    network: Network,
    session: Session,
    options: NormOptions | None = None,
    *,
    folder: Path | None = None,
    config_folder: Path = Path(),
) -> Plan:
    """Choose the parts, and see that they can be asked.

    Arguments:
        network: opened for images; a run or a config for the parts that train.
        session: the seed, the device, and where data lies.
        options: which parts, and how much of each.
        folder: where trainings are kept.
        config_folder: at which relative paths of plugins start, in the config of a network that is no run.

    Returns:
        The plan: parts that were named, or all that can be asked.

    Raises:
        RequestError: for a network without norms, a part that is none, and one that was named and cannot be asked.
    """
    options = options or NormOptions()
    check_known(options.parts)
    _check(options)
    lab = Lab(network, session, options, folder, config_folder)
    if not lab.layers:
        raise RequestError(
            f"{network.name} has no normalisation layer; `cnnlab list layers` has those that a config can name, such "
            "as conv_bn_act"
        )
    chosen: list[Part] = []
    left_out: dict[str, list[str]] = {}
    for part in PARTS.values():
        named = part.name in options.parts
        if not named and (options.parts and not (options.train and part.cost)):
            continue
        if not named and part.cost is not None and not options.train:
            continue
        missing = part.missing(lab)
        if missing is None:
            chosen.append(part)
        elif named:
            raise RequestError(f"{part.name}: {missing}")
        else:
            left_out.setdefault(missing, []).append(part.name)
    if options.train and not any(part.cost for part in chosen):
        raise RequestError(list(left_out)[-1])
    trains = any(part.cost for part in chosen)
    for name in ("epochs", "steps"):
        if getattr(options, name) is not None and not trains:
            raise RequestError(f"`{name}` is of the parts that train; add `train`, or name one with `part`")
    notes = (f"left out ({', '.join(names)}): {missing}" for missing, names in left_out.items())
    return Plan(lab, tuple(chosen), tuple(notes))


def _check(options: NormOptions) -> None:
    for name in ("epochs", "steps"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise RequestError(f"`{name}` is {value}; expected 1 or more")
    if options.count < 2:
        raise RequestError(f"`count` is {options.count}; a batch needs 2 images at least")
    if not options.batch_sizes or min(options.batch_sizes) < 2:
        raise RequestError("`batch_sizes` are 2 at least: batch norm cannot be trained on a single image")
    if not options.factors or not all(0 < one < math.inf for one in options.factors):
        raise RequestError("`factors` are numbers above 0, such as 0.25,1,4")
    if options.groups < 1:
        raise RequestError(f"`groups` is {options.groups}; expected 1 or more")


def measured(plan: Plan) -> Iterator[Advance | NormFacts]:
    """Do what is planned.

    Arguments:
        plan: of `planned`.

    Yields:
        How far the parts are, and at last the facts.

    Raises:
        RequestError: for what the network raises, and a training that the folder holds with another config.
        WorkError: where a training fails.
        KeyboardInterrupt: after Ctrl-C; what was trained is kept, and goes on with the next call.

    Example:
        >>> from cnnlab.network.open import open_network
        >>> session = Session(device_name="cpu")
        >>> network = open_network("torchvision:resnet18", session, size="32", for_images=True)
        >>> *_, facts = measured(planned(network, session, NormOptions(parts=("formulas",))))
        >>> len(facts.layers), facts["formulas"].kinds.worst < 1e-5
        (20, True)
    """
    lab = plan.lab
    found = {}
    for part in plan.parts:
        with told():
            for step in part.measure(lab):
                if isinstance(step, Advance):
                    yield step
                else:
                    found[part.name] = step
    yield NormFacts(
        lab.network.name,
        lab.network.weights,
        lab.layers,
        recommended(lab.layers, lab.batch),
        found,
        plan.notes,
    )


def norm_report(facts: NormFacts) -> Report:
    """The recommendation first, then each part, and at last what they say of the claims.

    Arguments:
        facts: of `measured`.

    Returns:
        The report.
    """
    said = facts.recommendation
    blocks: list[Block] = [
        Text(f"{said.sentence[0].upper()}{said.sentence[1:]}.", "caution" if said.warns else "plain", "which norm"),
        _layers_table(facts.layers),
    ]
    blocks += [PARTS[name].section(one) for name, one in facts.parts.items()]
    if facts.claims:
        blocks.append(claims_section(facts.claims))
    blocks += [Text(f"{note[0].upper()}{note[1:].replace('`', '')}.", "note") for note in facts.notes]
    lead = f"{len(facts.layers)} normalisation layers, {facts.weights}. Other tasks: {OTHERWISE}."
    return Report(facts.title, tuple(blocks), lead)


def _layers_table(layers: tuple[NormLayer, ...]) -> Table:
    columns = (
        Column("layer"),
        Column("norm"),
        Column("channels", align="right"),
        Column("statistics over"),
        Column("batches in its averages", align="right"),
    )
    rows = tuple((one.name or "–", one.kind, one.channels, one.over, one.updates) for one in layers)
    return Table("The norms", columns, rows, "", "layers")


def norm_json(facts: NormFacts) -> dict[str, Any]:
    """The document for JSON.

    Arguments:
        facts: of `measured`.
    """
    return {
        "title": facts.title,
        "model": facts.model,
        "weights": facts.weights,
        "layers": json.plain(facts.layers),
        "recommendation": json.plain(facts.recommendation),
        "parts": {name: _plain(one) for name, one in facts.parts.items()},
        "claims": [claim.as_json() for claim in facts.claims],
        "notes": list(facts.notes),
    }


def _plain(facts: Any) -> Any:
    document = json.plain(facts)
    for outcome in document.get("outcomes", ()):
        del outcome["right"]  # a number for each image
    return document
