from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from cnnlab.config.overrides import apply_overrides
from cnnlab.core.problems import problems_of
from cnnlab.core.quantities import Positive, PositiveNumber
from cnnlab.core.registry import Chosen, Component, Registry
from cnnlab.core.yaml import parse

PARTS = Registry("part", supplies=())
Part = Annotated[Component, Chosen("part")]


@PARTS.register("sgd")
def sgd(*, lr: PositiveNumber = 0.1, momentum: float = 0.0) -> None:
    """SGD."""


@PARTS.register("adam")
def adam(*, lr: PositiveNumber = 0.001) -> None:
    """Adam."""


@PARTS.register("pad")
def pad(*, pad: Positive = 1) -> None:
    """An option that is called as its component."""


@PARTS.register("repeat")
def repeat(*, parts: list[Part], times: Positive = 2) -> None:
    """Parts made of parts."""


class Ema(BaseModel):
    model_config = ConfigDict(extra="forbid")
    decay: PositiveNumber = 0.9


class Training(BaseModel):
    model_config = ConfigDict(extra="forbid")
    epochs: Positive = 1
    sizes: dict[float, int] = {}
    ema: Ema | None = None


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_default=True)
    optimizer: Part = "sgd"  # type: ignore[assignment]
    other: Part | None = None
    parts: list[Part] = []
    training: Training = Training()
    words: list[str] = []


def changed(text: str, *overrides: str) -> tuple[dict[str, Any], list[str]]:
    """The tree after `overrides`, and every complaint about them or about what they lead to."""
    tree = parse(text, "f")
    problems = apply_overrides(tree, overrides, Whole)
    try:
        Whole.model_validate(tree, context=problems)
    except ValidationError as error:
        problems += problems_of(error, tree, tree.mark, Whole, "the config")
    return tree, [str(problem) for problem in problems]


@pytest.mark.parametrize(
    ("text", "override", "expected"),
    [
        ("optimizer: sgd", "optimizer.lr=0.5", {"optimizer": {"sgd": {"lr": "0.5"}}}),
        ("optimizer: sgd", "optimizer.sgd.lr=0.5", {"optimizer": {"sgd": {"lr": "0.5"}}}),
        ("optimizer: {sgd: {momentum: 1}}", "optimizer.lr=1", {"optimizer": {"sgd": {"momentum": "1", "lr": "1"}}}),
        ("optimizer: {sgd: }", "optimizer.lr=1", {"optimizer": {"sgd": {"lr": "1"}}}),
        ("words: []", "optimizer.lr=1e-3", {"words": [], "optimizer": {"sgd": {"lr": "1e-3"}}}),
        ("optimizer: {sgd: {lr: 1}}", "optimizer=adam", {"optimizer": "adam"}),
        ("words: []", "optimizer={adam: {lr: 1}}", {"words": [], "optimizer": {"adam": {"lr": "1"}}}),
        ("optimizer: pad", "optimizer.pad=3", {"optimizer": {"pad": {"pad": "3"}}}),
        ("optimizer: pad", "optimizer.pad.pad=3", {"optimizer": {"pad": {"pad": "3"}}}),
        ("parts: [sgd, adam]", "parts.1.lr=2", {"parts": ["sgd", {"adam": {"lr": "2"}}]}),
        ("parts: [sgd, adam]", "parts.0=pad", {"parts": ["pad", "adam"]}),
        (
            "parts: [{repeat: {parts: [sgd]}}]",
            "parts.0.parts.0.lr=2",
            {"parts": [{"repeat": {"parts": [{"sgd": {"lr": "2"}}]}}]},
        ),
        ("words: []", "training.epochs=3", {"words": [], "training": {"epochs": "3"}}),
        ("training: {sizes: {0: 24}}", "training.sizes.0.5=28", {"training": {"sizes": {"0": "24", "0.5": "28"}}}),
        ("words: []", "training.sizes.0.25=28", {"words": [], "training": {"sizes": {"0.25": "28"}}}),
        ("training: {ema: }", "training.ema.decay=0.5", {"training": {"ema": {"decay": "0.5"}}}),
        ("training: {ema: {decay: 0.1}}", "training.ema=", {"training": {"ema": None}}),
        ("words: [a, b]", "words.1=c=d", {"words": ["a", "c=d"]}),
        ("words: [a]", "words=[x, 'y z']", {"words": ["x", "y z"]}),
    ],
)
def test_edits(text: str, override: str, expected: dict[str, Any]) -> None:
    tree, complaints = changed(text, override)
    assert complaints == []
    assert tree == expected


@pytest.mark.parametrize(
    ("text", "override", "expected"),
    [
        ("words: []", "training.epochs", "expected KEY=VALUE, such as training.epochs=3"),
        ("words: []", "=3", "expected KEY=VALUE, such as training.epochs=3"),
        (
            "words: []",
            "trainin.epochs=3",
            "no option 'trainin'; known: optimizer, other, parts, training, words. Did you mean 'training'?",
        ),
        ("words: []", "training.epoch=3", "no option 'epoch'; known: epochs, sizes, ema. Did you mean 'epochs'?"),
        ("words: []", "training..epochs=3", "no option ''; known: epochs, sizes, ema."),
        ("words: []", "training.epochs.x=3", "'epochs' is a value and has no 'x'"),
        ("words: []", "words.0=3", "'words' is a list of 0, counted from 0; '0' is not in it"),
        ("words: [a]", "words.-1=3", "'words' is a list of 1, counted from 0; '-1' is not in it"),
        ("words: [a]", "words.²=3", "'words' is a list of 1, counted from 0; '²' is not in it"),
        ("words: []", "optimizer.lrr=3", "no option 'lrr' in part 'sgd'; it has lr, momentum. Did you mean 'lr'?"),
        (
            "words: []",
            "optimizer.adam.lr=3",
            "no option 'adam' in part 'sgd'; it has lr, momentum; write optimizer=adam first",
        ),
        (
            "words: []",
            "optimizer.sgd=3",
            "'optimizer' is the part 'sgd'; write optimizer.OPTION=VALUE or optimizer=NAME",
        ),
        ("words: []", "other.lr=3", "'other' is not set; name one first: other=NAME"),
        (
            "words: []",
            "training.epochs=[1",
            "not YAML: expected ',' or ']', but got '<stream end>' (while parsing a flow sequence)",
        ),
        ("words: []", "training.epochs=0", "'epochs' is '0', expected more than 0"),
        ("words: []", "training.epochs=many", "'epochs' is 'many', expected a whole number"),
        ("words: []", "optimizer.lr=-1", "'lr' is '-1', expected more than 0"),
        ("parts: [sgd]", "parts.0.lr=-1", "'lr' is '-1', expected more than 0"),
    ],
)
def test_complaints_name_the_override(text: str, override: str, expected: str) -> None:
    assert changed(text, override)[1] == [f"override '{override}': {expected}"]


def test_a_mistake_of_the_file_is_not_hidden() -> None:
    _, complaints = changed("training: 5\noptimizer: sdg\nwords: []", "training.epochs=3", "optimizer.lr=1")
    assert complaints == [
        "override 'training.epochs=3': 'training' is no mapping in the file, so there is no 'epochs' in it",
        "override 'optimizer.lr=1': no part 'sdg'; known: adam, pad, repeat, sgd. Did you mean 'sgd'?",
        "f:2:1: no part 'sdg'; known: adam, pad, repeat, sgd. Did you mean 'sgd'?",
        "f:1:1: 'training' is '5', expected a mapping",
    ]


def test_one_after_the_other() -> None:
    tree, complaints = changed(
        "words: []", "optimizer=adam", "optimizer.lr=3", "training.epochs=2", "training.epochs=4"
    )
    assert not complaints
    assert tree["optimizer"] == {"adam": {"lr": "3"}}
    assert tree["training"] == {"epochs": "4"}


def test_other_values_keep_their_place() -> None:
    _, complaints = changed(
        "training: {epochs: 0}\nparts: [{sgd: {lr: 0}}, adam]", "training.ema.decay=1", "parts.1.lr=1"
    )
    assert complaints == [
        "f:2:16: 'lr' is '0', expected more than 0",
        "f:1:12: 'epochs' is '0', expected more than 0",
    ]
