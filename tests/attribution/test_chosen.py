"""Methods as a person names them: the grammar, the checks, and the options that maps were made with."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pytest
import torch
from attribution.subjects import gap, some_images
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from torch import Tensor, nn

from cnnlab.attribution.attribution import attribute, planned_passes
from cnnlab.attribution.batch import Request
from cnnlab.attribution.catalog import (
    METHODS,
    chosen,
    chosen_methods,
    listed,
    methods_for_head,
    unasked,
    used,
    written,
)
from cnnlab.attribution.method import FUNCTIONS, Known, Method, MethodMaps, Steps
from cnnlab.core.errors import RequestError
from cnnlab.core.named import names_with_options


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gradcam", [("gradcam", {})]),
        ("gradcam, gradcam++ ,rise", [("gradcam", {}), ("gradcam++", {}), ("rise", {})]),
        ("rise:masks=4000", [("rise", {"masks": "4000"})]),
        ("rise: masks = 4000 , keep = 0.3", [("rise", {"masks": "4000", "keep": "0.3"})]),
        ("rise,masks=40", [("rise", {"masks": "40"})]),
        (
            "gradcam,integrated_gradients:steps=200,baseline=blur,rise:masks=4000,hirescam",
            [
                ("gradcam", {}),
                ("integrated_gradients", {"steps": "200", "baseline": "blur"}),
                ("rise", {"masks": "4000"}),
                ("hirescam", {}),
            ],
        ),
        ("occlusion:window=null,stride=none", [("occlusion", {"window": None, "stride": None})]),
        ("smoothgrad:noise=", [("smoothgrad", {"noise": ""})]),
    ],
)
def test_a_word_with_an_equals_sign_is_of_the_method_before_it(text: str, expected: list[Any]) -> None:
    assert names_with_options(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "methods is '', expected names with commas between them"),
        ("gradcam,,rise", "methods is 'gradcam,,rise', expected names with commas between them"),
        (":masks=3", "methods is ':masks=3', expected names with commas between them"),
        ("masks=3,rise", "methods is 'masks=3,rise', and the option 'masks=3' stands before any method"),
        (
            "rise:masks",
            "methods is 'rise:masks', expected NAME:OPTION=VALUE,OPTION=VALUE, and 'masks' is no option with a value",
        ),
        (
            "rise:",
            "methods is 'rise:', expected NAME:OPTION=VALUE,OPTION=VALUE, and '' is no option with a value",
        ),
        (
            "rise:=3",
            "methods is 'rise:=3', expected NAME:OPTION=VALUE,OPTION=VALUE, and '=3' is no option with a value",
        ),
        ("rise:keep=1,keep=2", "methods is 'rise:keep=1,keep=2', which gives keep of rise twice"),
    ],
)
def test_what_is_no_list_of_methods(text: str, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        names_with_options(text)
    assert str(caught.value) == message


@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(METHODS)),
            st.dictionaries(
                st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.from_regex(r"[0-9.=:]{0,6}", fullmatch=True)
            ),
        ),
        min_size=1,
    )
)
def test_what_is_written_is_read_again(methods: list[tuple[str, dict[str, str]]]) -> None:
    text = ",".join(
        name + (":" if options else "") + ",".join(f"{key}={value}" for key, value in options.items())
        for name, options in methods
    )
    assert names_with_options(text) == methods


def test_a_method_is_asked_for_as_text_as_a_mapping_or_as_it_was_checked() -> None:
    (text,) = chosen_methods("rise:masks=40,keep=0.25,centred=false")
    (mapping,) = chosen_methods([{"rise": {"masks": 40, "keep": 0.25, "centred": False}}])
    assert text == mapping == chosen("rise", masks=40, keep=0.25, centred=False)
    assert chosen_methods([text, "gradcam", {"hirescam": None}, text])[0] is text
    assert [one.name for one in chosen_methods(["gradcam,rise", text.name])] == ["gradcam", "rise"]
    assert text.options == {"masks": 40, "cells": 7, "keep": 0.25, "centred": False}
    assert written(text) == "rise:masks=40,cells=7,keep=0.25,centred=false"
    assert listed(used(chosen("occlusion"))) == "window null, stride null, baseline zero"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            "rise:mask=4",
            "rise: no option 'mask' in method 'rise'; it has masks, cells, keep, centred. Did you mean 'masks'?",
        ),
        ("rise:masks=0", "rise: 'masks' is '0', expected at least 1"),
        ("rise:masks=1", "rise: masks: is 1, expected 2 or more: less its own mean one mask has no value left"),
        ("rise:keep=1", "rise: 'keep' is '1', expected less than 1"),
        ("rise:masks=4.5", "rise: 'masks' is '4.5', expected a whole number"),
        ("rise:centred=perhaps", "rise: 'centred' is 'perhaps', expected true or false"),
        ("smoothgrad:noise=nan", "smoothgrad: 'noise' is 'nan', expected a finite number"),
        ("smoothgrad:samples=1000000", "smoothgrad: 'samples' is '1000000', expected at most 1000"),
        (
            "integrated_gradients:quadrature=gauss",
            "integrated_gradients: 'quadrature' is 'gauss', expected 'gauss_legendre' or 'midpoint'",
        ),
        (
            "occlusion:baseline=blurr",
            "occlusion: 'baseline' is 'blurr', expected zero, black, white, mean, blur, noise, or a finite number. "
            "Did you mean 'blur'?",
        ),
        ("occlusion:baseline=inf", "occlusion: 'baseline' is 'inf', expected zero, black,"),
        ("gradcam:eps=1", "gradcam: no option 'eps' in method 'gradcam'; it has none."),
    ],
)
def test_a_wrong_option_is_refused_with_its_range_and_where_to_read_more(asked: str, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        chosen_methods([asked])
    assert str(caught.value).startswith(message)
    assert str(caught.value).endswith(f"ee cnnlab list methods {asked.partition(':')[0]}")


def test_every_wrong_option_is_told() -> None:
    with pytest.raises(RequestError) as caught:
        chosen("rise", masks=0, keep=2, cell=3)
    assert len(caught.value.lines) == 3


def test_one_method_twice_with_other_options_has_no_place_for_both() -> None:
    message = (
        "smoothgrad is asked for twice, as smoothgrad:samples=3,noise=0.15 and as smoothgrad:samples=4,noise=0.15; "
        "expected each method once"
    )
    with pytest.raises(RequestError, match=message):
        chosen_methods("smoothgrad:samples=3,smoothgrad:samples=4")
    assert len(chosen_methods("smoothgrad,smoothgrad:samples=25")) == 1
    baseline = torch.zeros(3, 1, 1)
    same = {"occlusion": {"baseline": baseline}}
    assert len(chosen_methods([same, same])) == 1
    with pytest.raises(RequestError, match=r"baseline=a tensor of 3 x 1 x 1 and as .*baseline=zero"):
        chosen_methods([same, "occlusion"])


def test_maps_say_the_options_that_they_were_made_with() -> None:
    images = some_images(1)
    plain, few = (attribute(gap(), images, [0], methods=[asked])[0] for asked in ("occlusion", "occlusion:window=5"))
    assert plain.options == {"window": None, "stride": None, "baseline": "zero"}
    assert few.options == {"window": 5, "stride": None, "baseline": "zero"}
    assert not torch.equal(plain.maps, few.maps)
    (made,) = attribute(gap(), images, [0], methods=[{"occlusion": {"baseline": torch.ones(3, 1, 1)}}])
    assert made.options["baseline"] == "a tensor of 3 x 1 x 1"


@pytest.fixture
def own() -> Iterator[None]:
    """A method as somebody may write it: a function, and what is known of it."""

    @Method(
        name="brightness",
        label="brightness",
        kind="pixel",
        sentence="how bright the pixel is",
        paper="none",
        passes=lambda batch, *, times, **options: times,
        warning=lambda head: f"behind '{head.layer}' nothing is certain",
        remark=lambda maps: f"{len(maps)} maps",
        needs=(Known.head,),
        of_layer=True,
    )
    def brightness(
        model: nn.Module, images: Tensor, *, times: Annotated[int, Field(ge=1)] = 1, power: Literal[1, 2] = 1
    ) -> Steps[MethodMaps]:
        """How bright each pixel is."""
        for _ in range(times):
            model(images)
            yield 1
        return MethodMaps((times * images.sum(1, keepdim=True) ** power,))

    yield
    FUNCTIONS.forget("brightness")
    METHODS.pop("brightness")


@pytest.mark.usefixtures("own")
def test_a_method_of_ones_own_is_one_function() -> None:
    """Asked for, checked, planned, run beside others and told of, like those of the package."""
    model, images = gap().eval(), some_images(3)
    asked = "gradcam,brightness:times=2,power=2"
    assert planned_passes(Request(model, images, [0, 1, 2], asked, max_batch=2)) == {"gradcam": 4, "brightness": 6}
    _, found = attribute(model, images, [0, 1, 2], methods=asked, max_batch=2)
    torch.testing.assert_close(found.maps, 2 * images.sum(1) ** 2)
    assert (found.passes, found.options) == (6, {"times": 2, "power": 2})
    assert found.notes == ("behind 'relu2' nothing is certain", "3 maps")
    assert found.layers == ("relu2",)
    with pytest.raises(RequestError, match=r"brightness: 'power' is '3', expected 1 or 2; see cnnlab list methods"):
        chosen("brightness", power=3)
    with pytest.raises(RequestError, match=r"no method 'brightnes'. Did you mean 'brightness'\?"):
        chosen("brightnes")


def test_what_is_shown_where_nobody_asked_is_the_entries_own() -> None:
    assert methods_for_head("gap_linear") == methods_for_head("gap_dense") == ("gradcam",)
    assert methods_for_head("flatten_dense") == methods_for_head("other") == ("hirescam", "integrated_gradients")
    assert unasked("audit") == ("gradient_x_input",)
    assert unasked("sanity") == ("gradient", "gradient_x_input", "guided_backprop")
    assert unasked("measured") == ("gradcam", "hirescam", "layercam", "eigencam", "gradient", "integrated_gradients")
    assert unasked("gallery") == (
        "gradcam", "hirescam", "layercam", "eigencam", "ablationcam", "gradient", "smoothgrad", "integrated_gradients",
        "occlusion",
    )  # fmt: skip
