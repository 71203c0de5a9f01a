"""What a change does, against the closed forms of single paths and against networks that were built so."""

from typing import Any

import pytest
import torchvision
from torch import nn
from torch.nn.utils import parametrizations, prune

from cnnlab.receptive_field.fields import receptive_fields
from cnnlab.receptive_field.what_if import growth, parse_edit, strides, variant


def chain(options: list[tuple[int, int, int]]) -> nn.Sequential:
    """Convolutions of (kernel, stride, dilation), padded by half."""
    return nn.Sequential(*(nn.Conv2d(1, 1, k, stride=s, padding=d * (k - 1) // 2, dilation=d) for k, s, d in options))


CHAIN = [(3, 1, 1), (5, 2, 1), (3, 1, 2), (3, 2, 1), (7, 1, 1)]


@pytest.mark.parametrize("place", range(5))
def test_stride_dilation_and_kernel_follow_the_closed_forms(place: int) -> None:
    """r' = r_l + (r − r_l)·s'/s, r + (k − 1)(d' − d)·J, r + d(k' − k)·J, with J the jump before layer l."""
    model = chain(CHAIN)
    fields = receptive_fields(model, (1, 64, 64))
    r = fields["4"].size[0]
    r_l = fields[str(place)].size[0]
    jump = 1 if place == 0 else int(fields[str(place - 1)].stride[0] or 0)
    kernel, stride, dilation = CHAIN[place]

    def after(change: str) -> int:
        made = variant(model, (1, 64, 64), [parse_edit(f"{place}.{change}", model)], layer="4")
        assert made.field is not None
        return made.field.size[0]

    assert after("stride=4") == r_l + (r - r_l) * 4 // stride
    assert after(f"dilation={dilation + 1}") == r + (kernel - 1) * jump
    assert after(f"kernel={kernel + 2}") == r + dilation * 2 * jump


def test_a_variant_is_the_network_that_was_built_so() -> None:
    changed = list(CHAIN)
    changed[1] = (5, 1, 1)
    expected = receptive_fields(chain(changed), (1, 64, 64))
    model = chain(CHAIN)
    made = variant(model, (1, 64, 64), [parse_edit("1.stride=1", model)], layer="4")
    assert made.field is not None
    assert (made.field.size, made.field.stride, made.field.padding, made.field.output) == (
        expected["4"].size, expected["4"].stride, expected["4"].padding, expected["4"].output
    )  # fmt: skip
    assert made.macs == sum(operation.macs for operation in expected.walk.operations)


NORMS = {
    "weight norm, old": nn.utils.weight_norm,
    "weight norm": parametrizations.weight_norm,
    "spectral norm, old": nn.utils.spectral_norm,
    "spectral norm": parametrizations.spectral_norm,
    "pruning": lambda layer: prune.l1_unstructured(layer, "weight", 0.5),
}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("norm", NORMS.values(), ids=NORMS)
@pytest.mark.parametrize("kernel", [1, 3])
def test_a_kernel_changes_with_all_that_its_weight_is_worked_out_from(kernel: int, norm: Any) -> None:
    def network(size: int) -> nn.Module:
        return nn.Sequential(norm(nn.Conv2d(2, 4, size, padding=size // 2)), nn.ReLU())

    model = network(kernel).eval()
    made = variant(model, (2, 16, 16), [parse_edit("0.kernel=5", model)], layer="0")
    assert made.failure is None
    assert made.field is not None
    assert made.field.size == (5, 5)
    assert made.parameters == sum(parameter.numel() for parameter in network(5).parameters())


def test_a_change_that_breaks_the_network_is_told_and_is_no_crash() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1, stride=2), nn.Flatten(), nn.Linear(2 * 8 * 8, 3))
    made = variant(model, (1, 16, 16), [parse_edit("0.stride=1", model)], layer="0")
    assert made.field is None
    assert made.failure is not None
    assert made.failure.startswith("2: ")


def test_a_branch_and_its_shortcut_change_together() -> None:
    model = torchvision.models.resnet18(weights=None)
    fields = receptive_fields(model, (3, 64, 64))
    stages = [[edit.layer for edit in edits] for edits in strides(fields, model)]
    assert stages == [
        ["conv1"],
        ["maxpool"],
        *([f"layer{n}.0.conv1", f"layer{n}.0.downsample.0"] for n in (2, 3, 4)),
    ]
    tried = [variant(model, (3, 64, 64), edits, layer="layer4") for edits in strides(fields, model)]
    assert all(made.failure is None for made in tried)
    # r' = r_l + (r - r_l)/2 with r_l = 7 behind conv1 and 11 behind the pool
    assert [made.field.size[0] for made in tried[:2] if made.field] == [7 + (435 - 7) // 2, 11 + (435 - 11) // 2]


def test_growth_widens_the_field() -> None:
    model = chain(CHAIN)
    fields = receptive_fields(model, (1, 64, 64))
    tried = [variant(model, (1, 64, 64), edits, layer="4") for edits in growth(fields, model)]
    assert tried
    assert all(made.field is not None and made.field.size[0] > fields["4"].size[0] for made in tried)
    assert all(made.field is not None and made.field.output == fields["4"].output for made in tried)
