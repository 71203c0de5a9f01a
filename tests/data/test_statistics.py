import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cnnlab.data.batches import ChannelStatistics, channel_statistics
from cnnlab.data.dataset import DataPlace


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 9), st.sampled_from([1, 3, 4]), st.integers(1, 17), st.integers(0, 99))
def test_agrees_with_float64_arithmetic(count: int, channels: int, side: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (count, channels, side, side + 1), dtype=torch.uint8, generator=generator)
    found = channel_statistics(images)
    exact = images.double() / 255
    torch.testing.assert_close(torch.tensor(found.mean, dtype=torch.float64), exact.mean((0, 2, 3)))
    torch.testing.assert_close(torch.tensor(found.std, dtype=torch.float64), exact.std((0, 2, 3), correction=0))


def test_one_value_has_no_deviation() -> None:
    images = torch.full((3, 2, 5, 5), 200, dtype=torch.uint8)
    assert channel_statistics(images) == ChannelStatistics((200 / 255,) * 2, (0.0, 0.0))


def test_one_odd_pixel_among_millions_is_seen() -> None:
    images = torch.full((64, 1, 256, 256), 255, dtype=torch.uint8)
    images[0, 0, 0, 0] = 254
    count = images.numel()
    assert channel_statistics(images).std[0] == ((count - 1) ** 0.5) / count / 255


def test_cifar10_has_the_known_statistics(cifar_root) -> None:
    # From the issue trackers of the many projects that copied a wrong standard deviation: these are the right ones.
    from torchvision.datasets import CIFAR10

    place = DataPlace(cifar_root)
    images = torch.from_numpy(CIFAR10(place.root, train=True).data).permute(0, 3, 1, 2)
    found = channel_statistics(images)
    assert [round(value, 4) for value in found.mean] == [0.4914, 0.4822, 0.4465]
    assert [round(value, 4) for value in found.std] == [0.2470, 0.2435, 0.2616]
