"""What a network raises is told with its layer; what torch cannot do with a network is said, or done otherwise."""

import warnings
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.attribution.attribution import attribute
from cnnlab.attribution.capture import CURVED_SCORE, capture
from cnnlab.attribution.target import target_of
from cnnlab.core.errors import CnnlabError, RequestError
from cnnlab.models.failure import failure_of, told
from cnnlab.receptive_field.probe import verification
from cnnlab.walk.walker import walk

IMAGES = torch.linspace(-1, 1, 2 * 3 * 8 * 8).reshape(2, 3, 8, 8)


class Head(nn.Module):
    """Convolution, ReLU, then what `middle` does, average and linear layer."""

    def __init__(self, middle: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
        self.inner = Calls(middle)
        self.head = nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.inner(self.body(x)).mean((2, 3)))


class Calls(nn.Module):
    """A layer that is a function."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def raising(error: Exception) -> Callable[[Tensor], Tensor]:
    def refuse(x: Tensor) -> Tensor:
        raise error

    return refuse


def attend(x: Tensor) -> Tensor:
    rows = x.flatten(2).transpose(1, 2)[:, None]
    return F.scaled_dot_product_attention(rows, rows.tanh(), rows).mean(1).transpose(1, 2).reshape(x.shape)


def attend_openly(x: Tensor) -> Tensor:
    rows = x.flatten(2).transpose(1, 2)[:, None]
    weights = (rows @ rows.tanh().transpose(2, 3) / rows.shape[-1] ** 0.5).softmax(-1)
    return (weights @ rows).mean(1).transpose(1, 2).reshape(x.shape)


def refuse_nan(x: Tensor) -> Tensor:
    if x.device.type != "meta" and bool(x.isnan().any()):
        raise ValueError("no NaN, please")
    return x


def changing(x: Tensor) -> Tensor:
    y = x.exp()
    z = y * y
    y.mul_(2)
    return z


def scripted(module: nn.Module) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(module)


@pytest.mark.parametrize(
    "error",
    [ValueError("of my own\nand more"), KeyError("of my own"), AttributeError("of my own"), RuntimeError("of my own")],
)
@pytest.mark.parametrize("method", ["gradcam", "gradient", "occlusion"])
def test_what_a_layer_raises_is_one_sentence_with_its_name(error: Exception, method: str) -> None:
    with pytest.raises(RequestError) as refused:
        attribute(Head(raising(error)), IMAGES, [0, 1], methods=[method])
    said = str(refused.value)
    assert said.startswith(f"layer 'inner' (Calls) raises {type(error).__name__}: ")
    assert "of my own" in said
    assert "(test_failure.py:" in said
    assert "\n" not in said


def test_a_gradient_that_torch_cannot_work_out_is_told_with_the_way_out() -> None:
    with pytest.raises(
        RequestError, match=r"gradient cannot be worked out: torch raises RuntimeError.*without changing"
    ):
        attribute(Head(changing), IMAGES, [0, 1], methods=["gradient"])


def test_mistakes_of_this_package_stay_what_they_are() -> None:
    with pytest.raises(KeyError), told():
        raise KeyError("ours")
    assert failure_of(torch.OutOfMemoryError("none left")) is None


def test_shapleycam_through_fused_attention_is_that_through_its_products() -> None:
    torch.manual_seed(0)
    fused = Head(attend).eval()
    plain = Head(attend_openly).eval()
    plain.load_state_dict(fused.state_dict())
    target = target_of([0, 1], 2)
    found, expected = (
        capture(model, IMAGES, target, layers=["body"], wants=[CURVED_SCORE]).layers[0].gradients[CURVED_SCORE]
        for model in (fused, plain)
    )
    torch.testing.assert_close(found, expected)
    assert torch.backends.cuda.flash_sdp_enabled()


def test_a_scripted_part_is_gone_around_and_named() -> None:
    model = Head(lambda x: x)
    model.body = scripted(model.body)
    model.inner = nn.Sequential(nn.Conv2d(4, 4, 1))
    assert attribute(model, IMAGES, [0, 1], methods=["gradcam"])[0].layers == ("inner",)
    for name in ("body", "body.0"):
        with pytest.raises(RequestError, match=f"layer '{name}' is compiled by torch.jit.script.*nearest .*'inner'"):
            attribute(model, IMAGES, [0, 1], methods=["gradcam"], layers=[name])
    with pytest.raises(RequestError, match=r"layer 'body' is compiled by torch.jit.script.*before it was compiled"):
        walk(model, (3, 8, 8))


def test_batch_statistics_of_one_image_name_their_layer() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.BatchNorm2d(4, track_running_stats=False))
    model.append(nn.Flatten())
    with pytest.raises(RequestError, match=r"layer '2' \(BatchNorm2d\) raises ValueError.*give it several at a time"):
        attribute(model, IMAGES[:1], [0], methods=["gradient"])


@pytest.mark.parametrize(
    "look", [lambda model: attribute(model, IMAGES, [0, 1], methods=["gradcam"]), lambda model: walk(model, (3, 8, 8))]
)
def test_a_lazy_layer_without_parameters_is_named(look: Callable[[nn.Module], object]) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(5))
    with pytest.raises(RequestError, match=r"layer '4' \(LazyLinear\) has no parameters yet: run the network"):
        look(model)


def test_a_network_that_refuses_nan_is_told_of_by_the_proof() -> None:
    model = Head(refuse_nan)
    with pytest.raises(
        CnnlabError, match=r"layer 'inner' \(Calls\) raises ValueError: no NaN, please.*leave `verify` out"
    ):
        next(verification(model, walk(model, (3, 8, 8))))
