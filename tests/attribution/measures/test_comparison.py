import pytest
import torch
from networks import small, unchanged
from torch import Tensor, nn

from cnnlab.attribution.measures.comparison import CONTROLS, Comparison, compare_maps
from cnnlab.core.advance import Advance
from cnnlab.core.errors import RequestError, WorkError


def drawn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


class Spot(nn.Module):
    """Class 0 for images that are bright at one place, `spot`, however the rest looks."""

    def __init__(self, height: int, width: int, spot: tuple[slice, slice]) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(height, width))
        self.weights.data[spot] = 1.0

    def forward(self, images: Tensor) -> Tensor:
        score = (images[:, 0] * self.weights).flatten(1).sum(1) - 4
        return torch.stack([score, torch.zeros_like(score)], 1)


def planted(n: int = 12) -> tuple[nn.Module, Tensor, Tensor, Tensor]:
    """Model, images, targets and masks: a bright square off the middle, noise elsewhere."""
    spot = (slice(1, 5), slice(9, 13))
    images = 0.3 * drawn(1, n, 1, 16, 16)
    images[:, 0, spot[0], spot[1]] += 0.8
    masks = torch.zeros(n, 16, 16, dtype=torch.bool)
    masks[:, spot[0], spot[1]] = True
    return Spot(16, 16, spot), images, torch.zeros(n).long(), masks


def compared(*args: object, **options: object) -> Comparison:
    *_, result = compare_maps(*args, seed=0, **options)  # type: ignore[arg-type]
    assert isinstance(result, Comparison)
    return result


def test_the_planted_cause_beats_chance_and_its_opposite_is_worse() -> None:
    model, images, targets, masks = planted()
    truth = images[:, 0] * model.weights.detach()  # type: ignore[operator, union-attr]
    maps = {"truth": truth, "opposite": -truth, "chance": drawn(9, 12, 16, 16)}
    found = compared(model, images, targets, maps, masks=masks)
    outcomes = {(one.name, one.level): one.outcome for one in found.verdicts}
    assert outcomes["truth", "pixels"] == outcomes["truth", "blocks of 2×2"] == "better than every control"
    assert outcomes["opposite", "pixels"] == outcomes["opposite", "blocks of 2×2"] == "worse than chance"
    assert outcomes["chance", "pixels"] in ("not better than chance", "worse than chance")
    good, bad = found.methods[0], found.methods[1]
    assert good.road is not None
    assert bad.road is not None
    assert good.road.combined.mean > 0.1 > -0.1 > bad.road.combined.mean
    assert good.place.inside is not None
    assert good.place.pointing is not None
    assert (good.place.inside.mean, good.place.pointing.mean) == (1, 1)
    assert found.object_area == pytest.approx(16 / 256)
    assert (found.border_area, found.corner_area) == (1 - 0.75**2, 0.25)
    assert good.drop.mean < bad.drop.mean


def test_controls_stand_beside_in_their_order() -> None:
    model, images, targets, _ = planted(6)
    found = compared(model, images, targets, {"a": drawn(2, 6, 4, 4)}, with_road=False)
    assert tuple(one.name for one in found.controls) == CONTROLS
    assert all(one.control for one in found.controls)
    assert (found.n, found.percentiles, found.object_area, found.controls[0].road) == (6, None, None, None)
    assert found.controls[0].place.inside is None
    for one in (*found.methods, *found.controls):
        for curve, some_images in ((one.pixels, one.images.pixels), (one.blocks, one.images.blocks)):
            assert curve.gain.mean == pytest.approx(curve.insertion.mean - curve.deletion.mean)
            assert curve.gain.mean == pytest.approx(float(some_images.gain.mean()))
            torch.testing.assert_close(curve.deletion_curve, some_images.deletion.mean(0))


def test_progress_ends_at_the_total_and_nothing_depends_on_the_batch() -> None:
    model, images, targets, masks = planted(7)
    maps = {"a": drawn(2, 7, 8, 8), "b": drawn(3, 7, 16, 16).clamp(min=0)}
    *events, whole = compare_maps(model, images, targets, maps, seed=0, masks=masks, steps=8)
    assert isinstance(whole, Comparison)
    *small_events, parts = compare_maps(model, images, targets, maps, seed=0, masks=masks, steps=8, max_batch=5)
    assert isinstance(parts, Comparison)
    for made in (events, small_events):
        done = [event.done for event in made if isinstance(event, Advance)]
        assert done == sorted(set(done))
        assert done[-1] == 5 * 7 == next(event.total for event in made if isinstance(event, Advance))
    assert len(small_events) == 5 * 7 > len(events)
    for one, other in zip((*whole.methods, *whole.controls), (*parts.methods, *parts.controls), strict=True):
        assert one.pixels.gain.mean == pytest.approx(other.pixels.gain.mean, abs=1e-6)
        assert one.blocks.gain.mean == pytest.approx(other.blocks.gain.mean, abs=1e-6)
        torch.testing.assert_close(one.images.drop.shown, other.images.drop.shown, rtol=0, atol=1e-6)
        assert one.road is not None
        assert other.road is not None
        assert one.road.combined.mean == pytest.approx(other.road.combined.mean, abs=1e-6)
        assert one.place == other.place


def test_a_seed_is_a_result_and_global_state_is_left_alone() -> None:
    model, images, targets, _ = planted(6)
    maps = {"zeros": torch.zeros(6, 16, 16)}
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first, again = (compared(model, images, targets, maps, steps=4) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert first.verdicts == again.verdicts
    *_, other = compare_maps(model, images, targets, maps, seed=1, steps=4)
    assert isinstance(other, Comparison)
    assert other.verdicts != first.verdicts


def test_maps_without_evidence_are_said_and_give_no_nan() -> None:
    model, images, targets, masks = planted(8)
    maps = {"zeros": torch.zeros(8, 16, 16), "one": torch.zeros(8, 16, 16)}
    maps["one"][0, 2, 10] = 1
    found = compared(model, images, targets, maps, masks=masks, steps=8)
    zeros, one = found.methods
    assert (zeros.place.empty, zeros.place.flat) == (8, 8)
    assert zeros.place.note == (
        "8 maps have no positive evidence, 8 the same value everywhere, so that the pixels went in random order"
    )
    assert (zeros.place.border, zeros.place.gini, zeros.place.inside) == (None, None, None)
    assert zeros.place.pointing is not None
    assert zeros.place.pointing.mean == 0
    assert found.controls[0].place.note is None
    assert one.place.inside is not None
    assert one.place.pointing is not None
    assert (one.place.empty, one.place.inside.mean, one.place.inside.n, one.place.pointing.mean) == (7, 1, 1, 1 / 8)
    for item in (zeros, one, *found.controls):
        for number in (item.pixels.gain, item.blocks.gain, item.drop, item.increase):
            assert number.mean == number.mean
    assert all(not verdict.outcome.startswith("better") for verdict in found.verdicts[:2])


def test_the_model_is_left_as_it_was_also_when_abandoned() -> None:
    model, images = small(), drawn(4, 3, 3, 8, 8)
    targets, maps = torch.tensor([0, 1, 2]), {"a": drawn(5, 3, 8, 8)}
    with unchanged(model):
        list(compare_maps(model, images, targets, maps, seed=0, steps=4))
    with unchanged(model):
        halfway = compare_maps(model, images, targets, maps, seed=0, steps=4, max_batch=5)
        next(halfway)
        del halfway


def test_wrong_requests_are_told() -> None:
    model, images, targets, masks = planted(3)
    good = {"a": drawn(0, 3, 8, 8)}
    with pytest.raises(RequestError, match="there is no image"):
        compared(model, images[:0], targets[:0], {})
    with pytest.raises(RequestError, match="2 targets for 3 images"):
        compared(model, images, targets[:2], good)
    with pytest.raises(RequestError, match="may not be called 'edges': the controls are random, centre, edges"):
        compared(model, images, targets, {"edges": good["a"]})
    with pytest.raises(RequestError, match=r"'a' have shape \(3, 17, 16\) for 3 images of 16×16"):
        compared(model, images, targets, {"a": drawn(0, 3, 17, 16)})
    with pytest.raises(RequestError, match=r"masks of shape \(3, 8, 8\)"):
        compared(model, images, targets, good, masks=masks[:, :8, :8])
    masks[1] = False
    with pytest.raises(RequestError, match=r"1 of 3 object masks have no pixel \(first: image 1\)"):
        compared(model, images, targets, good, masks=masks)
    with pytest.raises(WorkError, match=r"1 of 3 maps have values that are NaN"):
        compared(model, images, targets, {"a": torch.tensor([0.0, float("nan"), 0]).reshape(3, 1, 1)})
