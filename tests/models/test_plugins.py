from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from cnnlab.core.errors import ConfigError, RequestError
from cnnlab.core.registry import component
from cnnlab.models import plugins
from cnnlab.models.build import build
from cnnlab.models.plugins import load_plugins
from cnnlab.models.registry import LAYERS

MINE = '''"""Mine."""
from torch import nn

from cnnlab.models.registry import LAYERS


class Swap(nn.Module):
    def forward(self, images):
        return images.flip(3)


@LAYERS.register("swap")
def swap(*, often: int = 1) -> nn.Module:
    """Mirror the image."""
    return nn.Sequential(*[Swap() for _ in range(often)])
'''


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    before = {entry.name for entry in LAYERS}
    yield
    for name in {entry.name for entry in LAYERS} - before:
        LAYERS.forget(name)
    plugins._loaded.clear()


def write(folder: Path, text: str, name: str = "mine.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_users_layer_is_known_and_checked_like_ours(tmp_path: Path) -> None:
    write(tmp_path, MINE)
    load_plugins(["mine.py"], tmp_path)
    layers = [component("layer", "swap", often=3), component("layer", "global_avg_pool"), component("layer", "linear")]
    model = build(layers, (3, 4, 4), classes=2)
    assert model(torch.zeros(1, 3, 4, 4)).shape == (1, 2)
    with pytest.raises(ConfigError, match="'often' is 'x', expected a whole number"):
        component("layer", "swap", often="x")


def test_loading_twice_is_loading_once(tmp_path: Path) -> None:
    path = write(tmp_path, MINE)
    load_plugins(["mine.py", str(path)], tmp_path)
    first = LAYERS["swap"]
    load_plugins(["mine.py"], tmp_path)
    (tmp_path / "copy").mkdir()
    write(tmp_path / "copy", MINE)
    load_plugins(["copy/mine.py"], tmp_path)
    assert LAYERS["swap"] is first


def test_a_changed_file_is_loaded_anew(tmp_path: Path) -> None:
    write(tmp_path, MINE)
    load_plugins(["mine.py"], tmp_path)
    write(tmp_path, MINE.replace('"swap"', '"exchange"'))
    load_plugins(["mine.py"], tmp_path)
    assert "exchange" in LAYERS
    assert "swap" not in LAYERS


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(RequestError) as caught:
        load_plugins(["absent.py"], tmp_path)
    assert str(caught.value) == f"no plugin file 'absent.py' (looked at {tmp_path}/absent.py)"
    (tmp_path / "folder").mkdir()
    with pytest.raises(RequestError, match=r"the plugin 'folder' cannot be read: Is a directory"):
        load_plugins(["folder"], tmp_path)


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        (MINE + "\n1 / 0\n", 17, "ZeroDivisionError: division by zero"),
        (MINE + "\nimport nothing_of_that_name\n", 17, "ModuleNotFoundError: No module named 'nothing_of_that_name'"),
        (MINE + "\nraise SystemExit(0)\n", 17, "SystemExit: 0"),
        (MINE + "\ndef broken(:\n", 17, "SyntaxError: invalid syntax"),
        (MINE.replace('"swap"', '"conv"'), 12, "ValueError: the layer 'conv' is registered already"),
        (
            MINE.replace("often: int", "often"),
            12,
            "ValueError: the option 'often' of the layer 'swap' has no annotation",
        ),
    ],
)
def test_a_file_that_cannot_be_imported_names_its_line(tmp_path: Path, text: str, line: int, reason: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(RequestError) as caught:
        load_plugins(["mine.py"], tmp_path)
    assert str(caught.value) == f"{path}:{line}: the plugin 'mine.py' cannot be loaded: {reason}"
    assert "swap" not in LAYERS
    write(tmp_path, MINE)
    load_plugins(["mine.py"], tmp_path)
    assert "swap" in LAYERS


def test_an_option_that_cannot_be_checked_is_found_at_loading(tmp_path: Path) -> None:
    write(tmp_path, MINE.replace("often: int", 'often: "Missing"'))
    with pytest.raises(RequestError, match=r"cannot be loaded: NameError: name 'Missing' is not defined"):
        load_plugins(["mine.py"], tmp_path)
    assert "swap" not in LAYERS


def test_binary_rubbish_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_bytes(b"\x00\xff\xfe")
    with pytest.raises(RequestError, match=r"the plugin 'mine\.py' cannot be loaded: SyntaxError"):
        load_plugins(["mine.py"], tmp_path)
