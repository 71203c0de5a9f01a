"""Networks that take or put out something else than one tensor of images and one of logits."""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from strangers.forwards import CLASSES, Plain
from torch import Tensor, nn


class OneLogit(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(12, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.relu(self.conv2(F.relu(self.conv1(x)))).mean((2, 3)))


class OneNumber(OneLogit):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).squeeze(1)


class Sigmoids(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.head(self.relu(self.conv2(F.relu(self.conv1(x)))).mean((2, 3))))


class LogSoftmax(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return F.log_softmax(self.head(self.relu(self.conv2(F.relu(self.conv1(x)))).mean((2, 3))), 1)


class Named(Plain):
    def forward(self, x: Tensor) -> Any:
        x = self.relu(self.conv2(F.relu(self.conv1(x))))
        return {"features": x, "logits": self.head(x.mean((2, 3)))}


class Pair(Plain):
    def forward(self, x: Tensor) -> Any:
        x = self.relu(self.conv2(F.relu(self.conv1(x))))
        return self.head(x.mean((2, 3))), x


class Outputs(NamedTuple):
    logits: Tensor
    aux: Tensor


class Auxiliary(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.aux = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Any:
        early = F.relu(self.conv1(x))
        late = self.relu(self.conv2(early))
        return Outputs(self.head(late.mean((2, 3))), self.aux(early.mean((2, 3))))


class TwoInputs(Plain):
    def forward(self, x: Tensor, age: Tensor) -> Tensor:
        return super().forward(x) + age


class TakesADict(Plain):
    def forward(self, batch: Any) -> Tensor:
        return super().forward(batch["image"])


class TakesNHWC(Plain):
    """Images as (n, h, w, 3)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 3, 1, 2))


class Segments(nn.Module):
    """A number for each class at each place."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.ConvTranspose2d(8, CLASSES, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(F.relu(self.down(x)))


class Decides(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).argmax(1)


class NetworkInNetwork(nn.Sequential):
    """Its last maps are the classes' own."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, CLASSES, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
