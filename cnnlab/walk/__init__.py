"""What each element of a network depends on, from one forward pass.

The words of this folder:

- axis, dimension: an axis is one of the input (rows, columns); a dimension is one of whatever tensor is looked at.
- tag (`tag.Tag`): what the elements of a tensor depend on, one `Reach` for each axis of the input.
- reach (`reach.Reach`): the same along one axis: `hull`, `short` and `bits`, each an array over the tensor's elements.
- hull: the interval from the first to the last input index that an element depends on, by any path.
- short: the same interval by the shortest path alone (r_min of Richter et al. 2021).
- bits: a bit for each input index that is really read, so that gaps inside the hull are seen; kept where asked for.
- joined: of several tags the one that depends on all that any of them depends on.
- melted: a tag of which every element depends on all that any element did; for operations that no better rule is for.
- stacked: a reach of parts that lie side by side, as channels that are concatenated do, each kept once.
- paired: a reach of all pairs of elements, as attention has scores, of which each of the two is kept once.
- moved: a tag whose elements have changed places and nothing else (`arrays.Move`).
- taps (`taps.Taps`): a table (outputs, taps) of which inputs each output of a window reads along one dimension.
- gate: a factor of one number per channel that comes from the image itself, as squeeze-and-excitation has.
- narrow walk: a walk that asks where an element stands, not what it depends on: of a window only the middle counts.
- canvas: a larger image on which no field is clipped; the network there is this one while its `Program` is the same.
- rule, kind (`rules.Kind`): what the result of an operation depends on, and what else is known of the operation.
"""

from typing import TYPE_CHECKING

from cnnlab.core.lazy import lazily

if TYPE_CHECKING:
    from cnnlab.walk.facts import Walk
    from cnnlab.walk.walker import walk
else:
    __getattr__, __dir__ = lazily(__name__, {"Walk": f"{__name__}.facts:Walk", "walk": f"{__name__}.walker:walk"})

__all__ = ["Walk", "walk"]
