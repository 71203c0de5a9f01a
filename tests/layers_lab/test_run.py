import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cnnlab.core.errors import CnnlabError, RequestError
from cnnlab.layers_lab.matrix import matrix_of
from cnnlab.layers_lab.run import compare, examine, examine_on, input_of

FIGURE = "1 3 2 0 / 4 2 1 5 / 0 1 6 2 / 2 3 1 0"
"""Figure 19.3.1."""


def ran(kind: str, *options: str, matrix: str = FIGURE, weights: str | None = None) -> list[object]:
    kernel = None if weights is None else matrix_of(weights, "--weights")
    found = examine_on(kind, options, matrix_of(matrix, "--matrix"), kernel, classes=10)
    assert found.result is not None
    return found.result.tolist()  # type: ignore[no-any-return]


def test_the_pools_of_the_figure() -> None:
    assert ran("max_pool") == [[[4, 5], [3, 6]]]
    assert ran("avg_pool") == [[[2.5, 2.0], [1.5, 2.25]]]
    assert ran("global_avg_pool") == [33 / 16]


def test_a_lone_spike_moves_inside_its_window_unseen_by_either_pool() -> None:
    """Exercise 19.3.2: the average is v/4 wherever the spike stands in its window."""
    spikes = ["8 0 0 0 / 0 0 0 0", "0 8 0 0 / 0 0 0 0", "0 0 0 0 / 0 8 0 0", "0 0 8 0 / 0 0 0 0"]
    assert [ran("max_pool", matrix=spike) for spike in spikes] == [[[[8, 0]]]] * 3 + [[[[0, 8]]]]
    assert [ran("avg_pool", matrix=spike) for spike in spikes] == [[[[2, 0]]]] * 3 + [[[[0, 2]]]]


numbers = st.integers(-9, 9).map(float)


@settings(deadline=None, max_examples=20)
@given(
    st.lists(st.lists(numbers, min_size=6, max_size=6), min_size=5, max_size=5),
    st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=3, max_size=3),
)
def test_a_kernel_is_applied_as_it_is_written(matrix, weights) -> None:
    written = " / ".join(" ".join(map(str, row)) for row in weights)
    text = " / ".join(" ".join(map(str, row)) for row in matrix)
    image, kernel = torch.tensor(matrix)[None, None], torch.tensor(weights)[None, None]
    expected = F.conv2d(image.double(), kernel.double(), padding=1)[0]
    assert ran("conv", "channels=1", matrix=text, weights=written) == expected.tolist()
    twice = ran("conv", "channels=2", matrix=text, weights=written)
    assert twice == [expected[0].tolist()] * 2
    assert ran("locally_connected", "channels=1", matrix=text, weights=written) == expected.tolist()


@pytest.mark.parametrize(
    ("kind", "options", "weights", "message"),
    [
        ("conv", ["channels=1"], None, "needs its weights, such as `weights` '1 0 -1 / 2 0 -2 / 1 0 -1'"),
        ("max_pool", [], "1", "`weights`: layer 'max_pool' has no weights"),
        ("conv", ["channels=1", "kernel=5"], "1 2 1 / 1 2 1 / 1 2 1", "`weights` is 3×3, and the kernel 5×5"),
        ("batch_norm", [], None, "layer 'batch_norm' has 2 parameters"),
        ("linear", [], None, "layer 'linear' has 2 parameters"),
        ("depthwise_separable", ["channels=1"], "1 1 1 / 1 1 1 / 1 1 1", "has 4 parameters"),
    ],
)
def test_what_does_not_run_on_a_matrix(kind, options, weights, message) -> None:
    with pytest.raises(CnnlabError) as caught:
        ran(kind, *options, weights=weights)
    assert message in str(caught.value)


def test_a_matrix_in_words() -> None:
    assert matrix_of("1 -2.5/3,4e1", "--matrix").tolist() == [[1, -2.5], [3, 40]]
    assert matrix_of("1 2\n3 4", "--matrix").tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("text", ["", "/", "1 2 / 3", "1 x", "1 inf", "nan", "1 2 /"])
def test_what_is_no_matrix(text: str) -> None:
    with pytest.raises(RequestError, match="--matrix"):
        matrix_of(text, "--matrix")


def test_an_input_in_words() -> None:
    assert input_of("3,32,64") == input_of("3x32x64") == input_of(" 3, 32 ,64") == (3, 32, 64)


@pytest.mark.parametrize(
    "text", ["", "3,32", "3,32,32,32", "3,0,32", "3,-1,32", "3,a,32", "1,1,99999", "1000,9999,9999", "3,²,3"]
)
def test_what_is_no_input(text: str) -> None:
    with pytest.raises(RequestError, match="`shape` is"):
        input_of(text)


def test_a_dense_layer_gets_the_image_flattened_and_builds_no_weights() -> None:
    found = examine("linear", ["features=1000"], (3, 224, 224), classes=10)
    assert found.arithmetic.input == (150_528,)
    assert (found.arithmetic.weights, found.arithmetic.biases) == (150_528_000, 1000)
    assert found.image == (3, 224, 224)


def test_no_random_number_is_used_up() -> None:
    before = torch.random.get_rng_state()
    examine("conv", ["channels=16"], (3, 8, 8), classes=10)
    compare(["conv channels=16", "linear"], (3, 8, 8), classes=10)
    ran("conv", "channels=1", weights="1 1 1 / 1 1 1 / 1 1 1")
    assert torch.equal(before, torch.random.get_rng_state())


def test_comparing_needs_two() -> None:
    with pytest.raises(RequestError, match="nothing to be compared with"):
        compare(["relu"], (3, 8, 8), classes=10)


def test_an_image_too_large_for_what_is_bound_to_its_places() -> None:
    with pytest.raises(RequestError, match="bound to one size"):
        compare(["relu + flatten", "relu"], (3, 4096, 4096), classes=10)


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("conv channels=2 kernel=9 padding=0", "floor((4 + 2·0 − 1·(9−1) − 1)/1) + 1 = −4; padding: 3 would fit"),
        ("depthwise kernel=9 padding=0", "padding: 3 would fit"),
        ("depthwise_separable channels=2 kernel=9 padding=0", "padding: 3 would fit"),
        ("conv_bn_act channels=2 kernel=9 padding=0", "padding: 3 would fit"),
        ("locally_connected channels=2 kernel=9 padding=0", "padding: 3 would fit"),
        ("max_pool kernel=9", "floor((4 + 2·0 − 1·(9−1) − 1)/9) + 1 = 0; padding: 3 would fit"),
        ("avg_pool kernel=9", "padding: 3 would fit"),
        ("conv channels=2 dilation=4 padding=0", "padding: 3 would fit"),
        ("repeat times=2 layers=[max_pool: {kernel: 9}]", "padding: 3 would fit"),
        ("residual layers=[conv: {channels: 3, kernel: 9, padding: 0}]", "padding: 3 would fit"),
        ("parallel branches=[[conv: {channels: 3, kernel: 9, padding: 0}]]", "padding: 3 would fit"),
    ],
)
def test_a_window_that_does_not_fit_says_so_with_the_formula_and_a_padding_that_does(text: str, formula: str) -> None:
    kind, *options = text.split(" ", 1)[0], *_options(text)
    with pytest.raises(RequestError) as caught:
        examine(kind, options, (3, 4, 4), classes=10)
    said = str(caught.value)
    assert f"floor(({4} + 2·0 − " in said
    assert said.endswith(formula)
    if "[" not in text:  # and it does fit
        padded = [option for option in options if not option.startswith("padding=")] + ["padding=3"]
        assert isinstance(examine(kind, padded, (3, 4, 4), classes=10).arithmetic.output, tuple)


def _options(text: str) -> list[str]:
    from cnnlab.layers_lab.run import words_of

    return words_of(text)[1:]


def test_stacks_of_layers_run_in_their_order() -> None:
    (first, second) = compare(["conv channels=4 + relu + max_pool + flatten", "avg_pool"], (2, 8, 8), classes=3)
    assert [part.kind for part in first.facts.parts] == ["Conv2d", "ReLU", "MaxPool2d", "Flatten"]
    assert (first.facts.output, second.facts.output) == ((64,), (2, 4, 4))
    assert first.text == "conv channels=4 + relu + max_pool + flatten"
    assert nn.Flatten()(torch.zeros(1, 4, 4, 4)).shape == (1, *first.facts.output)
