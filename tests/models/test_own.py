"""Own networks by their place: what is found, what is handed over, and how mistakes in them are told."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cnnlab.core.errors import RequestError
from cnnlab.models.own import OwnCodeError, OwnNetwork, is_own, made, own_network, said_to

CODE = """
import torch.nn as nn
from beside import layer

class Net(nn.Module):
    def __init__(self, width=4, *, classes=10, shape=None):
        super().__init__()
        self.first, self.last, self.shape = layer(width), nn.Linear(width, classes), shape

def build(depth, classes):
    return nn.Sequential(*[nn.Linear(classes, classes)] * depth)

def nothing(): pass
def broken(): return 1 / 0
def leaves(): raise SystemExit(3)
READY = nn.Linear(2, 3)
TABLE = {"a": 1}
class Zoo:
    net = Net
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "beside.py").write_text("from torch import nn\ndef layer(width): return nn.Conv2d(3, width, 3)\n")
    path = tmp_path / "net.py"
    path.write_text(CODE)
    yield path
    sys.modules.pop("beside", None)


@pytest.mark.parametrize(
    ("text", "place", "name", "positional", "options"),
    [
        ("net.py:Net", "net.py", "Net", (), {}),
        ("a/b:c.py:Net(3)", "a/b:c.py", "Net", (3,), {}),
        ("net.py:Net(width=-2, name='a:b.py:c')", "net.py", "Net", (), {"width": -2, "name": "a:b.py:c"}),
        ("pack.age:build([1, (2, None)], on=True)", "pack.age", "build", ([1, (2, None)],), {"on": True}),
        ("pack:Zoo.net()", "pack", "Zoo.net", (), {}),
    ],
)
def test_what_text_names(
    text: str, place: str, name: str, positional: tuple[Any, ...], options: dict[str, Any]
) -> None:
    assert is_own(text)
    assert own_network(text) == OwnNetwork(place, name, positional, options)


@pytest.mark.parametrize("text", ["quickstart", "runs/mine", "config.yaml", "a folder/with: colon", "-", ""])
def test_what_names_something_else(text: str) -> None:
    assert not is_own(text)


@pytest.mark.parametrize(
    "text",
    [
        "net.py:",
        "net.py",
        "net.py:Net(x)",
        "net.py:Net(",
        "net.py:Net()()",
        "net.py:1",
        "net.py:Net(**{})",
        "net.py:N(a=1, a=2)",
        "a:b[0]",
    ],
)
def test_forms_that_are_refused(text: str) -> None:
    with pytest.raises(RequestError):
        own_network(text)


def test_a_class_is_made_with_what_it_asks_for(file: Path) -> None:
    network = made(own_network(f"{file}:Net(width=6)"), classes=5, shape=(3, 8, 8), unknown=1)
    assert (network.last.in_features, network.last.out_features, network.shape) == (6, 5, (3, 8, 8))
    assert made(own_network(f"{file}:Net(classes=7)"), classes=5).last.out_features == 7  # what is given holds


def test_functions_modules_and_things_inside_others(file: Path) -> None:
    assert len(made(own_network(f"{file}:build(3)"), classes=2)) == 3
    ready = made(own_network(f"{file}:READY"))
    assert ready is made(own_network(f"{file}:READY"))
    assert type(made(own_network(f"{file}:Zoo.net"))).__name__ == "Net"
    assert isinstance(made(own_network("torch.nn:Linear(2, out_features=3)")), nn.Linear)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Nett", "Did you mean 'Net'?"),
        ("Net(widht=3)", "Did you mean 'width'?"),
        ("Net(1, 2)", "is given 2 arguments, and takes 1"),
        ("build(2)", "needs classes: write"),
        ("nothing", "returned None, expected a torch.nn.Module"),
        ("TABLE", "is a dict, expected a class or a function"),
        ("READY(1)", "is a module already"),
        ("nn", "is the Python module torch.nn"),
    ],
)
def test_wrong_requests_name_the_way_out(file: Path, name: str, words: str) -> None:
    with pytest.raises(RequestError, match=words.replace("?", r"\?").replace("(", r"\(")):
        made(own_network(f"{file}:{name}"))


def test_a_missing_file_and_a_missing_module(file: Path) -> None:
    with pytest.raises(RequestError, match=r"there is net\.py"):
        made(own_network(f"{file.parent}/ned.py:Net"))
    with pytest.raises(RequestError, match="Did you mean 'torchvision'"):
        made(own_network("torchvison:resnet18"))


@pytest.mark.parametrize(
    ("name", "kind", "line"), [("broken", "ZeroDivisionError", "return 1 / 0"), ("leaves", "SystemExit", "raise")]
)
def test_errors_in_their_code_are_shown_from_their_file_on(file: Path, name: str, kind: str, line: str) -> None:
    with pytest.raises(OwnCodeError, match=f"^{kind} when") as caught:
        made(own_network(f"{file}:{name}"))
    shown = "\n".join(caught.value.details)
    assert shown.startswith(f'  File "{file}", line')
    assert line in shown
    assert "cnnlab" not in shown


def test_errors_while_the_file_is_run(file: Path) -> None:
    file.write_text("import torch\nclass Net(torch.nn.Module:\n    pass\n")
    with pytest.raises(OwnCodeError, match="SyntaxError when the file") as caught:
        made(own_network(f"{file}:Net"))
    assert f'"{file}", line 2' in caught.value.details[0]
    file.write_text("import torch\nfrom torch import nothing_like_it\n")
    with pytest.raises(OwnCodeError, match="ImportError when the file") as caught:
        made(own_network(f"{file}:Net"))
    assert f'"{file}", line 2' in caught.value.details[0]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("exit()", "SystemExit when .* belongs under if __name__ == '__main__'"),
        ("class Own(BaseException): pass\nraise Own('theirs')", "Own when .* theirs"),
        ("from .layers import layer", "ImportError when .* put an empty __init__.py beside the file"),
        ("import sys\nsys.path.clear()\n1 / 0", "ZeroDivisionError when .* division by zero"),
    ],
)
def test_whatever_their_file_raises_is_theirs(file: Path, code: str, words: str) -> None:
    file.write_text(code)
    with pytest.raises(OwnCodeError, match=words) as caught:
        made(own_network(f"{file}:Net"))
    assert "cnnlab" not in "\n".join(caught.value.details)


def test_what_their_file_sets_is_as_before_afterwards(file: Path) -> None:
    folder, kind = Path.cwd(), torch.get_default_dtype()
    streams = (sys.stdin, sys.stdout, sys.stderr, sys.excepthook)
    file.write_text(
        "import os, sys, torch\nsys.stdin = sys.stdout = sys.stderr = sys.excepthook = None\n"
        "os.chdir('/')\ntorch.set_default_dtype(torch.float64)\ntorch.set_default_device('meta')\n"
        "def build():\n    torch.set_grad_enabled(False)\n    return torch.nn.Linear(2, 3)\n"
    )
    network = made(own_network(f"{file}:build"))
    assert (Path.cwd(), torch.get_default_dtype(), torch.is_grad_enabled()) == (folder, kind, True)
    assert (sys.stdin, sys.stdout, sys.stderr, sys.excepthook) == streams
    assert torch.zeros(1).device.type == "cpu"
    assert next(network.parameters()).device.type == "cpu"


def test_a_link_that_leads_back_to_itself(tmp_path: Path) -> None:
    (tmp_path / "net.py").symlink_to(tmp_path / "net.py")
    with pytest.raises(RequestError, match=r"net\.py' cannot be read"):
        made(own_network(f"{tmp_path / 'net.py'}:Net"))


def test_a_file_that_has_changed_is_loaded_anew(file: Path) -> None:
    first = made(own_network(f"{file}:READY"))
    file.write_text("from torch import nn\nREADY = nn.Linear(5, 5)\n")
    assert made(own_network(f"{file}:READY")).in_features == 5 != first.in_features


def test_relative_imports_work_in_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    package = tmp_path / "ownpack" / "nets"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").write_text("")
    (package.parent / "parts.py").write_text("from torch import nn\ndef last(): return nn.Linear(1, 2)\n")
    (package / "mine.py").write_text("from ..parts import last\nfrom torch import nn\ndef build(): return last()\n")
    assert made(own_network(f"{package / 'mine.py'}:build")).out_features == 2


def test_prints_go_to_stderr_and_the_search_path_is_said(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("print('loud')\n" + CODE + "\ndef prints():\n    print('louder')\n    return READY\n")
    heard: list[str] = []
    tell: Callable[[str], None] = heard.append
    with said_to(tell):
        made(own_network(f"{file}:prints"))
        made(own_network(f"{file}:prints"))
    out, err = capsys.readouterr()
    assert (out, err) == ("", "loud\nlouder\nlouder\n")
    assert heard == [f"{file.parent} is now on Python's search path (sys.path)"]
