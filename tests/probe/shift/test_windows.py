"""What stands at the border, against torch and by hand."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cnnlab.probe.shift.windows import canvas, moves, window


@pytest.fixture
def images() -> Tensor:
    return torch.randint(0, 256, (2, 3, 6, 8), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


@pytest.mark.parametrize("border", ["reflect", "replicate", "circular"])
def test_borders_are_torchs(images: Tensor, border: str) -> None:
    expected = F.pad(images.float(), (3, 3, 3, 3), mode=border).to(torch.uint8)
    assert torch.equal(canvas(images, 3, border), expected)  # type: ignore[arg-type]


@pytest.mark.parametrize("move", list(moves(2)))
def test_windows_move_the_image(images: Tensor, move: tuple[int, int]) -> None:
    down, right = move
    assert torch.equal(window(canvas(images, 2, "circular"), 2, down, right), images.roll((down, right), (2, 3)))
    moved = window(canvas(images, 2, "zero"), 2, down, right)
    assert torch.equal(moved[:, :, 2:4, 2:6], images[:, :, 2 - down : 4 - down, 2 - right : 6 - right])


def test_a_larger_canvas_has_nothing_that_is_made_up() -> None:
    """Of a ramp: the windows are the ramp of the enlarged image, moved."""
    ramp = (10 * torch.arange(16)).to(torch.uint8).expand(1, 1, 16, 16)
    wide = canvas(ramp, 2, "canvas")
    assert wide.shape == (1, 1, 20, 20)
    here, there = window(wide, 2, 0, 0), window(wide, 2, 0, 1)
    assert torch.equal(there[..., 1:], here[..., :-1])
    assert int(there[0, 0, 0, 0]) not in (0, int(here[0, 0, 0, 0]))


def test_every_shift_once() -> None:
    assert list(moves(2)) == [(0, 0), (-2, 0), (-1, 0), (1, 0), (2, 0), (0, -2), (0, -1), (0, 1), (0, 2)]
