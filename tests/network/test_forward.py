"""The layout in which images are given to a network changes how fast it is, and nothing else."""

import pytest
import torch
from torch import Tensor, nn

from cnnlab.network.forward import forward


class Viewing(nn.Module):
    """Reshapes by `view`, which images that lie channels last do not allow."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.dense = nn.Linear(4 * 6 * 6, 5)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.conv(x)
        return self.dense(maps.view(len(maps), -1))


def test_images_lie_channels_last_and_mean_the_same() -> None:
    seen: list[Tensor] = []
    images = torch.rand(2, 3, 8, 8)
    assert torch.equal(forward(lambda x: seen.append(x) or x * 2, images), images * 2)  # type: ignore[arg-type, func-returns-value]
    assert seen[0].is_contiguous(memory_format=torch.channels_last)


def test_a_network_that_views_is_run_again_on_rows() -> None:
    torch.manual_seed(0)
    model, images, begun = Viewing(), torch.rand(2, 3, 8, 8), []
    found = forward(model, images.to(memory_format=torch.channels_last), again=lambda: begun.append(1))
    assert isinstance(found, Tensor)
    torch.testing.assert_close(found, model(images.contiguous()))
    assert begun == [1]


def test_other_errors_are_the_networks_own() -> None:
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        forward(nn.Sequential(nn.Flatten(), nn.Linear(3, 2)), torch.rand(1, 3, 8, 8))


def test_what_is_no_image_is_left_as_it_is() -> None:
    assert torch.equal(forward(nn.Identity(), torch.ones(2, 3)), torch.ones(2, 3))  # type: ignore[arg-type]
