"""The arithmetic of a process, which the last bits of a result depend on: sums in another order round differently."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

import torch

VARIABLES = (
    "ATEN_CPU_CAPABILITY",
    "CUBLAS_WORKSPACE_CONFIG",
    "MKL_CBWR",
    "NVIDIA_TF32_OVERRIDE",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
)
"""Variables of the environment by which torch's libraries choose their kernels."""


@dataclass(frozen=True)
class Arithmetic:
    """How numbers are computed in a process."""

    torch: str
    device: str
    """Its kind; of a GPU its name."""
    cpu_capability: str
    """The vector instructions that torch uses, such as AVX2."""
    threads: int
    """Threads that share one operation."""
    interop_threads: int
    """Operations at once, which alters no result."""
    settings: Mapping[str, str]
    """torch's own, and those of `VARIABLES` that are set."""


def arithmetic(device: torch.device) -> Arithmetic:
    """The arithmetic of this process, on `device`."""
    gpu = device.type == "cuda"
    settings = {
        "oneDNN": "on" if torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled else "off",
        "float32 products": torch.get_float32_matmul_precision(),
        **({"TF32 convolutions": "on" if torch.backends.cudnn.allow_tf32 else "off"} if gpu else {}),
        **{name: os.environ[name] for name in VARIABLES if name in os.environ},
    }
    return Arithmetic(
        torch=torch.__version__,
        device=torch.cuda.get_device_name(device) if gpu else device.type,
        cpu_capability=torch.backends.cpu.get_cpu_capability(),
        threads=torch.get_num_threads(),
        interop_threads=torch.get_num_interop_threads(),
        settings=settings,
    )


def differences(before: Arithmetic, now: Arithmetic) -> list[str]:
    """Everything that may change a bit, as `2 threads instead of 1`."""
    found = []
    if before.torch != now.torch:
        found.append(f"torch {now.torch} instead of {before.torch}")
    if before.device != now.device:
        found.append(f"the device {now.device} instead of {before.device}")
    if before.threads != now.threads:
        found.append(f"{now.threads} thread{'s' * (now.threads > 1)} instead of {before.threads}")
    if before.cpu_capability != now.cpu_capability:
        found.append(f"the processor's {now.cpu_capability} instead of {before.cpu_capability}")
    for name in sorted({*before.settings, *now.settings}):
        was, is_now = (found_in.settings.get(name, "not set") for found_in in (before, now))
        if was != is_now:
            found.append(f"{name} {is_now} instead of {was}")
    return found


def command_as(before: Arithmetic, now: Arithmetic, command: str) -> str:
    """`command`, with the variables and options that make it compute as `before` instead of as `now`."""
    was, is_now = ({name: value for name, value in one.settings.items() if name in VARIABLES} for one in (before, now))
    if before.cpu_capability != now.cpu_capability:
        was.setdefault("ATEN_CPU_CAPABILITY", before.cpu_capability.lower())
    # quoted: the values are a record's, which may be a stranger's, and the command is made to be copied
    words = [f"{name}={shlex.quote(value)}" for name, value in sorted(was.items()) if is_now.get(name) != value]
    unset = [f"-u {name}" for name in sorted(set(is_now) - set(was))]
    prefix = f"env {' '.join([*unset, *words])} " if unset else "".join(f"{word} " for word in words)
    return prefix + command + (f" --threads {before.threads}" if before.threads != now.threads else "")
