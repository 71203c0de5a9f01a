"""Views, copies to other places, indexing and writing in place, each against rows of NaN."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from walk.zoo import FRONTS, Function, numbers, prove

Code = Callable[[Tensor], Tensor]

MOVES: dict[str, Code] = {
    "roll": lambda x: x.roll((3, -2), (2, 3)),
    "roll flat": lambda x: x[:1].roll(7) if len(x) == 1 else torch.stack([one.roll(7) for one in x]),
    "flip": lambda x: x.flip(2) + x.flip(3),
    "rot90": lambda x: torch.rot90(x, 1, (2, 3)),
    "rot90 thrice": lambda x: x.rot90(3, (-2, -1)),
    "transposed": lambda x: x.transpose(2, 3),
    "mT": lambda x: x.mT.contiguous(),
    "permuted twice": lambda x: x.permute(0, 2, 3, 1).permute(0, 3, 2, 1),
    "movedim": lambda x: x.movedim(1, -1).swapaxes(1, 2),
    "strided slices": lambda x: x[:, ::2, 1::3, ::4],
    "slices from the end": lambda x: x[:, -3:, -7:-1:2, :-2],
    "select": lambda x: x[:, 1, 3] + x[:, 0, -1],
    "narrow": lambda x: x.narrow(2, 3, 5),
    "Ellipsis and None": lambda x: x[..., None, 2:5].squeeze(-2),
    "focus": lambda x: torch.cat([x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]], 1),
    "cat of misaligned branches": lambda x: torch.cat([x[:, :, 2:], F.conv2d(x, numbers(2, 4, 3, 1))], 1),
    "cat along rows": lambda x: torch.cat([x[:, :, 5:], x[:, :, :2], x.flip(2)], 2),
    "cat with a constant": lambda x: torch.cat([x, torch.zeros(len(x), 2, 12, 10)], 1),
    "cat with what is empty": lambda x: torch.cat([torch.zeros(0), x], 2),
    "stack, unbind": lambda x: torch.stack(x.unbind(2)[::-1], 3),
    "stack of parts": lambda x: torch.stack([x[:, 0], x[:, 1].flip(1), x[:, 2] * 2], -1),
    "chunk": lambda x: torch.cat(x.chunk(5, 2)[::-1], 2),
    "split": lambda x: torch.cat([part.sum(2, keepdim=True) for part in x.split([3, 4, 5], 2)], 2),
    "tensor_split": lambda x: torch.cat(x.tensor_split((2, 7), 3)[1:], 3),
    "hsplit, vsplit": lambda x: x.unflatten(2, (3, 4)).flatten(3)[:, :, 1:],
    "expand": lambda x: x[:, :, 2:3].expand(-1, -1, 6, -1) + x[:, :, :6],
    "repeat": lambda x: x.repeat(1, 1, 2, 3),
    "repeat, new dimension": lambda x: x[:, 0].repeat(2, 1, 1, 1).transpose(0, 1),
    "tile": lambda x: x.tile((2, 1)),
    "repeat_interleave": lambda x: x.repeat_interleave(2, 2).repeat_interleave(3, dim=3),
    "repeat_interleave by numbers": lambda x: x.repeat_interleave(torch.tensor([2, 0, 1, 3]), 1),
    "channel shuffle": lambda x: x.view(-1, 2, 2, 12, 10).transpose(1, 2).reshape(-1, 4, 12, 10),
    "nn.ChannelShuffle": lambda x: nn.ChannelShuffle(2)(x),
    "windows": lambda x: x.view(-1, 4, 3, 4, 2, 5).permute(0, 2, 4, 3, 5, 1).reshape(-1, 20, 4),
    "rows read as columns": lambda x: x.reshape(-1, 4, 10, 12),
    "all in one row": lambda x: x.flatten(1)[:, 100:350:3],
    "flatten, unflatten": lambda x: x.flatten(1, 2).unflatten(1, (12, 4)),
    "diagonal": lambda x: x.diagonal(1, 2, 3),
    "diag_embed": lambda x: torch.diag_embed(x[:, 0, :5]),
    "triangle": lambda x: x.tril() + x.triu(2),
    "as_strided": lambda x: x.contiguous().as_strided((len(x), 4, 5, 5), (480, 120, 20, 2), 3),
    "as_strided of a transposed image": lambda x: (x.transpose(2, 3) * 1).as_strided((len(x), 5), (480, 7)),
    "meshgrid": lambda x: x + torch.meshgrid(torch.arange(12.0), torch.arange(10.0), indexing="ij")[0],
}

INDICES: dict[str, Code] = {
    "index_select": lambda x: x.index_select(2, torch.tensor([5, 0, 5, 11])),
    "one list": lambda x: x[:, :, [5, 0, 11, 3]],
    "adjacent": lambda x: x[:, :, torch.tensor([5, 0, 11]), torch.tensor([1, 9, 4])],
    "adjacent, as a grid": lambda x: x[:, :, torch.tensor([[5], [0], [11]]), torch.tensor([[1, 9]])],
    "apart": lambda x: x[:, [3, 0, 1], :, [1, 9, 4]],
    "apart, as a grid": lambda x: x[:, torch.tensor([[3], [0]]), :, torch.tensor([[1, 9, 4]])].movedim(2, 0),
    "negative": lambda x: x[:, :, [-1, -12]] + x[:, :, 2:4, [-3]],
    "numbers on the image's device": lambda x: x[:, :, torch.tensor([3, 1], device=x.device)],
    "numbers like the image's": lambda x: x[:, :, x.new_tensor([3, 1]).long()],
    "negative, select": lambda x: x.index_select(3, torch.tensor([9, 0])),
    "mask": lambda x: x[:, :, torch.arange(12) % 3 == 0],
    "mask of a plane": lambda x: x[:, :, (torch.arange(120) % 7 == 0).view(12, 10)],
    "mask and numbers": lambda x: x[:, torch.tensor([True, False, True, True]), torch.tensor([2, 4, 8])],
    "computed": lambda x: x[:, :, (torch.arange(24) * 7) % 12],
    "computed in place": lambda x: x[:, :, torch.arange(6).mul_(2).add_(1)],
    "gather": lambda x: x.gather(2, (torch.arange(120).view(12, 10) * 7 % 12).expand_as(x)),
    "gather of fewer": lambda x: x.gather(3, torch.tensor([[[[9, 0], [3, 3]]]]).expand(len(x), 3, 2, 2)),
    "take_along_dim": lambda x: x.take_along_dim(torch.tensor([5, 0, 2]).view(1, 1, 3, 1), 2),
    "relative positions": lambda x: x + numbers(23, 4)[torch.arange(12)[:, None] - torch.arange(10)].permute(2, 0, 1),
    "embedding of places": lambda x: x + F.embedding(torch.arange(10), numbers(10, 12)).t(),
    "where with a constant mask": lambda x: torch.where((torch.arange(12) % 2 == 0)[:, None], x, x.flip(3)),
    "where with zero": lambda x: torch.where(torch.arange(10) < 4, x, 0.0),
    "masked_fill": lambda x: x.masked_fill((torch.arange(12) > 8)[:, None], 1.0),
    "masked_fill in place": lambda x: x.clone().masked_fill_(torch.arange(10) % 3 == 0, 1.0),
}  # fmt: skip


def shifted_sum(x: Tensor) -> Tensor:
    x = x.clone()
    x[:, :, 1:] += x[:, :, :-1].clone()
    return x


def interleaved(x: Tensor) -> Tensor:
    out = torch.zeros(len(x), 4, 12, 20)
    out[..., ::2] = x
    out[..., 1::2] = x.flip(2)
    return out


def into_empty(x: Tensor) -> Tensor:
    out = torch.empty(len(x), 4, 24, 10, dtype=x.dtype, device=x.device)
    out[:, :, ::2], out[:, :, 1::2] = x, 0
    return out


def chained_views(x: Tensor) -> Tensor:
    out = x.new_zeros(len(x), 4, 12, 10)
    out[:, 1:3].transpose(2, 3)[:, 0][:, 2:8, ::3] += x[:, 3].transpose(1, 2)[:, 4:, 1:5]
    return out


def through_permuted(x: Tensor) -> Tensor:
    out = torch.zeros(len(x), 10, 4, 12)
    out.permute(0, 2, 3, 1).copy_(x)
    return out


def through_view(x: Tensor) -> Tensor:
    out = x.new_zeros(len(x), 480)
    out.view(-1, 4, 12, 10)[:, :, 3:5] = x[:, :, 7:9]
    return out


def seen_by_other_views(x: Tensor) -> Tensor:
    out = x.new_zeros(len(x), 4, 12, 10)
    early = out[:, :, 4:9]
    out[:, :, 2:6] = x[:, :, 6:10]
    late = out.flatten(1)
    early.mul_(2)[:, 0] = x[:, 1, :5]
    return late


def detached(x: Tensor) -> Tensor:
    x = x.clone()
    x.detach()[:, :, 2] = x[:, :, 9]
    x.data[:, :, 4] = 0
    return x


def aliased(x: Tensor) -> Tensor:
    base = x.clone()
    alias = base.view_as(base)
    base[:, :, 3] = 0
    return alias + torch.ops.aten.alias(base)


def overwritten(x: Tensor) -> Tensor:
    x = x * 1
    x.zero_()
    return x + x.fill_(3)


def filled_by_itself(x: Tensor) -> Tensor:
    out = torch.zeros(len(x), 4, 12, 10)
    for place, one in enumerate(x):
        out[place].fill_(one[1, 2, 3])
    return out


def through_strides(x: Tensor) -> Tensor:
    out = torch.zeros(len(x), 4, 12, 10)
    out.as_strided((len(x), 12), (480, 10), 0).copy_(x[:, 0, :, 3])
    return out


def through_diagonal(x: Tensor) -> Tensor:
    out = x.clone()
    out.diagonal(0, 2, 3).copy_(x[:, :, 2:].flip(2)[..., 0])
    return out


def through_other_numbers(x: Tensor) -> Tensor:
    out = torch.zeros(len(x), 4, 12, 10, dtype=torch.complex64)
    torch.view_as_real(out)[..., 0] = x
    out.imag[:, :, 3:] = x[:, :, :-3]
    return torch.view_as_real(out)


def named_result(x: Tensor) -> Tensor:
    out = torch.empty(0, dtype=x.dtype, device=x.device)
    torch.add(x, x.flip(2), out=out)
    torch.mul(x, 2, out=out)
    return out


def turned_in_place(x: Tensor) -> Tensor:
    x = x * 2
    x.transpose_(2, 3).unsqueeze_(1)
    x[:, 0, 0] = 0
    return x.squeeze_(1)


def written_before_turning(x: Tensor) -> Tensor:
    x = x.clone()
    rows = x[:, :, 2]
    x.transpose_(2, 3)
    x[..., 2] = x[..., 5]
    return rows


def index_put(x: Tensor) -> Tensor:
    out = torch.zeros(len(x), 4, 12, 10)
    out[:, :, [1, 5, 2]] = x[:, :, [9, 0, 3]]
    out[:, [0, 2], [7, 8]] = x[:, 0, 10:]
    return out


def index_put_apart(x: Tensor) -> Tensor:
    out = x.clone()
    out[:, [0, 2], :, [7, 8]] = x[:, :2, :, 3].transpose(0, 1) * 2
    return out


def index_put_added(x: Tensor) -> Tensor:
    return x.clone().index_put_(
        (torch.arange(len(x))[:, None], torch.tensor([0, 0, 3])), x[:, 1:].flip(2), accumulate=True
    )


def masked_put(x: Tensor) -> Tensor:
    out = x.clone()
    out[:, :, torch.arange(12) % 4 == 1] = x[:, :, :3]
    out[out.new_tensor([1, 0, 0, 0]).bool().expand(len(x), 4)] = 0.5
    return out


WRITES: dict[str, Code] = {
    code.__name__.replace("_", " "): code
    for code in (
        shifted_sum, interleaved, into_empty, chained_views, through_permuted, through_view, seen_by_other_views,
        detached, aliased, overwritten, filled_by_itself, through_diagonal, named_result, turned_in_place,
        written_before_turning, index_put, index_put_apart, index_put_added, masked_put,
    )
} | {
    "in-place arithmetic": lambda x: x.clone().mul_(2).add_(x.flip(2)).relu_().sub_(1),
    "clamp_, neg_": lambda x: x.clone().clamp_(-1, 1).neg_(),
    "index_copy": lambda x: x.clone().index_copy_(2, torch.tensor([3, 0]), x[:, :, 5:7]),
    "index_add": lambda x: x.index_add(2, torch.tensor([3, 0, 3]), x[:, :, 5:8]),
    "index_fill": lambda x: x.index_fill(2, torch.tensor([3, 0]), 1.0),
    "scatter": lambda x: torch.zeros(len(x), 4, 12, 10).scatter(
        2, (torch.arange(12) * 5 % 12)[:, None].expand_as(x), x),
    "scatter of fewer": lambda x: x.scatter(3, torch.tensor([7, 2]).expand(len(x), 4, 12, 2), x[..., 3:]),
    "scatter_add": lambda x: torch.zeros(len(x), 4, 12, 10).scatter_add_(
        2, (torch.arange(12) // 2)[:, None].expand_as(x), x),
    "scatter of a number": lambda x: x.scatter(3, torch.tensor([7, 2]).expand(len(x), 4, 12, 2), 0.0),
    "slice_scatter": lambda x: x.slice_scatter(x[:, :, :4], 2, 3, 11, 2),
    "select_scatter": lambda x: x.select_scatter(x[:, :, 9], 2, 3),
    "diagonal_scatter": lambda x: x.diagonal_scatter(x[:, :, :10, 2], 0, 2, 3),
}  # fmt: skip


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("code", [pytest.param(code, id=name) for name, code in MOVES.items()])
def test_moves(code: Code, front: str) -> None:
    prove(nn.Sequential(FRONTS[front](), Function(code)))


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("code", [pytest.param(code, id=name) for name, code in INDICES.items()])
def test_indices(code: Code, front: str) -> None:
    prove(nn.Sequential(FRONTS[front](), Function(code)))


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("code", [pytest.param(code, id=name) for name, code in WRITES.items()])
def test_writes(code: Code, front: str) -> None:
    prove(nn.Sequential(FRONTS[front](), Function(code)))


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("code", [through_strides, through_other_numbers])
def test_writes_whose_place_is_not_followed_are_named(code: Code, front: str) -> None:
    prove(nn.Sequential(FRONTS[front](), Function(code)), unknown=["copy_ through a view"], wide=True)


WIDE: dict[str, Code] = {
    "view as other numbers": lambda x: torch.view_as_real(torch.view_as_complex(x.view(-1, 4, 12, 5, 2))).flatten(3),
    "complex parts": lambda x: torch.complex(x, x.flip(2)).real + torch.complex(x, x.roll(1, 2)).imag,
}


@pytest.mark.parametrize("front", FRONTS)
@pytest.mark.parametrize("code", [pytest.param(code, id=name) for name, code in WIDE.items()])
def test_both_parts_of_a_complex_number_count_as_one(code: Code, front: str) -> None:
    prove(nn.Sequential(FRONTS[front](), Function(code)), wide=True)


def test_masked_select() -> None:
    """How many elements come out depends on values."""
    prove(
        Function(lambda x: torch.stack([one.masked_select(torch.arange(10) > 5) for one in x])),
        on_values=True,
        max_batch=1,
    )
