"""Spectra, colours and views, each against what it is by definition."""

import math

import pytest
import torch

from cnnlab.inside.dream.parametrisation import (
    IMAGENET_COLOURS,
    START,
    UNMOVED,
    Views,
    decorrelated,
    default_octaves,
    drawn_views,
    fresh_spectrum,
    highest_frequency,
    pixels,
    placed,
    radial_frequencies,
)


def spectrum(height: int, width: int, seed: int = 0, channels: int = 3) -> torch.Tensor:
    return fresh_spectrum(channels, height, width, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("height", "width"), [(8, 8), (6, 9), (7, 4)])
def test_an_image_is_the_sum_of_its_waves(height: int, width: int) -> None:
    """One coefficient at (u, v) is 2·cos of that wave, over √(hw) and times 1/frequency."""
    u, v = 1, 2 if width > 4 else 1
    made = torch.zeros(1, height, width // 2 + 1, 2)
    made[0, u, v] = torch.tensor([3.0, 4.0])
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    angle = 2 * math.pi * (u * rows / height + v * columns / width)
    frequency = math.hypot(u / height, v / width)
    expected = 2 * (3 * angle.cos() - 4 * angle.sin()) / math.sqrt(height * width) / frequency
    torch.testing.assert_close(pixels(made, width)[0], expected, rtol=1e-4, atol=1e-4)
    assert float(radial_frequencies(height, width)[u, v]) == pytest.approx(frequency)


def test_the_mean_is_scaled_by_the_longest_wave() -> None:
    made = torch.zeros(1, 4, 5, 2)
    made[0, 0, 0, 0] = 1
    torch.testing.assert_close(pixels(made, 8)[0], torch.full((4, 8), 8 / math.sqrt(32)))


def test_gradients_are_finite_differences() -> None:
    made = spectrum(4, 5).double().requires_grad_(True)
    assert torch.autograd.gradcheck(lambda s: pixels(s, 5, highest=0.4), [made])


def test_power_falls_with_the_square_of_frequency() -> None:
    made = torch.stack([pixels(spectrum(64, 64, seed), 64) for seed in range(8)])
    power = torch.fft.rfft2(made).abs().square().mean((0, 1))
    radial = radial_frequencies(64, 64)
    low, high = (power[(radial > f * 0.9) & (radial < f * 1.1)].mean() for f in (0.1, 0.4))
    assert float(low / high) == pytest.approx(16, rel=0.15)
    assert float(made.std()) < 0.5  # a grey start after the sigmoid
    assert float(spectrum(64, 64).std()) == pytest.approx(START, rel=0.05)


def test_octaves_open_from_coarse_to_all() -> None:
    assert [default_octaves(n, 2 * n) for n in (8, 28, 32, 64, 128, 224)] == [1, 1, 1, 2, 3, 3]
    assert [highest_frequency(step, 6, 3) for step in range(6)] == [0.125, 0.125, 0.25, 0.25, math.inf, math.inf]
    assert highest_frequency(0, 5, 1) == math.inf
    power = torch.fft.rfft2(pixels(spectrum(16, 16), 16, highest=0.25)).abs()
    radial = radial_frequencies(16, 16)
    assert float(power[:, radial > 0.25].max()) < 1e-5
    assert float(power[:, radial <= 0.25].min()) > 1e-4


def test_independent_channels_come_out_with_the_colours_covariance() -> None:
    directions = torch.tensor(IMAGENET_COLOURS)
    noise = torch.randn(3, 200, 200, generator=torch.Generator().manual_seed(0))
    made = decorrelated(noise, directions)
    expected = directions @ directions.T / directions.norm(dim=0).max() ** 2
    torch.testing.assert_close(torch.cov(made.flatten(1)), expected, atol=0.02, rtol=0)
    torch.testing.assert_close(decorrelated(noise[:1], torch.eye(1)), noise[:1])


IMAGE = torch.rand(2, 9, 9, generator=torch.Generator().manual_seed(1))


def at(angle: float = 0.0, scale: float = 1.0, shift: tuple[float, float] = (0.0, 0.0)) -> torch.Tensor:
    made = placed(
        IMAGE,
        shifts=torch.tensor([shift]).float(),
        angles=torch.tensor([angle]).float(),
        scales=torch.tensor([scale]),
    )
    return made[0]


def test_views_by_hand() -> None:
    torch.testing.assert_close(at(), IMAGE, atol=1e-5, rtol=0)
    torch.testing.assert_close(at(90), IMAGE.rot90(1, (1, 2)), atol=1e-5, rtol=0)  # counter-clockwise
    torch.testing.assert_close(at(180), IMAGE.flip(1, 2), atol=1e-5, rtol=0)
    moved = at(shift=(2, 1))
    torch.testing.assert_close(moved[:, 1:, 2:], IMAGE[:, :-1, :-2], atol=1e-5, rtol=0)
    torch.testing.assert_close(moved[:, 1:, :2], IMAGE[:, :-1, :2].flip(2), atol=1e-5, rtol=0)  # mirrored
    torch.testing.assert_close(at(90, shift=(2, 1))[:, 1:, 2:], IMAGE.rot90(1, (1, 2))[:, :-1, :-2], atol=1e-5, rtol=0)
    # doubled: every second pixel from the middle is one of the image's
    torch.testing.assert_close(at(scale=2.0)[:, ::2, ::2], IMAGE[:, 2:7, 2:7], atol=1e-5, rtol=0)


def test_turns_keep_their_shape_in_images_that_are_not_square() -> None:
    wide = torch.zeros(1, 11, 21)
    wide[0, 5, 14] = 1.0  # 4 px to the right of the middle
    made = placed(wide, shifts=torch.zeros(1, 2), angles=torch.tensor([90.0]), scales=torch.ones(1))[0, 0]
    assert divmod(int(made.argmax()), 21) == (1, 10)  # 4 px above it
    assert float(made.max()) == pytest.approx(1, abs=1e-4)


def test_drawn_views_keep_their_ranges_and_their_seed() -> None:
    still = drawn_views(IMAGE, UNMOVED, torch.Generator())
    torch.testing.assert_close(still[0], IMAGE, atol=1e-5, rtol=0)
    a, b, c = (drawn_views(IMAGE, Views(), torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert a.shape == (4, 2, 9, 9)
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    dot = torch.zeros(1, 33, 33)
    dot[0, 16, 16] = 1
    only_shifts = Views(count=200, jitter=0.1, rotation=0.0, scale=(1.0, 1.0))
    places = drawn_views(dot, only_shifts, torch.Generator().manual_seed(0)).flatten(1).argmax(1)
    rows, columns = places // 33 - 16, places % 33 - 16
    assert set(rows.tolist()) == set(columns.tolist()) == set(range(-3, 4))
    for wrong in ({"count": 0}, {"jitter": -1.0}, {"rotation": -1.0}, {"scale": (0.0, 1.0)}, {"scale": (2.0, 1.0)}):
        with pytest.raises(ValueError, match="expected count"):
            Views(**wrong)
