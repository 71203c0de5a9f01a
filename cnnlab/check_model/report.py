"""What was understood of a network, in ten lines; a preparation to start from."""

from typing import Any, get_args

from cnnlab.check_model.run import CommandCheck, ModelCheck
from cnnlab.core.characters import shortened
from cnnlab.data.fitting import Fit, Interpolation
from cnnlab.view.blocks import Block, Column, Report, Table, Text

NAMES_SHOWN = 6


def check_report(found: ModelCheck) -> Report:
    """The ten lines, what to mind, and the commands."""
    lines = tuple((what, answer) for what, answer in _lines(found))
    blocks: list[Block] = [Table("Understood", (Column("what"), Column("how")), lines, name="understood")]
    blocks += [Text(remark, "caution") for remark in _cautions(found)]
    rows = tuple((check.command, check.works, check.reason) for check in found.commands)
    heads = (Column("command"), Column("will work"), Column("reason"))
    blocks.append(Table("Commands", heads, rows, name="commands"))
    wrong = [check.command for check in found.commands if check.works == "no"]
    if wrong:
        blocks.append(Text(f"{', '.join(wrong)}: see the reasons above.", "bad", "will not work"))
    else:
        blocks.append(Text("Every command will work with this network.", "good"))
    return Report(f"What was understood of {found.network.name}", tuple(blocks))


def check_json(found: ModelCheck) -> dict[str, Any]:
    """The same as plain data."""
    network = found.network
    layer = found.layer
    return {
        "name": network.name,
        "origin": network.origin,
        "kind": found.kind,
        "input": list(network.shape),
        "logits": found.logits,
        "classes": list(found.classes),
        "activation": _activation(found),
        "preparation": network.preparation.as_json(),
        "parameters": found.parameters,
        "trainable": found.trainable,
        "weights": network.weights,
        "trained": network.trained,
        "layer": None
        if layer is None
        else {
            "name": layer.name,
            "channels": layer.channels,
            "height": layer.height,
            "width": layer.width,
            "tokens": layer.tokens or None,
        },
        "layers": [] if layer is None else [candidate.name for candidate in layer.candidates if candidate.leads],
        "differs_in_training": found.differs_in_training,
        "draws_random_numbers": found.steadiness.draws,
        "depends_on_batch": found.steadiness.mixes,
        "remarks": list(network.remarks),
        "commands": [_command_json(check) for check in found.commands],
        "works": found.works,
        "preparation_yaml": preparation_yaml(found),
    }


def preparation_yaml(found: ModelCheck) -> str:
    """A file of a preparation as it is understood now, to be changed and kept beside the weights."""
    network = found.network
    prepared = network.preparation
    share = f"crop_share: {prepared.crop_share}  # of each side that is kept: first resized, then cut"
    if prepared.crop_share is None:
        share = "# crop_share: 0.875  # of each side that is kept, where images are first resized and then cut"
    names = ", ".join(_quoted(name) for name in found.classes)
    known = f"classes: [{names}]" if network.classes else f"# classes: [{len(found.classes)} names, in their order]"
    return (
        f"# What {network.name} needs; found by itself as preparation.yaml beside a file of weights.\n"
        f"size: [{', '.join(map(str, network.shape))}]  # channels, height, width in pixels\n"
        f"mean: [{', '.join(f'{value:g}' for value in prepared.statistics.mean)}]  # of pixels in 0 … 1\n"
        f"std: [{', '.join(f'{value:g}' for value in prepared.statistics.std)}]\n"
        f"fit: {prepared.fit}  # {', '.join(get_args(Fit))}\n"
        f"interpolation: {prepared.interpolation}  # {', '.join(get_args(Interpolation))}\n"
        f"{share}\n"
        f"activation: {_activation(found)}  # softmax, sigmoid\n"
        f"{known}\n"
    )


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


def _activation(found: ModelCheck) -> str:
    return "sigmoid" if found.logits == 1 else found.network.activation


def _command_json(check: CommandCheck) -> dict[str, Any]:
    return {"command": check.command, "works": check.works, "reason": check.reason}


def _lines(found: ModelCheck) -> list[tuple[str, str]]:
    network, layer = found.network, found.layer
    channels, *sides = network.shape
    names = ", ".join(found.classes[:NAMES_SHOWN]) + ", …" * (len(found.classes) > NAMES_SHOWN)
    numbered = "" if network.classes else " (their names are not known)"
    one = found.logits == 1
    frozen = found.parameters - found.trainable
    in_training = "another answer in training mode" if found.differs_in_training else "the same answer in training mode"
    alone = "depends on its batch" if found.steadiness.mixes else "does not depend on its batch"
    draws = "random numbers are drawn as it runs" if found.steadiness.draws else "the same answer each time"
    maps = "none: no layer has places"
    if layer is not None:
        count = sum(candidate.leads for candidate in layer.candidates)
        tokens = f", {layer.tokens}" if layer.tokens else ""
        maps = (
            f"{layer.name}, {layer.channels} channels of {layer.height} × {layer.width}{tokens}; "
            f"{count} layer{'s' if count > 1 else ''} could be named"
        )
    return [
        ("network", f"{found.kind} ({network.name})"),
        ("images", f"{channels} × {' × '.join(map(str, sides))}: channels, height, width in pixels"),
        ("output", "one logit: class 1 of two by its sigmoid" if one else f"{found.logits} logits an image"),
        ("probabilities", "sigmoid" if one else f"{network.activation}"),
        ("classes", shortened(f"{len(found.classes)}: {names}", 200) + numbered),
        ("preparation", network.preparation.sentence),
        ("parameters", f"{found.parameters:,}" + (f", {frozen:,} of them frozen" if frozen else "")),
        ("weights", network.weights),
        ("maps", maps),
        ("manners", f"{in_training}; an answer {alone}; {draws}"),
    ]


def _cautions(found: ModelCheck) -> list[str]:
    cautions = list(found.steadiness.cautions)
    if not found.network.trained:
        cautions.append("The weights are random ones: without a file of weights what is shown says nothing.")
    return cautions
