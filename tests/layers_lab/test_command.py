"""The arithmetic of sections 19.1 to 19.3 of the chapter, each exercise, table and figure as one command."""

import shlex
from typing import Any

import pytest
from PIL import Image

CHAPTER: dict[str, tuple[str, dict[str, Any]]] = {
    "19.1, a dense layer on a photograph": (
        "layer linear features=1000 --input 3,224,224",
        {"input": [150_528], "weights": 150_528_000, "biases": 1000},
    ),
    "table 19.1.1": (
        "layer conv channels=1 bias=false --input 1,32,32",
        # its caption says three orders of magnitude: true of the local layer only
        {"alternatives": [("dense", 1_048_576, 116_508.44), ("locally connected", 9_216, 1024), ("convolution", 9, 1)]},
    ),
    "figure 19.1.1: ten connections, or six that share three weights": (
        "layer conv channels=1 kernel=[1,3] stride=[1,2] padding=0 bias=false --input 1,1,5",
        {
            "output": [1, 1, 2],
            "alternatives": [("dense", 10, 10 / 3), ("locally connected", 6, 2), ("convolution", 3, 1)],
        },
    ),
    "19.1, the library's dense layer": (
        "layer linear features=1024 --input 1,32,32",
        {"parameters": 1_049_600},
    ),
    "19.1, the library's convolution": ("layer conv channels=1 --input 1,32,32", {"parameters": 10}),
    "exercise 19.1.1": (
        "layer conv channels=1 kernel=5 bias=false --input 1,64,64",
        {
            "alternatives": [
                ("dense", 16_777_216, 671_088.64), ("locally connected", 102_400, 4096), ("convolution", 25, 1),
            ]
        },
    ),
    "exercise 19.1.1 at twice the size: two of the three change": (
        "layer conv channels=1 kernel=5 bias=false --input 1,128,128",
        {
            "alternatives": [
                ("dense", 268_435_456, 10_737_418.24), ("locally connected", 409_600, 16_384), ("convolution", 25, 1),
            ]
        },
    ),
    "19.2, sixteen filters": (
        "layer conv channels=16 stride=2 padding=1 --input 3,32,32",
        {"output": [16, 16, 16], "weights": 432, "biases": 16, "parameters": 448},
    ),
    "19.2, the same on a larger image": (
        "layer conv channels=16 --input 3,4096,4096",
        {"output": [16, 4096, 4096], "parameters": 448},
    ),
    "19.2, without padding": ("layer conv channels=16 padding=0 --input 3,32,32", {"output": [16, 30, 30]}),
    "19.2, fifteen layers without padding": (
        "layer repeat times=15 'layers=[{conv: {channels: 1, padding: 0}}]' --input 1,32,32",
        {"output": [1, 2, 2]},
    ),
    "figure 19.2.2": (
        "layer conv channels=1 dilation=2 --input 1,32,32",
        {"size": [5, 5], "taps": 9, "rows": [0, 2, 4], "columns": [0, 2, 4]},
    ),
    "19.2, three dilated layers see 15": (
        "layer repeat times=1 'layers=[{conv: {channels: 1, dilation: 1}}, {conv: {channels: 1, dilation: 2}}, "
        "{conv: {channels: 1, dilation: 4}}]' --input 1,64,64",
        {"size": [15, 15], "taps": 225, "fields": [3, 7, 15]},
    ),
    "19.2, and seven plain ones": (
        "layer repeat times=7 'layers=[{conv: {channels: 1}}]' --input 1,64,64",
        {"size": [15, 15], "fields": [3, 5, 7, 9, 11, 13, 15]},
    ),
    "fragment 2 of 19.2, where 6,432 is printed": (
        "layer repeat times=1 'layers=[{conv: {channels: 16}}, relu, {conv: {channels: 32, stride: 2}}, relu, "
        "{conv: {channels: 32, kernel: 1}}]' --input 3,64,64",
        {"output": [32, 32, 32], "parameters": 6_144, "weights_of_parts": [432, 0, 4608, 0, 1024]},
    ),
    "exercise 19.2.1 (a)": (
        "layer conv channels=64 kernel=7 stride=2 padding=3 bias=false --input 1,224,224",
        {"output": [64, 112, 112], "weights": 3_136},
    ),
    "exercise 19.2.1 (b)": (
        "layer conv channels=64 dilation=2 padding=1 bias=false --input 1,224,224",
        {"output": [64, 222, 222], "weights": 576},
    ),
    "exercise 19.2.1 (c)": (
        "layer conv channels=64 kernel=5 stride=2 padding=0 bias=false --input 1,224,224",
        {"output": [64, 110, 110], "weights": 1_600},
    ),
    "exercise 19.2.3, without padding": (
        "layer conv channels=1 stride=2 padding=0 --input 1,32,32",
        {"output": [1, 15, 15], "unread": [1, 1]},
    ),
    "exercise 19.2.3, with padding": (
        "layer conv channels=1 stride=2 padding=1 --input 1,32,32",
        {"output": [1, 16, 16], "unread": [0, 0]},
    ),
    "figure 19.3.1, the largest": (
        "layer max_pool --matrix '1 3 2 0 / 4 2 1 5 / 0 1 6 2 / 2 3 1 0'",
        {"result": [[[4, 5], [3, 6]]], "parameters": 0, "output_values": 4},
    ),
    "figure 19.3.1, the mean": (
        "layer avg_pool --matrix '1 3 2 0 / 4 2 1 5 / 0 1 6 2 / 2 3 1 0'",
        {"result": [[[2.5, 2.0], [1.5, 2.25]]]},
    ),
    "fragment 1 of 19.3": (
        "layer repeat times=3 'layers=[{conv: {channels: 1}}, {conv: {channels: 1}}, {conv: {channels: 1, stride: 2}}]'"
        " --input 1,256,256",
        {"fields": [3, 5, 7, 11, 15, 19, 27, 35, 43], "jumps": [1, 1, 2, 2, 2, 4, 4, 4, 8]},
    ),
    "exercise 19.3.2, a spike and the largest": (
        "layer max_pool --matrix '0 0 0 0 / 0 8 0 0 / 0 0 0 0 / 0 0 0 0'",
        {"result": [[[8, 0], [0, 0]]]},
    ),
    "exercise 19.3.2, a spike and the mean, which a move inside the window leaves alone too": (
        "layer avg_pool --matrix '8 0 0 0 / 0 0 0 0 / 0 0 0 0 / 0 0 0 0'",
        {"result": [[[2, 0], [0, 0]]]},
    ),
    "exercise 19.3.3": (
        "layer repeat times=8 'layers=[{conv: {channels: 1}}]' --input 1,256,256",
        {"size": [17, 17]},
    ),
}  # fmt: skip

COMPARED: dict[str, tuple[str, dict[str, Any]]] = {
    "19.2, the doorbell: printed as 8 to 9 times, exactly 7.89": (
        "compare-layers 'conv channels=64' 'depthwise_separable channels=64' --input 64,32,32",
        {"macs_per_pixel": [36_864, 4_672], "times": ("macs_per_pixel", 7.8904)},
    ),
    "exercise 19.2.2": (
        "compare-layers 'conv channels=64' 'depthwise_separable channels=64' --input 32,64,64",
        {"parameters": [18_496, 2_432], "output": [[64, 64, 64]] * 2, "times": ("parameters", 7.6053)},
    ),
    "exercise 19.2.2 without biases": (
        "compare-layers 'conv channels=64 bias=false' 'depthwise_separable channels=64 bias=false' --input 32,64,64",
        {"parameters": [18_432, 2_336], "times": ("parameters", 7.8904)},
    ),
    "exercise 19.2.3, both chains": (
        "compare-layers 'conv channels=1 stride=2 padding=0 + conv channels=1 stride=2 padding=0 + conv channels=1 "
        "stride=2 padding=0' 'conv channels=1 stride=2 + conv channels=1 stride=2 + conv channels=1 stride=2' "
        "--input 1,32,32",
        {"sides": [[15, 7, 3], [16, 8, 4]]},
    ),
    "19.3, two small kernels": (
        "compare-layers 'conv channels=1 bias=false + relu + conv channels=1 bias=false + relu' "
        "'conv channels=1 kernel=5 bias=false + relu' --input 1,32,32",
        {"weights": [18, 25], "size": [5, 5], "nonlinearities": [2, 1]},
    ),
    "19.3, three small kernels": (
        "compare-layers 'conv channels=1 bias=false + conv channels=1 bias=false + conv channels=1 bias=false' "
        "'conv channels=1 kernel=7 bias=false' --input 1,32,32",
        {"weights": [27, 49], "size": [7, 7]},
    ),
    "exercise 19.3.1": (
        "compare-layers 'conv channels=1 kernel=5 bias=false + max_pool + conv channels=1 + conv channels=1' "
        "'conv channels=1 bias=false + conv channels=1 bias=false + max_pool + conv channels=1 + conv channels=1' "
        "--input 1,64,64",
        {"fields": [[5, 6, 10, 14], [3, 5, 6, 10, 14]], "jumps": [[1, 2, 2, 2], [1, 1, 2, 2, 2]]},
    ),
    "exercise 19.1.3, how far a stack reaches against dilation": (
        "compare-layers 'repeat times=7 layers=[conv: {channels: 1}]' 'conv channels=1 + conv channels=1 dilation=2 + "
        "conv channels=1 dilation=4' --input 1,64,64",
        {"size": [15, 15], "weights": [63, 27]},
    ),
}  # fmt: skip


def fields(document: dict[str, Any]) -> list[int]:
    return [part["receptive_field"]["size"][0] for part in document["parts"]]


def jumps(document: dict[str, Any]) -> list[float]:
    return [part["receptive_field"]["jump"][0] for part in document["parts"]]


@pytest.mark.parametrize("what", CHAPTER)
def test_the_chapter_layer_by_layer(cnnlab, what) -> None:
    command, expected = CHAPTER[what]
    result = cnnlab(*shlex.split(command), "--json")
    assert (result.code, result.err) == (0, "")
    found = result.json()
    found |= {
        "alternatives": [
            (a["means"], a["weights"], pytest.approx(a["times"], abs=0.01)) for a in found["alternatives"]
        ],
        "weights_of_parts": [part["weights"] for part in found["parts"]],
    }
    if found["receptive_field"]:
        found |= {key: found["receptive_field"][key] for key in ("size", "taps", "rows", "columns")}
    if "fields" in expected:
        found["fields"] = fields(found)
    if "jumps" in expected:
        found["jumps"] = jumps(found)
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize("what", COMPARED)
def test_the_chapter_side_by_side(cnnlab, what) -> None:
    command, expected = COMPARED[what]
    result = cnnlab(*shlex.split(command), "--json")
    assert (result.code, result.err) == (0, "")
    document = result.json()
    stacks = document["stacks"]
    for key, value in expected.items():
        if key == "times":
            name, ratio = value
            assert document["ratios"][0][name] == pytest.approx(ratio, abs=1e-4)
        elif key == "size":
            assert [stack["receptive_field"]["size"] for stack in stacks] == [value] * len(stacks)
        elif key == "sides":
            assert [[part["output"][1] for part in stack["parts"]] for stack in stacks] == value
        elif key in ("fields", "jumps"):
            assert list(map({"fields": fields, "jumps": jumps}[key], stacks)) == value
        else:
            assert [stack[key] for stack in stacks] == value


def test_a_layer_in_the_terminal(cnnlab, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    result = cnnlab("layer", "conv", "channels=1", "dilation=2", "--input", "1,32,32")
    assert (result.code, result.err) == (0, "")
    lines = [line.rstrip() for line in result.out.splitlines()]
    assert max(map(len, lines)) <= 100
    assert lines[-5:] == ["● · ● · ●", "· · · · ·", "● · ● · ●", "· · · · ·", "● · ● · ●"]
    assert "height and width                      32  floor((32 + 2·2 − 2·(3−1) − 1)/1) + 1 = 32" in lines


@pytest.mark.figures
def test_its_files(cnnlab) -> None:
    result = cnnlab("layer", "conv", "channels=1", "dilation=2", "--input", "1,32,32", "--out", "made", "--json")
    assert result.json()["files"] == ["made/pattern.png", "made/tensors.csv", "made/alternatives.csv"]
    with Image.open(cnnlab.folder / "made/pattern.png") as image:
        assert min(image.size) > 200
    shown = cnnlab("layer", "conv", "channels=1", "--input", "1,32,32", "--out", "made")
    assert shown.out.splitlines()[-1] == "What one unit reads: made/pattern.png"


def test_nothing_is_written_unasked(cnnlab) -> None:
    before = sorted(cnnlab.folder.rglob("*"))
    cnnlab("layer", "conv", "channels=1", "--input", "1,32,32")
    cnnlab("compare-layers", "relu", "tanh", "--input", "1,32,32")
    assert sorted(cnnlab.folder.rglob("*")) == before


def test_stacks_in_the_terminal(cnnlab, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    result = cnnlab("compare-layers", "conv channels=64", "depthwise_separable channels=64", "--input", "64,32,32")
    assert (result.code, result.err) == (0, "")
    assert "… per output pixel           36,864          4,672    7.89×" in result.out
    assert max(len(line.rstrip()) for line in result.out.splitlines()) <= 100


def test_a_matrix_in_the_terminal(cnnlab) -> None:
    result = cnnlab("layer", "avg_pool", "--matrix", "1 3 2 0 / 4 2 1 5 / 0 1 6 2 / 2 3 1 0")
    assert "The output\n   2.5     2\n   1.5  2.25\n" in result.out
