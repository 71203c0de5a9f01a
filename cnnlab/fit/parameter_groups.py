"""The parameters of a network that learn, in groups by the rules of a config."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import Field, model_validator
from torch import nn

from cnnlab.core.characters import some
from cnnlab.core.errors import RequestError, did_you_mean
from cnnlab.core.quantities import Decay, Patterns, Rate
from cnnlab.core.registry import Section
from cnnlab.fit.freezing import Freezing, depths
from cnnlab.fit.registry import ScheduleChoice

Groups = list[dict[str, Any]]
"""As torch's optimizers take them."""

WORDS = ("norms", "norm_weights", "norm_biases", "biases")
"""Patterns that are no names."""

NORMALIZATIONS = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
)


class ParameterGroup(Section):
    """Other rules for some parameters; the first group that matches a parameter holds."""

    match: Annotated[Patterns, Field(min_length=1)] = Field(
        description="patterns of parameter names such as 'conv1.*', or the words norms, norm_weights, norm_biases and "
        "biases"
    )
    lr_scale: Rate = Field(default=1.0, description="a factor of the learning rate")
    weight_decay: Decay | None = Field(default=None, description="in place of the optimizer's; null keeps that")
    frozen: bool = Field(default=False, description="keep the values that the parameters start with")
    until: Annotated[float, Field(gt=0, le=1_000_000)] | None = Field(
        default=None, description="epochs, such as 3 or 0.5, after which they learn no more; null for never"
    )
    schedule: ScheduleChoice | None = Field(
        default=None, description="of their rate alone, over `until` or the whole training; null for the training's"
    )

    @model_validator(mode="after")
    def _learn_at_all(self) -> "ParameterGroup":
        """Refuse terms for what never learns."""
        if self.frozen and (self.until is not None or self.schedule is not None):
            raise ValueError("what is frozen never learns; leave out frozen, or until and schedule")
        return self


REST = ParameterGroup(match=["*"])
"""What holds for parameters that no group matches."""


@dataclass(frozen=True)
class StepSize:
    """What a step of an optimizer goes by."""

    images: int = 1
    """Images of a step: those of all batches that it accumulates."""
    learned: int = 1
    """Of these the images that its gradient is of, which are fewer where only the hardest are learned from."""
    summed: bool = False
    """Whether its gradient is of the sum over those; otherwise it is of their mean."""


ONE_IMAGE = StepSize()


@dataclass(frozen=True)
class LearningParameters:
    """The parameters of a network that learn, each with its rule: what an optimizer is made from."""

    model: nn.Module
    named: Mapping[str, nn.Parameter]
    """In the order of the network."""
    numbers: Mapping[str, int | None]
    """Of the rule that holds for each, from 0; None for the rest."""
    rules: Sequence[ParameterGroup] = ()
    step: StepSize = ONE_IMAGE
    layer_decay: float = 1.0
    depths: Mapping[str, int] = field(default_factory=dict)
    """Layers between each and the logits, where the rate falls with them."""

    def rule(self, name: str) -> ParameterGroup:
        """The rule that holds for a parameter."""
        number = self.numbers[name]
        return REST if number is None else self.rules[number]

    @property
    def remarks(self) -> list[str]:
        """Rules that change nothing, because all of their parameters are frozen elsewhere."""
        learning = set(self.numbers.values())
        return [
            f"parameter_groups: {_quoted(rule)} has no effect: what it matches is frozen, or its layer keeps it"
            for number, rule in enumerate(self.rules)
            if not rule.frozen and number not in learning
        ]

    def only(self, names: Collection[str]) -> "LearningParameters":
        """Those of `names` alone."""
        return replace(self, named={name: one for name, one in self.named.items() if name in names})

    def groups(self, *, lr: float, weight_decay: float) -> Groups:
        """Every parameter in one group: that of its rule and depth.

        Arguments:
            lr: of the last layer, where no rule scales it.
            weight_decay: where no rule has its own.

        Returns:
            Groups with `params`, `names`, `lr`, `weight_decay` and `lr_base` (what a schedule's factor multiplies);
            what no rule matches comes first, so that the first group's rate is the one that people mean. With a
            `layer_decay` below 1 each is one for each depth, with its rate times layer_decay^depth, the last layer's
            first.

        Example:
            >>> from torch import nn
            >>> from cnnlab.fit.parameter_groups import ParameterGroup, learning_parameters
            >>> rules = [ParameterGroup(match=["biases"], lr_scale=2.0)]
            >>> groups = learning_parameters(nn.Linear(3, 2), rules).groups(lr=0.1, weight_decay=0.0)
            >>> [(group["names"], group["lr"]) for group in groups]
            [(['weight'], 0.1), (['bias'], 0.2)]
        """
        groups: dict[tuple[int | None, int], dict[str, Any]] = {}
        for name, parameter in self.named.items():
            rule, depth = self.rule(name), self.depths.get(name, 0)
            rate = lr * rule.lr_scale * self.layer_decay**depth
            decay = weight_decay if rule.weight_decay is None else rule.weight_decay
            new = {"params": [], "names": [], "lr": rate, "lr_base": rate, "weight_decay": decay}
            group = groups.setdefault((self.numbers[name], depth), new)
            group["params"].append(parameter)
            group["names"].append(name)
        places = list(groups)  # in the order of the parameters
        return [groups[key] for key in sorted(places, key=lambda key: (key[0] is not None, key[1], places.index(key)))]


def learning_parameters(
    model: nn.Module,
    rules: Sequence[ParameterGroup] = (),
    *,
    layer_decay: float = 1.0,
    freezing: Freezing | None = None,
    step: StepSize = StepSize(),
) -> LearningParameters:
    """The parameters that learn, each with the first rule that matches it.

    Frozen parameters lose `requires_grad` and are not among them, unless `freezing` lets them learn later.

    Arguments:
        model: to be trained.
        rules: of the config, in order.
        layer_decay: a factor of the rate for each layer below the last one.
        freezing: what else is frozen, epoch by epoch.
        step: what a step of the optimizer goes by.

    Raises:
        RequestError: when a rule matches no parameter, or when nothing is left to train.
    """
    norms = _normalization_parameters(model)
    named: dict[str, nn.Parameter] = {}
    numbers: dict[str, int | None] = {}
    matched: set[int] = set()
    holding: set[int] = set()
    for name, parameter in model.named_parameters():
        fitting = [number for number, rule in enumerate(rules) if _matches(rule, name, name in norms)]
        matched.update(fitting)
        holding.update(fitting[:1])
        number = fitting[0] if fitting else None
        frozen = number is not None and rules[number].frozen
        if frozen or (freezing is not None and freezing.is_frozen(name)):
            parameter.requires_grad_(False)
            continue
        named[name], numbers[name] = parameter, number
    for number, rule in enumerate(rules):
        pattern = _quoted(rule)
        if number in matched and number not in holding:
            raise RequestError(
                f"parameter_groups: {pattern} has no effect: groups before it match all of its parameters, and the "
                "first one holds"
            )
        if number not in matched:
            example = some([name for name, _ in model.named_parameters()], 4)
            meant = did_you_mean(rule.match[0], WORDS)
            stop = "." if meant else ""
            raise RequestError(
                f"parameter_groups: {pattern} matches no parameter; they are called {example}{stop}{meant}"
            )
    if not named:
        by = "freeze" if freezing is not None and freezing.until else "parameter_groups"
        raise RequestError(f"{by}: every parameter is frozen; nothing is left to train")
    return LearningParameters(model, named, numbers, rules, step, layer_decay, depths(model) if layer_decay < 1 else {})


def _quoted(rule: ParameterGroup) -> str:
    return ", ".join(f"'{word}'" for word in rule.match)


def _normalization_parameters(model: nn.Module) -> set[str]:
    """The names of the scales and shifts of normalisation layers, our own among them by their `is_normalization`."""
    return {
        f"{name}.{inner}" if name else inner
        for name, module in model.named_modules()
        if isinstance(module, NORMALIZATIONS) or getattr(module, "is_normalization", False)
        for inner, _ in module.named_parameters(recurse=False)
    }


def _matches(rule: ParameterGroup, name: str, is_norm: bool) -> bool:
    last = name.rpartition(".")[2]
    of_words = (is_norm, is_norm and last == "weight", is_norm and last == "bias", name.endswith("bias"))
    words = dict(zip(WORDS, of_words, strict=True))
    return any(words.get(word, False) or fnmatchcase(name, word) for word in rule.match)
