"""A network in an ONNX file: run by onnxruntime, prepared as the file says, and asked as any other one."""

import importlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnnlab.core.characters import shortened, some
from cnnlab.core.errors import RequestError, first_line
from cnnlab.core.reading import read_file, refusals_told
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


def inside_is_closed(path: Path) -> str:
    """What is said to whoever asks for the layers in a file."""
    return (
        f"{path}: an ONNX file is run as a whole, and its layers cannot be looked at; give the network that it was "
        "exported from"
    )


class OnnxNetwork(nn.Module):
    """The program of an ONNX file; it has no parameters, no layers and no gradients that torch knows."""

    def __init__(self, path: Path) -> None:
        """Load the file.

        Raises: RequestError where it is missing, no ONNX, or takes anything but images.
        """
        super().__init__()
        runtime = onnx_library("onnxruntime", f"{path} is run by onnxruntime: it")
        with refusals_told(path, expected="an ONNX file"):
            content = read_file(path, at_most=MOST_BYTES)
        self.path = path
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        try:
            # by its bytes: weights in a second file could be any file of this machine
            self._session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001  onnxruntime's errors have no base of their own
            if "external" in str(error).lower():
                raise RequestError(
                    f"{path}: its weights are in another file; save it in one (onnx.save_model(onnx.load(…), …))"
                ) from None
            raise RequestError(f"{path}: is no ONNX that onnxruntime can run: {first_line(error)}") from None
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        if len(inputs) != 1 or len(inputs[0].shape) != 4 or inputs[0].type not in TYPES:
            taken = some([f"{one.name} {tuple(one.shape)} {one.type}" for one in inputs])
            raise RequestError(f"{path}: takes {shortened(taken, 200)}, and images are one input, {IMAGES}")
        self.sides: tuple[Any, ...] = tuple(inputs[0].shape)
        """(batch, channels, height, width) of its input: numbers, and names of those that are free."""
        self._input, self._outputs = inputs[0], [one.name for one in outputs]

    @property
    def said(self) -> dict[str, Any]:
        """What its metadata says, by the names of `Metadata`, not checked."""
        return values_of(self._session.get_modelmeta().custom_metadata_map)

    @property
    def own_shape(self) -> Sequence[int] | None:
        """(channels, height, width) of its images, in pixels, where all are fixed."""
        sides = self.sides[1:]
        return sides if all(isinstance(side, int) and side > 0 for side in sides) else None

    def forward(self, images: Tensor) -> Any:
        """(n, c, h, w) → its output; several are a mapping by name.

        Raises: RequestError for images that it does not take, and for those without values: what is inside the file
            cannot be followed.
        """
        if images.is_meta or type(images) is not Tensor:
            raise RequestError(inside_is_closed(self.path))
        given = images.detach().cpu().to(TYPES[self._input.type])
        batch = self.sides[0]
        if not isinstance(batch, int) or batch == len(given):
            parts = [self._run(given)]
        else:  # one of a fixed number of images at a time
            parts = [self._part(given[start : start + batch], batch) for start in range(0, len(given), batch)]
        whole = [torch.cat(one).to(images.device) for one in zip(*parts, strict=True)]
        return whole[0] if len(whole) == 1 else dict(zip(self._outputs, whole, strict=True))

    def _part(self, images: Tensor, batch: int) -> list[Tensor]:
        filled = torch.cat([images, images.new_zeros(batch - len(images), *images.shape[1:])])
        return [one[: len(images)] for one in self._run(filled)]

    def _run(self, images: Tensor) -> list[Tensor]:
        try:
            found = self._session.run(None, {self._input.name: images.numpy()})
        except Exception as error:  # noqa: BLE001  as above
            wanted = " × ".join(map(str, self.sides[1:]))
            raise RequestError(f"{self.path} takes images of {wanted}: {first_line(error)}") from None
        return [torch.from_numpy(one) for one in found]
