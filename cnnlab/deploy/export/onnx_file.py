"""A network as one ONNX file, with its classes and its preparation inside."""

import importlib.metadata
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnnlab.core.errors import RequestError
from cnnlab.core.files import write_whole
from cnnlab.deploy.export.leaving import Leaving
from cnnlab.deploy.export.program import exported
from cnnlab.network.exported.onnx_network import EXTRA, MOST_BYTES, OnnxNetwork, onnx_library
from cnnlab.network.exported.quiet import quiet

LEAST = (0, 7)
"""Version of onnxscript; earlier ones fold batch norm into a convolution wrongly."""

INPUT, OUTPUT, BATCH = "images", "logits", "batch"
"""Names in the file: of its input, its output, and of the axis that is as long as there are images."""


def check_exporter() -> None:
    """See that all is installed that writes and runs ONNX.

    Raises: RequestError with what is missing or too old.
    """
    for name in ("onnx", "onnxruntime", "onnxscript"):
        onnx_library(name, "export to ONNX")
    version = importlib.metadata.version("onnxscript")
    if tuple(int(part) for part in version.split(".")[:2]) < LEAST:
        raise RequestError(
            f"onnxscript is {version}, and folds batch norm wrongly; export to ONNX needs {LEAST[0]}.{LEAST[1]} or "
            f"newer: {EXTRA}"
        )


def write_onnx(leaving: Leaving, path: Path) -> None:
    """Write one file with weights and metadata, for any number of images.

    Raises: RequestError where a library is missing, the network cannot be exported, or is too large for one file.
    """
    check_exporter()
    size = sum(tensor.numel() * tensor.element_size() for tensor in leaving.model.state_dict().values())
    if size >= MOST_BYTES:
        raise RequestError(f"{leaving.network.name} has {size / 1e9:.1f} GB of weights, and one ONNX file holds 2 GB")
    made: Any = exported(
        leaving,
        lambda: torch.onnx.export(
            leaving.model,
            (leaving.example,),
            dynamo=True,
            dynamic_shapes=({0: BATCH},),
            input_names=[INPUT],
            output_names=[OUTPUT],
            verbose=False,
        ),
    )
    made.model.metadata_props.update(leaving.metadata.as_texts())
    with tempfile.TemporaryDirectory() as folder, quiet():
        made.save(Path(folder) / "model.onnx")
        content = (Path(folder) / "model.onnx").read_bytes()
    write_whole(path, content)


def read_onnx(leaving: Leaving, path: Path) -> nn.Module:
    """The file as onnxruntime runs it."""
    return OnnxNetwork(path)
