"""Writing through chains of views, against torch itself writing into the numbers of elements."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DataObject
from torch import Tensor

from cnnlab.walk.call import Call
from cnnlab.walk.moving import moves_of
from cnnlab.walk.reach import Plain
from cnnlab.walk.store import Store
from cnnlab.walk.tag import Tag


def tag_of(numbers: Tensor, keep: list[bool] | None = None) -> Tag:
    """A tag whose last index of element e is numbers[e]; dimensions that are not kept must be constant."""
    array = numbers.numpy().astype(np.int32)
    index = tuple(slice(None) if kept else slice(0, 1) for kept in keep or [True] * array.ndim)
    array = array[index]
    ends = np.stack([-array, array])
    hull = np.concatenate([ends, np.zeros((1, *array.shape), np.int32)])
    return Tag((Plain(hull, ends, None),), (None,))


def numbers_of(tag: Tag | None, shape: tuple[int, ...]) -> Any:
    assert tag is not None
    return np.broadcast_to(tag.axes[0].hull[1], shape)


VIEWS: dict[str, Any] = {
    "slice": lambda d, x: (torch.ops.aten.slice.Tensor, dim := d(st.integers(0, x.dim() - 1)),
                           d(st.integers(0, x.shape[dim] - 1)), x.shape[dim], d(st.integers(1, 2))),
    "select": lambda d, x: (torch.ops.aten.select.int, dim := d(st.integers(0, x.dim() - 1)),
                            d(st.integers(-x.shape[dim], x.shape[dim] - 1))),
    "permute": lambda d, x: (torch.ops.aten.permute.default, list(d(st.permutations(range(x.dim()))))),
    "unsqueeze": lambda d, x: (torch.ops.aten.unsqueeze.default, d(st.integers(0, x.dim()))),
    "flatten": lambda d, x: (torch.ops.aten.view.default, [-1]),
    "split": lambda d, x: (torch.ops.aten.view.default, [*x.shape[:-1], 2, x.shape[-1] // 2]),
    "detach": lambda d, x: (torch.ops.aten.detach.default,),
}  # fmt: skip


def view_of(data: DataObject, store: Store, tensor: Tensor) -> Tensor:
    """A random view of `tensor`, which the store follows."""
    name = data.draw(st.sampled_from(list(VIEWS)))
    assume(tensor.dim() or name in ("unsqueeze", "detach"))
    assume(name != "split" or tensor.shape[-1] % 2 == 0)
    assume(name not in ("split", "flatten") or tensor.is_contiguous())
    func, *arguments = VIEWS[name](data.draw, tensor)
    view = func(tensor, *arguments)
    assume(view.numel())
    names = [argument.name for argument in func._schema.arguments]
    bound = {a.name: a.default_value for a in func._schema.arguments} | dict(
        zip(names, [tensor, *arguments], strict=False)
    )
    moves = moves_of(Call(func._schema.name.split("::")[1], bound, [view], store.tag, store.value))
    assert moves is not None
    store.place_view(view, tensor, moves[0])
    return view  # type: ignore[no-any-return]


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_writes_through_views(data: DataObject) -> None:
    """Several views of one tensor, written into one after the other: all of them, and the tensor, stay right."""
    store = Store()
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    kept = [data.draw(st.booleans()) or size == 1 for size in shape]
    sizes = [size if keep else 1 for size, keep in zip(shape, kept, strict=True)]
    root = torch.arange(int(np.prod(sizes))).reshape(sizes).expand(shape).contiguous()
    store.place(root, tag_of(root, kept))
    tensors = [root]
    for number in range(data.draw(st.integers(1, 5))):
        tensors.append(view_of(data, store, data.draw(st.sampled_from(tensors))))
        target = data.draw(st.sampled_from(tensors))
        if data.draw(st.booleans()):
            varies = [data.draw(st.booleans()) or size == 1 for size in target.shape]
            held = [size if keep else 1 for size, keep in zip(target.shape, varies, strict=True)]
            content = (1000 * (number + 1) + torch.arange(int(np.prod(held)))).reshape(held).expand(target.shape)
            target.copy_(content)
            assert store.write(target, tag_of(content, varies))
        for tensor in tensors:
            np.testing.assert_array_equal(numbers_of(store.tag(tensor), tuple(tensor.shape)), tensor.numpy())


def test_a_view_that_is_a_copy_only_joins() -> None:
    """Where a write cannot be placed, every element may be what was written; the caller is told."""
    store, root = Store(), torch.arange(6).reshape(2, 3)
    store.place(root, tag_of(root))
    view = root.view(6)
    store.place_view(view, root, lambda array: array.reshape(len(array), 6).copy())
    assert not store.write(view, tag_of(torch.full((6,), 50)))
    assert (numbers_of(store.tag(root), (2, 3)) == 50).all()
    assert (store.tag(root).axes[0].hull[0] == -torch.arange(6).reshape(2, 3).numpy()).all()  # type: ignore[union-attr]


def test_a_view_without_a_move_may_be_anything_of_its_root() -> None:
    store, root = Store(), torch.arange(6).reshape(2, 3)
    store.place(root, tag_of(root))
    part, view = root[0], root.as_strided((2,), (2,))
    store.place_view(part, root, lambda array: array[:, 0])
    store.place_view(view, part, None)
    tag = store.tag(view)
    assert tag is not None
    assert tag.axes[0].hull.reshape(-1).tolist() == [0, 5, 0]


def test_values_are_seen_through_views_and_lost_with_what_is_unknown() -> None:
    store = Store()
    root, shadow = torch.empty(4, device="meta"), torch.arange(4)
    view = root[1:]
    store.place(root, None, shadow)
    store.place_view(view, root, lambda array: array[:, 1:])
    assert store.value(view) is None
    store.entry(view).value = shadow[1:]
    shadow[2] = 9
    store.write(root, None, keep_values=True)
    assert store.value(view).tolist() == [1, 9, 3]  # type: ignore[union-attr]
    store.write(view, tag_of(torch.zeros(3, dtype=torch.long)))
    assert store.value(view) is store.value(root) is None


def test_an_untagged_tensor_that_is_written_into() -> None:
    store, root = Store(), torch.zeros(3, 2)
    view = root[:, 1]
    store.place_view(view, root, lambda array: array[:, :, 1] if array.shape[2] > 1 else array[:, :, 0])
    assert store.tag(view) is None
    assert store.write(view, tag_of(torch.tensor([7, 8, 9])))
    tag = store.tag(root)
    assert tag is not None
    assert tag.axes[0].hull[1].tolist() == [[-(2**29), 7], [-(2**29), 8], [-(2**29), 9]]


@pytest.mark.parametrize("other", [None, 3])
def test_a_tensor_that_is_written_whole_forgets(other: int | None) -> None:
    store, root = Store(), torch.zeros(2)
    store.place(root, tag_of(torch.tensor([1, 2])))
    store.write(root, None if other is None else tag_of(torch.full((2,), other)))
    assert (store.tag(root) is None) == (other is None)
