import math

import numpy as np
import pytest
import torch
from torch import nn

from cnnlab.core.errors import RequestError
from cnnlab.data.batches import ChannelStatistics, EvaluationBatches, normalise
from cnnlab.fit.predict import predict
from cnnlab.fit.views import PLAIN, AveragedViews

STATISTICS = ChannelStatistics((0.5,), (0.25,))
N = 30


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randint(256, (N, 1, 5, 6), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.fixture(scope="module", params=[3, 1], ids=["three logits", "one logit"])
def model(request) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, request.param)).eval()


def logits(model: nn.Module, images: torch.Tensor, tta: AveragedViews, batch_size: int = 7) -> torch.Tensor:
    batches = EvaluationBatches(images, torch.zeros(len(images)).long(), batch_size=batch_size, statistics=STATISTICS)
    return predict(model, batches, tta=tta).logits


def six_by_hand(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """As airbench's description has it, with NumPy's padding."""
    inputs = normalise(images, STATISTICS)
    padded = torch.from_numpy(np.pad(inputs.numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)), mode="reflect"))

    def mirror(some: torch.Tensor) -> torch.Tensor:
        return (model(some) + model(some.flip(-1))).detach() / 2

    corners = (mirror(padded[..., :-2, :-2]) + mirror(padded[..., 2:, 2:])) / 2
    return mirror(inputs) / 2 + corners / 2


def test_six_views_are_half_mirror_and_half_of_the_shifted(model, images) -> None:
    torch.testing.assert_close(logits(model, images, AveragedViews("six")), six_by_hand(model, images))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.999])
@pytest.mark.parametrize("batch_size", [4, 100])
def test_the_least_sure_alone_get_further_views(model, images, share: float, batch_size: int) -> None:
    plain, six = logits(model, images, PLAIN), six_by_hand(model, images)
    both = torch.cat([torch.zeros_like(plain), plain], 1) if plain.shape[1] == 1 else plain
    margins = both.sort(dim=1).values.diff(dim=1)[:, -1]
    count = {0.0: 0, 0.1: 3, 0.25: math.ceil(N / 4), 0.999: N}[share]
    expected = plain.clone()
    for place in margins.argsort()[:count].tolist():
        expected[place] = six[place]
    torch.testing.assert_close(logits(model, images, AveragedViews("six", share), batch_size), expected)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(RequestError, match="`tta` flip or six names those"):
        AveragedViews("none", 0.5)
    with pytest.raises(RequestError, match="these are 1 × 6; try flip"):
        logits(nn.Flatten(), torch.zeros(2, 1, 1, 6, dtype=torch.uint8), AveragedViews("six"))
