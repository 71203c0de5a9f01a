"""Small networks whose feature maps are tokens: transformers of several makes, with weights from a seed."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.maxvit import MaxVit


class Block(nn.Module):
    """Attention and a dense network, each behind a normalisation and beside a way around it."""

    def __init__(self, width: int, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.qkv, self.proj = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        n, count, width = x.shape
        parts = self.qkv(self.norm1(x)).reshape(n, count, 3, self.heads, width // self.heads)
        mixed = F.scaled_dot_product_attention(*parts.permute(2, 0, 3, 1, 4))
        x = x + self.proj(mixed.transpose(1, 2).reshape(n, count, width))
        return x + self.mlp(self.norm2(x))  # type: ignore[no-any-return]


class ViT(nn.Module):
    """Patches of 4 × 4 px; `first` tokens before them, of which the logits are read, `registers` after them.

    Without `first` the logits are those of the mean of all tokens.
    """

    def __init__(self, shape: tuple[int, ...] = (3, 16, 16), *, first: int = 1, registers: int = 0) -> None:
        super().__init__()
        self.count, width = first, 8
        self.patch = nn.Conv2d(3, width, 4, 4)
        self.first = nn.Parameter(torch.randn(1, first, width))
        self.registers = nn.Parameter(torch.randn(1, registers, width))
        self.position = nn.Parameter(torch.randn(1, (shape[1] // 4) * (shape[2] // 4), width) / 4)
        self.blocks = nn.Sequential(Block(width), Block(width))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patch(x).flatten(2).transpose(1, 2) + self.position
        around = [one.expand(len(x), -1, -1) for one in (self.first, self.registers)]
        tokens = self.norm(self.blocks(torch.cat([around[0], patches, around[1]], 1)))
        read = tokens[:, : self.count] if self.count else tokens
        return self.head(read.mean(1))  # type: ignore[no-any-return]


class Encoder(nn.Module):
    """torch's own transformer on patches, batch first or tokens first."""

    def __init__(self, *, batch_first: bool) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=batch_first)
        self.patch, self.head = nn.Conv2d(3, 8, 4, 4), nn.Linear(8, 3)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.batch_first = batch_first

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patch(x).flatten(2)
        tokens = self.encoder(tokens.permute(0, 2, 1) if self.batch_first else tokens.permute(2, 0, 1))
        return self.head(tokens.mean(1 if self.batch_first else 0))  # type: ignore[no-any-return]


class AttentionBetween(nn.Module):
    """Attention over all places between two convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.after = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 6, 3, 1, 1)
        self.attention, self.head = nn.MultiheadAttention(8, 2, batch_first=True), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.before(x).relu()
        tokens = x.flatten(2).transpose(1, 2)
        mixed, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        x = x + mixed.transpose(1, 2).reshape(x.shape)
        return self.head(self.after(x).mean((2, 3)))  # type: ignore[no-any-return]


class CutPatches(nn.Module):
    """Patches cut out by `unfold`, a block, and the mean."""

    def __init__(self) -> None:
        super().__init__()
        self.cut, self.embed = nn.Unfold(4, stride=4), nn.Linear(48, 8)
        self.block, self.head = Block(8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.block(self.embed(self.cut(x).transpose(1, 2))).mean(1))  # type: ignore[no-any-return]


class Columns(nn.Module):
    """An LSTM over the columns of the image: no grid anywhere."""

    def __init__(self, rows: int = 16) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(3 * rows, 6, batch_first=True), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x.permute(0, 3, 1, 2).flatten(2))[0][:, -1])  # type: ignore[no-any-return]


class Mixed(nn.Module):
    """Tokens that a dense layer makes anew of all of them: none stands anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.head = nn.Linear(256, 7), nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.mix(x.flatten(2)).mean(2))  # type: ignore[no-any-return]


def maxvit() -> nn.Module:
    """torchvision's: attention within windows of 8 × 8, and between places 2 apart."""
    return MaxVit((64, 64), 16, 2, [16, 32], [1, 1], 8, 0.0, num_classes=3)


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    """A network with the weights of seed 0, in evaluation mode."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make().eval()
