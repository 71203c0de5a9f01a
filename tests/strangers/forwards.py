"""Networks whose forward pass is written in a way that tools stumble over."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

CLASSES = 5


class Plain(nn.Module):
    """Two convolutions (r = 3, then 5), a global average, a linear layer: what the others begin with."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 12, 3, padding=1)
        self.relu = nn.ReLU()
        self.head = nn.Linear(12, CLASSES)

    def features(self, x: Tensor) -> Tensor:
        return F.relu(self.conv2(F.relu(self.conv1(x))))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean((2, 3)))


class ReusedReLU(Plain):
    def features(self, x: Tensor) -> Tensor:
        return self.relu(self.conv2(self.relu(self.conv1(x))))


class ReusedInTheHead(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(12, 12)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.conv2(self.relu(self.conv1(x)))).mean((2, 3))
        return self.head(self.relu(self.hidden(x)))


class InPlace(nn.Module):
    """A residual block as the tutorials write it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(8)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(x))
        y += x
        return self.head(self.pool(self.relu(y)).flatten(1))


class Detached(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).mean((2, 3)).detach())


class UnderNoGrad(Plain):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            x = self.features(x)
        return self.head(x.mean((2, 3)))


class KeepsItsGradients(Plain):
    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        x.register_hook(self.keep)
        self.maps = x
        return self.head(x.mean((2, 3)))

    def keep(self, gradient: Tensor) -> None:
        self.gradient = gradient


class Prints(Plain):
    def forward(self, x: Tensor) -> Tensor:
        print("input", tuple(x.shape))
        return super().forward(x)


class DropoutLeftOn(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.dropout(self.features(x).mean((2, 3)), 0.5))


class Noisy(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x + 0.1 * torch.randn_like(x))


class BatchStatistics(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 8, 3, padding=1),
            nn.BatchNorm2d(8, track_running_stats=False),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, CLASSES),
        )


class Squeezes(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(F.adaptive_avg_pool2d(self.features(x), 1).squeeze())


class FixedBatch(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).view(4, 12, -1).mean(2))


class LooksAtValues(Plain):
    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        if x.mean() > 100:
            x = x / x.max().item()
        return self.head(x.mean((2, 3)))


class UsesNumPy(Plain):
    def forward(self, x: Tensor) -> Tensor:
        scale = torch.from_numpy(abs(x.detach().cpu().numpy()).max(axis=(1, 2, 3))).to(x)
        return super().forward(x / scale[:, None, None, None])


class Checkpointed(Plain):
    def forward(self, x: Tensor) -> Tensor:
        x = checkpoint(self.features, x, use_reentrant=False)
        return self.head(x.mean((2, 3)))


class ReentrantCheckpoint(Plain):
    def forward(self, x: Tensor) -> Tensor:
        x = checkpoint(self.features, x, use_reentrant=True)
        return self.head(x.mean((2, 3)))


class _MemoryEfficientSwish(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def]
        (x,) = ctx.saved_tensors
        gate = torch.sigmoid(x)
        return gradient * (gate * (1 + x * (1 - gate)))


class Swish(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return _MemoryEfficientSwish.apply(x)


class OwnDerivative(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 8, 3, padding=1), Swish(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, CLASSES)
        )


class Normalises(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([123.7, 116.3, 103.5]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([58.4, 57.1, 57.4]).view(1, 3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward((x - self.mean) / self.std)


class MovesItself(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.device = torch.device("cpu")

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.to(self.device))


class AssertsItsSize(Plain):
    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[-2:] == (16, 16), f"expected 16 x 16, got {tuple(x.shape[-2:])}"
        return super().forward(x)


class Spectral(Plain):
    """A global filter between two convolutions, as in GFNet."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(8, 16, 9, 2) * 0.1)

    def features(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        x = torch.fft.irfft2(torch.fft.rfft2(x) * torch.view_as_complex(self.weight), s=(16, 16))
        return self.relu(self.conv2(x))
