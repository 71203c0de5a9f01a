"""A walk and a proof leave a model as it was: modes, hooks, buffers, gradients, attributes, also after an exception."""

import copy
from collections.abc import Callable

import pytest
import torch
from networks import small, unchanged
from torch import Tensor, nn

from cnnlab.core.errors import RequestError
from cnnlab.receptive_field.fields import receptive_fields
from cnnlab.receptive_field.probe import verification
from cnnlab.walk.walker import walk, walked

SHAPE = (3, 16, 16)


def proof(model: nn.Module) -> None:
    for _ in verification(model, walk(small(), SHAPE)):
        pass


USES: dict[str, Callable[[nn.Module], object]] = {
    "walk": lambda model: walk(model, SHAPE),
    "walk on values": lambda model: walk(model, SHAPE, on_values=True),
    "fields": lambda model: receptive_fields(model, SHAPE),
    "proof": proof,
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_nothing_changes(use: Callable[[nn.Module], object]) -> None:
    model = small()
    generator = torch.get_rng_state()
    with unchanged(model):
        use(model)
    assert torch.equal(torch.get_rng_state(), generator)


@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt])
def test_nothing_changes_when_the_network_raises(use: Callable[[nn.Module], object], kind: type[BaseException]) -> None:
    model = small()

    def fails(module: nn.Module, args: object, output: object) -> None:
        raise kind("by its own hook")

    handle = model.get_submodule("relu2").register_forward_hook(fails)
    with unchanged(model):
        if kind is ValueError and use is not USES["proof"]:
            use(model)  # told in `walk.failure`
        else:
            with pytest.raises(RequestError if kind is ValueError else kind, match="by its own hook"):
                use(model)
    handle.remove()


def test_the_failure_of_a_walk_has_a_place() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.ReLU(), nn.Conv2d(5, 4, 3)))
    found = walked(model, SHAPE)
    assert found.failure is not None
    assert (found.failure.layer, found.failure.kind, found.failure.inputs) == ("1.1", "Conv2d", ((1, 4, 14, 14),))
    assert "5" in found.failure.message
    assert [output.name for output in found.outputs] == ["0", "1.0"]


class Diary(nn.Module):
    """Writes down what it does: numbers, lists, dictionaries, buffers, plain tensors, the generator."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3)
        self.register_buffer("count", torch.zeros(()))
        self.plain = torch.zeros(3)
        self.calls, self.seen, self.last, self.names = 0, [], {}, {"a"}

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x) + torch.rand(())
        self.count += 1
        self.plain[0] += 1
        self.calls += 1
        self.seen.append(x)
        self.last["x"] = x
        self.names.add("b")
        self.new = x
        return x


def facts(model: Diary) -> list[object]:
    return [float(model.count), model.plain.tolist(), model.calls, len(model.seen), dict(model.last), set(model.names),
            hasattr(model, "new"), model.count.device.type, torch.get_rng_state().tolist()]  # fmt: skip


@pytest.mark.parametrize("use", [*list(USES.values())[:3], lambda m: list(verification(m, walk(m, SHAPE)))])
def test_a_network_that_counts_its_calls_does_not_count_ours(use: Callable[[nn.Module], object]) -> None:
    model = Diary()
    model(torch.zeros(1, *SHAPE))
    before, objects = facts(model), [model.count, model.plain, model.seen, model.last, model.conv.weight]
    use(model)
    assert facts(model) == before
    after = [model.count, model.plain, model.seen, model.last, model.conv.weight]
    assert all(a is b for a, b in zip(objects, after, strict=True))


def test_weights_that_the_network_writes_stay_the_users() -> None:
    class Clamped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 3)

        def forward(self, x: Tensor) -> Tensor:
            self.conv.weight.data.clamp_(-1e-3, 1e-3)
            return self.conv(x) if x.sum() > 0 else self.conv(x * 2)

    model = Clamped()
    before = model.conv.weight.detach().clone()
    assert walked(model, SHAPE).on_values
    assert torch.equal(model.conv.weight, before)


def test_old_weight_norm_keeps_its_weight() -> None:
    with pytest.warns(FutureWarning):
        model = nn.utils.weight_norm(nn.Conv2d(3, 2, 3))
    before = model.weight
    walk(model, SHAPE)
    assert model.weight is before


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_other_types_and_frozen_parameters(dtype: torch.dtype) -> None:
    model = small().to(dtype).requires_grad_(False)
    found = walk(model, SHAPE)
    assert found.failure is None
    expected = walk(small(), SHAPE)
    for one, other in zip(found.outputs, expected.outputs, strict=True):
        assert (one.name, one.shape) == (other.name, other.shape)
    assert all(p.dtype == dtype for p in model.parameters())


def test_train_mode_makes_no_difference_to_the_walk() -> None:
    """A walk is of the network in eval mode, whatever mode it is in."""
    one, other = small().train(), small().eval()
    for a, b in zip(walk(one, SHAPE).outputs, walk(other, SHAPE).outputs, strict=True):
        assert a.tag is not None
        assert b.tag is not None
        assert all((x.hull == y.hull).all() for x, y in zip(a.tag.axes, b.tag.axes, strict=True))
    assert one.training


def test_a_model_on_meta_is_walked() -> None:
    with torch.device("meta"):
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.MaxPool2d(2))
    assert [output.shape for output in walk(model, SHAPE).outputs][-1] == (1, 4, 7, 7)


def test_a_walk_of_a_copy_is_the_same() -> None:
    model = small()
    one, other = walk(model, SHAPE, count=True), walk(copy.deepcopy(model), SHAPE, count=True)
    assert [o.macs for o in one.operations] == [o.macs for o in other.operations]
    assert one.peak_bytes == other.peak_bytes > 0


def test_a_network_without_images() -> None:
    """Flat inputs have no rows: shapes and costs, no fields."""

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(5, 5)

        def forward(self, x: Tensor) -> Tensor:
            return torch.cat([x + self.linear(x), x.softmax(1) * x.new_ones(5)], 1)

    found = walk(Residual(), (5,), count=True)
    assert found.failure is None
    assert found.outputs[-1].shape == (1, 10)
    assert sum(operation.macs for operation in found.operations) == 25
