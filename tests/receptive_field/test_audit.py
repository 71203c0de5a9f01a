"""The audit of Richter et al. 2021 (arXiv:2106.12307) on networks whose figures are known."""

import pytest
import torchvision
from torch import nn

from cnnlab.receptive_field.audit import Audit, audit
from cnnlab.receptive_field.fields import receptive_fields


def audited(model: nn.Module, size: int, channels: int = 3) -> Audit:
    return audit(receptive_fields(model, (channels, size, size)), model)


def test_resnet18_at_32_pixels() -> None:
    """layer3.1.conv2, layer4.0.conv2 and layer4.1.conv2 get fields of 32 and more on every path."""
    found = audited(torchvision.models.resnet18(weights=None), 32)
    late = [layer.name for layer in found.layers if min(layer.shortest_before) >= 32 and min(layer.shortest) > 32]
    assert late == ["layer3.1.conv2", "layer4.0.conv2", "layer4.1.conv2"]
    assert set(late) < set(found.unproductive)
    assert found.border == "layer3.1.conv2"
    dense = {layer.name for layer in found.layers if layer.fully_connected}
    assert dense == set(found.unproductive) - {"layer3.1.conv2"} | (dense & {"layer3.1.conv2"})


@pytest.mark.parametrize(("name", "feasible"), [("resnet50", (75, 427)), ("resnet18", (75, 435))])
def test_feasible_sizes(name: str, feasible: tuple[int, int]) -> None:
    """ResNet-50: the largest r_min that comes into a layer is 75, the largest field 427."""
    found = audited(torchvision.models.get_model(name, weights=None), 224)
    assert (found.smallest[0], found.largest[0]) == feasible
    assert found.covers
    assert not found.unproductive


def test_a_field_smaller_than_the_image_is_told() -> None:
    """Eight 3 × 3 convolutions on 256 × 256 see 17 pixels."""
    model = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1) for _ in range(8)))
    found = audited(model, 256, channels=1)
    assert found.largest == (17, 17)
    assert not found.covers
    assert found.trunk == "7"


def test_pixels_that_strides_skip_are_dead() -> None:
    """Stride 2 with a kernel of 1 reads every second of 9 rows: 5, so that 4 are read by nothing."""
    found = audited(nn.Sequential(nn.Conv2d(1, 1, 1, stride=2), nn.Conv2d(1, 1, 3, padding=1)), 9, channels=1)
    assert found.unread == (4, 4)
    # without padding the last row of an even image is cut off
    assert audited(nn.Sequential(nn.Conv2d(1, 1, 3, stride=2)), 8, channels=1).unread == (1, 1)
    assert audited(nn.Sequential(nn.Conv2d(1, 1, 3, padding=1)), 8, channels=1).unread == (0, 0)


def test_a_window_over_the_whole_map_works_like_a_dense_layer() -> None:
    found = audited(
        nn.Sequential(nn.Conv2d(1, 1, 3, stride=4, padding=1), nn.Conv2d(1, 1, 3, padding=1)), 8, channels=1
    )
    assert [layer.fully_connected for layer in found.layers] == [False, True]
    assert found.unproductive == ("1",)


def test_a_shortcut_keeps_a_layer_productive() -> None:
    """Beyond the image along the longest path, not along the shortest."""

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 9, padding=4)

        def forward(self, x):  # type: ignore[no-untyped-def]
            return x + self.conv(x)

    blocks = audited(nn.Sequential(*(Residual() for _ in range(4))), 16, channels=1)
    plain = audited(nn.Sequential(*(nn.Conv2d(1, 1, 9, padding=4) for _ in range(4))), 16, channels=1)
    assert blocks.unproductive == ()
    assert plain.unproductive == ("2", "3")
