"""The walk: one forward pass of any `nn.Module` under a dispatch mode that sees every operation torch executes.

By default all tensors are meta tensors, which have a shape and no values: a pass costs the time of Python alone. A
network that looks at its values runs on real ones. Layers are not chained in the order of their calls, as hooks would
have it: each operation says itself what its result depends on, whoever called it, a module, a function, an operator.
"""

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten_with_path, tree_leaves, tree_map_only
from torch.utils.flop_counter import flop_registry

from cnnlab.analysis.walk.call import Call, UnknownOptionError
from cnnlab.analysis.walk.facts import Failure, Operation, Output, Walk
from cnnlab.analysis.walk.joins import misalignment
from cnnlab.analysis.walk.moving import moves_of
from cnnlab.analysis.walk.reach import Tag, joined, single, source, union
from cnnlab.analysis.walk.rules import FREE, KEPT, SWALLOWING, rule_of
from cnnlab.analysis.walk.store import Store

FAILURES = (
    ArithmeticError, AssertionError, AttributeError, LookupError, NameError, NotImplementedError, RuntimeError,
    TypeError, ValueError,
)  # fmt: skip
"""What a network's own code may raise when its input does not suit it."""

_SMALL = 16
"""Numbers of a floating tensor up to which its values are kept, so that code may look at them."""
_INDEX = 2**20
"""Whole numbers up to which their values are kept, so that indexing with them is exact."""


class _BudgetError(Exception):
    """The walk needs more memory than it may have."""


class RuleError(Exception):
    """A rule of this package failed on an operation that torch executed: a mistake here, none of the network's."""


def walk(
    model: nn.Module,
    shape: Sequence[int],
    *,
    on_values: bool = False,
    bits: bool = False,
    ignore_gates: bool = False,
    count: bool = False,
    budget: int | None = None,
) -> Walk:
    """Run `model` in eval mode on one picture of `shape` (channels, *spatial) and follow every dependency.

    on_values: run on real tensors. bits: keep which pixels are read, not only their interval. ignore_gates: leave out
    factors of one number per channel, such as those of squeeze-and-excitation. count: multiply-accumulates and memory.
    budget: stop where a tag needs more numbers than this (attention between all windows of a large canvas does).

    The model is as it was afterwards, also after an exception. Where it fails, the walk ends there and says so.
    """
    tracer = _Tracer(model, tuple(shape), bits=bits, ignore_gates=ignore_gates, count=count, on_values=on_values)
    tracer.budget = budget
    return tracer.run()


def walked(model: nn.Module, shape: Sequence[int], **options: Any) -> Walk:
    """`walk` without values, and on real ones where the network needs them."""
    found = walk(model, shape, **options)
    if found.failure is None:
        return found
    real = walk(model, shape, on_values=True, **options)
    return real if len(real.operations) > len(found.operations) or real.failure is None else found


@dataclass(frozen=True, eq=False)
class _Frame:
    """A module that runs: where its operations begin, and what came in."""

    layer: str
    module: nn.Module
    began: int
    inputs: tuple[tuple[int, ...], ...]
    seen: tuple[Tag, ...]


@final
class _Tracer(TorchDispatchMode):
    """Follows one forward pass."""

    def __init__(
        self, model: nn.Module, shape: tuple[int, ...], *, bits: bool, ignore_gates: bool, count: bool, on_values: bool
    ) -> None:
        super().__init__()
        self.model, self.shape, self.bits = model, shape, bits
        self.ignore_gates, self.count, self.on_values = ignore_gates, count, on_values
        self.store = Store()
        self.outputs: list[Output] = []
        self.operations: list[Operation] = []
        self.unknown: dict[tuple[str, str], None] = {}
        self.swallowed: dict[tuple[str, str], None] = {}
        self.stack: list[_Frame] = []
        self.calls: dict[str, int] = {}
        self.leaves: set[str] = set()
        self.memory = _Memory()
        self.budget: int | None = None

    def run(self) -> Walk:
        failure, over_budget = None, False
        state, image = self._state(), self._image()
        with ExitStack() as stack:
            stack.enter_context(undisturbed(self.model))
            stack.enter_context(self._hooked())
            stack.enter_context(torch.no_grad())
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            try:
                with self:
                    functional_call(self.model, state, (image,))
            except (*FAILURES, _BudgetError) as error:
                over_budget = isinstance(error, _BudgetError)
                frame = self.stack[-1] if self.stack else _Frame("", self.model, 0, (), ())
                message = str(error).strip().split("\n", 1)[0]
                failure = Failure(
                    frame.layer, type(frame.module).__name__, message or type(error).__name__, frame.inputs
                )
        return Walk(
            self.shape,
            tuple(self.outputs),
            tuple(self.operations),
            tuple(self.unknown),
            tuple(self.swallowed),
            self.on_values,
            self.memory.peak,
            failure,
            over_budget,
        )

    def _state(self) -> dict[str, Tensor]:
        """Parameters and buffers under every name, those that are shared as one tensor."""
        twins: dict[int, Tensor] = {}
        state = {}
        parameters = list(self.model.named_parameters(remove_duplicate=False))
        for name, tensor in [*parameters, *self.model.named_buffers(remove_duplicate=False)]:
            if id(tensor) not in twins:
                twin = tensor.detach() if self.on_values else torch.empty_like(tensor.detach(), device="meta")
                small = tensor.numel() <= (_SMALL if tensor.is_floating_point() else _INDEX)
                value = tensor.detach().cpu() if small and not tensor.is_meta else None
                named = name if isinstance(tensor, nn.Parameter) else None
                self.store.place(twin, None, value, named)
                self.memory.leave_out(twin)
                twins[id(tensor)] = twin
            state[name] = twins[id(tensor)]
        return state

    def _image(self) -> Tensor:
        like = next((p for p in self.model.parameters() if p.is_floating_point()), torch.empty(0))
        if self.on_values:
            generator = torch.Generator().manual_seed(0)
            image = torch.randn(1, *self.shape, generator=generator).to(like)
        else:
            image = torch.empty(1, *self.shape, dtype=like.dtype, device="meta")
        self.store.place(image, source(image.shape, bits=self.bits))
        self._weigh([image])
        return image

    @contextmanager
    def _hooked(self) -> Iterator[None]:
        handles = []
        for name, module in self.model.named_modules():
            if not any(True for _ in module.children()):
                self.leaves.add(name)
            handles.append(module.register_forward_pre_hook(self._entering(name), with_kwargs=True))
            handles.append(module.register_forward_hook(self._leaving(name)))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _entering(self, name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
            tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
            tags = tuple(tag for tag in map(self.store.tag, tensors) if tag is not None)
            shapes = tuple(tuple(tensor.shape) for tensor in tensors)
            self.stack.append(_Frame(name, module, len(self.operations), shapes, tags))

        return hook

    def _leaving(self, name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            frame = self.stack.pop()
            self.calls[name] = self.calls.get(name, 0) + 1
            for part, tensor in parts_of(output):
                self.outputs.append(
                    Output(
                        layer=name,
                        kind=type(module).__name__,
                        part=part,
                        call=self.calls[name],
                        depth=name.count(".") + 1 if name else 0,
                        leaf=name in self.leaves,
                        shape=tuple(tensor.shape),
                        inputs=frame.inputs,
                        seen=frame.seen,
                        tag=self.store.tag(tensor),
                        began=frame.began,
                        ended=len(self.operations),
                    )
                )

        return hook

    @property
    def layer(self) -> str:
        """The innermost module that runs now."""
        return self.stack[-1].layer if self.stack else ""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = _name_of(func)
        if not self.on_values:
            args, kwargs = self._on_meta((args, kwargs))
            if name == "_local_scalar_dense" and (value := self.store.value(args[0])) is not None:
                return value.item()
        known = name in KEPT or name in FREE or rule_of(func, name) is not None
        if not known and torch.Tag.pointwise not in func.tags:
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        result = func(*args, **kwargs)
        try:
            self._follow(func, name, args, kwargs, result)
        except FAILURES as error:
            raise RuleError(f"{name} in layer '{self.layer}'") from error
        return result

    def _on_meta(self, arguments: Any) -> Any:
        """Tensors that the network made on the processor join the others on meta, their values remembered."""

        def moved(tensor: Tensor) -> Tensor:
            if tensor.device.type == "meta":
                return tensor
            twin = torch.empty_like(tensor, device="meta")
            self.store.place(twin, None, tensor if tensor.numel() <= _INDEX else None)
            return twin

        arguments = tree_map_only(Tensor, moved, arguments)
        return tree_map_only(torch.device, lambda device: torch.device("meta"), arguments)

    def _follow(self, func: Any, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any) -> None:
        results = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        if not results:
            return
        arguments = _bound(func, args, kwargs)
        call = Call(name, arguments, result, self.store.tag, self.store.value, self.ignore_gates)
        moves = moves_of(call) if name not in FREE else None
        written = [
            arguments[a.name] for a in func._schema.arguments if a.alias_info is not None and a.alias_info.is_write
        ]
        if moves is not None and not written:
            base = call["self"]
            for tensor, move in zip(results, moves, strict=True):
                if func.is_view or tensor.untyped_storage()._cdata == base.untyped_storage()._cdata:
                    self.store.place_view(tensor, base, move)
                else:
                    tag = self.store.tag(base)
                    self.store.place(tensor, tag and tag.moved(move))
            self._remember(func, name, args, kwargs, call, results)
            self._weigh(results)
            return
        tags = self._tags(func, name, call, len(results))
        if written:
            for tensor in written:
                if isinstance(tensor, Tensor) and not self.store.write(tensor, tags[0]):
                    self.unknown[(f"{name}_ through a view", self.layer)] = None
        else:
            for tensor, tag in zip(results, tags, strict=True):
                self.store.place(tensor, tag)
            self._remember(func, name, args, kwargs, call, results)
        self._weigh(results)
        self._record(func, name, args, kwargs, call, tags[0])

    def _tags(self, func: Any, name: str, call: Call, count: int) -> list[Tag | None]:
        if name in FREE or not call.tags:
            return [None] * count
        if name in KEPT:
            return [call.tags[0]] * count
        rule = rule_of(func, name) or self._unknown
        try:
            made = rule(call)
        except UnknownOptionError:
            made = self._unknown(call)
        if name in SWALLOWING:
            self.swallowed[(name, self.layer)] = None
        tags = made if isinstance(made, list) else [made] * count
        if self.budget and any(axis.hull.size > self.budget for tag in tags if tag for axis in tag.axes):
            raise _BudgetError(f"{name} needs more than {self.budget:,} numbers")
        return [self._reasoned(tag, call, name) for tag in tags]

    def _unknown(self, call: Call) -> Tag | None:
        """Sound for any operation: each result depends on everything that came in."""
        self.unknown[(call.name, self.layer)] = None
        return joined(tag.melted(call.output.dim()) for tag in call.tags)

    def _reasoned(self, tag: Tag | None, call: Call, name: str) -> Tag | None:
        """Names this operation where it is the first after which all elements depend on all that came in."""
        if tag is None or all(tag.because):
            return tag
        reasons = list(tag.because)
        for axis, reason in enumerate(reasons):
            before = [given.axes[axis] for given in call.tags]
            if reason is None and single(tag.axes[axis]) == union(before) and not all(map(single, before)):
                reasons[axis] = self._place(name)
        return Tag(tag.axes, tuple(reasons))

    def _place(self, name: str) -> str:
        if self.layer in self.leaves and self.layer:
            return self.layer
        return f"{self.layer} ({name})" if self.layer else name

    def _remember(self, func: Any, name: str, args: Any, kwargs: Any, call: Call, results: Sequence[Tensor]) -> None:
        """The values of small results that follow from known values, so that indexing with them is exact."""
        if self.on_values:
            for tensor in results:
                if not tensor.is_floating_point() and tensor.numel() <= _INDEX and not call.tags:
                    self.store.entry(tensor).value = tensor
            return
        wanted = [t for t in results if t.numel() <= (_SMALL if t.is_floating_point() else _INDEX)]
        if len(wanted) != len(results) or call.tags or torch.Tag.nondeterministic_seeded in func.tags:
            return
        if name.startswith(("empty", "new_empty")) or any(self.store.value(t) is None for t in call.tensors):
            return
        args, kwargs = tree_map_only(Tensor, self.store.value, (args, kwargs))
        args, kwargs = tree_map_only(torch.device, lambda device: torch.device("cpu"), (args, kwargs))
        values = [leaf for leaf in tree_leaves(func(*args, **kwargs)) if isinstance(leaf, Tensor)]
        for tensor, value in zip(results, values, strict=True):
            self.store.entry(tensor).value = value

    def _record(self, func: Any, name: str, args: Any, kwargs: Any, call: Call, tag: Tag | None) -> None:
        if name in FREE:
            return
        macs = 0
        if self.count and (formula := flop_registry.get(func._overloadpacket)) is not None:
            macs = int(formula(*args, **kwargs, out_val=call.result)) // 2
        used = dict.fromkeys(filter(None, (self.store.parameter(tensor) for tensor in call.tensors)))
        apart = misalignment(call.tensors, self.store.tag) if name in _JOINS else None
        self.operations.append(Operation(name, self.layer, tuple(call.output.shape), macs, tuple(used), tag, apart))

    def _weigh(self, results: Sequence[Tensor]) -> None:
        if self.count:
            for tensor in results:
                self.memory.add(tensor)


_JOINS = ("add", "sub", "rsub", "mul", "div", "maximum", "minimum", "cat")
"""Operations at which paths meet."""


@final
class _Memory:
    """Bytes that are alive, by storage: a view costs nothing, and what is freed counts no longer."""

    def __init__(self) -> None:
        self.now = self.peak = 0
        self.users: dict[int, list[int]] = {}
        self.left_out: dict[int, Tensor] = {}

    def leave_out(self, tensor: Tensor) -> None:
        """A parameter or a buffer."""
        self.left_out[tensor.untyped_storage()._cdata] = tensor

    def add(self, tensor: Tensor) -> None:
        """A tensor came to life."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self.left_out:
            return
        if key not in self.users:
            self.users[key] = [storage.nbytes(), 0]
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
        self.users[key][1] += 1
        weakref.finalize(tensor, self.release, key).atexit = False

    def release(self, key: int) -> None:
        """A tensor of that storage is gone."""
        entry = self.users[key]
        entry[1] -= 1
        if not entry[1]:
            self.now -= entry[0]
            del self.users[key]


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """Eval mode; each module's own mode and torch's fast path for attention come back, also after an exception.

    The fast path is one operation that hides its products and its attention.
    """
    modes = [(module, module.training) for module in model.modules()]
    fast = torch.backends.mha.get_fastpath_enabled()
    model.eval()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for module, training in modes:
            module.training = training


def _name_of(func: Any) -> str:
    name: str = func._schema.name.split("::")[-1]
    return name[:-1] if name.endswith("_") and not name.startswith("__") else name


def _bound(func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by the names of the operation's schema, defaults filled in."""
    bound = {}
    for place, argument in enumerate(func._schema.arguments):
        if place < len(args):
            bound[argument.name] = args[place]
        elif argument.name in kwargs:
            bound[argument.name] = kwargs[argument.name]
        else:
            bound[argument.name] = argument.default_value
    return bound


def parts_of(output: Any) -> list[tuple[str, Tensor]]:
    """The tensors of an output with their places in it, such as `.aux`; "" where there is only one."""
    leaves, _ = tree_flatten_with_path(output)
    found = [(path, leaf) for path, leaf in leaves if isinstance(leaf, Tensor)]
    if len(found) == 1:
        return [("", found[0][1])]
    return [("".join(_step(key) for key in path), leaf) for path, leaf in found]


def _step(key: Any) -> str:
    word = getattr(key, "name", getattr(key, "key", getattr(key, "idx", key)))
    return f"[{word}]" if isinstance(word, int) else f".{word}"
