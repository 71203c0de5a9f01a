"""The dispatch mode of a walk: it sees every operation as torch executes it, and notes what its results depend on."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, final

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from cnnlab.core.errors import CnnlabError
from cnnlab.walk.alive import Memory
from cnnlab.walk.arrays import Move, Room, TooLargeError, aligned, within
from cnnlab.walk.call import Call, Gates, UnknownOptionError
from cnnlab.walk.facts import Operation
from cnnlab.walk.indexing import blind, knows_its_mask
from cnnlab.walk.macs import macs_of
from cnnlab.walk.mixing import NARROW, gated, misalignment
from cnnlab.walk.moving import moves_of
from cnnlab.walk.program import Program, Step, StoppedError
from cnnlab.walk.reach import union
from cnnlab.walk.rules import FREE, KEPT, SWALLOWING, Kind, is_of_planes, kind_of, melted, pointwise
from cnnlab.walk.shapes import Shapes
from cnnlab.walk.store import Store
from cnnlab.walk.tag import Tag, joined
from cnnlab.walk.values import Values, is_small
from cnnlab.walk.windows import WINDOWS, covers, widening

FAILURES = (
    ArithmeticError, AssertionError, AttributeError, CnnlabError, LookupError, NameError, NotImplementedError,
    RuntimeError, TypeError, ValueError,
)  # fmt: skip
"""What a network's own code may raise when its input does not suit it."""


@final
class BudgetError(StoppedError):
    """The walk needs more memory than it may have."""


_TIMES, _A_STEP, _FLOOR, _AT_ONCE = 2, 2**17, 2**22, 2**23
"""A walk on a canvas may need for each step as many numbers as the walk at the image's size, times what the canvas is
longer, since a map of rows and columns needs no more, times two. Beyond that, together, as many as that walk, and as
many for each step as take about the time that a step takes without any; and so many in one step. What a flattened map
needs grows as the canvas' area: the canvas is given up before it costs more than the walk."""

_MOST, _LEAST = 2**30, 2**16
"""Numbers of four bytes that any other walk may write into its tags: 4 GiB. Beyond that a tag of more than the second
is taken to depend on everything that came in, and said to be so."""


class RuleError(Exception):
    """A rule of this package failed on an operation that torch executed: a mistake here, none of the network's."""


@final
class Follower(TorchDispatchMode):
    """Follows the operations of one forward pass."""

    def __init__(
        self,
        *,
        on_values: bool,
        gates: Gates,
        count: bool,
        like: Sequence[Step] | None,
        side: int,
        longer: float,
        narrow: bool = False,
    ) -> None:
        super().__init__()
        self.narrow, self.gates = narrow, gates
        self.on_values, self.count = on_values, count
        self.program = Program(like)
        self.bounded = like is not None
        self.growth = _TIMES * longer
        """How many numbers a step may need for each of the other walk's."""
        self.numbers = 0
        """How many numbers the tags that were made hold, those of single pixels not counted."""
        self.spare = _MOST if like is None else _FLOOR + sum(step.numbers + _A_STEP for step in like)
        """How many more may be needed beyond that."""
        self.room = Room(self.spare)
        self.store = Store()
        self.values = Values(self.store)
        self.memory = Memory()
        self.shapes = Shapes()
        self.operations: list[Operation] = []
        self.unknown: dict[tuple[str, str], None] = {}
        self.swallowed: dict[tuple[str, str], None] = {}
        self.used: dict[str, None] = {}
        self.gated = False
        """Whether a gate was met."""
        self.side = side
        """The longer side of the image, in pixels."""
        self.layer = ""
        """The innermost module that runs now."""
        self.leaf = False
        """Whether it has no modules of its own."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # which would import the compiler, for half a second, and pass every operation through it

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs, kind = kwargs or {}, kind_of(func)
        if not self.on_values:
            args, kwargs = self.values.on_meta(args, kwargs)
            if kind.name == "_local_scalar_dense" and (value := self.store.value(args[0])) is not None:
                return value.item()
        if kind.turns is not None:
            view = self.__torch_dispatch__(kind.turns, types, args, kwargs)
            result = func(*args, **kwargs)
            self.store.turn(result, view)
            return result
        if kind.rule is None and not kind.pointwise:
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        if kind.name in ("index", "index_put") and not self.on_values:
            args = self.values.without_masks(args)
        bound = _bound(kind, args, kwargs)
        given = {name: value for name, value in bound.items() if name not in kind.receiving}
        known = None
        if torch.Tag.dynamic_output_shape in func.tags and not self.on_values:
            known = self.values.of(func, args, kwargs)
            if known is not None:
                return self.values.twin(known)
        result = self._batch_norm(kind, bound) or self._run(func, kind, args, kwargs)
        results = [result] if isinstance(result, Tensor) else [r for r in tree_leaves(result) if isinstance(r, Tensor)]
        call = Call(kind.name, given, results, self.store.tag, self.store.value, self.gates, self.narrow)
        self.gated = self.gated or gated(call) is not None
        if not call.tags and not self.on_values and all(map(is_small, results)):
            known = self.values.of(func, args, kwargs)
        call.parameters = tuple(dict.fromkeys(filter(None, map(self.store.parameter, call.tensors))))
        step = self.program.call(call, self.layer) if call.tags else None
        macs: int | None = 0
        if self.count:
            macs = macs_of(func, args, kwargs, result, call, known=kind.pointwise or kind.rule is not None)
            if kind.name not in FREE:
                self.used.update(dict.fromkeys(call.parameters))
            for tensor in results:
                self.memory.add(tensor)
        try:
            self.room.left = max(self.spare, _LEAST)
            if step is not None and self.bounded:
                self.room.left = min(self.room.left, _AT_ONCE) + int(self.growth * step.numbers)
            with within(self.room):
                self._follow(func, kind, call, [bound[name] for name in kind.written], known, macs)
            if step is not None:
                self._take(call, step)
        except FAILURES as error:
            raise RuleError(f"{kind.name} in layer '{self.layer}'") from error
        return result

    def _run(self, func: Any, kind: Kind, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        return func(*args, **kwargs) if self.on_values else self.shapes.run(func, kind, args, kwargs)

    def _batch_norm(self, kind: Kind, bound: Mapping[str, Any]) -> tuple[Tensor, Tensor, Tensor] | None:
        """What a normalisation by stored statistics puts out, where there are no values to compute.

        torch finds these shapes by computing the whole formula on meta tensors, a third of a walk's time.
        """
        if kind.name != "native_batch_norm" or bound["training"] or self.on_values:
            return None
        images: Tensor = bound["input"]
        if not images.is_contiguous():
            return torch.empty_like(images), images.new_empty(0), images.new_empty(0)
        made, nothing = (torch.empty(sizes, dtype=images.dtype, device="meta") for sizes in (images.shape, 0))
        return made, nothing, torch.empty(0, dtype=images.dtype, device="meta")

    def _follow(self, func: Any, kind: Kind, call: Call, written: Sequence[Any], known: Any, macs: int | None) -> None:
        """Notes what the results of `call` depend on, and what is written into."""
        moves = moves_of(call) if call.results and not written else None
        if moves is not None or (func.is_view and call.results):
            self._move(func, kind, call, moves)
        elif call.results or written:
            tags = self._tags(kind, call)
            targets = [tensor for tensor in tree_leaves(written) if isinstance(tensor, Tensor)] if written else []
            for tensor, tag in zip(call.results, tags, strict=True):
                if not any(tensor is target for target in targets):
                    self.store.place(tensor, tag)
            for tensor in targets:
                place = next((i for i, result in enumerate(call.results) if result is tensor), None)
                if place is None and kind.rule is pointwise and call.results and call.output.shape == tensor.shape:
                    place = 0
                tag = tags[place] if place is not None else self._unknown(call, tensor)
                keeps = known is not None or (self.on_values and not call.tags)
                if not self.store.write(tensor, tag, keep_values=keeps):
                    self.unknown[(f"{kind.name}_ through a view", self.layer)] = None
            if self.narrow and tags and tags[0] is not None:
                self.store.entry(call.output).planar |= self._is_planar(kind, call)
            self._record(kind, call, tags[0] if tags else None, macs)
        if not written:
            self._remember(call, known)

    def _move(self, func: Any, kind: Kind, call: Call, moves: Sequence[Move] | None) -> None:
        base = call.tensors[0]
        if moves is None and self.store.tag(base) is not None:
            self.unknown[(kind.name, self.layer)] = None
        if kind.name in SWALLOWING and self.store.tag(base) is not None:
            self.swallowed[(kind.name, self.layer)] = None
        each: Sequence[Move | None] = moves if moves is not None else [None] * len(call.results)
        for tensor, move in zip(call.results, each, strict=True):
            view = func.is_view or tensor.untyped_storage()._cdata == base.untyped_storage()._cdata
            try:
                if view:
                    self.store.place_view(tensor, base, move)
                elif move is not None:
                    tag = self.store.tag(base)
                    self.store.place(tensor, tag and tag.moved(move))
            except TooLargeError as error:
                self._too_large(kind, error)
                if view:
                    self.store.place_view(tensor, base, None)
                else:
                    self.store.place(tensor, self._unknown(call, tensor))

    def _tags(self, kind: Kind, call: Call) -> list[Tag | None]:
        """The tag of each result."""
        count = len(call.results)
        if not call.tags or not count:
            return [None] * count
        try:
            rule = NARROW.get(kind.name, kind.rule) if self.narrow else kind.rule
            rule = None if rule is melted else rule
            made = rule(call) if rule else [self._unknown(call, tensor) for tensor in call.results]
        except TooLargeError as error:
            self._too_large(kind, error)
            made = [self._unknown(call, tensor) for tensor in call.results]
        except UnknownOptionError:
            made = [self._unknown(call, tensor) for tensor in call.results]
        if blind(call):
            self.unknown[(kind.name, self.layer)] = None
        if _swallows(kind, call):
            self.swallowed[(kind.name, self.layer)] = None
        tags = made if isinstance(made, list) else [made] * count
        if kind.name in WINDOWS and not self.narrow and not (self.gated and self.gates == "kept"):
            wider = widening(call, self.side)
            tags = [tag and replace(tag, widened=tag.widened + wider) for tag in tags]
        return [
            _fitting(tag, tensor) if self.narrow else self._reasoned(_fitting(tag, tensor), call, kind.name)
            for tag, tensor in zip(tags, call.results, strict=True)
        ]

    def _too_large(self, kind: Kind, error: TooLargeError) -> None:
        """Ends a walk on a canvas; another goes on with less than could be known, and says so."""
        if self.bounded:
            raise BudgetError(f"{kind.name} needs too much memory") from error
        self.unknown[(kind.name, self.layer)] = None

    def _take(self, call: Call, step: Step) -> None:
        """Counts what the tags of the results hold."""
        axes = dict.fromkeys(axis for tag in map(self.store.tag, call.results) if tag is not None for axis in tag.axes)
        numbers = sum(axis.numbers for axis in axes)
        self.numbers += numbers
        if not self.bounded:
            step.numbers = numbers
            self.spare -= numbers + sum(2 * axis.words for axis in axes)
        elif numbers > self.growth * step.numbers:
            self.spare -= int(numbers - self.growth * step.numbers)
            if self.spare < 0:
                raise BudgetError(f"a canvas needs {self.numbers:,} numbers up to here")

    def _is_planar(self, kind: Kind, call: Call) -> bool:
        """Whether the result has rows and columns last because of what the operation is, or of what came in."""
        if call.output.dim() != 4:
            return False
        planes = [tensor for tensor in call.tensors if tensor.dim() == 4 and self.store.tag(tensor) is not None]
        if is_of_planes(kind.name) and planes:
            return True
        same = kind.pointwise or kind.name in KEPT or kind.name == "cat"
        return same and bool(planes) and all(self.store.entry(plane).planar for plane in planes)

    def _unknown(self, call: Call, tensor: Tensor) -> Tag | None:
        """Sound for any operation: each result depends on everything that came in."""
        self.unknown[(call.name, self.layer)] = None
        return joined(tag.melted(tensor.dim()) for tag in call.tags)

    def _reasoned(self, tag: Tag | None, call: Call, name: str) -> Tag | None:
        """Names this operation where it is the first after which all elements depend on all that came in.

        A window that is smaller than the map does so at one size only.
        """
        if tag is None or all(tag.because) or (name in WINDOWS and not covers(call)):
            return tag
        reasons = list(tag.because)
        for axis, reason in enumerate(reasons):
            before = [given.axes[axis] for given in call.tags]
            if reason is not None or any(tag.axes[axis] is reach for reach in before):
                continue
            one = tag.axes[axis].single
            if one is not None and one == union(before) and not all(reach.single for reach in before):
                reasons[axis] = self._place(name)
        return replace(tag, because=tuple(reasons)) if any(reasons) else tag

    def _place(self, name: str) -> str:
        if self.leaf and self.layer:
            return self.layer
        return f"{self.layer} ({name})" if self.layer else name

    def _remember(self, call: Call, known: Any) -> None:
        """The values of small results that follow from known values, so that indexing with them is exact."""
        if self.on_values and not call.tags:
            for tensor in call.results:
                if not tensor.is_floating_point() and is_small(tensor):
                    self.store.entry(tensor).value = tensor
        elif known is not None:
            values = [leaf for leaf in tree_leaves(known) if isinstance(leaf, Tensor)]
            for tensor, value in zip(call.results, values, strict=True):
                self.store.entry(tensor).value = value

    def _record(self, kind: Kind, call: Call, tag: Tag | None, macs: int | None) -> None:
        if kind.name in FREE or not call.results:
            return
        apart = misalignment(call.tensors, self.store.tag) if kind.name in _JOINS and not self.narrow else None
        self.operations.append(
            Operation(
                kind.name,
                self.layer,
                tuple(call.output.shape),
                macs or 0,
                call.parameters,
                tag,
                apart,
                macs is not None,
            )
        )


_JOINS = ("add", "sub", "rsub", "mul", "div", "maximum", "minimum", "cat")
"""Operations at which paths meet."""


def _fitting(tag: Tag | None, tensor: Tensor) -> Tag | None:
    """Give the tag the tensor's number of dimensions: a factor of lower rank may be all that depends on the input."""
    if tag is None or not tag.axes:
        return tag
    if len(tag.axes[0].shape) < tensor.dim():
        tag = tag.moved(lambda array: aligned(array, tensor.dim()))
    for axis in tag.axes:
        sizes = axis.shape
        if len(sizes) != tensor.dim() or any(s not in (1, t) for s, t in zip(sizes, tensor.shape, strict=True)):
            raise RuleError(f"what was found for {tuple(tensor.shape)} has the shape {sizes}")
    return tag


def _swallows(kind: Kind, call: Call) -> bool:
    """Whether a NaN may not pass: it is compared, or ends as a whole number."""
    if kind.name in SWALLOWING:
        return not knows_its_mask(call)
    made, given = call.output.dtype, (tensor.dtype for tensor in call.tensors)
    return not (made.is_floating_point or made.is_complex) and any(t.is_floating_point or t.is_complex for t in given)


def _bound(kind: Kind, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by the names of the operation's schema, defaults filled in."""
    bound = {name: kwargs.get(name, default) for name, default in kind.parameters[len(args) :]}
    return {**{name: value for (name, _), value in zip(kind.parameters, args, strict=False)}, **bound}
