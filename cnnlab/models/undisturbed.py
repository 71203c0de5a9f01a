"""Looking at a network without a trace: whatever runs inside, the network and torch's settings are as before after it.

A forward pass is the network's own code, which may do anything: count its calls, keep its outputs, renormalise its
weights, draw random numbers, switch a mode. Every look at a network goes through `undisturbed`, or `observe`, which
calls a function after each layer.
"""

import os
import random
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils import _device
from torch.utils.hooks import RemovableHandle

from cnnlab.models.failure import watched
from cnnlab.models.snapshot import Snapshot, WritesKept

Look = Callable[[str, nn.Module, tuple[Any, ...], Any], None]
"""Called with a layer's name, the layer, its inputs and its output, each time it has run."""


@contextmanager
def undisturbed(model: nn.Module, *, training: bool | None = False, replaced: bool = False) -> Iterator[None]:
    """Evaluation mode inside (training mode; with None each module's own); all is as before after it, also on an error.

    That is each module's own mode, hooks and attributes, with what is in its lists, dictionaries, sets, arrays and
    plain objects; every tensor's values, memory, `requires_grad` and `grad`; the generators of random numbers of torch,
    NumPy and Python; torch's global settings. A network that counts its calls does not count these.

    `replaced`: others stand in for the parameters and buffers inside, so that those need less care (see `Snapshot`).
    """
    with settings_kept(), _network_kept(model, training, replaced):
        yield


@contextmanager
def _network_kept(model: nn.Module, training: bool | None, replaced: bool) -> Iterator[None]:
    snapshot = Snapshot(model, replaced=replaced)
    ended = False
    try:
        writes = WritesKept(snapshot) if snapshot.unknown else nullcontext()
        with generators_kept(model), writes, _plain(model), _needless_hooks():
            if training is not None:
                set_mode(model, training)
            yield
        ended = True
    finally:
        snapshot.put_back(ended=ended)


@contextmanager
def settings_kept() -> Iterator[None]:
    """Torch's, NumPy's and Python's global settings are as before afterwards, streams and the working folder too."""
    before = [read() for read, _ in SETTINGS]
    try:
        yield
    finally:
        for (read, change), setting in zip(SETTINGS, before, strict=True):
            if read() != setting:
                change(setting)


def _folder() -> str | None:
    with suppress(OSError):  # it may have been removed
        return os.getcwd()
    return None


def _set_folder(folder: str | None) -> None:
    if folder is not None:
        with suppress(OSError):
            os.chdir(folder)


def set_mode(model: nn.Module, training: bool) -> None:
    """Training or evaluation mode; a program of torch.export keeps the one in which it was exported."""
    with suppress(NotImplementedError):
        _ = model.train() if training else model.eval()


@contextmanager
def _plain(model: nn.Module) -> Iterator[None]:
    """Inside, the network runs on one device, and none of it as torch.compile's programs.

    Copies on several devices would call hooks once each; what is compiled would be so anew for every hook and mode, and
    again afterwards.
    """
    compiled = False
    for module in model.modules():
        compiled |= "_orig_mod" in module._modules or getattr(module, "_compiled_call_impl", None) is not None
        if isinstance(module, nn.DataParallel):
            module.device_ids = []  # an attribute, put back with all others
    with torch.compiler.set_stance("force_eager") if compiled else nullcontext():
        yield


@contextmanager
def _needless_hooks() -> Iterator[None]:
    """Inside, `x.register_hook` and `x.retain_grad` of a tensor without gradient do nothing.

    torch refuses them; many networks ask for the gradients of their maps so, for a Grad-CAM of their own.
    """
    global _looks
    if not _looks:
        for name, ask in _ASKING.items():
            setattr(Tensor, name, _where_needed(ask))
    _looks += 1
    try:
        yield
    finally:
        _looks -= 1
        if not _looks:
            for name, ask in _ASKING.items():
                setattr(Tensor, name, ask)


def _where_needed(ask: Callable[..., Any]) -> Callable[..., Any]:
    def asked(tensor: Tensor, *given: Any) -> Any:
        return ask(tensor, *given) if tensor.requires_grad else RemovableHandle(OrderedDict())

    return asked


_ASKING: dict[str, Callable[..., Any]] = {name: getattr(Tensor, name) for name in ("register_hook", "retain_grad")}
_looks = 0
"""How many looks there are now, one inside the other."""


@contextmanager
def generators_kept(model: nn.Module | None = None) -> Iterator[None]:
    """The global generators of torch (of the devices of `model` too), NumPy and Python stand where they stood."""
    tensors = model.parameters() if model is not None else ()
    devices = sorted({tensor.device.index for tensor in tensors if tensor.device.type == "cuda"})
    python, numbers = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numbers)


def _deterministic() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _set_deterministic(setting: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(setting[0], warn_only=setting[1])


Setting = tuple[Callable[[], Any], Callable[[Any], object]]
"""How one of torch's global settings is read, and how it is changed."""


def _attribute(owner: Any, name: str) -> Setting:
    return (lambda: getattr(owner, name)), (lambda value: setattr(owner, name, value))


def _stream(name: str) -> Setting:
    """A standard stream; a bar that stands before it for a while is no other stream."""
    return (lambda: getattr(stream := getattr(sys, name), "rich_proxied_file", stream)), partial(setattr, sys, name)


SETTINGS: tuple[Setting, ...] = (
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (torch.get_default_dtype, torch.set_default_dtype),
    (lambda: _device.CURRENT_DEVICE, torch.set_default_device),
    (torch.get_num_threads, torch.set_num_threads),
    (_deterministic, _set_deterministic),
    (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (lambda: torch.is_autocast_enabled("cpu"), lambda on: torch.set_autocast_enabled("cpu", on)),
    (torch.backends.mha.get_fastpath_enabled, torch.backends.mha.set_fastpath_enabled),
    (torch.backends.cuda.math_sdp_enabled, torch.backends.cuda.enable_math_sdp),
    (torch.backends.cuda.flash_sdp_enabled, torch.backends.cuda.enable_flash_sdp),
    (torch.backends.cuda.mem_efficient_sdp_enabled, torch.backends.cuda.enable_mem_efficient_sdp),
    (torch.backends.cuda.cudnn_sdp_enabled, torch.backends.cuda.enable_cudnn_sdp),
    *(_attribute(torch.backends.cudnn, name) for name in ("enabled", "benchmark", "deterministic", "allow_tf32")),
    _attribute(torch.backends.cuda.matmul, "allow_tf32"),
    _attribute(torch.backends.mkldnn, "enabled"),
    (np.geterr, lambda errors: np.seterr(**errors)),
    (_folder, _set_folder),
    *map(_stream, ("stdin", "stdout", "stderr")),
    _attribute(sys, "excepthook"),
)


@contextmanager
def observe(
    model: nn.Module, look: Look, *, layers: Sequence[str] | None = None, training: bool | None = False
) -> Iterator[None]:
    """While inside, `look` is called after each of `layers` (by default after every module) that runs.

    Without gradients; evaluation mode unless `training` says otherwise, and all as before afterwards, hooks included
    (see `undisturbed`). A module that is made of others ends after them. What torch.jit.script compiled takes no hooks
    and is left out of "every module".

        found = {}
        with observe(model, lambda name, layer, inputs, output: found.update({name: output.shape})):
            model(images)
    """
    with undisturbed(model, training=training), torch.no_grad():
        for name, module in watched(model) if layers is None else ((n, model.get_submodule(n)) for n in layers):
            module.register_forward_hook(partial(look, name))
        yield
