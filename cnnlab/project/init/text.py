"""The config as a file: every choice with its reason above it."""

import json
import re
import textwrap
from collections.abc import Sequence

from cnnlab.core.characters import printable
from cnnlab.core.yaml import typed
from cnnlab.project.init.choices import Choice, Choices, Stack

WIDTH = 110


def config_text(name: str, choices: Choices, head: Sequence[tuple[str, str]]) -> str:
    """A config that `cnnlab train` reads.

    Arguments:
        name: of the run.
        choices: what it says, and why.
        head: what stands at its top, such as ("What", "…").
    """
    size = choices.size
    lines = [line for label, text in head for line in _comment(f"{label + ':':<7} {text}", 0, "        ")]
    lines += [
        f"name: {_scalar(name)}",
        "",
        "data:",
        "  dataset:",
        "    folder:",
        f"      path: {_scalar(choices.source)}",
    ]
    lines += _said(Choice("size", size.text, size.size_reason), 6)
    lines += _said(Choice("fit", size.fit, size.fit_reason), 6)
    lines += _said(choices.channels, 6)
    lines += _said(choices.groups, 6, left_out="groups: '(patient\\d+)'")
    if choices.copies.value:
        lines += _said(choices.copies, 6)
    lines += _said(choices.validation, 2)
    written = [choice for choice in choices.augment if choice.value]
    lines.append("  augment:" if written else "  augment: []")
    for choice in choices.augment:
        name_of = choice.key.rpartition(" ")[2]
        lines += _comment(choice.reason if choice.value else f"{name_of} is left out: {choice.reason}", 4)
        lines += [f"    - {choice.value}"] * bool(choice.value)
    lines += ["", *_learned(choices.learned), *_model(choices.stack, size.size)]
    lines += ["", "training:", *_said(choices.batch, 2), *_said(choices.epochs, 2)]
    lines += _said(Choice("channels_last", "true", "a memory layout that convolutions on a processor like"), 2)
    lines += [
        "",
        *_comment(choices.loss.reason, 0),
        f"loss: {{cross_entropy: {{class_weights: {choices.loss.value}}}}}",
    ]
    lines += ["", *_comment(choices.rate.reason, 0), "optimizer:"]
    lines += [f"  sgd: {{lr: {choices.rate.value}, momentum: 0.9, weight_decay: 5e-4, nesterov: true}}"]
    lines += ["schedule:", "  one_cycle: {rise: 0.2}"]
    return "\n".join(lines) + "\n"


def _learned(lines: Sequence[str]) -> list[str]:
    """The lines that begin with learned weights, as comments: they need a download, and leave to run Python."""
    if not lines:
        return []
    told = (
        "To begin with learned weights, put these lines in place of `model` below, and train with --allow-plugins. "
        "They are downloaded once (45 MB), and were learned from photographs of 224 px: a larger `size` suits them."
    )
    return [*_comment(told, 0), *(f"# {line}" for line in lines), ""]


def _model(stack: Stack, size: tuple[int, int]) -> list[str]:
    """The layers, with the size of the maps beside them."""
    lines = _comment(f"{stack.reason}. A unit before the mean sees {stack.field} px of {min(size)}.", 0)
    lines.append("model:")
    high, wide = size
    for layer in stack.layers:
        options = f"channels: {layer.channels}" + (f", stride: {layer.stride}" if layer.stride > 1 else "")
        high, wide = -(-high // layer.stride), -(-wide // layer.stride)
        lines.append(f"  - {'conv_bn_act: {' + options + '}':<44} # {layer.channels} x {high} x {wide}")
    lines.append("  - global_avg_pool")
    if stack.dropout is not None:
        lines.append(f"  - dropout: {{probability: {stack.dropout}}}")
    lines.append(f"  - {'linear':<44} # as many outputs as there are classes")
    return lines


def _said(choice: Choice, indent: int, left_out: str = "") -> list[str]:
    """The reason, and the line; what is left out stands in a comment."""
    key = choice.key.rpartition(".")[2]
    if choice.value:
        return [*_comment(choice.reason, indent), f"{' ' * indent}{key}: {choice.value}"]
    return [*_comment(choice.reason, indent), *([f"{' ' * indent}# {left_out}"] if left_out else [])]


def _comment(text: str, indent: int, hanging: str = "") -> list[str]:
    """A comment in lines that fit the page."""
    start = f"{' ' * indent}# "
    return textwrap.wrap(
        printable(text),
        WIDTH,
        initial_indent=start,
        subsequent_indent=start + hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _scalar(text: str) -> str:
    """A text as YAML reads it back."""
    plain = re.fullmatch(r"[A-Za-z_./][\w./-]*", text, re.ASCII) and isinstance(typed(text), str)
    return text if plain else json.dumps(text, ensure_ascii=False)
