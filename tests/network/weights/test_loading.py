"""Loading is torch's own, whole or not at all: older names, versions, and networks that load in a way of theirs."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.nn.utils import parametrizations, spectral_norm, weight_norm
from torchvision import models

from cnnlab.core.errors import RequestError
from cnnlab.network.weights.casts import cast
from cnnlab.network.weights.expected import Expected
from cnnlab.network.weights.loading import load_match
from cnnlab.network.weights.match import nearest
from cnnlab.network.weights.tensors import tensors_of


def _load(model: nn.Module, content: Any) -> None:
    match = nearest(tensors_of(content), Expected.by(model))
    load_match(model, match, cast(match.taken, match.expected.tensors).values)


def _state(model: nn.Module) -> dict[str, Tensor]:
    return {name: one.clone() for name, one in model.state_dict().items() if not is_lazy(one)}


def _same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return list(one) == list(other) and all(torch.equal(tensor, other[name]) for name, tensor in one.items())


NORMS: dict[str, tuple[Callable[[], nn.Module], Callable[[], nn.Module]]] = {
    "weight norm": (lambda: weight_norm(nn.Conv2d(3, 4, 3)), lambda: parametrizations.weight_norm(nn.Conv2d(3, 4, 3))),
    "spectral norm": (
        lambda: spectral_norm(nn.Conv2d(3, 4, 3)),
        lambda: parametrizations.spectral_norm(nn.Conv2d(3, 4, 3)),
    ),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("norm", NORMS)
def test_norms_of_weights_are_read_in_both_spellings(norm: str, wrapped: bool) -> None:
    image = torch.randn(2, 3, 8, 8)
    for one, other in (NORMS[norm], NORMS[norm][::-1]):
        source, target = nn.Sequential(one()).eval(), nn.Sequential(other()).eval()
        assert set(source.state_dict()) != set(target.state_dict())
        _load(target, (nn.DataParallel(source) if wrapped else source).state_dict())
        assert torch.allclose(source(image), target(image), atol=1e-6)


def test_versions_go_with_the_names() -> None:
    # torchvision's MNASNet refuses a state without its version, which DataParallel keeps one step further in
    source, target = models.mnasnet0_5(), models.mnasnet0_5()
    for content in (source.state_dict(), nn.DataParallel(source).state_dict(), dict(source.state_dict())):
        target.load_state_dict(models.mnasnet0_5().state_dict())
        _load(target, {"model": content})
        assert _same(_state(source), _state(target))


def test_older_names_that_the_network_itself_knows() -> None:
    class Renamed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.new = nn.Linear(2, 2)

        def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *rest: Any) -> None:
            for name in list(state):
                if name.startswith(f"{prefix}old."):
                    state[name.replace("old.", "new.")] = state.pop(name)
            super()._load_from_state_dict(state, prefix, *rest)

    model = Renamed()
    _load(model, {"old.weight": torch.eye(2), "old.bias": torch.ones(2)})
    assert (model.new.weight.tolist(), model.new.bias.tolist()) == ([[1, 0], [0, 1]], [1, 1])


class Failing(nn.Module):
    """Fails at the end of loading, after all that comes before it has been copied."""

    def _load_from_state_dict(self, *args: Any) -> None:
        raise ValueError("no way")


def test_a_network_whose_own_loading_fails_is_as_before() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), Failing())
    before = _state(model)
    with pytest.raises(RequestError, match="the network's own way to load weights fails: no way"):
        _load(model, {name: torch.full_like(one, 7) for name, one in before.items()})
    assert _same(before, _state(model))


def test_a_network_that_rebuilds_itself_while_it_loads_is_as_before_after_a_failure() -> None:
    # torchvision's MNASNet becomes that of its first version where the file's version says so
    model = models.mnasnet0_5()
    before, layers = _state(model), list(model.modules())
    old = models.mnasnet0_5().state_dict()
    old._metadata[""]["version"] = 1
    with pytest.raises(RequestError, match=r"does not fit|own way to load"):
        _load(model, old)
    assert list(model.modules()) == layers
    assert _same(before, _state(model))


def test_lazy_layers_take_their_shapes_from_the_file_and_lose_them_after_a_failure() -> None:
    def lazy(last: nn.Module) -> nn.Sequential:
        return nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), last)

    source = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Identity())
    model = lazy(nn.Identity())
    _load(model, source.state_dict())
    image = torch.randn(1, 3, 6, 6)
    assert torch.equal(model.eval()(image), source.eval()(image))
    failing = lazy(Failing())
    with pytest.raises(RequestError, match="no way"):
        _load(failing, source.state_dict())
    assert all(is_lazy(one) for one in failing.parameters())
    assert failing[:2](image).shape == (1, 4, 4, 4)


def test_a_network_that_loads_and_tells_nothing() -> None:
    class Silent(nn.Linear):
        def load_state_dict(self, state: Any, strict: bool = True, assign: bool = False) -> None:  # type: ignore[override]
            super().load_state_dict(state, strict=False)

    model = Silent(2, 2)
    before = _state(model)
    with pytest.raises(RequestError, match="1 of the network's 2 tensors are missing"):
        _load(model, {"weight": torch.eye(2)})
    assert _same(before, _state(model))
    _load(model, {"weight": torch.eye(2), "bias": torch.ones(2)})
    assert model.bias.tolist() == [1, 1]


def test_a_network_made_in_inference_mode() -> None:
    with torch.inference_mode():
        model = nn.Sequential(nn.Linear(2, 2))
        failing = nn.Sequential(nn.Linear(2, 2), Failing())
    _load(model, {"0.weight": torch.eye(2), "0.bias": torch.ones(2)})
    assert model[0].bias.tolist() == [1, 1]
    assert model[0].bias.is_inference()
    before = failing[0].bias.tolist()
    with pytest.raises(RequestError, match="no way"):
        _load(failing, {"0.weight": torch.eye(2), "0.bias": torch.ones(2)})
    assert failing[0].bias.tolist() == before


def test_shapes_alone_can_be_held_against_a_file() -> None:
    with torch.device("meta"):
        model = nn.Linear(2, 2)
    _load(model, nn.Linear(2, 2).state_dict())
    with pytest.raises(RequestError, match="another shape"):
        _load(model, nn.Linear(3, 2).state_dict())
