"""The walk: one forward pass of any `nn.Module` under a dispatch mode that sees every operation torch executes.

By default all tensors are meta tensors, which have a shape and no values: a pass costs the time of Python alone. A
network that looks at its values runs on real ones. Layers are not chained in the order of their calls, as hooks would
have it: each operation says itself what its result depends on, whoever called it, a module, a function, an operator.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from cnnlab.core.errors import first_line
from cnnlab.core.memory import paused
from cnnlab.models.failure import check_parameters, check_watched, watched
from cnnlab.models.tensors import run_on, tensors_of, twins_of, without_values
from cnnlab.models.undisturbed import undisturbed
from cnnlab.walk.call import Gates
from cnnlab.walk.facts import Failure, Output, Walk, parts_of
from cnnlab.walk.follower import FAILURES, BudgetError, Follower
from cnnlab.walk.macs import attention_as_products
from cnnlab.walk.program import BEGIN, END, DifferentError, Step, StoppedError
from cnnlab.walk.tag import IMAGES, Tag, source
from cnnlab.walk.values import Written, is_small

__all__ = ["FAILURES", "walk", "walked"]


@paused()
def walk(
    model: nn.Module,
    shape: Sequence[int],
    *,
    on_values: bool = False,
    follow: bool = True,
    bits: bool = False,
    gates: Gates = "kept",
    count: bool = False,
    like: Walk | None = None,
    narrow: bool = False,
) -> Walk:
    """Run `model` in eval mode on one image of `shape` (channels, *spatial) and follow every dependency.

    on_values: run on real tensors. follow: False for shapes and costs alone, in less time. bits: keep which pixels are
    read, not only their interval. gates: whether factors of one number per channel, such as those of squeeze-and-
    excitation, count ("kept") or are left out ("ignored"); with "both" every axis is followed a second time, in which
    they are left out, and `Walk.halves` parts the two. count: multiply-accumulates and memory. like: a walk of the same
    network at a smaller size; stop where this one runs anything else than that one, or before it needs much more memory
    than that one did for each pixel of a side (attention between all windows of a large canvas does). narrow: ask where
    each element stands, and not what it sees: of two images, which are an axis of their own behind the spatial ones,
    through the middle of each window. The shortest path then leads to one pixel, and no border clips it.

    The model is as it was afterwards, also after an exception. Where it fails, the walk ends there and says so.

    Raises: RequestError where a layer cannot be watched, or has no parameters yet.
    """
    if narrow:
        check_parameters(model)  # what stands inside a layer that cannot be watched nobody asks
    else:
        check_watched(model)
    sides = zip(shape[1:], like.shape[1:], strict=True) if like else ()
    follower = Follower(
        on_values=on_values,
        gates=gates,
        count=count,
        like=like.program if like else None,
        narrow=narrow,
        side=max(shape[1:], default=1),
        longer=max((large / small for large, small in sides), default=1.0),
    )
    layers = _Layers(model, follower)
    failure, over_budget, differs = None, False, None
    state, image = _state(model, follower), _image(model, tuple(shape), follower, bits=bits, follow=follow)
    with ExitStack() as stack:
        stack.enter_context(undisturbed(model, replaced=True))
        stack.enter_context(attention_as_products())
        stack.enter_context(layers.hooked())
        stack.enter_context(torch.no_grad())
        if not on_values:
            stack.enter_context(Written())
        try:
            with follower:
                run_on(model, state, image)
        except (*FAILURES, StoppedError) as error:
            over_budget = isinstance(error, BudgetError)
            differs = error.difference if isinstance(error, DifferentError) else None
            frame = layers.stack[-1] if layers.stack else _Frame("", model, 0, (), ())
            failure = Failure(frame.layer, type(frame.module).__name__, first_line(error), frame.inputs)
    return Walk(
        tuple(shape),
        tuple(layers.outputs),
        tuple(follower.operations),
        tuple(follower.unknown),
        tuple(follower.swallowed),
        on_values,
        follower.memory.peak,
        failure,
        over_budget,
        tuple(follower.used),
        tuple(follower.program.steps),
        differs,
        follower.numbers,
        follower.gated,
    )


def walked(model: nn.Module, shape: Sequence[int], **options: Any) -> Walk:
    """`walk` without values, and on real ones where the network needs them."""
    found = walk(model, shape, **options)
    if found.failure is None:
        return found
    real = walk(model, shape, on_values=True, **options)
    if real.failure is None or len(real.operations) > len(found.operations):
        return real
    # what torch says of real tensors is told better than what it says of those without values
    return replace(found, failure=real.failure) if real.failure.layer == found.failure.layer else found


def _state(model: nn.Module, follower: Follower) -> dict[str, Tensor]:
    """Parameters and buffers under every name, those that are shared as one tensor."""
    # on values copies: what the network writes into its parameters must not reach the user's
    state = twins_of(model, (lambda tensor: tensor.detach().clone()) if follower.on_values else without_values)
    for name, tensor in tensors_of(model):
        twin = state[name]
        if follower.store.parameter(twin) is None:
            value = tensor.detach().cpu().clone() if is_small(tensor) and not tensor.is_meta else None
            follower.store.place(twin, None, value, name if isinstance(tensor, nn.Parameter) else None)
            follower.memory.leave_out(twin)
    return state


def _image(model: nn.Module, shape: tuple[int, ...], follower: Follower, *, bits: bool, follow: bool) -> Tensor:
    like = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
    count = IMAGES if follower.narrow else 1
    if follower.on_values:
        generator = torch.Generator().manual_seed(0)
        image = torch.randn(count, *shape, generator=generator).to(like)
    else:
        image = torch.empty(count, *shape, dtype=like.dtype, device="meta")
    tag = source(image.shape, bits=bits, images=follower.narrow) if follow else None
    if tag is not None and follower.gates == "both":
        tag = Tag(tag.axes * 2, tag.because * 2)
    follower.store.place(image, tag)
    follower.memory.add(image)
    return image


@dataclass(frozen=True, eq=False)
class _Frame:
    """A module that runs: where its operations begin, and what came in."""

    layer: str
    module: nn.Module
    began: int
    inputs: tuple[tuple[int, ...], ...]
    seen: tuple[Tag, ...]


@final
class _Layers:
    """Hooks on every module, which tell the follower where it is and keep what each module puts out."""

    def __init__(self, model: nn.Module, follower: Follower) -> None:
        self.follower = follower
        self.modules = dict(watched(model))
        self.leaves = {name for name, module in self.modules.items() if not any(True for _ in module.children())}
        self.outputs: list[Output] = []
        self.stack: list[_Frame] = []
        self.calls: dict[str, int] = {}

    @contextmanager
    def hooked(self) -> Iterator[None]:
        with ExitStack() as handles:
            for name, module in self.modules.items():
                before = module.register_forward_pre_hook(self._entering(name), with_kwargs=True, prepend=True)
                handles.callback(before.remove)
                handles.callback(module.register_forward_hook(self._leaving(name)).remove)
            yield

    def _entering(self, name: str) -> Callable[..., None]:
        @_asking_only
        def hook(module: nn.Module, args: Any, kwargs: Any) -> None:
            tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
            tags = tuple(tag for tag in map(self.follower.store.tag, tensors) if tag is not None)
            shapes = tuple(tuple(tensor.shape) for tensor in tensors)
            self.stack.append(_Frame(name, module, len(self.follower.operations), shapes, tags))
            self._tell()
            if tags:
                self.follower.program.step(Step(BEGIN, name))

        return hook

    def _leaving(self, name: str) -> Callable[..., None]:
        @_asking_only
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            while self.stack[-1].module is not module:
                self.stack.pop()  # it raised, and the network went on
            frame = self.stack.pop()
            self._tell()
            self.calls[name] = self.calls.get(name, 0) + 1
            parts = parts_of(output)
            followed = tuple(part for part, tensor in parts if self.follower.store.tag(tensor) is not None)
            if followed:
                self.follower.program.step(Step(END, name, options=followed))
            for part, tensor in parts:
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
                        tag=self.follower.store.tag(tensor),
                        began=frame.began,
                        ended=len(self.follower.operations),
                        planar=self.follower.store.entry(tensor).planar,
                    )
                )

        return hook

    def _tell(self) -> None:
        self.follower.layer = self.stack[-1].layer if self.stack else ""
        self.follower.leaf = self.follower.layer in self.leaves


def _asking_only(hook: Callable[..., None]) -> Callable[..., None]:
    """The hook without a look by the modes of torch's functions at each shape that it asks for."""

    def asking(*given: Any) -> None:
        with torch._C.DisableTorchFunction():
            hook(*given)

    return asking
