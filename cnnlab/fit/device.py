"""The device, its precision, and how repeatable it is."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from cnnlab.core.errors import RequestError, WorkError
from cnnlab.models.undisturbed import undisturbed

Precision = Literal["fp32", "bf16", "fp16"]


def choose_device(wish: str) -> torch.device:
    """`auto` (cuda, else mps, else cpu), `cpu`, `cuda`, `cuda:1` or `mps`.

    Raises: RequestError for a device that is not there, naming those that are.
    """
    present = ["cpu"]
    if torch.backends.mps.is_available():
        present.insert(0, "mps")
    if torch.cuda.is_available():
        present.insert(0, "cuda")
    if wish == "auto":
        return torch.device(present[0])
    try:
        device = torch.device(wish)
    except RuntimeError:
        raise RequestError(f"no device '{wish}'; this machine has {', '.join(present)}") from None
    missing = device.type not in present or (device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count())
    if missing:
        raise RequestError(f"no device '{wish}'; this machine has {', '.join(present)}")
    return device


def check_compiler(device: torch.device) -> None:
    """Refuse a `device` for which torch.compile builds what computes wrongly.

    Tried with torch 2.14 on a processor with AVX-512: under ATEN_CPU_CAPABILITY=avx2 gradients of a compiled network
    are garbage, under `default` it does not compile.

    Raises: RequestError on a CPU whose instructions the environment limits.
    """
    limit = os.environ.get("ATEN_CPU_CAPABILITY")
    if limit and device.type == "cpu":
        raise RequestError(
            f"training.compile: torch's compiler computes wrong gradients under ATEN_CPU_CAPABILITY={limit}; unset "
            "that variable, or train without training.compile"
        )


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """The context in which a forward pass runs: convolutions and matrix products in `precision`."""
    dtype = torch.float16 if precision == "fp16" else torch.bfloat16
    return torch.autocast(device.type, dtype=dtype, enabled=precision != "fp32")


@contextmanager
def deterministic(enabled: bool) -> Iterator[None]:
    """Only deterministic algorithms, at some cost in speed; the former setting comes back.

    Raises: WorkError where an operation has no deterministic algorithm on this device.
    """
    if not enabled:
        yield
        return
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    # cuBLAS needs a fixed workspace to be deterministic, and reads this when it is first used
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    except RuntimeError as error:
        if "deterministic" not in str(error):
            raise
        reason = str(error).split(". ")[0]
        raise WorkError(f"training.deterministic: true is not possible here: {reason}") from error
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warn_only)
        torch.backends.cudnn.benchmark = benchmark


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[torch.nn.Module]:
    """The model in evaluation mode, without gradients; it is as it was afterwards, also after an exception."""
    with undisturbed(model), torch.inference_mode():
        yield model
