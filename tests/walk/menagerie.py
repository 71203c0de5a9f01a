"""Networks that do in their forward pass what none should, and all that a look at them must leave as it was."""

import random
import types
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrizations

SHAPE, CLASSES = (3, 12, 12), 4


class Meter:
    """An object of the network's own that is no module."""

    def __init__(self) -> None:
        self.sum, self.seen = 0.0, [0]

    def update(self) -> None:
        self.sum += 1
        self.seen[0] += 1


class Busy(nn.Module):
    """Writes down, counts, draws, switches, and writes into its own weights."""

    calls = 0
    fails = False
    settings = False

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1).to(memory_format=torch.channels_last)
        self.norm = nn.BatchNorm2d(6, momentum=None)
        self.row = nn.Sequential(self.first, self.norm, nn.ReLU(inplace=True), nn.MaxPool2d(2))  # two names for each
        self.spectral = parametrizations.spectral_norm(nn.Conv2d(6, 6, 3, padding=1))
        self.weighted = parametrizations.weight_norm(nn.Conv2d(6, 6, 1))
        self.older = nn.utils.spectral_norm(nn.Conv2d(6, 6, 1))
        self.tied = nn.Conv2d(6, 6, 1)
        self.tied.weight = nn.Parameter(torch.randn(6, 6, 1, 1) / 3)
        self.again = nn.Conv2d(6, 6, 1)
        self.again.weight = self.tied.weight
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(6, CLASSES)
        self.scale = nn.Parameter(torch.tensor(0.9))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))
        self.register_buffer("kept", torch.zeros(3), persistent=False)
        self.tensors, self.plain = [torch.zeros(2), [torch.zeros(2)]], torch.zeros(3)
        self.apart = [nn.Linear(2, 2)]  # no module of the network's
        self.number, self.seen, self.last, self.names = 0, [], {"n": {"n": 0}}, {"a"}
        self.recent, self.array, self.meter = deque([1], maxlen=2), np.zeros(3), Meter()
        self.generators = torch.Generator(), np.random.default_rng(0), random.Random(0)
        self.eval_calls = 0

    def train(self, mode: bool = True) -> "Busy":
        self.eval_calls += not mode
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        self._write()
        _ = torch.rand(1), np.random.rand(), random.random()
        _ = torch.rand(1, generator=self.generators[0]), self.generators[1].random(), self.generators[2].random()
        self.dropout.train()
        self.norm.momentum = 0.3
        self.again.requires_grad_(False)
        self.new = x
        maps = self.weighted(self.spectral(self.row(x))).relu()
        maps = self.again(self.tied(self.older(maps))) * self.scale + maps
        if type(self).fails:
            raise ValueError("by itself")
        result: Tensor = self.head(maps.relu().mean((2, 3)))
        return result

    def _write(self) -> None:
        Busy.calls += 1
        if type(self).settings:
            torch.use_deterministic_algorithms(True, warn_only=True)
            torch.backends.cudnn.benchmark = True
            torch.backends.mha.set_fastpath_enabled(False)
            torch.set_float32_matmul_precision("medium")
            torch.set_num_threads(torch.get_num_threads() % 2 + 1)
        self.number += 1
        self.seen.append(self.number)
        self.last["n"]["n"] += 1
        self.names.add("b")
        self.recent.append(self.number)
        self.array += 1
        self.meter.update()
        self.apart[0].eval()
        self.head.weight.data = self.head.weight.data.renorm(2, 0, 0.2)
        self.first.weight.data.clamp_(-0.1, 0.1)
        with torch.no_grad():
            self.count += 1
            self.kept += 1
            self.plain += 1
            self.tensors[0] += 1
            self.tensors[1][0] += 1
            self.scale.mul_(0.5)
            self.apart[0].weight.mul_(0.5)


def busy(*, dtype: torch.dtype = torch.float32) -> Busy:
    """In training mode with one layer frozen, some gradients there, a hook of its user's, and a diary begun."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Busy().to(dtype)
        model.older(torch.zeros(1, 6, 1, 1, dtype=dtype))  # whose weight is an attribute from then on
    model.norm.eval()
    model.head.bias.requires_grad_(False)
    model.head.weight.grad = torch.ones_like(model.head.weight)
    model.head.register_forward_hook(lambda module, args, output: None)
    return model


def facts_of(model: nn.Module) -> dict[str, Any]:
    """Everything that a look must leave as it was, by its place."""
    found: dict[str, Any] = {}
    seen: set[int] = set()

    def follow(place: str, value: Any) -> None:
        found[place] = id(value) if not isinstance(value, int | float | str | bool | None) else value
        if id(value) in seen or isinstance(value, type | types.FunctionType | types.ModuleType):
            return
        seen.add(id(value))
        if isinstance(value, Tensor):
            found[f"{place}: tensor"] = _tensor(value)
            if value.is_leaf and value.grad is not None:
                follow(f"{place}.grad", value.grad)
        elif isinstance(value, np.ndarray):
            found[f"{place}: array"] = value.tobytes()
        elif isinstance(value, dict):
            for key, one in value.items():
                follow(f"{place}[{key!r}]", one)
        elif isinstance(value, list | tuple | deque):
            for number, one in enumerate(value):
                follow(f"{place}[{number}]", one)
        elif isinstance(value, set):
            found[f"{place}: set"] = sorted(map(str, value))
        elif isinstance(value, torch.Generator):
            found[f"{place}: state"] = value.get_state().numpy().tobytes()
        elif isinstance(value, np.random.Generator):
            found[f"{place}: state"] = str(value.bit_generator.state)
        elif isinstance(value, random.Random):
            found[f"{place}: state"] = value.getstate()
        elif hasattr(value, "__dict__"):
            found[f"{place}: class"] = type(value)
            follow(f"{place}.__dict__", vars(value))

    follow("model", model)
    for module in model.modules():
        for name, value in vars(type(module)).items():
            if isinstance(value, int | list | dict) and not name.startswith("_"):
                follow(f"{type(module).__name__}.{name}", value)
    found |= {f"random: {name}": value() for name, value in GENERATORS.items()}
    found |= {f"setting: {name}": value() for name, value in SETTINGS.items()}
    return found


def _tensor(tensor: Tensor) -> tuple[object, ...]:
    if is_lazy(tensor):
        return tensor.requires_grad, tensor.dtype
    version = None if tensor.is_inference() else tensor._version
    values = None
    if not (tensor.is_meta or tensor.is_quantized):
        values = tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
    layout = tensor.dtype, tensor.device, tuple(tensor.shape), tensor.stride(), tensor.data_ptr()
    return version, tensor.requires_grad, *layout, values


GENERATORS: dict[str, Callable[[], object]] = {
    "torch": lambda: hash(torch.get_rng_state().numpy().tobytes()),
    "numpy": lambda: hash(str(np.random.get_state())),
}
SETTINGS: dict[str, Callable[[], object]] = {
    "gradients": torch.is_grad_enabled,
    "inference": torch.is_inference_mode_enabled,
    "type": torch.get_default_dtype,
    "threads": torch.get_num_threads,
    "deterministic": torch.are_deterministic_algorithms_enabled,
    "warn only": torch.is_deterministic_algorithms_warn_only_enabled,
    "anomaly": torch.is_anomaly_enabled,
    "products": torch.get_float32_matmul_precision,
    "fast path": torch.backends.mha.get_fastpath_enabled,
    "attention": lambda: (torch.backends.cuda.math_sdp_enabled(), torch.backends.cuda.flash_sdp_enabled(),
                          torch.backends.cuda.mem_efficient_sdp_enabled()),
    "cudnn": lambda: (torch.backends.cudnn.enabled, torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic),
}  # fmt: skip
