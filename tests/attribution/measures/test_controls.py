import torch
from scipy.ndimage import sobel as scipy_sobel

from cnnlab.attribution.measures.comparison import CONTROLS, centre_prior, control_maps, sobel

IMAGES = torch.randn(3, 3, 12, 16, generator=torch.Generator().manual_seed(0))


def test_one_map_each_and_the_same_again() -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first, again, other = (control_maps(IMAGES, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert tuple(first) == CONTROLS
    assert all(maps.shape == (3, 12, 16) and bool((maps >= 0).all()) for maps in first.values())
    assert all(torch.equal(first[name], again[name]) for name in CONTROLS)
    assert not torch.equal(first["random"], other["random"])
    assert torch.equal(first["edges"], other["edges"])


def test_the_centre_is_a_gaussian_of_a_quarter_of_each_side() -> None:
    prior = centre_prior(40, 80)
    # pixel centres (19.5, 39.5) ± half a pixel from the middle; one σ is 10 rows, 20 columns
    assert float(prior[20, 40]) == float(prior.max())
    ratio = prior[30, 40] / prior[20, 40]
    torch.testing.assert_close(ratio, torch.tensor(-(10.5**2 - 0.5**2) / 200).exp())
    torch.testing.assert_close(prior, prior.flip(0).flip(1))


def test_sobel_is_scipys() -> None:
    grey = IMAGES.mean(1)
    for image, ours in zip(grey, sobel(grey), strict=True):
        x, y = (torch.from_numpy(scipy_sobel(image.numpy(), axis=axis, mode="nearest")) / 8 for axis in (0, 1))
        torch.testing.assert_close(ours, (x**2 + y**2).sqrt(), rtol=1e-5, atol=1e-6)


def test_a_slope_of_one_per_pixel_is_one() -> None:
    slope = torch.arange(9.0).expand(1, 7, 9)
    torch.testing.assert_close(sobel(slope)[0, 1:-1, 1:-1], torch.ones(5, 7))
