"""torch.compile: its modes, what it needs, and where it is refused."""

import os
import shutil
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from cnnlab.core.errors import RequestError

if TYPE_CHECKING:
    import torch
    from torch import nn

CompileMode = Literal["reduce-overhead", "max-autotune"]
CompileChoice = bool | CompileMode
"""False, true for torch's default, or one of its modes: CUDA graphs, and kernels that are timed against each other."""


def missing_for_compiling(device_type: str) -> str:
    """What torch's compiler needs for a device and does not find, as a sentence's end; empty where nothing is missing.

    Arguments:
        device_type: such as `cpu` or `cuda`.

    Example:
        >>> missing_for_compiling("cpu") in ("", "a C++ compiler (g++): install one, or name it in CXX")
        True
    """
    if device_type == "cuda" and find_spec("triton") is None:
        return "triton: python -m pip install triton"
    name = os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")
    if device_type != "mps" and not shutil.which(name):
        return f"a C++ compiler ({name}): install one, or name it in CXX"
    return ""


def check_compiler(device: "torch.device") -> None:
    """Refuse a `device` for which torch.compile cannot build, or builds what computes wrongly.

    Tried with torch 2.14 on a processor with AVX-512: under ATEN_CPU_CAPABILITY=avx2 gradients of a compiled network
    are garbage, under `default` it does not compile.

    Raises: RequestError without a compiler, and on a CPU whose instructions the environment limits.
    """
    limit = os.environ.get("ATEN_CPU_CAPABILITY")
    if limit and device.type == "cpu":
        raise RequestError(
            f"training.compile: torch's compiler computes wrong gradients under ATEN_CPU_CAPABILITY={limit}; unset "
            "that variable, or train without training.compile"
        )
    if missing := missing_for_compiling(device.type):
        raise RequestError(f"training.compile: torch's compiler needs {missing}; or train without training.compile")


def compiled(network: "nn.Module", choice: CompileChoice) -> "nn.Module":
    """The twin of `network` that torch compiles when it is first run, with the same weights; itself where not asked."""
    if choice is False:
        return network
    import torch

    twin: nn.Module = torch.compile(network, mode=None if choice is True else choice)  # type: ignore[assignment]
    return twin


def compile_remark(choice: CompileChoice, device: "torch.device") -> str | None:
    """What is to be said where a mode does not do on `device` what it is for; or None."""
    if choice == "reduce-overhead" and device.type != "cuda":
        return f"training.compile reduce-overhead records CUDA graphs; on {device.type} it does what true does"
    return None
