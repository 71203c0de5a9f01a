import math
from types import SimpleNamespace
from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.fit.fit import StepDone
from cnnlab.training.loop import _is_recorded
from cnnlab.training.report import StepRow
from cnnlab.training.report_files import step_rows


@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 100))
def test_every_so_many_steps_and_at_least_once_an_epoch(batches: int, accumulate: int, every: int) -> None:
    logging, training = SimpleNamespace(every_steps=every), SimpleNamespace(accumulate=accumulate)
    setup: Any = SimpleNamespace(
        config=SimpleNamespace(logging=logging, training=training), batches=SimpleNamespace(steps=batches)
    )
    nothing, per_epoch, step = torch.zeros(()), math.ceil(batches / accumulate), 0
    for epoch in range(1, 4):
        recorded = []
        for number in range(1, per_epoch + 1):
            step += 1
            fact = StepDone(step, epoch, min(batches, number * accumulate), 0.1, nothing, nothing, 1, 0.5)
            if _is_recorded(fact, setup):
                recorded.append(step)
        due = [s for s in range(step - per_epoch + 1, step + 1) if s % every == 0]
        assert recorded == (due or [step])


def test_steps_lie_between_the_ends_of_their_epochs() -> None:
    step = {"kind": "step", "train/step_loss": 1.0, "lr": 0.1}
    points = [
        {**step, "step": 2, "epoch": 1},
        {"kind": "epoch", "step": 4, "epoch": 1},
        {**step, "step": 5, "epoch": 2, "train/step_loss": 0.5},
        {**step, "step": 6, "epoch": 2, "train/step_loss": float("nan")},
        {"kind": "epoch", "step": 8, "epoch": 2},
        {**step, "step": 9, "epoch": 3},
        {"kind": "epoch", "step": 10, "epoch": 3, "share": 0.5},  # where the time was over
        {**step, "step": 11, "epoch": 4},  # of an epoch that was never finished
    ]
    run: Any = SimpleNamespace(metrics=lambda: points)
    assert step_rows(run) == [StepRow(0.5, 1.0, 0.1), StepRow(1.25, 0.5, 0.1), StepRow(2.25, 1.0, 0.1)]
