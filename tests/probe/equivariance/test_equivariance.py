"""Closed forms of what a border spoils, zeros where theory has them, and planted causes that are found."""

import json
from typing import Any

import pytest
import torch
from networks import network_of, small, unchanged
from subject_steps import outcome
from torch import nn

from cnnlab.core.errors import RequestError, WorkError
from cnnlab.models.layers.convolution import LocallyConnected2d
from cnnlab.network.session import Session
from cnnlab.probe.alteration import Alteration
from cnnlab.probe.equivariance.facts import EquivarianceFacts, LayerFacts, equivariance_document
from cnnlab.probe.equivariance.grid import grids
from cnnlab.probe.equivariance.measure import Around, Entering, Measurement, measure
from cnnlab.probe.equivariance.report import equivariance_report, ranges
from cnnlab.probe.equivariance.run import equivariance
from cnnlab.stats.claim import Claim, Finding
from cnnlab.view.claims import claim_text
from cnnlab.view.json import text

CIRCULAR, BLURRED, LINEAR = (
    "padding=circular",
    "padding=circular pool=blur_pool",
    "padding=circular activation=identity",
)


def probed(model: nn.Module, shape: tuple[int, ...], **options: Any) -> EquivarianceFacts:
    network = network_of(model, shape)
    _, facts = outcome(equivariance(network, Session(device_name="cpu"), **{"count": 3, **options}))
    assert isinstance(facts, EquivarianceFacts)
    return facts


def conv(**options: Any) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3, bias=False, **options))


@pytest.mark.parametrize("pixels", [1, 2, 4])
def test_a_shift_by_s_spoils_s_plus_1_columns_and_rows(pixels: int) -> None:
    """The chapter's fragment: columns 0 … s − 1 and the last. Its slice 3:-1 is wrong for a shift of 4; s:-1 is it."""
    (layer,) = probed(conv(padding=1), (1, 16, 16), shifts=[pixels]).layers
    assert [one.cells for one in layer.spoiled] == [(*range(pixels), 15)] * 2
    # the receptive fields leave out the column that reads the zeros which came in: they happen to be what padding is
    assert [one.interior for one in layer.spoiled] == [14 - pixels] * 2
    assert layer.interior == 0


def test_without_padding_what_came_in_is_all_that_is_spoiled() -> None:
    (layer,) = probed(conv(), (1, 16, 16), shifts=[3]).layers
    assert [one.cells for one in layer.spoiled] == [(0, 1, 2)] * 2
    assert [one.interior for one in layer.spoiled] == [11] * 2


@pytest.mark.parametrize("axis", [0, 1])
def test_the_interior_is_exact_on_random_networks_in_double_precision(axis: int) -> None:
    torch.manual_seed(axis)
    model = nn.Sequential(
        nn.Conv2d(2, 3, (3, 5), padding=(1, 2)), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(3, 3, 3, padding=2, dilation=2)
    )
    model = model.double().eval()
    layers = grids(network_of(model, (2, 24, 28)))
    images = torch.randn(2, 2, 24, 28, dtype=torch.float64)
    moves = [Entering(axis, pixels) for pixels in (2, 4, -2)]
    *_, found = measure(model, layers, [images], moves, Alteration())
    assert isinstance(found, Measurement)
    for grid in layers:
        for move in moves:
            cells = set(grid.interior(move.pixels, axis).tolist())
            errors, spoiled = found.interior(move, grid.name), found.spoiled(move, grid.name)
            assert errors is not None
            assert spoiled is not None
            assert float(errors.max()) < 1e-14
            assert not cells & set(spoiled)
            assert len(cells) + len(spoiled) >= grid.cells[axis] - 2  # no more is set aside than has to be


@pytest.fixture(scope="module")
def found() -> EquivarianceFacts:
    """conv, norm, ReLU, max pool (stride 2), conv of stride 2, ReLU, mean, linear."""
    model = small(classes=3)
    with unchanged(model):
        return probed(model, (3, 16, 16), what_if=["padding=reflect"])


def error(layer: LayerFacts, way: str, pixels: float) -> float:
    return layer.moved[way][pixels].mean


def test_circular_padding_keeps_whole_cells_exactly_and_every_layer_at_a_multiple_of_its_stride(
    found: EquivarianceFacts,
) -> None:
    assert found.coarsest == 4
    assert found.shifts == tuple(range(1, 9))
    for layer in found.maps:
        for pixels in found.shifts:
            kept = pixels % (layer.stride[0] or 1) == 0
            assert (error(layer, CIRCULAR, pixels) < 1e-5) == kept, (layer.name, pixels)
        assert error(layer, "as it is", 4) > 0.01
        assert "padding=reflect" in layer.moved


def test_each_cause_is_found_where_it_is(found: EquivarianceFacts) -> None:
    by_name = {layer.name: layer for layer in found.layers}
    # a half pixel is lost first at the first activation, and not without it; a whole one at the first stride
    assert error(by_name["norm1"], CIRCULAR, 0.5) < 1e-5 < 0.01 < error(by_name["relu1"], CIRCULAR, 0.5)
    assert error(by_name["relu1"], LINEAR, 0.5) < 1e-5
    assert error(by_name["relu1"], CIRCULAR, 1) < 1e-5 < 0.01 < error(by_name["pool1"], CIRCULAR, 1)
    assert error(by_name["relu2"], BLURRED, 1) < error(by_name["relu2"], CIRCULAR, 1)
    # what is averaged over the torus does not move at all; and what has no rows and columns says so
    assert error(by_name["pool2"], CIRCULAR, 4) < 1e-5
    assert error(by_name["linear"], CIRCULAR, 4) < 1e-5 < 0.01 < error(by_name["linear"], "as it is", 4)
    assert by_name["linear"].why == "(3,) for an image, without height and width"
    assert by_name["pool2"].why == "a single place"


def test_a_kernel_that_looks_the_same_from_all_sides_is_kept_by_quarter_turns() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 2, 3, padding=1), nn.ReLU(), nn.Conv2d(2, 2, 3, stride=2, padding=1))
    facts = probed(model, (2, 32, 32))
    with torch.no_grad():
        for layer in (model[0], model[2]):
            turns = [torch.rot90(layer.weight, n, (2, 3)) for n in range(4)]
            layer.weight.copy_(torch.stack(turns).mean(0))
    same = probed(model, (2, 32, 32))
    assert facts.layers[0].shapes["turned by 90°"].mean > 0.1
    assert same.layers[0].shapes["turned by 90°"].mean < 1e-5
    # the strided map's cells are turned onto places between them, as far as its waves tell these
    assert same.layers[2].shapes["turned by 90°"].mean < 0.5 * facts.layers[2].shapes["turned by 90°"].mean


def test_layers_without_shared_weights_or_a_map_do_not_move() -> None:
    local = nn.Sequential(LocallyConnected2d((1, 8, 8), 2, (3, 3), padding=(1, 1)), nn.Flatten(), nn.Linear(128, 3))
    facts = probed(local, (1, 8, 8), shifts=[1])
    assert error(facts.layers[0], CIRCULAR, 1) > 0.5
    assert [one.why for one in facts.layers[1:]] == [
        "(128,) for an image, without height and width",
        "(3,) for an image, without height and width",
    ]
    dense = probed(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), (1, 8, 8))
    assert {claim.finding for claim in dense.claims} == {Finding.OPEN}, "the sentences are about convolutions"
    assert dense.maps == ()
    assert "No layer of net puts out a map of the image" in equivariance_report(dense).blocks[0].text  # type: ignore[union-attr]


def test_behind_a_norm_over_the_map_no_cell_is_free_of_the_border() -> None:
    facts = probed(nn.Sequential(nn.Conv2d(1, 4, 5, stride=4), nn.GroupNorm(2, 4)), (1, 16, 24))
    assert all(one.interior for one in facts.layers[0].spoiled)
    assert {one.interior for one in facts.layers[1].spoiled} == {0}
    assert facts.layers[1].interior is None


def test_what_a_circular_border_does_not_mend_is_not_put_down_to_the_border() -> None:
    class Places(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.arange(x.shape[3])

    facts = probed(nn.Sequential(nn.Conv2d(1, 2, 1), Places()), (1, 8, 8))
    said = equivariance_report(facts).blocks[0].text  # type: ignore[union-attr]
    assert "is lost from 1 on, with circular padding as well" in said


def test_a_network_that_diverged_is_refused() -> None:
    model = conv(padding=1)
    model[0].weight.data[0, 0, 0, 0] = float("nan")
    with pytest.raises(WorkError, match="of net puts out is NaN"):
        probed(model, (1, 8, 8))


def test_the_claims_are_judged_by_what_was_measured(found: EquivarianceFacts) -> None:
    findings = {claim.sentence: claim.finding for claim in found.claims}
    assert findings["A shift by s spoils s + 1 columns of a padded 3 × 3 convolution"] == Finding.SUPPORTED
    assert findings["With circular padding nothing is lost"] == Finding.SUPPORTED
    # a run's page reads them from the facts
    kept = json.loads(text(equivariance_document(found)))["claims"]
    assert [claim_text(Claim.from_json(one)) for one in kept] == [claim_text(claim) for claim in found.claims]
    local = probed(nn.Sequential(LocallyConnected2d((1, 8, 8), 2, (3, 3), padding=(1, 1))), (1, 8, 8))
    contradicted = {claim.sentence: claim.finding for claim in local.claims}
    assert contradicted["Away from the border maps move with the image"] == Finding.CONTRADICTED
    assert contradicted["With circular padding nothing is lost"] == Finding.CONTRADICTED


def test_of_a_network_whose_maps_are_zeros_nothing_can_be_told() -> None:
    still = conv(padding=1)
    nn.init.zeros_(still[0].weight)  # type: ignore[arg-type]
    claims = probed(still, (1, 8, 8), shifts=[1]).claims
    assert len(claims) > 2
    assert {claim.finding for claim in claims} == {Finding.OPEN}


def test_the_report_has_every_map_once(found: EquivarianceFacts) -> None:
    report = equivariance_report(found)
    assert report.title == "Do the maps of net move with the image?"
    table = next(block for block in report.blocks if getattr(block, "name", "") == "layers")
    assert [row[0] for row in table.rows] == ["conv1", "norm1", "relu1", "pool1", "conv2", "relu2"]  # type: ignore[union-attr]
    assert ranges((0, 1, 2, 15)) == "0–2, 15"


def test_tokens_are_read_as_the_map_that_they_are() -> None:
    class Patches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.proj = nn.Conv2d(1, 4, 4, stride=4)
            self.norm = nn.LayerNorm(4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            tokens: torch.Tensor = self.norm(self.proj(x).flatten(2).transpose(1, 2))
            return tokens

    torch.manual_seed(0)
    norm = probed(Patches(), (1, 16, 16), shifts=[4]).layers[-1]
    assert norm.tokens == "tokens of a grid of 4 × 4"
    assert norm.stride == (4, 4)
    assert error(norm, CIRCULAR, 4) < 1e-5 < 0.05 < error(norm, CIRCULAR, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shifts": [16]}, "`shifts` 16: expected whole pixels from 1 to 15, for images of 16 × 16"),
        ({"count": 0}, "`count` is 0; expected 1 or more"),
        ({"what_if": ["pool=blur_pool"]}, "pool=blur_pool changes nothing: net subsamples nothing"),
    ],
)
def test_what_cannot_be_asked_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        probed(conv(padding=1), (1, 16, 16), **options)


def test_maps_that_do_not_go_around_the_image_are_told_at_whole_cells_alone() -> None:
    (layer,) = probed(conv(stride=2), (1, 16, 16)).layers
    assert layer.output == (2, 7, 7)
    assert layer.moved == {}
    assert {(one.pixels, one.whole) for one in layer.spoiled} == {(2, 0.0), (4, 0.0), (6, 0.0), (8, 0.0)}
    assert Around(0, 1).of_maps(torch.zeros(1, 2, 7, 7), grids(network_of(conv(stride=2), (1, 16, 16)))[0]) is None


def test_a_norm_over_all_places_has_no_inside_and_loses_nothing_where_the_border_is_none() -> None:
    """Every unit sees the whole image, which the walk holds once for all of them."""
    facts = probed(nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.GroupNorm(1, 2)), (1, 8, 8), shifts=[2])
    norm = facts.layers[1]
    assert norm.interior is None
    assert {one.interior for one in norm.spoiled} == {0}
    assert error(norm, CIRCULAR, 2) < 1e-5


def test_a_single_channel_lies_in_rows_for_networks_that_look_at_it_by_view() -> None:
    class Views(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            made: torch.Tensor = self[1](self[0](x)).view(len(x), -1)
            return made

    facts = probed(Views(nn.Conv2d(1, 2, 3, padding=1), nn.AvgPool2d(2)), (1, 8, 8), shifts=[2])
    assert [one.name for one in facts.maps] == ["0", "1"]
