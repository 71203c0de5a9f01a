"""Networks with layers and parameters that are not where, or what, tools expect them to be."""

import math

import torch
import torch.nn.functional as F
from strangers.forwards import CLASSES, Plain
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune


class Negative(nn.Module):
    """Its last maps are below 0 everywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 12, 3, padding=1)
        self.act = nn.LogSigmoid()
        self.head = nn.Linear(12, CLASSES)
        nn.init.uniform_(self.head.weight, 0.1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.act(self.conv2(F.relu(self.conv1(x)))).mean((2, 3)))


class Tied(nn.Module):
    """One kernel in three layers (r = 3, 5, 7)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))
        self.conv2.weight = self.conv3.weight = self.conv1.weight
        self.act = nn.ReLU()
        self.head = nn.Linear(3, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.act(self.conv3(self.conv2(self.conv1(x)))).mean((2, 3)))


class Bare(nn.Module):
    """No layer at all: parameters and functions."""

    def __init__(self) -> None:
        super().__init__()
        self.w1 = nn.Parameter(torch.randn(8, 3, 3, 3) * 0.2)
        self.ws = nn.ParameterList([torch.randn(8, 8, 3, 3) * 0.1 for _ in range(2)])
        self.w2 = nn.Parameter(torch.randn(CLASSES, 8) * 0.3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv2d(x, self.w1, padding=1).relu()
        for w in self.ws:
            x = F.conv2d(x, w, padding=1).relu()
        return x.mean((2, 3)) @ self.w2.T


class MeanColour(nn.Module):
    """No parameters: the classes are the colour channels."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


class Sobel(nn.Module):
    """No parameters: edges by fixed kernels, which are buffers."""

    def __init__(self) -> None:
        super().__init__()
        edge = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])
        self.register_buffer("kernels", torch.stack([edge, edge.T])[:, None].repeat(1, 3, 1, 1), persistent=False)
        self.edges = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.edges(F.conv2d(x, self.kernels)).mean((2, 3))


def lazy() -> nn.Module:
    return nn.Sequential(
        nn.LazyConv2d(8, 3, padding=1), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(CLASSES)
    )


def lazy_that_ran() -> nn.Module:
    model = lazy()
    model(torch.zeros(2, 3, 16, 16))
    return model


def _normed(norm) -> nn.Module:  # type: ignore[no-untyped-def]
    return nn.Sequential(
        norm(nn.Conv2d(3, 8, 3, padding=1)),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        norm(nn.Linear(8, CLASSES)),
    )


def weight_norm_old() -> nn.Module:
    return _normed(nn.utils.weight_norm)


def weight_norm_new() -> nn.Module:
    return _normed(parametrizations.weight_norm)


def spectral_norm_old() -> nn.Module:
    return _normed(nn.utils.spectral_norm)


def spectral_norm_new() -> nn.Module:
    return _normed(parametrizations.spectral_norm)


def pruned() -> nn.Module:
    model = _normed(lambda layer: layer)
    prune.l1_unstructured(model[0], "weight", 0.5)
    return model


class Recurrent(nn.Module):
    """A CRNN: columns of the maps are the steps of an LSTM in both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.act = nn.ReLU()
        self.pool = nn.MaxPool2d(2)
        self.lstm = nn.LSTM(8 * 8, 6, batch_first=True, bidirectional=True)
        self.head = nn.Linear(12, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.act(self.conv(x)))
        x = x.permute(0, 3, 1, 2).flatten(2)
        h = torch.zeros(2, x.size(0), 6), torch.zeros(2, x.size(0), 6)
        x, _ = self.lstm(x, h)
        return self.head(x[:, -1])


class SelfAttention(nn.Module):
    """SAGAN's block: its learned share of attention is 0 when training begins."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query, self.key = nn.Conv2d(width, width // 4, 1), nn.Conv2d(width, width // 4, 1)
        self.value = nn.Conv2d(width, width, 1)
        self.gamma = nn.Parameter(torch.full((1,), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.size()
        q, k, v = (f(x).view(n, -1, h * w) for f in (self.query, self.key, self.value))
        weights = torch.bmm(q.transpose(1, 2), k).softmax(-1)
        return self.gamma * torch.bmm(v, weights.transpose(1, 2)).view(n, c, h, w) + x


class AttentionInside(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.attention = SelfAttention(8)

    def features(self, x: Tensor) -> Tensor:
        return self.relu(self.conv2(self.attention(F.relu(self.conv1(x)))))


class Heads(nn.Module):
    """nn.MultiheadAttention over the places of a map."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 4, stride=4)
        self.mix = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        tokens = x.flatten(2).transpose(1, 2)
        tokens = self.norm(tokens + self.mix(tokens, tokens, tokens, need_weights=False)[0])
        return self.head(tokens.mean(1))


class Block(nn.Module):
    """ConvNeXt's: depthwise, then channels last for the norm and the two dense layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width)
        self.pwconv1, self.act, self.pwconv2 = nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        self.gamma = nn.Parameter(torch.full((width,), 0.5))

    def forward(self, x: Tensor) -> Tensor:
        y = self.dwconv(x).permute(0, 2, 3, 1)
        y = self.gamma * self.pwconv2(self.act(self.pwconv1(self.norm(y))))
        return x + y.permute(0, 3, 1, 2)


class ChannelsLastInside(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 2, stride=2)
        self.block = Block(8)
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.norm(self.block(self.stem(x)).mean((-2, -1))))


class ChannelsLastThroughout(nn.Module):
    """All its maps are (n, h, w, c), as of a port from Keras or of Swin."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 2, stride=2)
        self.dense = nn.Linear(8, 12)
        self.act = nn.ReLU()
        self.head = nn.Linear(12, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.dense(self.patches(x).permute(0, 2, 3, 1)))
        return self.head(x.mean((1, 2)))


class Generalised(nn.Module):
    """Generalised-mean pooling with a learned exponent."""

    def __init__(self) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.tensor(3.0))

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x.clamp(min=1e-6).pow(self.p), x.shape[-2:]).pow(1 / self.p)


class GeM(Plain):
    def __init__(self) -> None:
        super().__init__()
        self.pool = Generalised()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.pool(self.relu(self.conv2(F.relu(self.conv1(x))))).flatten(1))


class Arc(nn.Module):
    """A cosine head, as of faces: features and weights of length 1, times a scale."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.act = nn.PReLU(8)
        self.weight = nn.Parameter(torch.randn(CLASSES, 8) / math.sqrt(8))

    def forward(self, x: Tensor) -> Tensor:
        x = F.normalize(self.act(self.conv(x)).mean((2, 3)))
        return 16 * F.linear(x, F.normalize(self.weight))


class Upsampled(nn.Module):
    """Two scales side by side, the coarser one enlarged."""

    def __init__(self) -> None:
        super().__init__()
        self.fine, self.coarse = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(3, 6, 4, stride=4)
        self.join = nn.Conv2d(12, 8, 1)
        self.act = nn.ReLU()
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        up = F.interpolate(self.coarse(x), size=x.shape[-2:], mode="nearest")
        return self.head(self.act(self.join(torch.cat([self.fine(x), up], 1))).mean((2, 3)))


class Padded(nn.Sequential):
    """Padding that is a layer, mirrored."""

    def __init__(self) -> None:
        super().__init__(
            nn.ReflectionPad2d(2), nn.Conv2d(3, 8, 5), nn.ELU(), nn.AdaptiveMaxPool2d(1), nn.Flatten(),
            nn.Linear(8, CLASSES),
        )  # fmt: skip
