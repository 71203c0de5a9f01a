from typing import Annotated, Literal

import pytest
from pydantic import Field

from cnnlab.core.quantities import NonNegativeNumber, Pair, Positive, Probability
from cnnlab.core.registry import Registry
from cnnlab.models.registry import Layer, Layers
from cnnlab.project.listing import Option, example_of, flow, in_words, options_of

THINGS = Registry("thing", supplies=())


@pytest.fixture
def entry():
    @THINGS.register("thing")
    def thing(
        *,
        kernel: Pair = (3, 3),
        stride: Pair = (1, 2),
        channels: Positive,
        eps: NonNegativeNumber = 1e-5,
        mode: Literal["zero", "none"] = "none",
        chance: Annotated[Probability, Field(description="of a flip")] = 0.5,
        bias: bool | None = None,
        layers: Layers,
    ) -> None:
        """A thing."""

    yield THINGS["thing"]
    THINGS.forget("thing")


def test_options_in_words_with_those_first_that_must_be_given(entry):
    assert options_of(entry) == (
        Option("channels", "whole number > 0", None),
        Option("layers", "list of layer", None),
        Option("kernel", "whole number ≥ 1 or 2 × whole number ≥ 1", "3"),
        Option("stride", "whole number ≥ 1 or 2 × whole number ≥ 1", "[1, 2]"),
        Option("eps", "number ≥ 0", "1e-05"),
        Option("mode", "zero | none", "none"),
        Option("chance", "number ≥ 0, ≤ 1", "0.5", "of a flip"),
        Option("bias", "true | false or null", "null"),
    )


def test_an_example_has_what_must_be_given(entry):
    assert set(example_of(entry)["thing"]) == {"channels", "layers"}


def test_an_example_without_needs_spells_the_defaults_out():
    @THINGS.register("other")
    def other(*, kernel: Pair = (3, 3), activation: Layer = "relu") -> None:
        """Another."""

    assert example_of(THINGS["other"]) == {"other": {"kernel": 3, "activation": "relu"}}
    THINGS.forget("other")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-5, "1e-05"),
        (0.5, "0.5"),
        ("none", "none"),
        ("no", "'no'"),
        (None, "null"),
        (True, "true"),
        ([3, 4], "[3, 4]"),
    ],
)
def test_values_as_yaml(value, text):
    assert flow(value) == text


def test_a_type_that_has_no_words():
    assert in_words({}) == "value"
