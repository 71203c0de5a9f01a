import pytest

from cnnlab.config.shipped import shipped_configs
from cnnlab.core.errors import RequestError
from cnnlab.project.config.copy import copied


def test_it_is_the_config_and_never_takes_the_place_of_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = copied("shift/dense")
    assert (file.name, file.read_text()) == ("dense.yaml", shipped_configs()["shift/dense"].read_text())
    file.write_text("mine")
    with pytest.raises(RequestError, match=r"dense\.yaml: is there already"):
        copied("dense")
    assert file.read_text() == "mine"
    with pytest.raises(RequestError, match=r"Did you mean 'cifar'"):
        copied("cifr")
