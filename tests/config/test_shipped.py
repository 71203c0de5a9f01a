from distutils.core import run_setup
from pathlib import Path

import pytest

from cnnlab.config import shipped
from cnnlab.config.config import read_config
from cnnlab.config.shipped import config_file, shipped_config, shipped_configs
from cnnlab.core.errors import RequestError
from cnnlab.network.open import open_network
from cnnlab.network.session import Session

ROOT = Path(__file__).parents[2]


@pytest.fixture
def two(tmp_path, monkeypatch):
    """Two folders of configs, with one name in both."""
    for name in ("one/same", "two/same", "two/other", "top"):
        path = tmp_path / "configs" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("model: [global_avg_pool, linear]\n")
    monkeypatch.setattr(shipped, "SHIPPED", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_names_are_whole_or_the_last_part(two):
    assert list(shipped_configs()) == ["one/same", "quickstart", "top", "two/other", "two/same"]
    assert shipped_config("other") == shipped_config("two/other.yaml") == two / "configs/two/other.yaml"
    with pytest.raises(RequestError, match=r"'same' is the name of 2 configs of cnnlab: one/same, two/same"):
        shipped_config("same")


def test_a_file_of_that_name_comes_first(two):
    assert config_file(Path("other")).name == "other.yaml"
    assert read_config(Path("other")).name == "other"
    Path("other").write_text("name: mine\nmodel: [global_avg_pool, linear]\n")
    assert read_config(Path("other")).name == "mine"
    with pytest.raises(RequestError, match=r"othr: no such file, .* Did you mean 'other'\?"):
        config_file(Path("othr"))


def test_a_run_comes_before_a_config(two):
    session = Session(runs=two / "runs", device_name="cpu")
    found = open_network("top", session, values=False)
    assert (found.origin, found.name) == ("config", "top")
    assert str(two / "configs/top.yaml") in found.remarks[-1]
    (two / "runs/top").mkdir(parents=True)
    with pytest.raises(RequestError, match=r"top"):  # a damaged run is no reason to take another thing
        open_network("top", session, values=False)


def test_a_wheel_has_them(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    command = run_setup("setup.py", stop_after="init").get_command_obj("build_py")
    command.build_lib = str(tmp_path)
    copies = {Path(target).relative_to(tmp_path).as_posix() for _, target in command._copies()}
    assert copies == {
        path.relative_to(ROOT).as_posix().join(("cnnlab/", "")) for path in (ROOT / "configs").rglob("*.yaml")
    }
    assert "cnnlab/configs/cifar.yaml" in copies
