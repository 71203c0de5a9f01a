"""A network that does not run on its images: what is said of other sizes."""

import pytest
import torch
from torch import Tensor, nn

from cnnlab.core.errors import RequestError
from cnnlab.network.open import open_network
from cnnlab.network.session import Session

HERE = Session(device_name="cpu")


class Refuses(nn.Conv2d):
    """A mistake in a forward pass that no image mends."""

    def forward(self, images: Tensor) -> Tensor:
        raise RuntimeError("not today")


@pytest.mark.parametrize(
    ("model", "size", "words"),
    [
        (Refuses(3, 4, 3), "3,8,8", "not today; no other size changes that"),
        (nn.Sequential(nn.Conv2d(3, 4, 7), nn.Flatten()), "3,5,9", "the smallest square that works is 7"),
    ],
)
def test_a_size_is_blamed_where_another_one_would_do(model: nn.Module, size: str, words: str) -> None:
    with torch.no_grad(), pytest.raises(RequestError) as raised:
        open_network(model, HERE, size=size, for_images=True, any_channels=True)
    assert str(raised.value).endswith(words)
