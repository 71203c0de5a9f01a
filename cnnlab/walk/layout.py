"""Which dimensions of a tensor are its rows and columns, whatever their order: told by how its elements move.

Read from a narrow walk, in which an element stands over one pixel of one image. Sizes say nothing of it: 7 × 7 × 768
and 768 × 7 × 7 differ in what their elements depend on, not in what they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import prod

import numpy as np
from torch import Tensor

from cnnlab.core.errors import RequestError
from cnnlab.walk.arrays import NOTHING, Array
from cnnlab.walk.facts import Output
from cnnlab.walk.grid import Grid, grid_of
from cnnlab.walk.tag import IMAGES

WINDOWED = "which has windows of the image in its batch"
"""Of an output whose maps lie in pieces, as those of a Swin transformer's attention."""


@dataclass(frozen=True)
class Layout:
    """The dimensions of a layer's output in which lies what feature maps are made of."""

    shape: tuple[int, ...]
    """Shape of the output, for however many images."""
    images: int
    """The dimension along which the images of a batch lie."""
    channels: tuple[int, ...]
    """Those that hold channels: most often one; none where the output is a single map."""
    places: tuple[int, ...]
    """Rows and columns; of tokens those along which they lie, as a rule one."""
    grid: Grid | None = None
    """Where each token stands, if the places lie in a row; None for rows and columns."""

    @property
    def size(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        channels = prod(self.shape[dim] for dim in self.channels)
        if self.grid is not None:
            return channels, self.grid.height, self.grid.width
        rows, columns = self.places
        return channels, self.shape[rows], self.shape[columns]

    @property
    def has_places(self) -> bool:
        """Whether there is more than one position."""
        _, height, width = self.size
        return height * width > 1

    @property
    def tokens(self) -> str:
        """`tokens of a grid of 14 × 14, 1 class token left out`; empty for maps with rows and columns of their own."""
        return "" if self.grid is None else self.grid.sentence

    @property
    def leaves_out(self) -> bool:
        """Whether the maps are not all of the output: class tokens stand at no place."""
        return self.grid is not None and bool(self.grid.others)

    def maps(self, output: Tensor) -> Tensor:
        """The output as feature maps (n, channels, height, width); itself where it is so already.

        Raises: RequestError for an output of another rank, or with other tokens, than the one that was followed.
        """
        if output.dim() != len(self.shape) or (self.grid and self._tokens(output.shape) != self._tokens(self.shape)):
            raise RequestError(
                f"a layer puts out {tuple(output.shape)} here and {self.shape} elsewhere: its feature maps cannot be "
                "told from the rest"
            )
        order = self._order
        if self.grid is not None:
            return self.grid.maps(self._in_rows(output))
        if order != tuple(range(4)):
            output = output.permute(order)
        return output if len(self.channels) == 1 else output.reshape(len(output), -1, *output.shape[-2:])

    def beside(self, output: Tensor) -> Tensor | None:
        """The tokens of the output that stand at no place, (n, channels, tokens); None where there are none."""
        if self.grid is None or not self.grid.others:
            return None
        return self.grid.beside(self._in_rows(output))

    def output(self, maps: Tensor, beside: Tensor | None = None) -> Tensor:
        """Feature maps, and what lies `beside` them, as the layer would put them out: the inverse of `maps`."""
        order = self._order
        inner = self.grid.tokens(maps, beside) if self.grid is not None else maps
        if len(self.channels) != 1 or self.grid is not None:
            sides = [self.shape[dim] for dim in self.places] if self.grid is not None else inner.shape[2:]
            inner = inner.reshape(len(maps), *(self.shape[dim] for dim in self.channels), *sides)
        return inner if order == tuple(range(4)) else inner.permute([order.index(dim) for dim in range(len(order))])

    def _tokens(self, shape: Sequence[int]) -> list[int]:
        return [shape[dim] for dim in self.places]

    def _in_rows(self, output: Tensor) -> Tensor:
        """Tokens (n, channels, tokens)."""
        output = output.permute(self._order)
        return output.reshape(len(output), prod(self.shape[dim] for dim in self.channels), -1)

    @property
    def _order(self) -> tuple[int, ...]:
        return (self.images, *self.channels, *self.places)


def batch_of(output: Output) -> int | None:
    """The dimension of an output of a narrow walk along which the images lie, and nothing else; None without one."""
    if output.tag is None:
        return None
    batch = _over_images(output, spans(output.tag.axes[-1].short))
    return batch[0] if len(batch) == 1 and output.shape[batch[0]] == IMAGES else None


def _over_images(output: Output, far: Sequence[int]) -> list[int]:
    return [dim for dim, span in enumerate(far) if span] or [0] * output.planar


def layout_of(output: Output) -> Layout | str:
    """The layout of an output of a narrow walk, or in words why it has none.

    A dimension of size 1 along which nothing moves holds what does not move: a map of one row, of one column. Where
    all elements depend on all places (flattened, or looked up wherever the values say) the operation that made the
    output says what is what, if that is one on planes.
    """
    if output.tag is None:
        return "which does not depend on the image by any of torch's operations"
    if len(output.tag.axes) != 3:
        return "of images without rows and columns"
    rows, columns, images = (axis.short for axis in output.tag.axes)
    far = [spans(ends) for ends in (rows, columns, images)]
    if len(output.shape) < 3:
        return "without height and width"
    batch = _over_images(output, far[2])
    if len(batch) != 1:
        return "in which the images of a batch are mixed"
    if far[0][batch[0]] or far[1][batch[0]]:
        return WINDOWED
    if output.shape[batch[0]] != IMAGES:
        return "which has channels or copies of the image in its batch"
    found = moving_dims([rows, columns])
    if found[0] is not None and found[0] == found[1]:
        return _of_tokens(output, batch[0], found[0], far)
    return _completed(output, batch[0], found, far)


def _of_tokens(output: Output, batch: int, dim: int, far: Sequence[Sequence[int]]) -> Layout | str:
    """The layout of tokens along `dim`, or along all dimensions along which places move: windows beside one another."""
    assert output.tag is not None
    ends = [axis.short for axis in output.tag.axes[:2]]
    moving = tuple(d for d in range(len(output.shape)) if d != batch and (far[0][d] or far[1][d]))
    said = ""
    for along in dict.fromkeys((moving, (dim,))):
        grid = grid_of(ends, along, output.shape)
        if isinstance(grid, Grid):
            channels = tuple(d for d in range(len(output.shape)) if d not in (batch, *along))
            return Layout(output.shape, batch, channels, along, grid)
        said = grid
    return said


def _completed(output: Output, batch: int, found: list[int | None], far: Sequence[Sequence[int]]) -> Layout | str:
    """Add a dimension for an axis along which nothing moves."""
    still = [
        dim
        for dim, size in enumerate(output.shape)
        if size == 1 and dim != batch and dim not in found and not far[0][dim] and not far[1][dim]
    ]
    for axis in (1, 0):
        if found[axis] is None and still:
            found[axis] = still.pop()
    if None in found and output.planar and batch == 0:
        lost = [axis for axis in (0, 1) if found[axis] is None]
        if all(not any(far[axis]) for axis in lost) and all(found[axis] in (None, 2 + axis) for axis in (0, 1)):
            found = [2, 3]
    one = next((dim for dim in found if dim is not None), None)
    if (found[0] is None or found[1] is None) and one is not None and _is_thin(output, found):
        return _of_tokens(output, batch, one, far)
    if found[0] is None or found[1] is None:
        if not any(map(any, far[:2])):
            return "without height and width"
        if found[0] is None and found[1] is None:
            return "which adds up over rows or columns"
        return (
            "which adds up over rows: places are columns"
            if found[0] is None
            else "which adds up over columns: places are rows"
        )
    channels = tuple(dim for dim in range(len(output.shape)) if dim not in (batch, *found))
    return Layout(output.shape, batch, channels, (found[0], found[1]))


def _is_thin(output: Output, found: Sequence[int | None]) -> bool:
    """Whether the elements stand over a single row, or column, of pixels: tokens of a grid of one row.

    Those that add up over all rows stand over all of them.
    """
    assert output.tag is not None
    lost = output.tag.axes[found.index(None)].short
    known = lost[1] > NOTHING
    return bool(known.any()) and bool((lost[0][known] == -lost[1][known]).any())


def spans(ends: Array) -> tuple[int, ...]:
    """How far the middle of an interval of `hull` or `short` moves along each dimension at most, in half indices."""
    middle, known = ends[1].astype(np.int64) - ends[0], ends[1] > NOTHING
    found = []
    for dim, size in enumerate(middle.shape):
        if size < 2:
            found.append(0)
            continue
        if known.all():
            found.append(int(np.ptp(middle, axis=dim).max()))
            continue
        low = np.where(known, middle, 2**41).min(axis=dim)
        high = np.where(known, middle, -(2**41)).max(axis=dim)
        found.append(int((high - low)[high >= low].max(initial=0)))
    return tuple(found)


def steps(ends: Array, dim: int) -> int:
    """The number of places along `dim` at which the interval changes, at most."""
    middle = np.moveaxis(ends[1].astype(np.int64) - ends[0], dim, 0)
    return int((middle[1:] != middle[:-1]).sum(axis=0).max(initial=0))


def moving_dims(ends: Sequence[Array]) -> list[int | None]:
    """The dimension along which each axis of the input moves the most, of which `hull` or `short` is given.

    None where it does not move. Places in a row have the same dimension for several axes. Channels move too, by the
    pixels that branches lie apart, or hold what lay side by side: where another axis moves along a dimension as well,
    it is taken only if it is that axis's own.
    """
    far = [spans(one) for one in ends]
    shared = [sum(one[dim] > 0 for one in far) > 1 for dim in range(len(far[0]))]
    found: list[int | None] = []
    for one, span in zip(ends, far, strict=True):
        widest = [dim for dim, moved in enumerate(span) if moved == max(span) > 0]
        some = [dim for dim in widest if not shared[dim]] or widest
        found.append(max(some, key=partial(steps, one)) if len(some) > 1 else next(iter(some), None))
    return [None if dim is not None and shared[dim] and found.count(dim) < 2 else dim for dim in found]
