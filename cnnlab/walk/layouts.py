"""The feature maps among the outputs of a network's layers: which there are, and in what order their dimensions lie.

One walk tells it for all layers; whoever reads a layer's output reads it through its `Layout`, and gets maps as (n,
channels, height, width) whatever the network itself makes of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from torch import nn

from cnnlab.core.errors import RequestError, unknown
from cnnlab.models.failure import compiler_of
from cnnlab.walk.facts import Output, Walk
from cnnlab.walk.layout import WINDOWED, Layout, batch_of, layout_of
from cnnlab.walk.walker import walked

SEQUENCE = "a sequence, each step of which has read others, so that none has a place in the image"
"""What a recurrent layer puts out."""


@dataclass(frozen=True, eq=False)
class Layouts:
    """The layout of every output of every layer, for images of one size."""

    walk: Walk
    """Narrow: its tags say where elements stand."""
    found: Mapping[str, Layout | str]
    """Layouts by the output's name; in words where it is no feature map."""
    last: Mapping[str, Output]
    """The last output of each layer, in the order in which layers end."""
    known: Mapping[str, str]
    """The first name of each layer, by any of its names: one module may be registered under several."""

    closed: Mapping[str, str]
    """What compiled each layer of which nobody sees what it puts out."""
    recurrent: frozenset[str]
    """The layers that read sequences (LSTM, GRU, RNN)."""

    def at(self, layer: str, call: int | None = None) -> Layout | None:
        """The layout of what a layer puts out, in its last call by default; None where that is no feature map."""
        layer = self.known.get(layer, layer)
        call = self.last[layer].call if call is None and layer in self.last else call
        found = self.found.get(f"{layer} ({call})" if call is not None and call > 1 else layer)
        return found if isinstance(found, Layout) else None

    def is_batched(self, layer: str, call: int) -> bool:
        """Whether what a layer puts out, feature maps or not, has the images of a batch along its first dimension."""
        layer = self.known.get(layer, layer)
        output = self.walk.output(f"{layer} ({call})" if call > 1 else layer)
        return output is not None and output.tag is not None and batch_of(output) == 0

    def of(self, layer: str, *, several: bool = False) -> Layout:
        """The layout of a layer's last output; with `several`, one that has more than one place.

        Raises: RequestError for a name that is no layer, one that does not run or puts out no feature map, with the
        nearest layer that does.
        """
        if layer not in self.known:
            raise RequestError(unknown("layer", layer, [name for name in self.known if name]))
        layer = self.known[layer]
        if layer in self.closed:
            raise RequestError(
                f"layer '{layer}' is compiled by {self.closed[layer]} and cannot be watched; {self._near(None)}"
            )
        if layer not in self.last:
            if self.walk.failure is not None:
                raise RequestError(f"layer '{layer}' has no feature maps that are known{self.unseen}")
            raise RequestError(f"layer '{layer}' does not run when the network does; {self._near(None)}")
        last = self.last[layer]
        named = f"layer '{layer}'" if layer else "the network"
        found = self._read(layer, last)
        if isinstance(found, str):
            way_out = self._around(layer) if found.endswith(WINDOWED) else self._near(layer)
            raise RequestError(f"{named} puts out {found}; {way_out}")
        if several and not found.has_places:
            raise RequestError(
                f"{named} puts out {_size(found)}: a single place, so that there is nothing to map; {self._near(layer)}"
            )
        return found

    def entering(self, layer: str) -> Layout | None:
        """The layout of what goes into a layer in its last call; None where that is no feature map."""
        last = self.last.get(self.known.get(layer, layer))
        if last is None or not last.seen:
            return None
        planar = last.kind == "Conv2d"
        found = layout_of(replace(last, shape=last.inputs[0], tag=last.seen[0], planar=planar))
        return found if isinstance(found, Layout) else None

    @property
    def unseen(self) -> str:
        """`; and why`, where layers may have feature maps that could not be told; empty where all were."""
        if self.closed:
            first = min(self.closed, key=len)
            which = f"layer '{first}'" if first else "the network"
            return f"; {which} is compiled by {self.closed[first]}, so that nothing inside it can be watched"
        if self.walk.failure is not None:
            place = f"layer '{self.walk.failure.layer}'" if self.walk.failure.layer else "the network itself"
            return f"; it could be followed only up to {place}, where torch says: {self.walk.failure.message}"
        refused = [
            (name, self._read(name, one)) for name, one in self.last.items() if name and len(one.shape) in (3, 4)
        ]
        name, why = next(((name, why) for name, why in reversed(refused) if isinstance(why, str)), ("", ""))
        return f"; layer '{name}' puts out {why}" if name else ""

    def _read(self, layer: str, last: Output) -> Layout | str:
        """The layout of a layer's last output, or in words what it is."""
        if layer in self.recurrent:
            return SEQUENCE
        return "several tensors" if last.part else self.found[last.name]

    def _around(self, layer: str) -> str:
        """`take 'block' (96 x 56 x 56), which puts them together`: the innermost layer around it with feature maps."""
        outer = layer
        while outer := outer.rpartition(".")[0]:
            if (found := self.at(outer)) and found.has_places:
                return f"take '{outer}' ({_size(found)}), which puts them together"
        return self._near(layer)

    def _near(self, layer: str | None) -> str:
        """`the nearest layer with feature maps is 'conv2' (64 x 8 x 8)`: the last one that ends before `layer`."""
        order = list(self.last)
        usable = [name for name in order if name and (found := self.at(name)) and found.has_places]
        if not usable:
            return "no layer has feature maps at this image size"
        before = order if layer is None else order[: order.index(layer)]
        nearest = next((name for name in reversed(usable) if name in before), usable[0])
        return f"the nearest layer with feature maps is '{nearest}' ({_size(self.of(nearest))})"


def layouts_of(model: nn.Module, shape: Sequence[int]) -> Layouts:
    """The layouts of all outputs of `model` for images of `shape` (channels, height, width), by one walk.

    The model is as it was afterwards. What lies behind a layer at which the network fails has none.
    """
    run = walked(model, shape, narrow=True)
    read: dict[tuple[object, ...], Layout | str] = {}
    found: dict[str, Layout | str] = {}
    last: dict[str, Output] = {}
    for output in run.outputs:
        # what a layer puts out is often what another put in
        key = (id(output.tag), output.shape, output.planar)
        if key not in read:
            read[key] = layout_of(output)
        layout = read[key]
        found[output.name] = f"{output.shape[1:]} for an image, {layout}" if isinstance(layout, str) else layout
        last.pop(output.layer, None)
        last[output.layer] = output
    names: dict[nn.Module, str] = {}
    known = {name: names.setdefault(module, name) for name, module in model.named_modules(remove_duplicate=False)}
    closed = {name: compiler for name, module in model.named_modules() if (compiler := compiler_of(module))}
    recurrent = frozenset(name for name, module in model.named_modules() if isinstance(module, nn.RNNBase))
    return Layouts(run, found, last, known, closed, recurrent)


def _size(layout: Layout) -> str:
    return " x ".join(map(str, layout.size))
