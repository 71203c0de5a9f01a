"""A network in a file of `torch.export`: run by torch, prepared as the file says, and asked as any other one."""

import io
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnnlab.core.errors import RequestError, first_line
from cnnlab.core.reading import read_file, refusals_told
from cnnlab.models.failure import LAYER_FAILURES
from cnnlab.network.exported.file_network import FileNetwork
from cnnlab.network.exported.quiet import quiet

METADATA = "cnnlab.json"
"""The file in a program's archive with the metadata."""

MOST_BYTES = 2**34
"""No program that is read is larger."""


class ProgramNetwork(FileNetwork):
    """The program of a `.pt2` file."""

    kind = "a program of torch.export"
    runs_code = True

    def __init__(self, path: Path) -> None:
        """Load the file, which may run code that stands in it.

        Raises: RequestError where it is missing, no such program, or takes anything but images.
        """
        with refusals_told(path, expected=f"{self.kind}, a .pt2 file"):
            content = read_file(path, at_most=MOST_BYTES)
        inside = {METADATA: ""}
        try:
            with quiet():
                program: Any = torch.export.load(io.BytesIO(content), extra_files=inside)
                module = program.module()
        except Exception as error:  # noqa: BLE001  whatever the archive makes of torch
            raise RequestError(f"{path}: is no program that torch.export can read: {first_line(error)}") from None
        names = set(program.graph_signature.user_inputs)
        taken = [node.meta["val"] for node in program.graph.nodes if node.op == "placeholder" and node.name in names]
        if len(taken) != 1 or not isinstance(taken[0], Tensor) or taken[0].dim() != 4:
            shapes = ", ".join(str(tuple(getattr(one, "shape", ()))) for one in taken)
            raise RequestError(f"{path}: takes {shapes or 'nothing'}, and images are one input of four axes")
        self._dtype = taken[0].dtype
        sides = [side if isinstance(side, int) else str(side) for side in taken[0].shape]
        super().__init__(path, sides, _metadata(path, inside[METADATA]))
        self._inside = [module]  # in a list, so that its parameters are nobody's to look at or to change

    def run(self, images: Tensor) -> dict[str, Tensor]:
        """As `FileNetwork.run`."""
        try:
            with torch.no_grad():
                found = self._inside[0](images.to(self._dtype))
        except LAYER_FAILURES as error:
            raise self.refused(first_line(error)) from None
        if isinstance(found, Tensor):
            return {"logits": found}
        return dict(found) if isinstance(found, dict) else {str(number): one for number, one in enumerate(found)}


def _metadata(path: Path, text: Any) -> dict[str, Any]:
    """Raises: RequestError for what is no mapping."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise RequestError(f"{path}: its metadata are damaged: {METADATA} is no JSON of names and values")
    return found
