import pytest
import torch
from torch import nn

from cnnlab.core.errors import RequestError, WorkError
from cnnlab.fit.device import choose_device, deterministic, evaluating
from cnnlab.fit.precision import autocast
from cnnlab.models.undisturbed import undisturbed


def network() -> nn.Sequential:
    model = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.BatchNorm1d(2), nn.Dropout()))
    model[1][0].eval()  # as in fine-tuning: one layer is in evaluation mode while the rest trains
    return model


def modes(model: nn.Module) -> list[bool]:
    return [module.training for module in model.modules()]


@pytest.mark.parametrize("context", [evaluating, undisturbed])
@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_modes_come_back(context, error) -> None:
    model = network()
    before = modes(model)

    def use() -> None:
        with context(model):
            assert not any(modes(model))
            assert torch.is_inference_mode_enabled() == (context is evaluating)
            if error:
                raise error

    if error:
        with pytest.raises(error):
            use()
    else:
        use()
    assert modes(model) == before
    assert not torch.is_inference_mode_enabled()


def test_evaluating_changes_no_statistics() -> None:
    model = network().train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with evaluating(model):
        first, second = model(torch.ones(4, 2)), model(torch.ones(4, 2))
    assert torch.equal(first, second)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("wish", ["", "gpu", "cuda:99", "meta", "cpu:x"])
def test_devices_that_are_not_there(wish: str) -> None:
    with pytest.raises(RequestError, match=rf"no device '{wish}'; this machine has .*cpu"):
        choose_device(wish)


def test_devices() -> None:
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type in {"cpu", "cuda", "mps"}


def test_precision() -> None:
    layer, images = nn.Linear(2, 2), torch.ones(1, 2)
    for precision, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        with autocast(torch.device("cpu"), precision):
            assert layer(images).dtype == dtype


@pytest.mark.parametrize("before", [False, True])
def test_determinism_is_given_back(before: bool) -> None:
    torch.use_deterministic_algorithms(before)
    try:
        with deterministic(True):
            assert torch.are_deterministic_algorithms_enabled()
        assert torch.are_deterministic_algorithms_enabled() == before
        with deterministic(False):
            assert torch.are_deterministic_algorithms_enabled() == before
    finally:
        torch.use_deterministic_algorithms(False)


def test_what_cannot_be_deterministic() -> None:
    def fail(message: str) -> None:
        with deterministic(True):
            raise RuntimeError(message)

    with pytest.raises(WorkError, match="true is not possible here: pool does not have a deterministic"):
        fail("pool does not have a deterministic implementation, but you set … . You can turn it off")
    with pytest.raises(RuntimeError, match="something else"):
        fail("something else")
