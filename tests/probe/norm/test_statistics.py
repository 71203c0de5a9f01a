"""Batch statistics and running ones against their closed forms, and against torch."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnnlab.core.advance import Advance
from cnnlab.probe.norm.batch_statistics import batch_scatter
from cnnlab.probe.norm.moments import drawn_batches, independent_moments, moments_of, norm_inputs
from cnnlab.probe.norm.running_averages import kept_statistics, mode_gaps, running_course


def correlated(images: int = 200) -> Tensor:
    """Images whose pixels share a value: 3 + 2·(one value an image) + noise; of 5 channels."""
    generator = torch.Generator().manual_seed(0)
    shared, own = torch.randn(images, 5, 1, 1, generator=generator), torch.randn(images, 5, 4, 4, generator=generator)
    return (3 + 2 * shared + own).double()


def test_batches_have_the_statistics_that_torch_takes_of_their_images() -> None:
    values = correlated()
    counts = drawn_batches(len(values), 7, 3, torch.Generator().manual_seed(1))
    means, variances = (found := moments_of(values.split(64), 1e-5)).batches(counts)
    for row, mean, variance in zip(counts, means, variances, strict=True):
        batch = values.repeat_interleave(row.long(), 0)
        assert len(batch) == 7
        assert torch.allclose(found.centre + mean, batch.mean((0, 2, 3)))
        assert torch.allclose(variance, batch.var((0, 2, 3), correction=0))


def test_scatter_is_what_the_closed_forms_say_at_every_size() -> None:
    found = batch_scatter("x", moments_of([correlated()], 1e-5), seed=0)
    for one in found.sizes:
        assert one.mean_deviation == pytest.approx(one.mean_expected, rel=0.1)
        assert one.variance_bias == pytest.approx(one.variance_bias_expected, abs=4 * one.variance_deviation / 20)
        assert one.mean_expected > 3 * one.mean_independent  # of 16 pixels that are alike
        assert one.output_variance == pytest.approx(1, abs=1e-4)
        assert one.output_deviation < 1e-4
    assert found.effective < 2


def test_independent_pixels_count_each_for_itself() -> None:
    moments = independent_moments(images=4096, channels=4, positions=64, mean=5.0, deviation=3.0, seed=0)
    found = batch_scatter("x", moments, seed=0, sizes=(2,))
    assert found.effective == pytest.approx(64, rel=0.1)
    (small,) = found.sizes
    assert small.mean_expected == pytest.approx(small.mean_independent, rel=0.05)
    # of m·P values the variance of a normal sample's variance is 2(mP − 1)/(mP)² in units of σ⁴
    assert small.variance_deviation == pytest.approx(math.sqrt(2 * 127) / 128, rel=0.1)


def test_running_averages_go_the_way_of_the_closed_form() -> None:
    course = running_course("x", moments_of([correlated()], 1e-5), momentum=0.2, batch=16, seed=0, repeats=64)
    for step in course.steps:
        assert step.way == pytest.approx(1 - 0.8**step.updates, abs=0.02)
        assert step.variance == pytest.approx(step.variance_expected, rel=0.05)
    assert course.steps[-1].scatter == pytest.approx(course.scatter_expected, rel=0.15)
    assert 0.8**course.updates_needed <= 0.01 < 0.8 ** (course.updates_needed - 1)


def test_what_is_left_of_the_gap_between_modes_is_the_image_itself() -> None:
    """With true averages (x − μ̂)/σ̂ − (x − μ)/σ is about √(1/P + 1/(2P)) in root mean square, P = 64 pixels."""
    two, *_, true = mode_gaps(seed=0)
    assert true.updates is None
    assert true.difference == pytest.approx(math.sqrt(1.5 / 64), rel=0.1)
    assert two.difference > 10 * true.difference


def test_inputs_are_those_that_running_statistics_come_to() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, momentum=1.0), nn.ReLU(), nn.Conv2d(4, 2, 3))
    images = torch.randn(12, 3, 8, 8)
    model.train()(images)  # momentum 1: the running statistics are this batch's
    *steps, found = norm_inputs(model.eval(), images, ["1"], max_batch=5)
    assert [step.done for step in steps if isinstance(step, Advance)] == [5, 10, 12]
    assert isinstance(found, dict)
    kept = kept_statistics("1", model[1], found["1"])
    assert kept is not None
    assert kept.updates == 1
    assert kept.mean_error < 1e-5
    assert kept.variance_ratio == pytest.approx(12 * 36 / (12 * 36 - 1), rel=1e-4)  # the unbiased one


def test_a_dead_channel_is_left_out() -> None:
    values = correlated()
    values[:, 2] = 0.5
    found = batch_scatter("x", moments_of([values], 1e-5), seed=0, sizes=(4,))
    assert math.isfinite(found.sizes[0].variance_deviation)
    assert F.relu(torch.tensor(found.effective)) > 0
