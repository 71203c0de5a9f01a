"""The formats in which a network can leave: how each is written, read back, and used."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from cnnlab.core.errors import RequestError, unknown
from cnnlab.deploy.export.folder import FILES, read_folder, use_of_folder, write_hub_folder
from cnnlab.deploy.export.leaving import Leaving
from cnnlab.deploy.export.onnx_file import check_exporter, read_onnx, write_onnx
from cnnlab.deploy.export.program import read_program, write_program
from cnnlab.deploy.export.weights import read_weights, write_weights


def _always(use: str) -> Callable[[Leaving], str]:
    """The same for every network."""
    return lambda leaving: use


def _nothing() -> None:
    """There is nothing that may be missing."""


@dataclass(frozen=True)
class Format:
    """One of them."""

    label: str
    """What it is, in words."""
    ending: str
    """Of its file's name; '' for a folder."""
    write: Callable[[Leaving, Path], None]
    """Writes it, where nothing lies yet."""
    read: Callable[[Leaving, Path], nn.Module]
    """What is written, read back to be run."""
    use: Callable[[Leaving], str]
    """How it is used, with {path} in it."""
    check: Callable[[], None] = _nothing
    """Raises a RequestError where something is missing that it needs."""
    files: tuple[str, ...] = ()
    """Of a folder, the names of all that it may hold."""


FORMATS: Mapping[str, Format] = {
    "onnx": Format(
        "ONNX", ".onnx", write_onnx, read_onnx, _always("cnnlab predict {path} IMAGE…, or onnxruntime"), check_exporter
    ),
    "pt2": Format(
        "program of torch.export",
        ".pt2",
        write_program,
        read_program,
        _always("cnnlab predict {path} IMAGE… --allow-plugins, or torch.export.load"),
    ),
    "safetensors": Format(
        "weights",
        ".safetensors",
        write_weights,
        read_weights,
        _always("--weights {path} beside the network's own MODEL"),
    ),
    "folder": Format("folder for a hub", "", write_hub_folder, read_folder, use_of_folder, files=FILES),
}
"""By what stands after `to`."""


def format_named(name: str) -> Format:
    """The format of that name.

    Raises: RequestError for another name, with the nearest.

    Example:
        >>> format_named("onnx").ending
        '.onnx'
    """
    if name not in FORMATS:
        raise RequestError(f"`to`: {unknown('format', name, FORMATS)}")
    return FORMATS[name]
