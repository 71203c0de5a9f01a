"""Parameter groups by pattern: other learning rates or no weight decay for some of the parameters."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from cnnlab.core.errors import RequestError

NORMALIZATIONS = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
)


@dataclass(frozen=True)
class GroupRule:
    """What holds for the parameters that match: names by pattern (`conv1.*`), or the words `norms` and `biases`."""

    match: tuple[str, ...]
    lr_scale: float = 1.0
    weight_decay: float | None = None
    frozen: bool = False


def parameter_groups(
    model: nn.Module, rules: Sequence[GroupRule], *, lr: float, weight_decay: float
) -> list[dict[str, Any]]:
    """Every parameter in one group: that of the first rule that matches it, or the rest.

    Each group has `params`, `names`, `lr`, `weight_decay` and `lr_base` (what a schedule's factor multiplies). The rest
    comes first, so that the first group's rate is the one that people mean. Frozen parameters lose `requires_grad` and
    are in no group.

    Raises: RequestError when a rule matches no parameter, or when nothing is left to train.
    """
    norms = _normalization_parameters(model)
    groups: dict[GroupRule | None, dict[str, Any]] = {}
    matched: set[GroupRule] = set()
    for name, parameter in model.named_parameters():
        fitting = [rule for rule in rules if _matches(rule, name, name in norms)]
        matched.update(fitting)
        rule = fitting[0] if fitting else None
        if rule and rule.frozen:
            parameter.requires_grad_(False)
            continue
        rate = lr * (rule.lr_scale if rule else 1.0)
        decay = weight_decay if rule is None or rule.weight_decay is None else rule.weight_decay
        new = {"params": [], "names": [], "lr": rate, "lr_base": rate, "weight_decay": decay}
        group = groups.setdefault(rule, new)
        group["params"].append(parameter)
        group["names"].append(name)
    for rule in rules:
        if rule not in matched:
            example = ", ".join(name for name, _ in list(model.named_parameters())[:4])
            pattern = ", ".join(f"'{word}'" for word in rule.match)
            raise RequestError(f"parameter_groups: {pattern} matches no parameter; they are called {example}, …")
    if not groups:
        raise RequestError("parameter_groups: every parameter is frozen; nothing is left to train")
    return sorted(groups.values(), key=lambda group: group is not groups.get(None))


def _normalization_parameters(model: nn.Module) -> set[str]:
    """The names of the scales and shifts of normalisation layers, our own among them by their `is_normalization`."""
    return {
        f"{name}.{inner}" if name else inner
        for name, module in model.named_modules()
        if isinstance(module, NORMALIZATIONS) or getattr(module, "is_normalization", False)
        for inner, _ in module.named_parameters(recurse=False)
    }


def _matches(rule: GroupRule, name: str, is_norm: bool) -> bool:
    return any(
        (word == "norms" and is_norm) or (word == "biases" and name.endswith("bias")) or fnmatchcase(name, word)
        for word in rule.match
    )
