"""Exports that cannot be made, and ONNX files that are none, or of something else."""

from pathlib import Path

from bad_inputs.case import TINY, Case, file

BRANCHES = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3)

    def forward(self, x):
        maps = self.conv(x)
        if maps.sum() > 0:
            maps = -maps
        return maps.mean((2, 3))
"""


def onnx_of(*, inputs: int = 1, sides: tuple[int | str, ...] = ("n", 3, 8, 8)) -> bytes:
    """An ONNX that averages over places, and adds its other inputs."""
    from onnx import TensorProto, helper

    names = [f"x{number}" for number in range(inputs)]
    nodes = [helper.make_node("Sum", names, ["s"]), helper.make_node("GlobalAveragePool", ["s"], ["g"]),
             helper.make_node("Flatten", ["g"], ["y"])]  # fmt: skip
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(sides)) for name in names]
    out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", sides[1]])]
    graph = helper.make_graph(nodes, "mean", given, out)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()


def write_climbing(folder: Path) -> None:
    """An ONNX whose weights are said to be in a file of the machine."""
    from onnx import ModelProto, TensorProto

    model = ModelProto.FromString(onnx_of())
    weights = model.graph.initializer.add(name="w", dims=[1], data_type=TensorProto.FLOAT)
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="../../secret.bin")
    model.graph.node[0].input.append("w")
    (folder / "climbing.onnx").write_bytes(model.SerializeToString())


def write_two_inputs(folder: Path) -> None:
    (folder / "two.onnx").write_bytes(onnx_of(inputs=2))


def write_of_eight(folder: Path) -> None:
    (folder / "eight.onnx").write_bytes(onnx_of())


PLAIN = """\
data: {dataset: {shapes: {train_count: 60, test_count: 20, size: 16}}}
model: [conv: {channels: 4}, relu, global_avg_pool, linear]
"""

DEPLOYMENT = (
    Case(
        "a format that is none",
        "cnnlab export tiny --to onxx",
        "error: --to: no format 'onxx'; known: onnx, pt2, safetensors, folder. Did you mean 'onnx'?",
        run=True,
    ),
    Case(
        "fusing a network without a norm or a sum",
        "cnnlab fuse plain.yaml",
        "error: there is nothing to fuse in plain",
        make=file("plain.yaml", PLAIN),
    ),
    Case(
        "a run to write that is there already",
        "cnnlab fuse tiny --out runs/tiny",
        "error: runs/tiny: is there already; name another place with --out",
        run=True,
    ),
    Case(
        "weights of a fused network into a file of another kind",
        "cnnlab fuse tiny.yaml --out fused.pt",
        "error: --out is 'fused.pt', expected a file of weights that ends with .safetensors",
        make=file("tiny.yaml", TINY),
    ),
    Case(
        "an export onto a file that is there",
        "cnnlab export tiny --to pt2 --out mine.pt2",
        "error: mine.pt2: is there already; name another place with --out, or replace it with --overwrite",
        make=file("mine.pt2", "mine"),
        run=True,
    ),
    Case(
        "a folder of one's own in place of an export",
        "cnnlab export tiny --to folder --out mine --overwrite",
        "error: mine: is no folder that was exported, and is not replaced; name another with --out",
        make=file("mine/photo.txt", "mine"),
        run=True,
    ),
    Case(
        "an export into what is a file",
        "cnnlab export tiny --to safetensors --out mine/net.safetensors",
        "error: mine: is a file, and a folder is needed there; move it away",
        exit_code=1,
        make=file("mine", "mine"),
        run=True,
    ),
    Case(
        "a network that branches on the values of an image",
        "cnnlab export net.py:Net --input 16 --mean 0 --std 1 --to pt2 --out net.pt2",
        (
            "/place is now on Python's search path (sys.path)\n"
            "error: net.py:Net cannot be exported: what it computes depends on the values of an image (net.py:11), and "
            "a program has no such branches; write it with torch.where, or export weights alone (--to safetensors)"
        ),
        make=file("net.py", BRANCHES),
    ),
    Case(
        "an ONNX that is none",
        "cnnlab predict bad.onnx image.png",
        (
            "error: bad.onnx: is no ONNX that onnxruntime can run: [ONNXRuntimeError] : 7 : INVALID_PROTOBUF : Failed "
            "to load model because protobuf parsing failed."
        ),
        make=file("bad.onnx", "no ONNX"),
    ),
    Case(
        "a program of torch that nobody has allowed to run",
        "cnnlab predict net.pt2 image.png",
        (
            "error: net.pt2: a program of torch.export can run code while it is read; allow that with --allow-plugins "
            "if you trust it"
        ),
        make=file("net.pt2", "whatever"),
    ),
    Case("an ONNX that is not there", "cnnlab predict bad.onnx image.png", "error: bad.onnx: no such file"),
    Case(
        "an ONNX of a network that takes no images alone",
        "cnnlab predict two.onnx image.png",
        (
            "error: two.onnx: takes x0 ('n', 3, 8, 8) tensor(float), x1 ('n', 3, 8, 8) tensor(float), and images are "
            "one input, (batch, channels, height, width) of floats"
        ),
        make=write_two_inputs,
    ),
    Case(
        "an ONNX whose weights are in a file elsewhere",
        "cnnlab predict climbing.onnx image.png",
        ("error: climbing.onnx: its weights are in another file; save it in one (onnx.save_model(onnx.load(…), …))"),
        make=write_climbing,
    ),
    Case(
        "an ONNX for images of another size",
        "cnnlab predict eight.onnx image.png --input 16",
        "error: eight.onnx: takes images of 3 × 8 × 8, and --input is 3 × 16 × 16",
        make=write_of_eight,
    ),
    Case(
        "the layers of an ONNX file",
        "cnnlab summary eight.onnx",
        (
            "error: eight.onnx: an ONNX file is run as a whole, and its layers cannot be looked at; give the network "
            "that it was exported from"
        ),
        make=write_of_eight,
    ),
    Case(
        "an ONNX file to be exported",
        "cnnlab export eight.onnx --mean 0 --std 1 --classes a,b,c",
        "error: eight.onnx is an ONNX file already; give the network that it was exported from",
        make=write_of_eight,
    ),
)
