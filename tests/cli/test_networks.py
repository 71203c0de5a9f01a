"""Several MODELs on the command line, each with options of its own."""

import pytest

from cnnlab.cli.network import Named, named_networks
from cnnlab.core.errors import RequestError


def options(*texts: str, **shared: str) -> list[tuple[str, dict[str, str]]]:
    return [(one.text, dict(one.options)) for one in named_networks(texts, shared)]  # type: ignore[arg-type]


def test_options_stand_behind_their_network() -> None:
    text = "net.py:Net(name='a b', depth=2)  --weights 'my w.pt' --input=3,32,32 --weights-key ema"
    assert options(text) == [
        ("net.py:Net(name='a b', depth=2)", {"weights": "my w.pt", "size": "3,32,32", "weights_key": "ema"})
    ]
    assert options("runs/my run") == [("runs/my run", {})]


def test_what_is_said_of_all_holds_where_nothing_else_is_said() -> None:
    assert options("net.py:a --input 64", "torchvision:resnet18", size="32") == [
        ("net.py:a", {"size": "64"}),
        ("torchvision:resnet18", {"size": "32"}),
    ]


def test_a_run_knows_itself_and_leaves_it_to_the_others() -> None:
    assert options("quickstart", "net.py:a", "tiny.yaml", mean="0.5") == [
        ("quickstart", {}),
        ("net.py:a", {"mean": "0.5"}),
        ("tiny.yaml", {}),
    ]
    assert options("quickstart", "other", mean="0.5")[0] == ("quickstart", {"mean": "0.5"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("net.py:a --wieghts w.pt", "no option '--wieghts' of a network.*Did you mean '--weights'"),
        ("net.py:a --weights", "--weights lacks its value"),
        ("net.py:a --weights --input 3", "--weights lacks its value"),
        ("net.py:a --weights w.pt more", "'more' belongs to no option"),
        ("net.py:a --weights 'w.pt", "no closing quotation"),
    ],
)
def test_what_is_no_option_is_named(text: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        named_networks([text], {})


def test_one_of_several_is_named_before_what_is_said_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    Named("net.py:a", {}, among=True).tell(["something was assumed"])
    Named("net.py:a", {}).tell(["something else"])
    assert capsys.readouterr().err.splitlines() == ["net.py:a: something was assumed", "something else"]
