from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from cnnlab.core.errors import ConfigError, RequestError
from cnnlab.core.problems import problems_of
from cnnlab.core.quantities import Pair, Positive, PositiveNumber, Probability
from cnnlab.core.registry import Chosen, Component, Registry, as_data, component
from cnnlab.core.yaml import parse

TOYS = Registry("toy", supplies=("shape", "classes"))
Toy = Annotated[Component, Chosen("toy")]


@TOYS.register("ball")
def ball(shape: tuple[int, ...], *, radius: Positive, soft: bool = False) -> tuple[Any, ...]:
    """A ball.

    It rolls.
    """
    return shape, radius, soft


@TOYS.register("kite")
def kite(
    *,
    size: Pair = (3, 3),
    tail: PositiveNumber | None = None,
    color: Literal["red", "blue"] = "red",
    share: Probability = 0.5,
    weights: Literal["none", "balanced"] | list[PositiveNumber] = "none",
    folder: Path = Path("."),
    layers: Literal[1, 3] = 3,
    strings: list[Literal[2, "many"]] | None = None,
) -> dict[str, Any]:
    """A kite."""
    return {"size": size, "tail": tail, "color": color}


@TOYS.register("box")
def box(shape: tuple[int, ...], /, *, toys: list[Toy], lid: Toy | None = None) -> list[Any]:
    """A box of toys."""
    return [toy.build(shape=shape, classes=2) for toy in toys]


@TOYS.register("robot")
class Robot:
    """A robot."""

    def __init__(self, classes: int, *, arms: Positive = 2) -> None:
        self.arms = arms * classes


@TOYS.register("car")
@dataclass(frozen=True, kw_only=True)
class Car:
    """A car."""

    wheels: Positive = 4


class Shelf(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_default=True)
    toys: list[Toy]
    best: Toy = "kite"  # type: ignore[assignment]


@pytest.fixture
def toys() -> Iterator[Registry]:
    names = {entry.name for entry in TOYS}
    yield TOYS
    for name in {entry.name for entry in TOYS} - names:
        TOYS.forget(name)


def complaints(text: str) -> list[str]:
    tree, problems = parse(text, "f"), []
    try:
        Shelf.model_validate(tree, context=problems)
    except ValidationError as error:
        problems += problems_of(error, tree, tree.mark, Shelf, "the shelf")
    return [str(problem) for problem in problems]


def with_keywords(shape: tuple[int, ...], **options: int) -> None: ...
def with_arguments(*shapes: int) -> None: ...
def without_annotation(shape: tuple[int, ...], *, radius=3) -> None: ...  # type: ignore[no-untyped-def]
def unsupplied(color: str) -> None: ...


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        (with_keywords, r"the toy 'new' takes '\*\*options: int'; every option is a named parameter"),
        (with_arguments, r"the toy 'new' takes '\*shapes: int'; every option is a named parameter"),
        (without_annotation, "the option 'radius' of the toy 'new' has no annotation"),
        (unsupplied, "the toy 'new' asks for 'color'; the program supplies shape, classes"),
    ],
)
def test_what_registering_refuses(toys: Registry, factory: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        toys.register("new")(factory)
    assert "new" not in toys


def test_a_name_is_given_once(toys: Registry) -> None:
    with pytest.raises(ValueError, match="the toy 'ball' is registered already"):
        toys.register("ball")(ball)


def test_entries() -> None:
    entry = TOYS["ball"]
    assert entry.supplied == ("shape",)
    assert list(entry.options.model_fields) == ["radius", "soft"]
    assert entry.doc == "A ball.\n\nIt rolls."
    assert entry.summary == "A ball."
    assert Registry.of("toy") is TOYS
    with pytest.raises(RequestError, match=r"no toy 'bal'; known: ball, .* Did you mean 'ball'\?"):
        _ = TOYS["bal"]


def test_building_supplies_what_is_asked_for() -> None:
    assert component("toy", "ball", radius=2).build(shape=(1, 2), classes=3) == ((1, 2), 2, False)
    assert component("toy", "kite", size=5).build(shape=(1,), classes=3)["size"] == (5, 5)
    assert component("toy", "box", toys=["kite", {"ball": {"radius": "7"}}]).build(shape=(1,), classes=3)[1] == (
        (1,),
        7,
        False,
    )


def test_classes_register_as_functions_do() -> None:
    assert component("toy", "robot", arms=3).build(shape=(1,), classes=2).arms == 6
    assert component("toy", "car").build(shape=(1,), classes=2) == Car(wheels=4)
    with pytest.raises(ConfigError, match="'wheels' is '0', expected more than 0"):
        component("toy", "car", wheels=0)


def test_component_in_python() -> None:
    with pytest.raises(RequestError, match="no toy 'yoyo'"):
        component("toy", "yoyo")
    with pytest.raises(ConfigError) as caught:
        component("toy", "box", toys=[{"ball": {"radius": 0}}, "yoyo", {"kite": {"size": [1, 0]}}])
    assert len(caught.value.problems) == 3


def test_every_mistake_is_collected_with_its_place() -> None:
    text = """\
toys:
  - ball
  - ball: {radius: -1, soft: perhaps, colour: red}
  - kit
  - box:
      toys:
        - kite: {color: rad, share: 2, size: [1, 2, 3]}
        - kite: {weights: [1, x]}
        - kite: {weights: balance}
        - box: {toys: [], lid: {ball: {}}}
  - kite:
    tail: 3
  - kite: 3
best: [kite]
shelf: 1
"""
    assert sorted(complaints(text), key=lambda c: [int(n) for n in c.split(":")[1:3]]) == [
        "f:2:5: toy 'ball' needs 'radius'",
        "f:3:12: 'radius' is '-1', expected more than 0",
        "f:3:24: 'soft' is 'perhaps', expected true or false",
        "f:3:39: no option 'colour' in toy 'ball'; it has radius, soft.",
        "f:4:5: no toy 'kit'; known: ball, box, car, kite, robot. Did you mean 'kite'?",
        "f:7:18: 'color' is 'rad', expected 'red' or 'blue'. Did you mean 'red'?",
        "f:7:30: 'share' is '2', expected at most 1",
        "f:7:40: 'size' is a list of 3, expected at most 2 of them",
        "f:8:31: 'weights' is 'x', expected a number",
        "f:9:18: 'weights' is 'balance', expected 'none' or 'balanced', or a list. Did you mean 'balanced'?",
        "f:10:39: toy 'ball' needs 'radius'",
        "f:11:5: expected a toy, written 'name' or 'name: {option: value}', "
        "and this has 'kite' and 'tail'; options are indented under the name",
        "f:13:5: expected a toy, written 'name' or 'name: {option: value}'",
        "f:14:1: expected a toy, written 'name' or 'name: {option: value}'",
        "f:15:1: no option 'shelf' in the shelf; it has toys, best.",
    ]


def test_without_a_list_of_problems_the_first_component_raises() -> None:
    with pytest.raises(ConfigError, match="'radius' is '0'"):
        TypeAdapter(Toy).validate_python({"ball": {"radius": 0}})


def test_numbers_to_choose_from_are_read_from_text() -> None:
    options = parse("toys: [{kite: {layers: 1, strings: [2, many]}}]", "f")
    (kite,) = Shelf.model_validate(options).toys
    assert (kite.options["layers"], kite.options["strings"]) == (1, [2, "many"])
    assert component("toy", "kite", layers=3).options["layers"] == 3
    assert complaints("toys: [{kite: {layers: 2}}]") == ["f:1:16: 'layers' is '2', expected 1 or 3"]


def test_the_place_of_a_component_is_kept() -> None:
    shelf = Shelf.model_validate(parse("toys:\n  - kite\n  - ball: {radius: 1}", "f"))
    assert [str(toy.mark) for toy in shelf.toys] == ["f:2:5", "f:3:5"]
    assert shelf.best == component("toy", "kite")


def test_as_data_reads_back() -> None:
    text = "toys: [{box: {toys: [ball: {radius: 2}], lid: kite}}, {kite: {weights: [1, 2], folder: a/b}}]"
    shelf = Shelf.model_validate(parse(text, "f"))
    data = as_data(shelf)
    assert data["toys"][0] == {"box": {"toys": [{"ball": {"radius": 2, "soft": False}}], "lid": data["best"]}}
    assert data["toys"][1]["kite"]["folder"] == "a/b"
    assert data["toys"][1]["kite"]["size"] == [3, 3]
    assert Shelf.model_validate(data) == shelf
