import math

import pytest
import torch
from networks import small, unchanged
from torch import nn

from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError, WorkError
from cnnlab.inside.dream.maximise import Channel, ClassScore, Dream, Objective, maximise
from cnnlab.inside.dream.parametrisation import UNMOVED, Views
from cnnlab.network.forward import capture_outputs

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


def dream(
    model: nn.Module, objective: Objective, shape: tuple[int, int, int] = (3, 16, 16), **options: object
) -> tuple[list[Advance | Dream], Dream]:
    defaults = {"mean": MEAN[: shape[0]], "std": STD[: shape[0]], "steps": 30}
    *steps, result = maximise(model, objective, shape, **(defaults | options))
    assert isinstance(result, Dream)
    return steps, result


@pytest.mark.parametrize("objective", [Channel("conv1", 2), Channel("relu2", 1), Channel("linear", 0), ClassScore(3)])
def test_the_score_rises_over_the_start(objective: Objective) -> None:
    steps, result = dream(small(), objective)
    assert result.end > result.start
    scores = result.scores
    assert sum(scores[-5:]) > sum(scores[:5])
    assert len(scores) == 30
    assert steps == [Advance("dreaming", i, 30) for i in range(1, 31)]


def test_the_scores_are_what_the_network_says_of_the_image() -> None:
    network = small()
    for objective, layer in ((Channel("relu2", 1), "relu2"), (ClassScore(2), "linear")):
        _, result = dream(network, objective)
        output = capture_outputs(network, result.normalised[None], [layer])[layer][0]
        value = output[2] if isinstance(objective, ClassScore) else output[1].mean()
        assert result.end == pytest.approx(float(value), rel=1e-5)
        assert result.image.shape == (3, 16, 16)
        assert 0 <= float(result.image.min()) < float(result.image.max()) <= 1
        mean, std = torch.tensor(MEAN)[:, None, None], torch.tensor(STD)[:, None, None]
        torch.testing.assert_close(result.normalised, (result.image - mean) / std)


def test_the_same_seed_gives_the_same_bits() -> None:
    torch.manual_seed(1)
    first = dream(small(), ClassScore(0), seed=5)[1]
    torch.manual_seed(2)
    second = dream(small(), ClassScore(0), seed=5)[1]
    assert torch.equal(first.image, second.image)
    assert first.scores == second.scores
    state = torch.random.get_rng_state()
    assert not torch.equal(dream(small(), ClassScore(0), seed=6)[1].image, first.image)
    assert torch.equal(torch.random.get_rng_state(), state)


class Redness(nn.Module):
    """Mean red minus mean blue, one logit, which speaks for class 1: largest, 1, where every pixel is (1, any, 0)."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return (images[:, 0] - images[:, 2]).mean((1, 2))[:, None]


def test_the_maximum_of_a_known_score_is_found() -> None:
    options = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0), "steps": 128, "views": UNMOVED}
    _, result = dream(Redness(), ClassScore(1), **options, colours=torch.eye(3))
    assert result.end > 0.97
    assert float((result.image[0] < 0.5).float().mean() + (result.image[2] > 0.5).float().mean()) < 0.005
    _, natural = dream(Redness(), ClassScore(1), **options)
    assert natural.start + 0.5 < natural.end < result.end  # red without green is rare in ImageNet's colours


def test_a_grating_filter_dreams_of_its_grating() -> None:
    wave = torch.cos(2 * math.pi * torch.arange(8) / 4)
    network = nn.Sequential(nn.Conv2d(1, 1, 8, bias=False), nn.ReLU())
    convolution = network[0]
    assert isinstance(convolution, nn.Conv2d)
    with torch.no_grad():
        convolution.weight.copy_(wave.expand(1, 1, 8, 8))
    _, result = dream(network, Channel("1", 0), (1, 32, 32), mean=(0.5,), std=(0.5,), steps=60)
    power = torch.fft.rfft2(result.image[0] - result.image.mean()).abs()
    wanted = power[0, 7:10].mean()  # ¼ cycle per pixel across, the eighth of 32 waves
    assert float(wanted) > 3 * float(power[7:10, 0].mean())  # the same waves lying
    assert float(wanted) > 3 * float(power[0, 14:].mean())
    grating = wave.repeat(4).expand(1, 1, 32, 32)
    with torch.no_grad():
        assert result.end > 0.9 * float(network(grating).mean())  # as good as the grating itself, at full contrast


def test_octaves_begin_without_fine_structure() -> None:
    _, coarse = dream(small(), Channel("conv1", 0), (3, 32, 32), octaves=3, steps=3, learning_rate=1e-9)
    _, whole = dream(small(), Channel("conv1", 0), (3, 32, 32), octaves=1, steps=3, learning_rate=1e-9)
    assert coarse.start != whole.start
    assert coarse.end == pytest.approx(whole.end, abs=1e-5)  # the last octave moves everything


def test_nothing_is_changed_at_any_step_or_after_an_error() -> None:
    network = small()
    with unchanged(network):
        ascent = maximise(network, Channel("relu1", 0), (3, 8, 8), mean=MEAN, std=STD, steps=3)
    for _ in ascent:
        with unchanged(network):
            pass
        assert network.linear.training  # `unchanged` trains all but the first layer, and no step may undo it
        assert not network.conv1.training
    with unchanged(network):
        next(maximise(network, ClassScore(0), (3, 8, 8), mean=MEAN, std=STD))
    with unchanged(network), pytest.raises(RuntimeError):
        next(maximise(network, Channel("relu2", 0), (1, 8, 8), mean=(0.5,), std=(0.5,)))


def test_under_no_grad_and_with_frozen_weights() -> None:
    network = small().requires_grad_(False)
    with torch.no_grad():
        _, result = dream(network, ClassScore(1), steps=3)
    assert torch.equal(result.image, dream(small(), ClassScore(1), steps=3)[1].image)


def test_in_place_rectifiers_do_not_change_what_the_layer_before_them_says() -> None:
    images = [dream(small(inplace=inplace), Channel("norm1", 0), steps=5)[1] for inplace in (True, False)]
    assert torch.equal(images[0].image, images[1].image)
    assert images[0].start < 0 or images[0].start != images[0].end


def test_a_channel_that_is_silent_on_grey_is_woken_by_contrast() -> None:
    network = small().eval()
    grey = torch.full((1, 3, 16, 16), 0.5).sub(torch.tensor(MEAN)[:, None, None]).div(torch.tensor(STD)[:, None, None])
    assert float(capture_outputs(network, grey, ["relu2"])["relu2"][0, 1].max()) == 0
    assert dream(network, Channel("relu2", 1))[1].contrast > 1
    assert dream(network, Channel("conv2", 1))[1].contrast == 1


def test_half_precision_networks() -> None:
    _, result = dream(small().bfloat16(), ClassScore(1), steps=10)
    assert result.image.dtype == torch.float32
    assert result.end > result.start


def test_what_cannot_be_dreamt_of() -> None:
    network = small()
    with pytest.raises(RequestError, match="no layer 'relu7'"):
        dream(network, Channel("relu7", 0))
    with pytest.raises(RequestError, match="no channel of layer 'relu1' 6: there are 6, from 0 to 5"):
        dream(network, Channel("relu1", 6))
    with pytest.raises(RequestError, match="no class 4: there are 4"):
        dream(network, ClassScore(4))
    with pytest.raises(RequestError, match="no row of class scores"):
        dream(network[:3], ClassScore(0))
    for options in ({"steps": 0}, {"octaves": 31}, {"octaves": 0}, {"learning_rate": 0.0}, {"learning_rate": math.nan}):
        with pytest.raises(RequestError, match="expected at least one step"):
            dream(network, ClassScore(0), **options)
    with pytest.raises(RequestError, match="of 3 and 1 channels"):
        dream(network, ClassScore(0), mean=MEAN, std=(1.0,))
    with torch.no_grad():
        network.conv1.weight[0] = network.norm1.weight[0] = 0
        network.norm1.bias[0] = -1
    with pytest.raises(WorkError, match="nothing moves channel 0 of relu1"):
        dream(network, Channel("relu1", 0))
    with torch.no_grad():
        network.conv1.weight[1] = math.nan
    with pytest.raises(WorkError, match="score is nan at step 1"):
        dream(network, Channel("conv1", 1))
    with pytest.raises(WorkError, match="has no gradient"):
        dream(nn.Sequential(nn.Flatten(), _Detached()), ClassScore(0))


class _Detached(nn.Module):
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features.detach()


def test_views_are_the_caller_s() -> None:
    calm = dream(small(), ClassScore(0), views=UNMOVED, steps=4)
    wild = dream(small(), ClassScore(0), views=Views(count=2, rotation=30.0), steps=4)
    assert calm[1].start == wild[1].start
    assert calm[1].scores[0] == pytest.approx(calm[1].start, abs=1e-6)
    assert wild[1].scores[0] != calm[1].scores[0]
