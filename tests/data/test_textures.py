import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.data.shapes import colours_of, contrasting, luma, power_law_noise

unit = st.floats(0, 1, width=32)


@given(unit, st.floats(0.0, 0.4), st.floats(0, 1, exclude_max=True, width=32))
@settings(deadline=None)
def test_a_contrasting_brightness_is_in_range_and_far_enough(reference: float, least: float, draw: float) -> None:
    result = contrasting(torch.tensor([reference]), least, torch.tensor([draw])).item()
    assert 0.06 - 1e-6 <= result <= 0.94 + 1e-6
    assert abs(result - reference) >= least - 1e-5


def test_contrasting_brightnesses_lie_on_both_sides() -> None:
    result = contrasting(torch.full((1000,), 0.5), 0.2, torch.linspace(0, 0.999, 1000))
    assert (result < 0.5).float().mean().item() == 0.5


@given(st.lists(unit, min_size=1, max_size=20), unit, st.integers(0, 2**31))
@settings(deadline=None)
def test_colours_have_the_wanted_brightness_and_exist(tones: list[float], chroma: float, seed: int) -> None:
    wanted = torch.tensor(tones)
    colours = colours_of(wanted, torch.full_like(wanted, chroma), torch.Generator().manual_seed(seed))
    assert colours.min() >= 0
    assert colours.max() <= 1
    torch.testing.assert_close(luma(colours), wanted, atol=1e-5, rtol=0)


def test_noise_has_mean_zero_unit_spread_and_the_wanted_slope() -> None:
    for size in (32, 33):
        for exponent in (0.5, 1.0, 1.5):
            noise = luma(power_law_noise(torch.full((400,), exponent), size, torch.Generator().manual_seed(0)))
            assert noise.mean((1, 2)).abs().max() < 1e-5
            assert abs(noise.square().mean().sqrt().item() - 1) < 0.03
            amplitude = torch.fft.rfft(noise.mean(1)).abs().square().mean(0).sqrt()[1 : size // 2]  # along one axis
            steps = torch.arange(1, size // 2).log()
            slope = torch.linalg.lstsq(torch.stack([steps, torch.ones_like(steps)], 1), amplitude.log()[:, None])
            assert abs(slope.solution[0].item() + exponent) < 0.1
