import pytest

from cnnlab.core.errors import ConfigError, RequestError
from cnnlab.core.registry import component
from cnnlab.layers_lab.run import layer_of, stack_of, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("conv channels=64  kernel=3", ["conv", "channels=64", "kernel=3"]),
        ("relu", ["relu"]),
        ("  ", []),
        ("conv kernel=[1, 3] + relu", ["conv", "kernel=[1, 3]", "+", "relu"]),
        (
            "repeat times=2 layers=[{conv: {channels: 8}}, relu] + relu",
            ["repeat", "times=2", "layers=[{conv: {channels: 8}}, relu]", "+", "relu"],
        ),
        ("conv padding_mode='a + b' x=\"]  [\"", ["conv", "padding_mode='a + b'", 'x="]  ["']),
        ("conv x=a+b", ["conv", "x=a+b"]),
        ("conv x=] y=1", ["conv", "x=]", "y=1"]),
    ],
)
def test_blanks_in_brackets_and_quotes_cut_nothing(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_a_layer_is_the_one_that_a_config_would_make() -> None:
    made = layer_of("conv", ["channels=16", "kernel=[3, 5]", "bias=no", "padding=same"])
    assert made == component("layer", "conv", channels=16, kernel=[3, 5], bias=False)


def test_layers_in_layers() -> None:
    (made,) = stack_of("residual layers=[{conv: {channels: 8}}, relu]")
    assert [layer.name for layer in made.options["layers"]] == ["conv", "relu"]


def test_a_stack_keeps_its_order() -> None:
    assert [layer.name for layer in stack_of("conv channels=8 + relu + max_pool")] == ["conv", "relu", "max_pool"]


def test_every_wrong_option_is_told() -> None:
    with pytest.raises(ConfigError) as caught:
        layer_of("conv", ["channels=many", "strid=2"])
    assert str(caught.value).splitlines() == [
        "'channels=many': 'channels': a whole number above 0 or 'classes' (as many as there are classes) is expected, "
        "not 'many'",
        "'strid=2': no option 'strid' in layer 'conv'; it has channels, kernel, stride, padding, padding_mode, "
        "dilation, groups, bias, weight_standardization. Did you mean 'stride'?",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["channels"], "'channels': expected KEY=VALUE, such as kernel=3"),
        (["=3"], "'=3': expected KEY=VALUE, such as kernel=3"),
        (["channels=1", "channels=2"], "'channels=2': 'channels' is given twice"),
        (["channels=[1"], "'channels=[1': not YAML: "),
        ([], "layer 'conv' needs 'channels'"),
    ],
)
def test_words_that_are_no_options(options: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        layer_of("conv", options)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("text", ["", "+", "relu +", "+ relu", "relu + + relu"])
def test_a_missing_layer(text: str) -> None:
    with pytest.raises(RequestError, match="a layer is missing"):
        stack_of(text)


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(RequestError, match="Did you mean 'conv'"):
        stack_of("relu + cov channels=3")
