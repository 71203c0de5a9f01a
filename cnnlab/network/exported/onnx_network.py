"""A network in an ONNX file: run by onnxruntime, prepared as the file says, and asked as any other one."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnnlab.core.characters import shortened, some
from cnnlab.core.errors import RequestError, first_line
from cnnlab.core.reading import read_file, refusals_told
from cnnlab.network.exported.file_network import FileNetwork
from cnnlab.network.exported.metadata import values_of

EXTRA = "pip install cnnlab[onnx]"
"""What installs all that ONNX needs."""

ENDING = ".onnx"

MOST_BYTES = 2**31
"""No ONNX file of one piece is larger."""

TYPES: Mapping[str, torch.dtype] = {
    "tensor(float)": torch.float32,
    "tensor(double)": torch.float64,
    "tensor(float16)": torch.float16,
}
"""Of images that a file may take, by its own words."""

IMAGES = "(batch, channels, height, width) of floats"


def onnx_library(name: str, purpose: str) -> Any:
    """A library of the extra `onnx`.

    Raises: RequestError where it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError:
        raise RequestError(f"{purpose} needs {name}, which is not installed: {EXTRA}") from None


class OnnxNetwork(FileNetwork):
    """The program of an ONNX file."""

    kind = "an ONNX file"

    def __init__(self, path: Path) -> None:
        """Load the file.

        Raises: RequestError where it is missing, no ONNX, or takes anything but images.
        """
        runtime = onnx_library("onnxruntime", f"{path} is run by onnxruntime: it")
        with refusals_told(path, expected="an ONNX file"):
            content = read_file(path, at_most=MOST_BYTES)
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 4  # what it would print is in the exception
        try:
            # by its bytes: weights in a second file could be any file of this machine
            session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001  onnxruntime's errors have no base of their own
            if any(word in str(error).lower() for word in ("external", "model_path")):
                raise RequestError(
                    f"{path}: its weights are in another file; save it in one (onnx.save_model(onnx.load(…), …))"
                ) from None
            raise RequestError(f"{path}: is no ONNX that onnxruntime can run: {first_line(error)}") from None
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type not in TYPES:
            taken = some([f"{one.name} {tuple(one.shape)} {one.type}" for one in inputs])
            raise RequestError(f"{path}: takes {shortened(taken, 200)}, and images are one input, {IMAGES}")
        super().__init__(path, inputs[0].shape, values_of(session.get_modelmeta().custom_metadata_map))
        self._session = session
        self._input, self._outputs = inputs[0], [one.name for one in outputs]

    def run(self, images: Tensor) -> dict[str, Tensor]:
        """As `FileNetwork.run`."""
        try:
            found = self._session.run(None, {self._input.name: images.to(TYPES[self._input.type]).numpy()})
        except Exception as error:  # noqa: BLE001  as above
            raise self.refused(first_line(error)) from None
        return {name: torch.from_numpy(one) for name, one in zip(self._outputs, found, strict=True)}
