"""Names on the command line that are no ordinary ones."""

import pytest
from command_line import Place

from cnnlab.cli.failures import forget_options, with_options

LONG = "x" * 300


@pytest.mark.parametrize("model", [LONG, f"net.py:{LONG}", f"torchvision:{LONG}", f"net.py:build(a=[{'0,' * 400}])"])
def test_a_long_name_of_a_network_is_shown_by_its_ends(cnnlab: Place, model: str) -> None:
    (cnnlab.folder / "net.py").write_text("def build(b):\n    pass\n")
    done = cnnlab("summary", model, "--json")
    assert done.code in (1, 2)
    for said in (done.err, done.json()["error"]):
        assert max(map(len, said.split())) <= 124, said


def test_a_name_that_begins_like_an_option(cnnlab: Place) -> None:
    done = cnnlab("summary", "-dash.py:Net")
    assert done.code == 2
    assert done.err == "error: '-dash.py:Net' is taken for options; put -- before it, behind all options\n"
    assert "no file '-dash.py'" in cnnlab("summary", "--", "-dash.py:Net").err


def test_parameters_are_told_as_options_to_whoever_typed_the_command(cnnlab: Place) -> None:
    (cnnlab.folder / "bad.yaml").write_text("plugins: [mine.py]\nmodel: [linear]\n")
    done = cnnlab("summary", "bad.yaml", "--json")
    said = done.json()
    assert "allow that with --allow-plugins if you trust it" in done.err
    assert said["problems"][0]["message"] in said["error"]
    assert with_options("`size`, `activation=sigmoid`, `other=1`") == "--input, --activation sigmoid, `other=1`"
    forget_options()
    assert with_options("`allow_plugins=True`") == "`allow_plugins=True`"
