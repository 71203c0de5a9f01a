"""Reductions, normalisations, products, attention and recurrences, each against rows of NaN."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from walk.zoo import FRONTS, SHAPE, Function, numbers, prove

Code = Callable[[Tensor], Tensor]

REDUCTIONS: dict[str, Code] = {
    "mean of rows": lambda x: x.mean(2),
    "mean of all": lambda x: x.mean((-2, -1), keepdim=True) * x,
    "sum of channels": lambda x: x.sum(1, keepdim=True) + x,
    "max of columns": lambda x: x.max(3).values + x.amax(3),
    "maximum of two": lambda x: torch.max(x, x.flip(2)) + torch.minimum(x, x.roll(1, 3)),
    "min of rows": lambda x: x.min(2)[0] - x.amin(2),
    "aminmax": lambda x: torch.aminmax(x, dim=2).max,
    "var, std": lambda x: x.var(2) + x.std((2,), correction=0),
    "var_mean": lambda x: torch.var_mean(x, (1, 3))[0] + torch.std_mean(x, (1, 3))[1],
    "norm": lambda x: x.norm(dim=2) + torch.linalg.vector_norm(x, 1, 2),
    "normalize": lambda x: F.normalize(x, dim=1) + F.normalize(x, dim=3),
    "prod": lambda x: x.prod(2),
    "logsumexp": lambda x: x.logsumexp((1, 2)),
    "softmax over rows": lambda x: x.softmax(2),
    "softmax over space": lambda x: x.flatten(2).softmax(-1).view_as(x),
    "log_softmax over channels": lambda x: x.log_softmax(1),
    "cumsum": lambda x: x.cumsum(2),
    "cumsum backwards": lambda x: x.flip(3).cumsum(3).flip(3),
    "cumprod, cummax": lambda x: x.cumprod(3) + x.cummax(3).values,
    "logcumsumexp": lambda x: x.logcumsumexp(2),
    "diff": lambda x: x.diff(dim=2),
    "cosine similarity": lambda x: F.cosine_similarity(x, x.flip(2), dim=1),
    "glu": lambda x: F.glu(x, 2) + F.glu(x.flip(2), 2),
    "FFT over rows": lambda x: torch.fft.ifft(torch.fft.fft(x, dim=2) * 2, dim=2).real,
    "FFT over both": lambda x: torch.fft.irfft2(torch.fft.rfft2(x), s=(12, 10)),
    "FFT, magnitudes": lambda x: torch.fft.rfft(x).abs(),
    "standardised": lambda x: (x - x.mean(3, keepdim=True)) / (x.std(3, keepdim=True) + 1e-5),
}

NORMS: dict[str, Callable[[], nn.Module]] = {
    "batch": lambda: nn.BatchNorm2d(4),
    "batch, without running statistics": lambda: nn.BatchNorm2d(4, track_running_stats=False),
    "batch, then relu and plus": lambda: nn.Sequential(nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Conv2d(4, 2, 3)),
    "group": lambda: nn.GroupNorm(2, 4),
    "group of one": lambda: nn.GroupNorm(4, 4, affine=False),
    "instance": lambda: nn.InstanceNorm2d(4),
    "instance, running": lambda: nn.InstanceNorm2d(4, affine=True, track_running_stats=True),
    "layer over width": lambda: nn.LayerNorm(10),
    "layer over (channels, height, width)": lambda: nn.LayerNorm(SHAPE),
    "layer over channels": lambda: Function(lambda x: F.layer_norm(x.permute(0, 2, 3, 1), (4,)).permute(0, 3, 1, 2)),
    "rms over width": lambda: nn.RMSNorm(10),
    "rms over channels": lambda: Function(lambda x: F.rms_norm(x.movedim(1, -1), (4,), numbers(4)).movedim(-1, 1)),
    "local response": lambda: nn.LocalResponseNorm(3),
    "crossmap": lambda: nn.CrossMapLRN2d(3),
}  # fmt: skip

PRODUCTS: dict[str, Code] = {
    "linear over width": lambda x: F.linear(x, numbers(7, 10), numbers(7)),
    "linear over channels": lambda x: F.linear(x.permute(0, 2, 3, 1), numbers(5, 4), numbers(5)),
    "linear over all": lambda x: F.linear(x.flatten(1), numbers(3, 480)),
    "matmul along rows": lambda x: numbers(6, 12) @ x,
    "matmul along rows, of each channel": lambda x: numbers(4, 6, 12) @ x,
    "matmul with itself": lambda x: x @ x.mT,
    "matmul with a vector": lambda x: x @ numbers(10),
    "vector by matrix": lambda x: torch.stack([numbers(12) @ one[0] for one in x]),
    "dot": lambda x: torch.stack([torch.dot(one[0, 3], one[1, 7]) for one in x]),
    "mv with what is seen": lambda x: torch.stack([torch.mv(numbers(6, 10), one[0, 3]) for one in x]),
    "addmm": lambda x: torch.stack([torch.addmm(one[0, :, :3], one[1], numbers(10, 3)) for one in x]),
    "baddbmm": lambda x: torch.baddbmm(x[:, 0, :, :3], x[:, 1], numbers(1, 10, 3).expand(len(x), 10, 3)),
    "outer": lambda x: torch.stack([torch.outer(one[0, 3], one[1, :, 2]) for one in x]),
    "einsum of channels": lambda x: torch.einsum("nchw,oc->nohw", x, numbers(5, 4)),
    "einsum of rows": lambda x: torch.einsum("nchw,hk->nckw", x, numbers(12, 3)),
    "einsum of pairs": lambda x: torch.einsum("nchw,nchv->nhwv", x, x.flip(2)),
    "bilinear": lambda x: F.bilinear(x[:, 0], x[:, 1].flip(1), numbers(3, 10, 10)),
    "tensordot": lambda x: torch.tensordot(x, numbers(12, 4, 5), ((2, 1), (0, 1))),
    "kron": lambda x: torch.kron(x, numbers(2, 3)),
    "fast weights": lambda x: F.conv2d(x, x.mean((0, 2, 3)).view(1, 4, 1, 1)),
}


class Windows(nn.Module):
    """Attention inside of windows of 4 × 5, which are rolled by half of that, as in Swin (Liu et al. 2021)."""

    def __init__(self, roll: int = 2) -> None:
        super().__init__()
        self.roll = roll
        self.qkv, self.out = nn.Linear(4, 12), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        x = x.permute(0, 2, 3, 1).roll((-self.roll, -self.roll), (1, 2))
        parts = x.view(n, h // 4, 4, w // 5, 5, c).transpose(2, 3).reshape(-1, 20, c)
        q, k, v = self.qkv(parts).view(-1, 20, 3, 2, 2).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(-1, 20, c)
        x = self.out(attended).view(n, h // 4, w // 5, 4, 5, c).transpose(2, 3).reshape(n, h, w, c)
        return x.roll((self.roll, self.roll), (1, 2)).permute(0, 3, 1, 2)


class Gate(nn.Module):
    """Squeeze and excitation (Hu et al. 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(4, 2, 1), nn.Conv2d(2, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.two(self.one(F.adaptive_avg_pool2d(x, 1)).relu()).sigmoid()


class Rows(nn.Module):
    """A recurrence over rows: a row is a word."""

    def __init__(self, cell: type[nn.RNNBase], **options: bool | int) -> None:
        super().__init__()
        self.cell = cell(40, 3, batch_first=True, **options)

    def forward(self, x: Tensor) -> Tensor:
        return self.cell(x.transpose(1, 2).flatten(2))[0]


class Heads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x[:, :, ::3].flatten(2).transpose(1, 2)
        return self.attention(tokens, tokens, tokens, need_weights=False)[0]


MODULES: dict[str, Callable[[], nn.Module]] = {
    "windows": lambda: nn.Sequential(Windows(0), Windows()),
    "windows behind a convolution": lambda: nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), Windows(), nn.Conv2d(4, 2, 3)),
    "gate": Gate,
    "heads": Heads,
    "encoder": lambda: nn.Sequential(nn.Conv2d(4, 4, 4, 4), nn.Flatten(2), Function(lambda x: x.transpose(1, 2)),
                                     nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)),
    "causal": lambda: Function(lambda x: F.scaled_dot_product_attention(x, x, x, is_causal=True)),
    "LSTM": lambda: Rows(nn.LSTM),
    "LSTM, both ways": lambda: Rows(nn.LSTM, bidirectional=True, num_layers=2),
    "GRU": lambda: Rows(nn.GRU),
    "RNN": lambda: Rows(nn.RNN),
    "GRU cell": lambda: Cell(),
}  # fmt: skip


class Cell(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(40, 3)

    def forward(self, x: Tensor) -> Tensor:
        state, states = x.new_zeros(len(x), 3), []
        for row in x.unbind(2):
            state = self.cell(row.flatten(1), state)
            states.append(state)
        return torch.stack(states, 1)


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("code", [pytest.param(code, id=name) for name, code in (REDUCTIONS | PRODUCTS).items()])
def test_reductions_and_products(code: Code, front: str) -> None:
    prove(nn.Sequential(FRONTS[front](), Function(code)), max_batch=1 if code is PRODUCTS["fast weights"] else 64)


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("name", NORMS)
def test_norms(name: str, front: str) -> None:
    prove(nn.Sequential(FRONTS[front](), NORMS[name]()))


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("name", MODULES)
def test_modules_that_mix(name: str, front: str) -> None:
    prove(nn.Sequential(FRONTS[front](), MODULES[name]()))
