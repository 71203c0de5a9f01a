"""A network as a program of torch.export: what it computes, without the Python that says so."""

import io
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from cnnlab.core.errors import RequestError, first_line
from cnnlab.core.files import write_whole
from cnnlab.deploy.export.leaving import Leaving
from cnnlab.models.failure import LAYER_FAILURES
from cnnlab.models.undisturbed import undisturbed
from cnnlab.network.exported.program_network import METADATA, ProgramNetwork
from cnnlab.network.exported.quiet import quiet

T = TypeVar("T")


def exported(leaving: Leaving, export: Callable[[], T]) -> T:
    """What an exporter makes of a network.

    Arguments:
        leaving: the network.
        export: calls the exporter of torch.

    Raises:
        RequestError: where it cannot follow the network, with the reason and the line of its code.
    """
    try:
        with undisturbed(leaving.model), torch.no_grad(), quiet():
            return export()
    except (*LAYER_FAILURES, NotImplementedError) as error:
        raise refused(leaving.network.name, error) from error


def refused(name: str, error: BaseException) -> RequestError:
    """A network that cannot be exported, in a sentence: what its code does, and where."""
    chain = [error]
    while (cause := chain[-1].__cause__) is not None and cause not in chain:
        chain.append(cause)
    text = str(chain[-1])
    lines = re.findall(r'File "([^"]+)", line (\d+)', text)
    own = [(file, line) for file, line in lines if f"{os.sep}torch{os.sep}" not in file]
    where = f" ({Path(own[-1][0]).name}:{own[-1][1]})" if own else ""
    if "data-dependent" in text:
        return RequestError(
            f"{name} cannot be exported: what it computes depends on the values of an image{where}, and a program has "
            "no such branches; write it with torch.where, or export weights alone (`to` safetensors)"
        )
    if missing := re.search(r"No ONNX function found for <OpOverload\(op='([^']+)'", text):
        return RequestError(
            f"{name} cannot be exported to ONNX, which has nothing for {missing[1]}; other formats do not need it "
            "(`to` pt2, safetensors)"
        )
    if any(word in text for word in ("Constraints violated", "specializ", "user-specified ranges")):
        return RequestError(
            f"{name} cannot be exported for any number of images: its code takes that number for fixed{where}; use "
            "x.shape[0] or x.flatten(1) in place of a number"
        )
    reason = re.sub(r"\x1b\[\d+m|<class '|'>", "", first_line(chain[-1]))
    return RequestError(f"{name} cannot be exported: torch.export refuses it{where}: {reason.removesuffix('.')}")


def write_program(leaving: Leaving, path: Path) -> None:
    """Write the program with its metadata, for any number of images.

    Raises: RequestError for a network that cannot be exported.
    """
    batch = torch.export.Dim("batch")
    found = exported(
        leaving, lambda: torch.export.export(leaving.model, (leaving.example,), dynamic_shapes=({0: batch},))
    )
    buffer = io.BytesIO()
    with quiet():
        text = json.dumps(leaving.metadata.as_json(), ensure_ascii=False)
        torch.export.save(found, buffer, extra_files={METADATA: text})
    write_whole(path, buffer.getbuffer())


def read_program(leaving: Leaving, path: Path) -> nn.Module:
    """The program of a file as torch runs it."""
    return ProgramNetwork(path)
