"""`cnnlab receptive-field` and `cnnlab summary` from the command line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Call = Any


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no sentence is broken."""
    monkeypatch.setenv("COLUMNS", "160")


@pytest.fixture(scope="module")
def vgg(place_of: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """`receptive-field torchvision:vgg16 --json`."""
    place = place_of(tmp_path_factory.mktemp("vgg"))
    return place("receptive-field", "torchvision:vgg16", "--json")


def test_json_has_each_layer_as_promised(vgg: Any) -> None:
    assert vgg.code == 0, vgg.err
    layers = {layer["name"]: layer for layer in vgg.json()["layers"]}
    last = layers["features.30"]
    assert set(last) >= {"name", "kind", "output", "r", "stride", "padding", "r_min", "global", "because"}
    assert (last["kind"], last["output"]) == ("MaxPool2d", [512, 7, 7])
    assert (last["r"], last["stride"], last["padding"], last["r_min"]) == ([212, 212], [32, 32], [90, 90], [212, 212])
    assert (last["global"], last["because"]) == (False, None)
    assert layers["classifier.6"]["global"]
    assert layers["classifier.6"]["because"] == "classifier.0"


def test_a_config_is_told_layer_by_layer(cnnlab: Call) -> None:
    result = cnnlab("receptive-field", "tiny.yaml")
    assert result.code == 0, result.err
    assert "From global_avg_pool1 on, every unit sees the whole image because of global_avg_pool1." in result.out
    assert "under-coverage" in result.out
    assert "The smallest changes that repair it" in result.out
    written = {path.name for path in (cnnlab.runs / "receptive-field").iterdir()}
    assert {"growth.png", "pyramid.png", "index.html", "receptive_fields.csv"} <= written


@pytest.mark.usefixtures("nothing_is_drawn")
def test_a_run_keeps_its_figures_with_its_reports(trained: Any) -> None:
    result = trained.place("receptive-field", "tiny", "--effective", "5", "--verify", "--json")
    assert result.code == 0, result.err
    document = result.json()
    assert document["verification"]["mismatched"] == 0
    assert document["verification"]["compared"] > 5000
    assert document["effective"]["samples"] == "5 validation images"
    assert document["effective"]["theoretical"] == [7, 7]
    assert 0 < document["effective"]["ratio"] <= 1
    folder = trained.run / "reports" / "receptive-field"
    assert {"effective_field.png", "effective_curve.png"} <= {path.name for path in folder.iterdir()}


@pytest.mark.usefixtures("nothing_is_drawn")
def test_effective_needs_no_number(cnnlab: Call) -> None:
    result = cnnlab("receptive-field", "tiny.yaml", "--effective", "--json")
    assert result.code == 0, result.err
    assert result.json()["effective"]["samples"].startswith("32 networks of random weights")


@pytest.mark.usefixtures("nothing_is_drawn")
def test_what_if_takes_several_changes(cnnlab: Call) -> None:
    both = "conv_bn_act1.conv.stride=1 conv_bn_act2.conv.stride=1"
    change = "conv_bn_act2.conv.dilation=2"
    result = cnnlab("receptive-field", "tiny.yaml", "--what-if", both, change, "--layer", "conv_bn_act2", "--json")
    assert result.code == 0, result.err
    plain, finer, wider = result.json()["what_if"]
    assert (plain["r"], plain["stride"]) == ([7, 7], [4, 4])
    assert (finer["r"], finer["stride"]) == ([5, 5], [1, 1])
    assert wider["r"] == [11, 11]
    assert finer["macs"] > plain["macs"] == wider["macs"]


@pytest.mark.usefixtures("nothing_is_drawn")
@pytest.mark.parametrize(
    ("claim", "code"), [("conv_bn_act2.size>=7", 0), ("conv_bn_act2.r>7", 1), ("linear1.r==16", 0)]
)
def test_claims_decide_the_exit_code(cnnlab: Call, claim: str, code: int) -> None:
    result = cnnlab("receptive-field", "tiny.yaml", "--assert", claim, "--no-repairs", "--json")
    assert result.code == code
    assert result.json()["claims"][0]["holds"] == (code == 0)
    assert ("does not hold" in result.err) == (code == 1)


@pytest.mark.figures
def test_the_box_is_drawn_on_an_image_and_animated(cnnlab: Call) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(cnnlab.folder / "photo.png")
    result = cnnlab(
        "receptive-field", "tiny.yaml", "--layer", "conv_bn_act1", "--unit", "0,3", "--image", "photo.png", "--animate",
        "--out", "here",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert Image.open(cnnlab.folder / "here" / "box.png").width > 200
    assert Image.open(cnnlab.folder / "here" / "layers.gif").n_frames == 2


@pytest.mark.usefixtures("nothing_is_drawn")
def test_gates_can_be_ignored(cnnlab: Call) -> None:
    config = cnnlab.config(
        """
data: {dataset: {shapes: {size: 16}}}
model:
  - conv: {channels: 8, kernel: 3}
  - squeeze_excite: {ratio: 4}
  - conv: {channels: 8, kernel: 3}
  - global_avg_pool
  - linear
""",
        "gated.yaml",
    )
    seen = {}
    for option in ((), ("--ignore-gates",)):
        result = cnnlab("receptive-field", config, "--json", *option)
        assert result.code == 0, result.err
        seen[option] = {layer["name"]: layer for layer in result.json()["layers"]}
    assert seen[()]["conv2"]["global"]
    assert seen[()]["conv2"]["because"].startswith("squeeze_excite1")
    assert not seen["--ignore-gates",]["conv2"]["global"]
    assert seen["--ignore-gates",]["conv2"]["r"] == [5, 5]


def test_summary_of_smallcnn(cnnlab: Call) -> None:
    config = Path(__file__).parents[2] / "configs" / "cifar.yaml"
    result = cnnlab("summary", config, "--json")
    assert result.code == 0, result.err
    document = result.json()
    assert (document["parameters"], document["macs"]) == (288_746, 17_401_088)
    layers = {layer["name"]: layer for layer in document["layers"]}
    assert [layers[f"conv_bn_act{n}"]["r"][0] for n in range(1, 7)] == [3, 5, 9, 13, 21, 29]
    assert layers["conv_bn_act1.conv"]["dense_weights"] == 3 * 32 * 32 * 32 * 32 * 32
    shown = cnnlab("summary", config, "--explain").out
    assert "floor((32 + 2·1 − 1·(3−1) − 1)/2) + 1 = 16" in shown
    assert "116,508" in shown


def test_equal_blocks_share_a_row(cnnlab: Call) -> None:
    result = cnnlab("summary", "torchvision:resnet50", "--input", "64")
    assert result.code == 0, result.err
    assert "layer3.1 … 5 (5×)" in result.out
    assert "25,557,032" in result.out


def test_depth_is_a_choice(cnnlab: Call) -> None:
    top = cnnlab("summary", "torchvision:resnet18", "--input", "64", "--depth", "1").out
    assert "layer1" in top
    assert "layer1.0" not in top


@pytest.mark.usefixtures("nothing_is_drawn")
def test_json_is_all_of_stdout(cnnlab: Call) -> None:
    for command in ("receptive-field", "summary"):
        result = cnnlab(command, "tiny.yaml", "--json")
        assert json.loads(result.out)["input"] == [3, 16, 16]


DENSE = """
data: {dataset: {shapes: {train_count: 100, test_count: 20, size: 16}}}
model: [flatten, {linear: {features: 16}}, relu, linear]
training: {epochs: 1}
logging: {histograms_every_epochs: 0, graph: false, pictures: false}
"""


def test_a_network_of_dense_layers_has_no_places_and_no_figures(cnnlab: Call) -> None:
    cnnlab.config(DENSE, "dense.yaml")
    result = cnnlab("receptive-field", "dense.yaml", "--verify", "--json")
    assert result.code == 0, result.err
    assert result.json()["pictures"] == []
    assert all(layer["global"] for layer in result.json()["layers"] if layer["name"] != "flatten1")
    assert cnnlab("summary", "dense.yaml", "--explain").code == 0


def test_a_kernel_that_cannot_be_changed_is_told(cnnlab: Call) -> None:
    cnnlab.config(
        "data: {dataset: {shapes: {size: 16}}}\n"
        "model: [{locally_connected: {channels: 2, kernel: 3}}, global_avg_pool, linear]\n",
        "local.yaml",
    )
    result = cnnlab("receptive-field", "local.yaml", "--what-if", "locally_connected1.kernel=5")
    assert result.code == 2
    assert "the weights of LocallyConnected2d cannot be made for another kernel" in result.err
