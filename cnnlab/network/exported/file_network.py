"""A network that is a file and is run as a whole: nobody sees its layers."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnnlab.core.errors import RequestError


class FileNetwork(nn.Module):
    """It has no parameters, no layers and no gradients that torch knows."""

    kind: str
    """What the file is, in words, such as `an ONNX file`."""

    runs_code: bool = False
    """Whether a file may hold code of others that runs while it is read."""

    def __init__(self, path: Path, sides: Sequence[Any], said: Mapping[str, Any]) -> None:
        """Keep what is known of the file.

        Arguments:
            path: the file.
            sides: (batch, channels, height, width) of its input: numbers, and anything else for those that are free.
            said: what its metadata say, by the names of `Metadata`, not checked.
        """
        super().__init__()
        self.path, self.sides, self.said = path, tuple(sides), said

    def __deepcopy__(self, memo: dict[int, Any]) -> "FileNetwork":
        """The same: nothing of a file changes, and a program of another library cannot be copied."""
        return self

    @property
    def own_shape(self) -> Sequence[int] | None:
        """(channels, height, width) of its images, in pixels, where all are fixed."""
        sides = self.sides[1:]
        return sides if all(isinstance(side, int) and side > 0 for side in sides) else None

    def forward(self, images: Tensor) -> Any:
        """(n, c, h, w) → its output; several are a mapping by name.

        Raises: RequestError for images that it does not take, and for those without values: what is inside the file
            cannot be followed.
        """
        if images.is_meta or type(images) is not Tensor:
            raise RequestError(inside_is_closed(self.path, self.kind))
        given = images.detach().cpu()
        batch = self.sides[0]
        if not isinstance(batch, int) or batch == len(given):
            parts = [self.run(given)]
        else:  # one of a fixed number of images at a time
            parts = [self._part(given[start : start + batch], batch) for start in range(0, len(given), batch)]
        whole = {name: torch.cat([part[name] for part in parts]).to(images.device) for name in parts[0]}
        return next(iter(whole.values())) if len(whole) == 1 else whole

    def _part(self, images: Tensor, batch: int) -> dict[str, Tensor]:
        filled = torch.cat([images, images.new_zeros(batch - len(images), *images.shape[1:])])
        return {name: one[: len(images)] for name, one in self.run(filled).items()}

    @abstractmethod
    def run(self, images: Tensor) -> dict[str, Tensor]:
        """Its outputs by name.

        Arguments:
            images: (n, c, h, w) on the processor, of the number that the file takes, where that is fixed.

        Raises: RequestError for images that it does not take.
        """

    def refused(self, reason: str) -> RequestError:
        """Images that it does not take, with what it says of them."""
        return RequestError(f"{self.path} takes images of {' × '.join(map(str, self.sides[1:]))}: {reason}")


def inside_is_closed(path: Path, kind: str) -> str:
    """What is said to whoever asks for the layers in a file."""
    return (
        f"{path}: {kind} is run as a whole, and its layers cannot be looked at; give the network that it was "
        "exported from"
    )
