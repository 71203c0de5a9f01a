"""The device: its arithmetic, how repeatable it is, and a way around a kernel that destroys memory."""

import os
import platform
import shlex
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from cnnlab.core.errors import RequestError, WorkError
from cnnlab.models.undisturbed import undisturbed

VARIABLES = (
    "ATEN_CPU_CAPABILITY",
    "CUBLAS_WORKSPACE_CONFIG",
    "MKL_CBWR",
    "NVIDIA_TF32_OVERRIDE",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "ONEDNN_MAX_CPU_ISA",
)
"""Variables of the environment by which torch's libraries choose their kernels."""


SAFE_CHANNELS = 16
"""From here on the kernels keep within their memory: the width of an AVX-512 register in float32."""


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


def pointwise_route(device: torch.device, model: nn.Module) -> AbstractContextManager[object]:
    """`PointwiseRoute` where training `model` on `device` may meet that kernel, and nothing elsewhere.

    It may be entered again and again. A mode costs each of torch's functions some microseconds, of a small network of
    many layers a tenth of the time; so it is for networks that have such weights, whatever their stride.
    """
    few = any(
        one.dim() == 4 and one.shape[1] < SAFE_CHANNELS and tuple(one.shape[2:]) == (1, 1) for one in model.parameters()
    )
    return PointwiseRoute() if few and device.type == "cpu" and has_the_kernel() else nullcontext()


def has_the_kernel() -> bool:
    """Whether oneDNN may choose such a kernel in this process."""
    return platform.machine().lower() in ("x86_64", "amd64")


class PointwiseRoute(TorchFunctionMode):
    """While it is entered, pointwise convolutions with a stride run with stride 1 on every stride-th place: the same.

    Otherwise their weight gradient may destroy memory. oneDNN 3.12 (torch 2.14) works it out, for a 1 × 1 convolution
    with a stride, of fewer channels than a register holds (8 with AVX2, 16 with AVX-512, where large maps of 2 to 15
    channels were met) in float32, channels last, without padding and groups, beyond the end of its memory: a double
    free, a segmentation fault, a hang, or a wrong gradient. Tried in processes of their own: the forward pass, the
    gradient at the input, other kernels, groups, paddings and types hold, as does the layout in rows. A compiled
    network lies channels last by itself, so that it is met there without `training.channels_last`.

    It belongs around every forward pass whose weights get a gradient. Convolutions of layers and of functions are
    routed alike.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run `func`, a convolution on the safe way."""
        if func is F.conv2d or func is torch.conv2d:
            return _routed(func, *args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _routed(
    convolve: Any,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | tuple[int, ...] = 1,
    padding: int | str | tuple[int, ...] = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
) -> Any:
    steps = (stride, stride) if isinstance(stride, int) else (stride[0], stride[-1])
    flat = padding == "valid" or padding == 0 or (not isinstance(padding, (int, str)) and not any(padding))
    met = weight.shape[1] < SAFE_CHANNELS and tuple(weight.shape[2:]) == (1, 1) and steps != (1, 1)
    if met and flat and groups == 1 and input.device.type == "cpu":
        return convolve(input[..., :: steps[0], :: steps[1]], weight, bias)
    return convolve(input, weight, bias, stride, padding, dilation, groups)


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
    processes: int = 1
    """Processes that share a batch."""


def arithmetic(device: torch.device, processes: int = 1) -> Arithmetic:
    """The arithmetic of this process, on `device`, or of the `processes` that train together."""
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
        processes=processes,
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
    if before.processes != now.processes:
        found.append(f"{now.processes} process{'es' * (now.processes > 1)} instead of {before.processes}")
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
