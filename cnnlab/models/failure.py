"""What a network's own code raises, told as a sentence: the layer, what it said, where, and a way out."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from cnnlab.core.errors import RequestError

LAYER_FAILURES = (
    ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, NameError, RuntimeError, TypeError,
    ValueError,
)  # fmt: skip
"""What a layer's own code may raise while it is built or runs: torch's errors, and the mistakes of a user's layer."""

WITHOUT_GRADIENTS = "methods without gradients (eigencam, scorecam, occlusion, rise) still work"

WAYS_OUT = {
    "more than 1 value per channel": (
        "it normalises over the images of a batch: give it several at a time, in training too"
    ),
    "more than 1 spatial element": "it normalises over places: give it larger images (`size`)",
    "Inference tensors": "make the network outside torch.inference_mode()",
    "uninitialized parameter": "run the network on an image first, from which its lazy layers take their shapes",
    "does not require grad": WITHOUT_GRADIENTS,
    "requires grad": WITHOUT_GRADIENTS,
    "an inplace operation": "write that operation without changing its input (`y = y * 2` for `y *= 2`)",
    "not supported on ScriptModules": "what torch.jit.script compiled cannot be watched: give it as it was before",
    "is not implemented": "a method without this derivative (gradcam, eigencam, occlusion) still works",
}
"""Ways out, by what stands in torch's message."""

OWN_MODULE = "cnnlab_own_"
"""How the names of the modules begin that users' files become."""

_TORCH = str(Path(torch.__file__).parent)
_OURS = str(Path(__file__).parents[1])
_BETWEEN = ("__torch_function__", "__torch_dispatch__")
"""Functions of this package through which a network's operations pass while they are watched."""


def failure_of(error: BaseException, way_out: str | None = None) -> RequestError | None:
    """`error` as a request that cannot be met, where a network's own code or torch's derivatives raised it.

    Told by the calls that led to it: the last module of a network among them is the layer. None where the mistake is
    this package's, and for memory that is used up, which no network's code is to blame for.
    """
    if not isinstance(error, LAYER_FAILURES) or isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return None
    frames: list[tuple[FrameType, int]] = []
    trace = error.__traceback__
    while trace is not None:
        frames.append((trace.tb_frame, trace.tb_lineno))
        trace = trace.tb_next
    runs = [n for n, (frame, _) in enumerate(frames) if isinstance(frame.f_locals.get("self"), nn.Module)]
    lines = str(error).strip().splitlines() or [""]
    said = f"{type(error).__name__}: {lines[0].removesuffix('.')}"
    ways = [way for words, way in WAYS_OUT.items() if words in str(error)]
    if not runs:
        if not any(f.f_code.co_filename.startswith(f"{_TORCH}/autograd") for f, _ in frames):
            return None
        way = ways[0] if ways else WITHOUT_GRADIENTS
        return RequestError(f"the network's gradient cannot be worked out: torch raises {said}; {way}")
    after = [frame.f_code for frame, _ in frames[runs[-1] + 1 :]]
    if any(code.co_filename.startswith(_OURS) and code.co_name not in _BETWEEN for code in after):
        return None
    called: list[nn.Module] = [frames[n][0].f_locals["self"] for n in runs]
    layer = called[-1]
    # the whole network knows its layer by the longest name
    name = max((name for root in called for name, module in root.named_modules() if module is layer), key=len)
    place = f"layer '{name}' ({type(layer).__name__})" if name else f"the network itself ({type(layer).__name__})"
    theirs = [
        (frame.f_code.co_filename, line)
        for frame, line in frames[runs[0] :]
        if not frame.f_code.co_filename.startswith((_TORCH, _OURS)) and Path(frame.f_code.co_filename).is_file()
    ]
    where = f" ({Path(theirs[-1][0]).name}:{theirs[-1][1]})" if theirs else ""
    way = way_out or (ways[0] if ways else "that is its own code: change what it refuses, or the layer")
    told_as = RequestError(f"{place} raises {said}{where}; {way}")
    own = next((n for n, (frame, _) in enumerate(frames) if is_own_module(frame.f_globals.get("__name__"))), None)
    if own is not None:
        told_as.details = tuple(calls_from(error, own))
    return told_as


def is_own_module(name: object) -> bool:
    """Whether a module of that name is a user's file that makes a network."""
    return isinstance(name, str) and name.startswith(OWN_MODULE)


def calls_from(error: BaseException, first: int) -> list[str]:
    """The calls that led to `error`, without the `first` ones, line by line as Python shows them."""
    calls = traceback.extract_tb(error.__traceback__)[first:]
    text = "".join([*traceback.format_list(calls), *traceback.format_exception_only(error)])
    if is_own_module(module := type(error).__module__):
        text = text.replace(f"{module}.", "")
    return text.rstrip().split("\n")


@contextmanager
def told(way_out: str | None = None) -> Iterator[None]:
    """What a network raises inside is a RequestError that says so; what this package raises stays as it is.

    way_out: what to do about it, where those who ask know better than torch's message.
    """
    try:
        yield
    except LAYER_FAILURES as error:
        failure = failure_of(error, way_out)
        if failure is None:
            raise
        raise failure from error


def compiler_of(module: nn.Module) -> str | None:
    """What compiled `module`, so that it cannot be watched: `torch.jit.script` or `torch.jit.trace`."""
    if not isinstance(module, torch.jit.ScriptModule):
        return None
    return "torch.jit.trace" if "Traced" in type(module).__name__ else "torch.jit.script"


def takes_hooks(module: nn.Module) -> bool:
    """Whether `module` can be watched, see `compiler_of`."""
    return compiler_of(module) is None


def watched(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The modules of `model` that take hooks, by name."""
    return ((name, module) for name, module in model.named_modules() if takes_hooks(module))


def check_watched(model: nn.Module) -> None:
    """See that every layer of `model` can be watched and has its parameters.

    Raises: RequestError that names the first layer that cannot, or that has none yet.
    """
    check_parameters(model)
    for name, module in model.named_modules():
        if (compiler := compiler_of(module)) is not None:
            what = f"layer '{name}'" if name else "the network"
            raise RequestError(
                f"{what} is compiled by {compiler}, so that nothing inside it can be followed; "
                "give it as it was before it was compiled"
            )


def check_parameters(model: nn.Module) -> None:
    """See that every parameter of `model` has a shape.

    Raises: RequestError that names the first lazy layer that has not run yet.
    """
    for name, module in model.named_modules():
        if any(is_lazy(value) for value in (*module._parameters.values(), *module._buffers.values())):
            what = f"layer '{name}' ({type(module).__name__})" if name else f"the network ({type(module).__name__})"
            raise RequestError(f"{what} has no parameters yet: {WAYS_OUT['uninitialized parameter']}")
